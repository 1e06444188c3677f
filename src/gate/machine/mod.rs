//! The board of a machine: where riftsyncs of one user share a key, each with a database of its own.
//!
//! It is a folder that nobody else can enter. Each limiter has a file there that it holds locked as long as it is
//! there: the kernel lets go of the lock however the process ends, so others know at once who died. Beside it is its
//! row, which is replaced as a whole. Nobody ever waits for a lock: how rows are shared without one, also with a process
//! that is stopped in the middle, is decided by `model::board_claim`.
//!
//! Names are made of what the key is for and of a fingerprint of the key, never of the key. Times are those of the
//! machine's monotonic clock, which all its processes have in common and nobody sets.
//!
//! Work on files is done off the async threads.

mod files;
mod member;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use self::member::Member;
use crate::limiter::{Board, JoinedBoard, MachineTrouble};
use crate::model::budget_share::{BoardGrant, BoardReport};
use crate::model::{Route, fingerprint};

/// Where riftsyncs of this machine find each other.
#[derive(Debug)]
pub struct Machine {
    /// The first of these folders that can be used is.
    folders: Arc<[PathBuf]>,
    /// The API that the key is for.
    api: String,
    me: Arc<Myself>,
    trouble: Arc<MachineTrouble>,
}

/// What a process tells others of itself, and what it heard of them.
#[derive(Debug, Default)]
struct Myself {
    database: String,
    /// Databases of others that were told of, and when they were last seen.
    seen: Mutex<BTreeMap<String, Instant>>,
}

/// Databases that are remembered.
const SEEN_MAX: usize = 64;
/// Whoever was not seen for so long is told of no more: rows are read once a second while calls go.
const SEEN_LATELY: Duration = Duration::from_mins(1);

impl Myself {
    /// Somebody uses the key with that database, just now.
    fn see(&self, database: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = seen.get_mut(database) {
            *at = Instant::now();
            return;
        }
        if database == self.database || seen.len() == SEEN_MAX {
            return;
        }
        tracing::info!(
            "another riftsync of this machine uses this API key too, with the database {database}: both share its limits"
        );
        seen.insert(database.to_owned(), Instant::now());
    }

    fn lately(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = seen.iter().filter(|(_, at)| at.elapsed() < SEEN_LATELY);
        lately.map(|(database, _)| database.clone()).collect()
    }
}

impl Machine {
    /// `api` is the URL of the API; `database` is shown to people.
    pub fn new(folders: Vec<PathBuf>, api: &str, database: String) -> Self {
        Self {
            folders: folders.into(),
            api: api.to_owned(),
            me: Arc::new(Myself {
                database,
                seen: Mutex::default(),
            }),
            trouble: Arc::default(),
        }
    }

    /// The databases of other riftsyncs that use the key now.
    pub(super) fn others(&self) -> Vec<String> {
        self.me.lately()
    }

    /// What an engine shares on this machine and on its database's board.
    pub(super) fn join(&self, key_fingerprint: &str, database: Arc<dyn Board>) -> JoinedBoard {
        let machine = Arc::new(self.board(key_fingerprint));
        JoinedBoard::new(machine, database, self.trouble.clone())
    }

    fn board(&self, key_fingerprint: &str) -> MachineBoard {
        MachineBoard {
            folders: self.folders.clone(),
            name: fingerprint(format!("{}\n{key_fingerprint}", self.api).as_bytes()),
            me: self.me.clone(),
            member: Arc::default(),
        }
    }
}

/// The machine's board as one limiter has it. One for each life of a limiter.
#[derive(Debug)]
struct MachineBoard {
    folders: Arc<[PathBuf]>,
    name: String,
    me: Arc<Myself>,
    /// Taken at the first exchange.
    member: Arc<AsyncMutex<Option<Member>>>,
}

impl Board for MachineBoard {
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        let Ok(mut member) = self.member.clone().try_lock_owned() else {
            let why = "its files do not answer (does the disk hang?)".to_owned();
            return Box::pin(std::future::ready(Err(why)));
        };
        let (folders, me) = (self.folders.clone(), self.me.clone());
        let board = format!("{}-{route}", self.name);
        let work = move || {
            let taken = match member.take() {
                Some(taken) => taken,
                None => Member::open(&folders, &board, &me)?,
            };
            // It stays when it cannot be written for a while: others must not take us for dead.
            let taken = member.insert(taken);
            let granted = taken.exchange(&report);
            if granted.is_err() && taken.is_gone() {
                *member = None;
            }
            granted
        };
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(work).await;
            done.unwrap_or_else(|error| Err(error.to_string()))
        })
    }
}

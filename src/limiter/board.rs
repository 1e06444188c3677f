//! Where engines of one key share its limits. What it grants is decided by `model::budget_share`; where
//! it is kept is the business of whoever implements this.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use riftsync_model::Route;
use riftsync_model::budget_share::{BoardGrant, BoardReport, BoardRow, share};

/// See the module.
pub trait Board: Send + Sync + fmt::Debug {
    /// Puts a report on the board and takes what is granted. An error is bad weather: nothing is known
    /// of whether the report was taken.
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>>;

    /// Whether others can see that this engine lives. One that they cannot see makes no calls: they may take it for
    /// dead before its lease is over.
    fn is_seen(&self) -> bool {
        true
    }
}

/// A board in memory, for engines in one process.
#[derive(Debug)]
pub struct MemoryBoard {
    epoch: Instant,
    rows: Mutex<BTreeMap<Route, Vec<BoardRow>>>,
}

impl Default for MemoryBoard {
    fn default() -> Self {
        Self {
            epoch: Instant::now(),
            rows: Mutex::default(),
        }
    }
}

impl MemoryBoard {
    /// What an engine of that name holds of the board.
    pub fn member(self: &Arc<Self>, engine: &str) -> Arc<MemoryMember> {
        Arc::new(MemoryMember {
            board: self.clone(),
            engine: engine.to_owned(),
            ended: AtomicBool::new(false),
        })
    }

    fn now(&self) -> i64 {
        i64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// A board as one engine sees it.
#[derive(Debug)]
pub struct MemoryMember {
    board: Arc<MemoryBoard>,
    engine: String,
    ended: AtomicBool,
}

impl MemoryMember {
    /// The engine has ended: it makes no more calls, and is heard no more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let now = self.board.now();
        let mut rows = self
            .board
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for row in rows.values_mut().flatten() {
            if row.engine == self.engine {
                row.ended_at = Some(now);
            }
        }
    }
}

impl Board for MemoryMember {
    fn exchange(
        &self,
        route: Route,
        report: BoardReport,
    ) -> BoxFuture<'static, Result<BoardGrant, String>> {
        if self.ended.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        let now = self.board.now();
        let mut rows = self
            .board
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let rows = rows.entry(route).or_default();
        let (entry, grant) = share(rows, &self.engine, &report, now);
        rows.retain(|row| row.engine != self.engine && !row.is_over(now));
        rows.push(BoardRow {
            engine: self.engine.clone(),
            entry,
            reported_at: now,
            ended_at: None,
        });
        Box::pin(std::future::ready(Ok(grant)))
    }
}

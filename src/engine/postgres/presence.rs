//! Which engines live, by their sessions: each holds a lock in one of its own for as long as it runs, and the server
//! frees that at once when the process is gone. So a death is known in a second, not when a heartbeat is missed.
//!
//! A session can also end while its engine lives (somebody ended it, the server crashed). So the lock must be free for
//! [`GONE_AFTER`], the server must have been up for longer than anybody takes to come back, and an engine that is not
//! back after [`UNSEEN_MAX`] starts nothing until it is: whoever is taken for dead by this has stopped before.
//! An engine that is stopped or cut off keeps its session; it is known by its silence.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel_async::RunQueryDsl;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::attempts::millis;
use super::connect::{Link, Purpose, STATEMENT_TIMEOUT};
use super::job_statements as sql;
use super::shared::Shared;
use crate::store::DEAD_AFTER;

/// How often the others are looked for.
const LOOK: Duration = Duration::from_millis(300);
/// How often an engine looks whether its own session is there, or tries to have one.
const SESSION_CHECK: Duration = Duration::from_millis(100);
/// Whose session is gone for so long is dead.
const GONE_AFTER: Duration = Duration::from_millis(1_200);
/// An engine that has no session for so long starts nothing.
pub(super) const UNSEEN_MAX: Duration = Duration::from_millis(700);

/// What is known, for those who act on it.
#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// This engine, once others know that it holds a session.
    me: Option<String>,
    /// Its session is gone since then.
    unseen: Option<Instant>,
    /// Others whose sessions are gone, and since when, by the clock of the database.
    missing: Vec<(String, i64)>,
    /// Those of them that are dead.
    gone: Vec<(String, i64)>,
}

impl Presence {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Plain values: a panic elsewhere cannot leave them half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn holder(&self) -> Option<String> {
        self.known().me.clone()
    }

    pub(super) fn is_seen(&self) -> bool {
        let unseen = self.known().unseen;
        unseen.is_none_or(|since| since.elapsed() < UNSEEN_MAX)
    }

    pub(super) fn gone(&self) -> Vec<(String, i64)> {
        self.known().gone.clone()
    }

    fn held(&self, id: &str) {
        let mut known = self.known();
        known.me = Some(id.to_owned());
        known.unseen = None;
    }

    fn lost(&self) {
        let mut known = self.known();
        if known.me.is_some() {
            known.unseen.get_or_insert_with(Instant::now);
        }
        known.missing.clear();
        known.gone.clear();
    }

    /// Takes a look at the others: `now_ms` by the clock of the database.
    fn looked(&self, missing: Vec<(String, i64)>) {
        let mut known = self.known();
        known.gone.clear();
        let before = std::mem::take(&mut known.missing);
        for (id, now_ms) in missing {
            let since = before.iter().find(|(one, _)| *one == id);
            let since = since.map_or(now_ms, |(_, since)| *since);
            if now_ms - since >= millis(GONE_AFTER) {
                known.gone.push((id.clone(), since));
            }
            known.missing.push((id, since));
        }
    }
}

/// Holds the session of this engine and looks for the others', until it is told to end; on the current runtime.
pub(super) fn start(shared: &Arc<Shared>, me: String) -> AbortHandle {
    let shared = shared.clone();
    tokio::spawn(async move {
        let mut quiet = false;
        loop {
            if let Err(why) = hold_and_look(&shared, &me, quiet).await {
                tracing::debug!("other engines do not see this one: {why}");
            }
            shared.presence.lost();
            quiet = true;
            tokio::time::sleep(SESSION_CHECK.mul_f64(0.5 + fastrand::f64())).await;
        }
    })
    .abort_handle()
}

/// Returns when the connection is lost. `again`: it was there before, and others may be coming back too.
async fn hold_and_look(shared: &Arc<Shared>, me: &str, again: bool) -> Result<(), String> {
    let link = Link::connect(&shared.settings, Purpose::Read).await;
    let mut link = link.map_err(|error| error.cause)?;
    let others_from = Instant::now() + if again { DEAD_AFTER } else { Duration::ZERO };
    let mut held = false;
    let mut look_at = Instant::now();
    while !link.is_closed() {
        if !held {
            let asked = sql::HoldSession { id: me }.get_result(&mut link.conn);
            held = answered(asked).await?;
            if held {
                let tell = sql::TellSession { id: me }.execute(&mut link.conn);
                answered(tell).await?;
                shared.presence.held(me);
            }
        }
        let now = Instant::now();
        if now >= look_at && now >= others_from {
            look_at = now + LOOK;
            let up_ms = millis(DEAD_AFTER);
            let gone = sql::Gone { me, up_ms }.load(&mut link.conn);
            shared.presence.looked(answered(gone).await?);
        }
        tokio::time::sleep(SESSION_CHECK).await;
    }
    Err("the connection is closed".to_owned())
}

async fn answered<T>(asked: impl Future<Output = diesel::QueryResult<T>>) -> Result<T, String> {
    let answer = timeout(STATEMENT_TIMEOUT, asked).await;
    answer
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: i64) -> Vec<(String, i64)> {
        vec![("other".to_owned(), at)]
    }

    #[test]
    fn an_engine_is_dead_when_its_session_was_gone_for_a_while_and_did_not_come_back() {
        let presence = Presence::default();
        presence.looked(told(1_000));
        presence.looked(told(2_100));
        assert_eq!(presence.gone(), []);
        presence.looked(told(2_200));
        assert_eq!(presence.gone(), [("other".to_owned(), 1_000)]);
        presence.looked(Vec::new());
        assert_eq!(presence.gone(), []);
        presence.looked(told(9_000));
        assert_eq!(presence.gone(), []);
    }

    #[test]
    fn what_was_seen_before_an_own_session_was_lost_counts_no_more() {
        let presence = Presence::default();
        presence.looked(told(1_000));
        presence.lost();
        presence.looked(told(9_000));
        assert_eq!(presence.gone(), []);
        // Nobody relies on a session that was never there.
        assert!(presence.is_seen());
    }
}

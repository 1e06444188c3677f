//! An open transaction, where the rows of riftsync are written.

use diesel_async::AsyncPgConnection;

use crate::engine::postgres::{self, Door, Locks};

/// What is written to it is committed with the jobs of its group, or not at all.
#[allow(missing_debug_implementations, reason = "a connection has no Debug")]
pub(super) struct Transaction<'t> {
    pub(super) conn: &'t AsyncPgConnection,
    pub(super) locks: &'t mut Locks,
    door: &'t mut Door,
}

impl<'t> Transaction<'t> {
    pub(super) fn of(tx: &'t mut postgres::Transaction<'_>) -> Self {
        let (conn, locks, door) = tx.parts();
        Self { conn, locks, door }
    }

    /// What comes now locks rows that all matches of a player share.
    pub(super) async fn go_in(&mut self) {
        self.door.go_in().await;
    }
}

//! The writer's open transaction, where the rows of riftsync are written.

use diesel::sqlite::SqliteConnection;

use crate::engine::sqlite;

/// What is written to it is committed with the commands of its group, or not at all.
pub(super) struct Transaction<'c> {
    pub(super) conn: &'c mut SqliteConnection,
}

impl<'c> Transaction<'c> {
    pub(super) fn of(jobs: &'c mut sqlite::Transaction<'_>) -> Self {
        Self { conn: jobs.conn() }
    }
}

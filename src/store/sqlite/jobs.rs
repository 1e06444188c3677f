//! What the engine's jobs write here.

use diesel::sqlite::SqliteConnection;

use super::SqliteStore;
use super::transaction::Transaction;
use crate::engine::sqlite::{SqliteFile, SqliteJobs};
use crate::model::Timestamp;
use crate::store::{Effect, StoreResult};

impl SqliteJobs for SqliteStore {
    type Effect = Effect;

    fn file(&self) -> &SqliteFile {
        &self.file
    }

    fn apply(conn: &mut SqliteConnection, effect: &Effect, now: Timestamp) -> StoreResult<()> {
        Transaction { conn }.apply(effect, now)
    }

    fn engine_starts(conn: &mut SqliteConnection, now: Timestamp) -> StoreResult<()> {
        Transaction { conn }.end_budgets(now)
    }
}

//! What a store has beside its jobs, and writes with their ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use riftsync_basics::Timestamp;
use riftsync_supervision::caught_panic;

use super::fault::Fault;
use super::transaction::Transaction;
use crate::store::{Effect, StoreError};

/// A program's own part in the transactions of a store of jobs: one value for each transaction, made anew when that is
/// run again.
///
/// A transaction ends many jobs, and writes what they bring at once. The methods are called in this order. All locks
/// are taken in one order by all transactions of all engines ([`Locks`](super::Locks)): those that meet wait in a
/// line.
#[async_trait]
pub trait PostgresJobs: Default + Send + Sync + 'static {
    type Effect: Effect;

    /// Looks at all that is to be written, each with its moment. Nothing is written yet.
    fn outset(&mut self, _: &mut Transaction<'_>, _: &[(&Self::Effect, Timestamp)]) {}

    /// Asks what must be known before anything is written, and locks what is to stay as it is; sent with what the store
    /// asks for itself.
    async fn look(&mut self, _: &Transaction<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// Writes the effects of those attempts that hold their jobs. Should one of them turn out not to, all is rolled
    /// back, and run again without it. An error undoes the end that brought it, and nobody else's. So does a panic,
    /// here and in the methods before and after.
    async fn write(
        &mut self,
        tx: &mut Transaction<'_>,
        effects: &[(&Self::Effect, Timestamp)],
    ) -> Result<(), Fault>;

    /// Writes what waited until now, into rows that are locked; sent with the lock of the jobs.
    async fn finish(&mut self, _: &Transaction<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// Engines were taken for dead because their sessions were gone. They do nothing more after these moments, in
    /// milliseconds by the clock of the database.
    async fn engines_ended(
        &mut self,
        _: &Transaction<'_>,
        _: &[(String, i64)],
    ) -> Result<(), Fault> {
        Ok(())
    }
}

/// A program's own part of a transaction: its panic is an error of whoever brought it. The transaction is rolled back.
pub(super) async fn guarded<T>(part: BoxFuture<'_, Result<T, Fault>>) -> Result<T, Fault> {
    let run = AssertUnwindSafe(part).catch_unwind().await;
    run.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// The same for what does not wait.
pub(super) fn guarded_now<T>(part: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(part)).map_err(|panic| panicked(&*panic))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    StoreError::Panicked(caught_panic(panic)).into()
}

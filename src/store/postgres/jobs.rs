//! What the engine's jobs write here.

use async_trait::async_trait;

use super::budgets::end_budgets;
use super::data::Outset;
use super::statistics::{Sums, update_years};
use super::transaction::Transaction;
use super::{Fault, PostgresStore};
use crate::engine::postgres::{self, PostgresDatabase, PostgresJobs};
use crate::model::Timestamp;
use crate::store::Effect;

/// The rows of one transaction, with the statistics that wait to be written until the jobs are locked.
#[derive(Debug, Default)]
pub struct Rows {
    outset: Outset,
    cleaned: Vec<String>,
    sums: Sums,
}

#[async_trait]
impl PostgresJobs for Rows {
    type Effect = Effect;

    fn outset(&mut self, tx: &mut postgres::Transaction<'_>, effects: &[(&Effect, Timestamp)]) {
        self.outset = Outset::of(effects);
        Transaction::of(tx).pass_players(&self.outset);
    }

    async fn look(&mut self, tx: &postgres::Transaction<'_>) -> Result<(), Fault> {
        let ((), cleaned) = tokio::try_join!(
            biased;
            self.outset.keep_players(tx.conn()),
            self.outset.cleaned_among(tx.conn()),
        )?;
        self.cleaned = cleaned;
        Ok(())
    }

    async fn write(
        &mut self,
        tx: &mut postgres::Transaction<'_>,
        effects: &[(&Effect, Timestamp)],
    ) -> Result<(), Fault> {
        self.sums = Transaction::of(tx).apply(effects, &self.cleaned).await?;
        Ok(())
    }

    async fn finish(&mut self, tx: &postgres::Transaction<'_>) -> Result<(), Fault> {
        let sums = std::mem::take(&mut self.sums);
        update_years(tx.conn(), &sums).await
    }

    async fn engines_ended(
        &mut self,
        tx: &postgres::Transaction<'_>,
        engines: &[(String, i64)],
    ) -> Result<(), Fault> {
        end_budgets(tx.conn(), engines).await
    }
}

crate::engine::is_store_of_jobs!(PostgresStore, database: PostgresDatabase<Rows>);

//! Who runs beside whom: all beside each other, but a job that may be what kills engines runs with nothing else under
//! way, so that a death by itself is its own.
//!
//! It waits for those that run, and what comes meanwhile waits for it. Others that run for long are not waited for: then
//! it tries again later.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::store::JobStore;
use riftsync_basics::{ClaimedJob, Outcome};

/// How long others may take to end, while none of those after them begins.
const WAIT: Duration = Duration::from_secs(30);
/// When it is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// Pause between tries to tell while the database cannot be written.
const TELL_AGAIN: Duration = Duration::from_millis(500);

/// One for an engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Floor(Arc<RwLock<()>>);

/// May run until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held for its lock")]
pub(super) enum Turn {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Floor {
    /// Waits until the job may run; or says what becomes of it instead.
    pub(super) async fn turn<S: JobStore + ?Sized>(
        &self,
        job: &ClaimedJob,
        store: &S,
    ) -> Result<Turn, Outcome> {
        if !job.alone {
            return Ok(Turn::Shared(self.0.clone().read_owned().await));
        }
        let waits = self.0.clone().write_owned();
        let Ok(turn) = tokio::time::timeout(WAIT, waits).await else {
            return Err(Outcome::Snooze {
                delay: AGAIN,
                why: "it is to run alone, and others did not end in time".to_owned(),
            });
        };
        // Before it begins: if the engine dies now, it is known who ran.
        while let Err(error) = store.runs_alone(job.lease).await {
            if !error.is_transient() {
                let why = error.to_string();
                return Err(Outcome::Snooze { delay: AGAIN, why });
            }
            tokio::time::sleep(TELL_AGAIN).await;
        }
        tracing::info!(
            "job {} may be what ended engines: it runs alone",
            job.lease.job
        );
        Ok(Turn::Alone(turn))
    }
}

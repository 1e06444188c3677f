//! Returns the jobs of dead engines.
//!
//! Whoever sees that the session of an engine is gone returns its jobs, in a second or two. The leader looks after each of
//! its heartbeats for those that have a session and are silent: an engine is dead after
//! [`DEAD_AFTER`](super::store::DEAD_AFTER), a lead is over sooner, so the jobs of any engine run again within half a
//! minute. Two that rescue at the same time do no harm: each job is returned by one of them.
//!
//! What dead engines left on this machine is read first, for it says what their jobs are suspected of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::clock::Clock;
use super::heartbeat::{EVERY, Standings};
use super::metrics::Metrics;
use super::store::{JobStore, Rescued, StoreResult};
use super::trace::{Trace, left_in};
use super::trouble::Trouble;
use riftsync_basics::suspicion::Death;
use riftsync_basics::time::as_text_if_any;
use riftsync_basics::words::words;
use riftsync_basics::{Timestamp, counted};
use riftsync_supervision::report_state;

/// How often it is looked whether another engine is gone, and whether this one is seen.
const LOOK: Duration = Duration::from_millis(200);

/// What there is to do, and with what.
#[derive(Debug)]
pub(super) struct Duty<S: ?Sized> {
    pub(super) engine: Arc<str>,
    pub(super) store: Arc<S>,
    pub(super) standings: Arc<Standings<S>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    /// Where engines of this machine leave their traces, and this one's.
    pub(super) traces: Option<PathBuf>,
    pub(super) trace: Option<Arc<Trace>>,
}

/// How the rescuer stands.
#[derive(Debug, Default, Serialize)]
struct RescuerState {
    /// None: there was no reason to look since it was started.
    #[serde(serialize_with = "as_text_if_any")]
    looked_at: Option<Timestamp>,
    /// Jobs of dead engines that it gave back since then.
    returned: usize,
    /// And those that it took for the cause of deaths.
    discarded: usize,
}

/// The trace of an engine that starts; none: it has no place for one.
pub(super) fn trace(folder: Option<&PathBuf>, engine: &str) -> Option<Arc<Trace>> {
    match Trace::hold(folder?, engine) {
        Ok(trace) => Some(Arc::new(trace)),
        Err(why) => {
            let folder = folder?.display();
            tracing::warn!(
                "{folder}: {why}. If this engine dies by itself, the next one cannot know it"
            );
            None
        }
    }
}

impl<S: JobStore + ?Sized> Duty<S> {
    /// Returns what dead engines held, if this engine leads or knows one that is gone.
    pub(super) async fn look(&self) -> StoreResult<Rescued> {
        if self.standings.leads().is_none() && !self.store.knows_of_deaths() {
            return Ok(Rescued::default());
        }
        self.read_traces().await?;
        let rescued = self.store.rescue(&self.engine, self.clock.now()).await?;
        if rescued.returned + rescued.poisoned == 0 {
            return Ok(rescued);
        }
        let what = format!(
            "an engine ended abruptly: {} again; {} discarded after too many such ends",
            counted(rescued.returned as u64, "job runs", "jobs run"),
            counted(rescued.poisoned as u64, "was", "were")
        );
        tracing::info!("{what}");
        self.metrics
            .events
            .tell("jobs_rescued", "/engine/rescuer", &what);
        if rescued.held_back > 0 {
            tracing::warn!(
                "{} of them may be what ends engines, and are held back for a while{}",
                rescued.held_back,
                words().health_tells_more()
            );
        }
        Ok(rescued)
    }

    async fn read_traces(&self) -> StoreResult<()> {
        let Some(folder) = self.traces.clone() else {
            return Ok(());
        };
        let found = tokio::task::spawn_blocking(move || left_in(&folder)).await;
        for left in found.unwrap_or_default() {
            let death = if left.by_itself {
                Death::ByItself
            } else {
                Death::FromOutside
            };
            let told = self.store.died(&left.engine, death).await?;
            if told && left.by_itself {
                tracing::warn!(
                    "engine {} ended by itself: it aborted, or the system ended it for want of memory",
                    left.engine
                );
            }
            left.done(told);
        }
        Ok(())
    }

    /// Looks and keeps what is looked at, for ever.
    pub(super) async fn look_on(self: Arc<Self>) {
        let trouble = Trouble::new("jobs of dead engines are returned later");
        let mut heard = self.standings.watch();
        let mut refresh_at = Instant::now();
        let mut state = RescuerState::default();
        report_state(&state);
        loop {
            if refresh_at <= Instant::now() {
                refresh_at = Instant::now() + EVERY;
                if let Some(trace) = self.trace.clone() {
                    let _ = tokio::task::spawn_blocking(move || trace.refresh()).await;
                }
            }
            // Who has the database for itself rescued at its start all there was.
            if !self.store.is_shared() {
                tokio::time::sleep_until(refresh_at).await;
                continue;
            }
            self.standings.heed_sight().await;
            let changed = tokio::time::timeout(LOOK, heard.changed()).await.is_ok();
            if changed || self.store.knows_of_deaths() {
                let looked = self.look().await;
                trouble.heed(&looked);
                if let Ok(rescued) = looked {
                    state.looked_at = Some(self.clock.now());
                    state.returned += rescued.returned;
                    state.discarded += rescued.poisoned;
                    report_state(&state);
                }
            }
        }
    }
}

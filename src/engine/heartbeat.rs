//! How an engine stands among those of its database: heard, in the lead, or taken for dead.
//!
//! An engine that was not heard for [`DEAD_AFTER`] loses its jobs. It may be alive all the same (stopped by its
//! system, or cut off), so it stops by itself a moment before: from then on it starts nothing that others may have
//! started. When it is heard again it learns whether its jobs were returned, and drops those that it
//! no longer holds. What they write meanwhile is refused by their leases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

use super::metrics::Metrics;
use super::store::{Beat, DEAD_AFTER, EngineInfo, JobStore, LEADS_FOR};
use super::trouble::Trouble;
use riftsync_basics::Timestamp;
use riftsync_basics::time::as_text_if_any;
use riftsync_supervision::report_state;

/// How often an engine is heard.
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// The next try after one that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// An engine stops by itself a moment before others may take it for dead.
const HOLDS_FOR: Duration = DEAD_AFTER.saturating_sub(Duration::from_secs(2));

/// How this engine stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// It holds its jobs until then; none: for ever, because it has the database for itself.
    until: Option<Instant>,
    /// How often its jobs were returned behind its back.
    pub(super) losses: u64,
    /// It leads, until then.
    leads: Option<(i64, Instant)>,
    /// When it was heard last.
    heard_at: Option<Instant>,
}

impl Standing {
    /// After it was heard; `asked`: when the heartbeat was sent, which is before the database's clock saw it. One that
    /// comes late may follow another whose answer was lost, and with it that the engine was dead.
    fn heard(self, beat: Beat, asked: Instant, shared: bool) -> Self {
        let may_have_lost = beat.was_dead || self.has_lapsed(asked);
        Self {
            until: shared.then(|| asked + HOLDS_FOR),
            losses: self.losses + u64::from(may_have_lost),
            leads: beat.leads.map(|term| (term, asked + LEADS_FOR)),
            heard_at: Some(asked),
        }
    }

    /// It was not heard for so long that others had to take it for dead.
    fn was_silent(&self, asked: Instant) -> bool {
        (self.heard_at).is_some_and(|heard| asked.saturating_duration_since(heard) >= DEAD_AFTER)
    }

    /// Others cannot see that it lives, and may take it for dead.
    fn unseen(self, now: Instant) -> Self {
        Self {
            until: Some(self.until.map_or(now, |until| until.min(now))),
            ..self
        }
    }

    /// Others may have its jobs.
    pub(super) fn has_lapsed(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    /// The term in which it leads.
    pub(super) fn leads(&self, now: Instant) -> Option<i64> {
        let (term, until) = self.leads?;
        (now < until).then_some(term)
    }
}

/// The engine's standing, for those who act on it.
#[derive(Debug)]
pub struct Standings<S: ?Sized> {
    info: EngineInfo,
    store: Arc<S>,
    metrics: Arc<Metrics>,
    now: watch::Sender<Standing>,
    leads: watch::Sender<bool>,
    /// What the log has last of the lead.
    told: AtomicBool,
}

impl<S: JobStore + ?Sized> Standings<S> {
    pub(super) fn new(info: EngineInfo, store: Arc<S>, metrics: Arc<Metrics>) -> Self {
        Self {
            info,
            store,
            metrics,
            now: watch::Sender::new(Standing::default()),
            leads: watch::Sender::new(false),
            told: AtomicBool::new(false),
        }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Standing> {
        self.now.subscribe()
    }

    pub(super) fn leads(&self) -> Option<i64> {
        self.now.borrow().leads(Instant::now())
    }

    /// Whether this engine leads; for duties that would do no harm, but waste, if two engines had them at once.
    pub fn watch_lead(&self) -> watch::Receiver<bool> {
        self.leads.subscribe()
    }

    /// Tells that the engine lives. Returns the pause until the next time.
    pub async fn beat(&self) -> Result<Duration, super::store::StoreError> {
        let asked = Instant::now();
        let outcome = self.store.beat(&self.info).await;
        let before = *self.now.borrow();
        if let Ok(beat) = &outcome {
            let mut standing = before.heard(*beat, asked, self.store.is_shared());
            if !self.store.is_seen() {
                standing = standing.unseen(asked);
            }
            // The answer that said so may have been lost.
            if beat.was_dead || (beat.others > 0 && before.was_silent(asked)) {
                let silent = "was not heard for a while and taken for dead; what others took over is left to them";
                tracing::warn!("this engine {silent}");
                self.metrics
                    .events
                    .tell("engine_was_dead", "/engine", silent);
            }
            self.now.send_replace(standing);
        }
        self.show_lead(outcome.is_ok());
        outcome.map(|_| EVERY)
    }

    /// Stops when others cannot see this engine, and goes on when they can.
    pub(super) async fn heed_sight(&self) {
        let stopped = self.now.borrow().has_lapsed(Instant::now());
        match (self.store.is_seen(), stopped) {
            (false, false) => {
                tracing::debug!("this engine has no session, and starts nothing until it has one");
                self.now
                    .send_modify(|standing| *standing = standing.unseen(Instant::now()));
            }
            // Whether its jobs were taken meanwhile is heard with it.
            (true, true) => {
                if let Err(error) = self.beat().await {
                    tracing::debug!("this engine is not heard: {error}");
                }
            }
            _ => {}
        }
    }

    /// A lead that is over because the database is away, and comes back with it, is part of that outage, which its store
    /// tells: the log has what was heard of the database.
    fn show_lead(&self, heard: bool) {
        let standing = *self.now.borrow();
        let term = standing.leads(Instant::now());
        let changed = self.leads.send_if_modified(|leads| {
            let changed = *leads != term.is_some();
            *leads = term.is_some();
            changed
        });
        if !self.store.is_shared() {
            return;
        }
        let (event, why) = match term {
            Some(term) => ("leads", format!("term {term}")),
            None => ("leads_no_more", String::new()),
        };
        if changed {
            self.metrics.events.tell(event, "/engine", &why);
        }
        if heard && self.told.swap(term.is_some(), Ordering::Relaxed) != term.is_some() {
            if term.is_some() {
                tracing::info!("this engine leads, {why}");
            } else {
                tracing::info!("this engine leads no more");
            }
        }
    }
}

/// How the heartbeat stands.
#[derive(Debug, Serialize)]
struct HeartbeatState {
    /// None: it was not heard yet.
    #[serde(serialize_with = "as_text_if_any")]
    heard_at: Option<Timestamp>,
    /// The last beat arrived.
    heard: bool,
    leads: bool,
    /// How often its jobs were returned behind its back.
    losses: u64,
}

/// Beats. See the module.
pub(super) async fn beat_on<S: JobStore + ?Sized>(standings: Arc<Standings<S>>) {
    let trouble = Trouble::new("this engine cannot be heard now");
    let mut heard_at = None;
    loop {
        let heard = standings.beat().await;
        trouble.heed(&heard);
        if heard.is_ok() {
            heard_at = Some(Timestamp::now());
        }
        report_state(&HeartbeatState {
            heard_at,
            heard: heard.is_ok(),
            leads: standings.leads().is_some(),
            losses: standings.watch().borrow().losses,
        });
        let pause = heard.unwrap_or(AGAIN);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_stops_before_others_take_it_for_dead_and_trusts_its_lead_from_before_it_asked() {
        let asked = Instant::now();
        let beat = Beat {
            leads: Some(7),
            ..Beat::default()
        };
        let standing = Standing::default().heard(beat, asked, true);
        assert!(!standing.has_lapsed(asked + Duration::from_secs(17)));
        assert!(standing.has_lapsed(asked + Duration::from_secs(18)));
        assert_eq!(standing.leads(asked + Duration::from_secs(14)), Some(7));
        assert_eq!(standing.leads(asked + Duration::from_secs(15)), None);
        let alone = Standing::default().heard(beat, asked, false);
        assert!(!alone.has_lapsed(asked + Duration::from_hours(1)));
    }

    #[test]
    fn each_loss_of_its_jobs_is_seen() {
        let asked = Instant::now();
        let lost = Beat {
            was_dead: true,
            ..Beat::default()
        };
        let standing = Standing::default().heard(lost, asked, true);
        let standing = standing.heard(Beat::default(), asked, true);
        assert_eq!(standing.heard(lost, asked, true).losses, 2);
        assert_eq!(standing.leads(asked), None);
    }

    #[test]
    fn an_engine_that_was_not_heard_for_too_long_looks_what_it_still_holds_whatever_it_is_told() {
        let asked = Instant::now();
        let standing = Standing::default().heard(Beat::default(), asked, true);
        let in_time = asked + Duration::from_secs(17);
        assert_eq!(standing.heard(Beat::default(), in_time, true).losses, 0);
        let late = asked + Duration::from_secs(18);
        assert_eq!(standing.heard(Beat::default(), late, true).losses, 1);
    }
}

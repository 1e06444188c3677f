//! Writes the actor metrics log: a record of each actor at every interval, events at once.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::MissedTickBehavior;

use super::metrics::Telemetry;
use super::store::question;
use riftsync_basics::Timestamp;
use riftsync_basics::time::as_text_if_any;
use riftsync_supervision::report_state;

/// Writes off the arbiters: a slow disk holds up nobody but the log.
pub(super) async fn write_interval(telemetry: &Arc<Telemetry>) {
    // What a database that is away would tell is left out.
    let samples = question::asked(telemetry.read()).await;
    let telemetry = telemetry.clone();
    // It cannot be cancelled, and its panic has been told.
    let _ = tokio::task::spawn_blocking(move || telemetry.write_interval(samples)).await;
}

/// How the metrics actor stands.
#[derive(Debug, Serialize)]
struct MetricsState {
    interval_s: f64,
    /// None: no interval is over yet.
    #[serde(serialize_with = "as_text_if_any")]
    written_at: Option<Timestamp>,
}

/// See the module.
pub(super) async fn write_on(telemetry: Arc<Telemetry>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and has nothing to tell.
    ticks.tick().await;
    let mut state = MetricsState {
        interval_s: interval.as_secs_f64(),
        written_at: None,
    };
    loop {
        report_state(&state);
        tokio::select! {
            _ = ticks.tick() => {
                write_interval(&telemetry).await;
                state.written_at = Some(Timestamp::now());
            }
            () = telemetry.metrics().events.news() => {
                let telemetry = telemetry.clone();
                let write = move || telemetry.write_events();
                let _ = tokio::task::spawn_blocking(write).await;
            }
        }
    }
}

//! Writes the actor metrics log: a record of each actor at every interval, events at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::metrics::Telemetry;
use super::store::question;

/// Writes off the arbiters: a slow disk holds up nobody but the log.
pub(super) async fn write_interval(telemetry: &Arc<Telemetry>) {
    // What a database that is away would tell is left out.
    let samples = question::asked(telemetry.read()).await;
    let telemetry = telemetry.clone();
    // It cannot be cancelled, and its panic has been told.
    let _ = tokio::task::spawn_blocking(move || telemetry.write_interval(samples)).await;
}

/// See the module.
pub(super) async fn write_on(telemetry: Arc<Telemetry>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and has nothing to tell.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => write_interval(&telemetry).await,
            () = telemetry.metrics().events.news() => {
                let telemetry = telemetry.clone();
                let write = move || telemetry.write_events();
                let _ = tokio::task::spawn_blocking(write).await;
            }
        }
    }
}

//! The limiters' readings for the metrics log.

use std::sync::Arc;

use super::calls::RiotApi;
use crate::limiter::LimiterState;
use crate::metrics::{Reading, Sample, Source, WindowSample};
use crate::riot::Method;

#[derive(Debug)]
pub(super) struct LimiterSource(pub(super) Arc<RiotApi>);

impl Source for LimiterSource {
    fn read(&self) -> Reading<'_> {
        Box::pin(async {
            let states = self.0.limiter_states().await;
            states.iter().map(sample).collect()
        })
    }
}

fn sample(state: &LimiterState) -> Sample {
    let windows = state.windows.iter().map(|window| WindowSample {
        method: window.method.map(Method::name),
        seconds: window.seconds,
        used: window.used,
        limit: window.limit,
    });
    Sample {
        counters: vec![
            ("granted", state.granted),
            ("given_back", state.given_back),
            ("refused_application", state.refused.application),
            ("refused_method", state.refused.method),
            ("refused_service", state.refused.service),
        ],
        gauges: vec![
            ("waiting", state.waiting as f64),
            ("in_flight", f64::from(state.in_flight)),
            ("share_percent", f64::from(state.share.percent())),
            ("strangers_percent", f64::from(state.strangers.unwrap_or(0))),
            ("paused_s", state.paused.as_secs_f64()),
            ("round_trip_ms", state.round_trip.as_secs_f64() * 1_000.0),
        ],
        windows: windows.collect(),
        ..Sample::new(format!("/engine/riot_gate/{}", state.route), "limiter")
    }
}

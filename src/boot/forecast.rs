//! How long a sync will take: by the limiter of its route, and by the rates of the queues as they are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::control::TimeLeft;
use crate::engine::QueueControls;
use crate::gate::RiotApi;
use crate::model::{JobRecord, Route};
use crate::riot::Method;
use crate::tasks::{Pacing, PlayerReport, PlayerSync, PlayerSyncArgs};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Forecast {
    pub(super) api: Arc<RiotApi>,
    pub(super) queues: Arc<QueueControls>,
}

#[async_trait]
impl TimeLeft for Forecast {
    async fn of(&self, job: &JobRecord) -> Option<Duration> {
        if job.kind != PlayerSync::KIND {
            return None;
        }
        let order: PlayerSyncArgs = serde_json::from_value(job.args.clone()).ok()?;
        let route = Route::Region(order.platform.region());
        let calls = PlayerReport::of(job).calls_left();
        let [matches, timelines] = calls.map(|calls| u32::try_from(calls).unwrap_or(u32::MAX));
        let wanted = vec![
            (Method::Match as u8, matches),
            (Method::Timeline as u8, timelines),
        ];
        let by_limits = self.api.estimate(route, wanted).await?;
        let pace = Pacing::now(&self.queues);
        Some(by_limits.max(pace.time_for([matches, timelines])))
    }
}

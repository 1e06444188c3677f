//! The League work: one file per kind of job. A `PlayerSyncActor` spawns `MatchActor`s, a
//! `MatchActor` spawns a `TimelineActor`: to spawn is to enqueue the child in the parent's own
//! completion; the child's queue then starts an executor for it.
//!
//! A new kind is one file here and one line in [`registry`].

mod absent;
mod again;
mod auto_retry;
mod cleanup;
pub mod coverage;
mod export_lake;
mod failed;
mod health;
mod identity;
mod ladder;
mod locate;
mod match_data;
mod pacing;
mod paging;
mod plan;
mod player;
mod recompress;
mod recover;
mod replay;
mod report;
mod request;
mod resolve;
mod standing;
mod static_data;
mod timeline;
mod tracked;
mod unread;
mod upkeep;
mod verify;

use std::sync::Arc;

pub use again::MissingSync;
pub use auto_retry::{AutoRetry, AutoRetryArgs};
pub use cleanup::{CleanOld, CleanupArgs};
pub use export_lake::LakeExport;
pub use health::{HealthCheck, HealthProbe};
pub use ladder::{LadderArgs, LadderSync, PuuidSync};
pub use locate::whereabouts;
pub use match_data::MatchSync;
pub use pacing::Pacing;
pub use player::{PlayerSync, PlayerSyncArgs};
pub use recompress::{Estimate, Recompress, RecompressArgs, estimate_recompression};
pub use recover::{GapAnalysis, Recover, RecoverArgs};
pub use replay::{Replay, ReplayArgs};
pub use report::{Parts, PlayerReport, job_document};
pub use resolve::PlayerResolve;
pub use standing::Standing;
pub use static_data::StaticSync;
pub use timeline::TimelineSync;
pub use tracked::TrackedSync;
pub use unread::{REMEDY as UNREAD_REMEDY, unread_text};

use crate::engine::QueueConfig;
use crate::gate::RiotApi;
use crate::model::timeline_details::TimelineDetail;
use crate::model::{Retention, RetryPolicy};
use crate::store::engine::Registry;

pub const PLAYER_SYNC: &str = "player_sync";
pub const MATCH_PROCESSING: &str = "match_processing";
pub const TIMELINE_PROCESSING: &str = "timeline_processing";
pub const RECOVERY: &str = "recovery";
pub const MAINTENANCE: &str = "maintenance";
pub const DEFAULT: &str = "default";

/// The queues whose jobs call the API: they wait while its key is rejected.
pub const API_QUEUES: [&str; 5] = [
    PLAYER_SYNC,
    MATCH_PROCESSING,
    TIMELINE_PROCESSING,
    RECOVERY,
    DEFAULT,
];

/// The queues of jobs that only look: they fetch no document.
pub const DRY_RUN: [&str; 2] = [PLAYER_SYNC, RECOVERY];

/// The six queues and the jobs each runs at once.
pub fn queues() -> Vec<QueueConfig> {
    [
        (PLAYER_SYNC, 4),
        (MATCH_PROCESSING, 16),
        (TIMELINE_PROCESSING, 16),
        (RECOVERY, 2),
        (MAINTENANCE, 1),
        (DEFAULT, 4),
    ]
    .map(|(name, slots)| QueueConfig {
        name,
        slots,
        prefetch: slots,
        rate: None,
        paused: false,
    })
    .into()
}

/// How each kind is retried, and what Riot can still give. Values, so that a configuration can change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    pub player: RetryPolicy,
    pub matches: RetryPolicy,
    pub timelines: RetryPolicy,
    pub recovery: RetryPolicy,
    pub maintenance: RetryPolicy,
    /// How long Riot keeps documents.
    pub retention: Retention,
    /// Which rows are made of timelines.
    pub timeline_detail: TimelineDetail,
    pub standing: Standing,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            player: RetryPolicy::new(3, 60, 600),
            matches: RetryPolicy::new(5, 30, 300),
            timelines: RetryPolicy::new(3, 20, 180),
            recovery: RetryPolicy::new(2, 120, 600),
            maintenance: RetryPolicy::new(1, 300, 300),
            retention: Retention::default(),
            timeline_detail: TimelineDetail::default(),
            standing: Standing::default(),
        }
    }
}

/// Every kind of job but `health_check`, which looks at the engine that runs it, and those that need a setting of
/// their own: `sync_static_data` and `export_lake`. Forms show them in this order.
pub fn registry(api: &Arc<RiotApi>, policies: Policies) -> Registry {
    let oddities = unread::SharedOddities::default();
    Registry::default()
        .with(PlayerSync::new(api.clone(), policies))
        .with(Recover::new(api.clone(), policies))
        .with(MatchSync::new(api.clone(), policies, oddities.clone()))
        .with(TimelineSync::new(api.clone(), policies, oddities))
        .with(LadderSync::new(api.clone(), policies))
        .with(TrackedSync::new(policies))
        .with(MissingSync::new(policies))
        .with(AutoRetry::new(policies))
        .with(CleanOld::new(policies))
        .with(Replay::new(policies))
        .with(Recompress::new(policies))
        .with(PlayerResolve::new(api.clone(), policies))
        .with(PuuidSync::new(policies))
}

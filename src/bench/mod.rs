//! Measurements that a user can run: what this machine, disk and build reach.

mod control;
mod export;
mod jobs;
mod limiter;
mod pipeline;
mod place;
mod recovery;
mod stages;

pub use control::{ControlBench, ControlReport};
pub use export::{ExportBench, ExportReport};
pub use jobs::{JobsBench, JobsReport};
pub use limiter::{LimiterBench, LimiterReport};
pub use pipeline::{PipelineBench, PipelineReport, SimulatorProcess};
pub use place::{History, Place};
pub use recovery::{RecoveryBench, RecoveryReport};
pub use stages::{StageTimes, Stages};

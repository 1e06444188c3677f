//! Measurements that a user can run: what this machine, disk and build reach.

mod control;
mod jobs;
mod limiter;
mod pipeline;
mod place;

pub use control::{ControlBench, ControlReport};
pub use jobs::{JobsBench, JobsReport};
pub use limiter::{LimiterBench, LimiterReport};
pub use pipeline::{PipelineBench, PipelineReport, SimulatorProcess};
pub use place::Place;

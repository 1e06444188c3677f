//! Measurements that a user can run: what this machine, disk and build reach.

mod jobs;
mod limiter;

pub use jobs::{JobsBench, JobsReport};
pub use limiter::{LimiterBench, LimiterReport};

//! Measurements that a user can run: what this machine, disk and build reach.

mod jobs;
mod limiter;
mod place;

pub use jobs::{JobsBench, JobsReport};
pub use limiter::{LimiterBench, LimiterReport};
pub use place::Place;

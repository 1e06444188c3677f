pub mod engine;
pub mod limiter;
pub mod metrics;
pub mod model;
pub mod riot;
pub mod store;
pub mod supervision;
pub mod tasks;

pub mod engine;
pub mod metrics;
pub mod model;
pub mod store;
pub mod supervision;

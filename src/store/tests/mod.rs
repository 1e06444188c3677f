//! The databases under a running engine.

mod metrics_log;
#[path = "../../../tests/support/wait.rs"]
mod wait;
mod writer;

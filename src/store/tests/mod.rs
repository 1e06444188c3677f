//! The databases under a running engine.

mod metrics_log;
mod writer;

//! What every store of jobs must do, and the means to hold one to it: random calls, and a run of them on the store
//! and on the reference model at once. With the feature `conformance`.

pub mod agreement;
#[cfg(test)]
mod properties;
mod random_calls;

pub use random_calls::{End, JobSketch, QUEUES, StoreCall, store_calls};

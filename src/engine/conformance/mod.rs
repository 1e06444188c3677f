//! What every store of jobs must do, and the means to hold one to it.

pub mod ledger;
#[cfg(test)]
mod properties;
pub mod random_calls;

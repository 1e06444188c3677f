#![doc = include_str!("README.md")]
//!
//! # Inside
//!
//! actix's own `Supervisor` reuses the same value and does not turn a panic into a restart; here a
//! child is made anew by its factory, and its death is seen by a guard that it holds.

mod budget;
mod child;
mod guard;
mod observer;
mod reporter;
mod supervisor;

pub use budget::{Intensity, RestartBackoff, RestartBudget};
pub use child::{Stop, stopped_by};
pub use guard::{ChildEnded, ChildGuard, last_panic, watch_panics};
pub use observer::{EndReason, Observer};
pub use reporter::report_state;
pub use supervisor::{
    ChildHandle, ChildSpec, ListChildren, LocalFuture, Restart, Shutdown, Strategy, Supervisor,
    supervisor_handle,
};

#![doc = include_str!("README.md")]
//!
//! # Inside
//!
//! Of actix are the actors: a mailbox, one message at a time, futures that end with their actor. The rest is our
//! own, for these reasons. actix's `Supervisor` goes on with the same value, which may be half changed, and a panic
//! does not come to it: here a child is made anew by its factory, and its death is seen by a guard that it holds.
//! It has no bound on restarts and no pause between them: here a budget ends the supervisor, and pauses grow.
//!
//! actix has no priorities either. So what controls an actor does not wait in its mailbox behind its work:
//! settings, holds, priorities and whether the engine still holds its jobs come over `watch` channels. A queue
//! looks at them before each job that it starts: who has paused it sees it start nothing more.

mod budget;
mod child;
mod guard;
mod observer;
mod reporter;
mod supervisor;

pub use budget::{Intensity, RestartBackoff, RestartBudget};
pub use child::{Stop, stopped_by};
pub use guard::{ChildEnded, ChildGuard, caught_panic, last_panic, panic_message, watch_panics};
pub use observer::{EndReason, Observer};
pub use reporter::report_state;
pub use supervisor::{
    ChildHandle, ChildSpec, ListChildren, LocalFuture, Restart, Shutdown, Strategy, Supervisor,
    supervisor_handle,
};

#![doc = include_str!("README.md")]
//!
//! # Inside
//!
//! From the inside out: `slots` and `window` (when a call is safe, and why), `margin` (how far the server's edges are
//! trusted), `counted` (what the server's counts prove), `strangers` and `habit` (others on the key), `theirs` (what
//! engines of the board likely have in a count), `transit` (how much of a round trip is uncertain), `ramp`, `strain`
//! and `pause` (how carefully to go on), `doubt` (what engines left that ended), `clock` (time that no sleep stops),
//! `answer`, `scope` and `budget` (the limits of a route), `news` (what people should know): pure, tested on a virtual
//! clock. `line` says who is next. `actor` holds both; `board` is where engines share, and `joined` makes two of them
//! one; `permit`, `observation` and `report` are what others see of it.

mod actor;
mod admission;
mod answer;
mod board;
mod budget;
mod clock;
mod counted;
mod doubt;
mod habit;
mod joined;
mod line;
mod margin;
mod news;
mod observation;
mod pause;
mod permit;
mod ramp;
mod report;
mod scope;
mod slots;
mod strain;
mod strangers;
mod theirs;
mod told;
mod transit;
mod window;

#[cfg(test)]
mod tests;

pub use actor::{Leave, RateLimiter};
pub use admission::Admission;
pub use answer::Pairs;
pub use board::{Board, MemoryBoard, MemoryMember};
pub use budget::{Budget, Departure, MethodId, WindowState};
pub use joined::{JoinedBoard, MachineTrouble};
pub use margin::Margins;
pub use news::News;
pub use observation::{Observation, Refused, RefusedBy};
pub use pause::PAUSE_MAX;
pub use permit::{Acquire, AcquireError, Permit, Stale};
pub use report::{Elsewhere, Estimate, LimiterState, RefusedCounts, SetShare, Snapshot, Whose};

//! The gate to the API: what stands between a task's call and the network.
//!
//! From the inside out: `key_trial`, `breaker` and `absences` decide (pure) whether the key is taken, whether a
//! route works, and whether its 404s say something. `key_ring` holds the key in use; `availability` holds the breakers and says to the engine
//! what may not start now. `riot_gate` is the actor that owns the limiters and tries the key;
//! `store_board` and `machine` are where engines of one key share its limits. `key_watch` brings new keys in. `calls` is what tasks see: a call, in turn, with everything that is
//! not the caller's fault waited out. `assembly` puts them together.
//!
//! Deliberately absent: URLs and headers (`riot`), windows (`limiter`), jobs' outcomes (`tasks`).

mod absences;
mod assembly;
mod availability;
mod bodies;
mod breaker;
mod calls;
pub mod halts;
mod key_ring;
mod key_trial;
mod key_watch;
mod machine;
mod riot_gate;
mod shares;
mod source;
mod store_board;
#[cfg(test)]
mod tests;

pub use absences::Absence;
pub use assembly::{Gate, KeySource};
pub use availability::{Availability, Pace};
pub use calls::{Caller, RiotApi, observation};
pub use key_ring::KeyRing;
pub use key_trial::KeyState;
pub use machine::Machine;
pub use shares::{Kept as KeptShares, Shares};
pub use store_board::Sharing;

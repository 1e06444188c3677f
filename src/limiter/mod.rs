//! Metering calls to the API: windows learnt from its headers, a waiting line, one limiter per route.

mod actor;
mod gate;
mod window;

pub use actor::{Acquire, MethodId, Observation, Permit, RateLimiter, Refused};
pub use gate::{GateAddr, KeyRejected, KeyState, LimiterOf, RiotGate, StopGate};
pub use window::{Admission, Scope};

//! The gate on a virtual clock, before an API that does as it is told.

mod api;
mod faults;
mod key;
mod outage;
mod told;

//! The facts and decisions of riftsync, without any I/O: nothing here knows of tokio, actix,
//! diesel or reqwest. Time and randomness come in as arguments.

pub mod ids;
pub mod job;
pub mod records;
pub mod rollup;
pub mod statistics;
pub mod time;

pub use ids::{IdError, MatchId, Platform, Puuid, Region, RiotId, Route};
pub use job::{
    ClaimedJob, Failure, JobId, JobRecord, JobState, Lease, NewJob, Outcome, Priority, RetryPolicy,
    Settlement,
};
pub use rollup::Rollup;
pub use time::{Timestamp, Year, YearError};

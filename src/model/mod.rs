#![doc = include_str!("README.md")]

pub mod board_claim;
pub mod board_time;
pub mod budget_share;
mod company;
pub mod details;
mod fingerprint;
pub mod health;
pub mod host;
pub mod ids;
pub mod missing;
pub mod names;
pub mod records;
mod share;
pub mod standing;
pub mod statistics;
pub mod table;
pub mod timeline_details;
pub mod waiting;
mod whereabouts;
mod whom;
mod year;

pub use company::Company;
pub use fingerprint::fingerprint;
pub use ids::{IdError, MatchId, Platform, Puuid, Region, RiotId, Route};
pub use missing::{MissingDocument, MissingReason, Retention};
pub use share::Share;
pub use whereabouts::Whereabouts;
pub use whom::Whom;
pub use year::{Year, YearError};

// What has nothing to do with League is in a crate below this one, and is found here too.
pub use riftsync_basics::{
    After, BootTime, Bucket, Cadence, CatchUp, ClaimedJob, DatabaseUrl, Failure, Foreign, JobId,
    JobRecord, JobState, Lease, NewJob, OnFailure, Outcome, Priority, Rate, RetryPolicy, Rollup,
    Settlement, Timestamp, attempt, cadence, counted, histogram, is_pairs, job, redact, rollup,
    secrets, slept, snapshot, suspicion,
};

//! The facts and decisions of riftsync, without any I/O: nothing here knows of tokio, actix,
//! diesel or reqwest. Time and randomness come in as arguments.

pub mod attempt;
pub mod board_claim;
pub mod board_time;
mod boot_time;
mod bucket;
pub mod budget_share;
pub mod cadence;
mod company;
mod database_url;
mod fingerprint;
mod foreign;
pub mod health;
pub mod histogram;
pub mod host;
pub mod ids;
pub mod job;
pub mod missing;
pub mod records;
mod retry_policy;
pub mod rollup;
pub mod secrets;
mod share;
pub mod statistics;
pub mod suspicion;
pub mod table;
pub mod time;
mod typed;
pub mod waiting;
mod whereabouts;
mod whom;

pub use attempt::{Outcome, Settlement};
pub use boot_time::{BootTime, slept};
pub use bucket::{Bucket, Rate};
pub use cadence::{Cadence, CatchUp};
pub use company::Company;
pub use database_url::{DatabaseUrl, is_pairs, redact};
pub use fingerprint::fingerprint;
pub use foreign::Foreign;
pub use ids::{IdError, MatchId, Platform, Puuid, Region, RiotId, Route};
pub use job::{
    After, ClaimedJob, Failure, JobId, JobRecord, JobState, Lease, NewJob, OnFailure, Priority,
};
pub use missing::{MissingDocument, MissingReason, Retention};
pub use retry_policy::RetryPolicy;
pub use rollup::Rollup;
pub use share::Share;
pub use time::{Timestamp, Year, YearError};
pub use whereabouts::Whereabouts;
pub use whom::Whom;

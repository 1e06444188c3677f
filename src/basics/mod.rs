#![doc = include_str!("README.md")]
//!
//! # Inside
//!
//! `time`, `boot_time` (moments), `histogram`, `bucket` (counting), `job`, `failure`, `rollup` (what a job is, and what
//! its descendants came to), `attempt`, `retry_policy`, `suspicion`, `cadence` (what becomes of it, and when),
//! `form` (what a person fills in to have a job run), `outage`, `bursts` (when trouble is told), `typed`, `secrets`,
//! `foreign`, `database_url` (text that others wrote, and what of it nobody is to see), `counted` (a number with its
//! noun), `words` (what a program calls its commands).

pub mod attempt;
mod boot_time;
mod bucket;
mod bursts;
pub mod cadence;
mod counted;
mod database_url;
mod failure;
mod foreign;
pub mod form;
pub mod histogram;
pub mod job;
pub mod outage;
mod read_file;
mod retry_policy;
pub mod rollup;
pub mod secrets;
pub mod snapshot;
pub mod suspicion;
pub mod time;
pub mod typed;
pub mod words;

pub use attempt::{Outcome, Settlement};
pub use boot_time::{BootTime, slept};
pub use bucket::{Bucket, Rate};
pub use bursts::{Bursts, Telling};
pub use cadence::{Cadence, CatchUp};
pub use counted::counted;
pub use database_url::{DatabaseUrl, is_pairs, redact};
pub use failure::{ABSENT, Failure};
pub use foreign::Foreign;
pub use form::{Form, Shown};
pub use job::{After, ClaimedJob, JobId, JobRecord, JobState, Lease, NewJob, OnFailure, Priority};
pub use outage::{Before, DatabaseOutage, Outage, OutageNews, UNTIL_QUIET};
pub use read_file::read_at_most;
pub use retry_policy::RetryPolicy;
pub use rollup::Rollup;
pub use time::Timestamp;

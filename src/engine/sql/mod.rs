//! The SQL of jobs that is the same on SQLite and on PostgreSQL, each statement once.
//!
//! What the databases do in other ways stands in each store's own `job_statements`, and says why.

pub(crate) mod jobs;
pub(crate) mod lists;
pub(crate) mod queue_progress;
pub(crate) mod schedules;

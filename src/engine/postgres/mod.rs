//! A store of jobs on a PostgreSQL server: any number of engines over one database.
//!
//! [`PostgresStore`] is whole: an effect of yours, a [`PostgresEffect`], is written to tables of yours in the
//! transaction of the end of its job. A store that has more than that in its database holds a [`PostgresDatabase`],
//! says how its effects are written ([`PostgresJobs`]), and is a [`JobStore`](crate::store::JobStore) by
//! [`is_store_of_jobs!`](crate::is_store_of_jobs).
//!
//! Invariants: a transaction locks in one order ([`Locks`]), so that engines that meet wait in a line; whether a commit
//! was made is asked, not guessed; nothing is reported as written before its commit. The store has a thread of its own:
//! no actor holds up a connection.
//!
//! # Sessions
//!
//! Statements of yours run on the engine's connections, and with what those are set to:
//!
//! | setting | effects and writes | reads |
//! |---|---|---|
//! | `enable_seqscan`, `jit` | off | off |
//! | `enable_bitmapscan`, `enable_hashjoin`, `enable_mergejoin` | off | |
//! | `plan_cache_mode` | `force_generic_plan` | |
//! | `statement_timeout` | 30 s | 30 s |
//! | `idle_in_transaction_session_timeout` | 10 s | 10 s |
//! | `default_transaction_isolation` | `read committed` | `read committed` |
//!
//! The engine's statements have one good plan each, along an index, and a plan that was made while a table was small
//! stays. Without these settings the server would now and then read all of a long backlog to claim a few jobs. A
//! statement of yours that finds its rows by an index is planned well under them too. One that reads much of a table,
//! or joins large ones, is not: the server walks along indexes where it should read the table. So make an index for
//! what effects look for. For one such statement in a [`PostgresStore::write`], which has a transaction of its own,
//! say `SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on` before it. Do not in an effect or in a read:
//! what is set there holds for others, too. Reports belong on a connection of your own. `options=-c ...` in the URL
//! comes behind these settings and so overrules them, for the engine's statements as well. Behind a pooler they are
//! set in each transaction that writes, but for `plan_cache_mode`, and reads have the server's own.
//!
//! Deliberately absent: triggers, functions and any other logic in the database; `NOTIFY` in a transaction.

mod address;
mod attempts;
mod binding;
mod claim_cursors;
mod codes;
mod coming;
mod command;
mod commit_marks;
pub mod connect;
mod database;
mod delegate;
mod enqueue;
mod fault;
mod gather;
mod group;
mod held;
mod job_statements;
mod jobs;
mod lists;
mod locks;
pub mod migrate;
mod notifier;
mod presence;
mod queue_progress;
pub mod reader;
mod relations;
mod schedules;
mod seam;
mod settings;
mod settle;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;
mod writer;

pub use self::address::{Address, is_postgres};
pub use self::database::PostgresDatabase;
pub use self::fault::Fault;
pub use self::locks::{Class, Locks, RowClass};
pub use self::migrate::Format;
pub use self::seam::PostgresJobs;
pub use self::settings::Settings;
pub use self::store::{PostgresEffect, PostgresStore};
pub use self::transaction::{Door, Transaction};

/// What the statements of this module are for.
type Backend = diesel::pg::Pg;

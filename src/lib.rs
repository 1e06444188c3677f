//! riftsync keeps a database of League of Legends players true to the Riot Games API.
//!
//! [`manual`] holds the documentation for people: [`manual::guide`] has the first steps, [`manual::architecture`]
//! has four walks through the code and where each thing is decided.
//!
//! The map, each room leaning only on those below it:
//!
//! | room | what it is for |
//! |---|---|
//! | `main`, [`boot`] | arguments in, exit code out; the one place that wires the rooms |
//! | [`cli`] | the verbs and what they show |
//! | [`manual`] | the documentation for people, a page for each subject |
//! | [`bench`](mod@bench) | measurements a user can run |
//! | [`control`] | the control socket: protocol, server, client |
//! | [`web`] | the engine in a browser: pages that ask as any client of the socket does |
//! | [`tasks`] | the League work: a player spawns matches, a match spawns its timeline |
//! | [`export`] | the data as Parquet and CSV files, and as a lake |
//! | [`gate`] | what stands between a task's call and the network: the key, breakers, turns |
//! | [`limiter`] | permits for calls, windows learnt from headers |
//! | [`store`] | SQLite and PostgreSQL behind one trait; the only SQL |
//! | [`simulator`] | a Riot API to develop and test against |
//! | [`riot`] | one HTTP call, typed errors, documents as records; no retries |
//! | [`metrics`] | what calls came to, and Prometheus' text of all counters |
//! | [`config`] | settings |
//! | [`engine`] | queues over a durable store of jobs, whatever they are about; counters, and what is written of them |
//! | [`supervision`] | OTP strategies over actix |
//! | [`report`] | a player's year: figures, charts and the page; no tokio, actix, diesel or reqwest |
//! | [`model`] | facts and decisions about League's data; no tokio, actix, diesel or reqwest |
//! | [`basics`] | those that have nothing to do with League: time, jobs, counting, when trouble is told |
//!
//! Rooms that can stand alone are crates of their own: `riftsync-basics`, `riftsync-engine`, `riftsync-model`,
//! `riftsync-limiter`, `riftsync-report`, `riftsync-simulator`, `riftsync-supervision`, `riftsync-web`. Each lists
//! what it needs, so that the compiler holds it to its place.
//!
//! Invariants, above all what is absent:
//! - What a job writes, the jobs it spawns and its own end commit in one transaction, fenced by the
//!   lease of that attempt. There is no second place that a match could be counted.
//! - Statistics change only with the match that changes them, by the same code that recomputes them.
//! - A parent learns of its children in their commits. Nobody polls for children.
//! - No call leaves without a permit of its route's limiter, while the key is rejected, or while its route does not
//!   work. None of that costs an attempt.
//! - What Riot lists and does not give is never given up for good while Riot can still have it: its row says why, and
//!   when it is asked for again.
//! - The API key is in one type that no `Debug` shows, and in no row, log or error.
//! - Memory does not grow with the backlog: a queue holds its slots and a prefetch, and fewer ends than slots that wait
//!   for their commit; documents in memory are bounded in bytes, from their call to their commit.
//! - What a queue does not know to hold, it hands back before it claims again: no answer that was lost
//!   leaves a job running for ever.
//! - No engine works on the target of an unfinished copy; what a copy commits was read back and compared.
//! - Whether a commit was made whose answer was lost is asked of the database, not guessed.
//! - A stored document is replaced only by bytes that were unpacked to the same document, and only while it is the
//!   one that was read.
//! - No error, log or `Debug` shows the password of a database.
//! - Decisions are pure (`model`, `engine::window`) and are crashed in thousands of simulated worlds over
//!   a plain model of the store, to which the databases are held by the same random orders.

// Helpers of tests are shared with the integration tests, and name the crate.
#[cfg(test)]
extern crate self as riftsync;

pub mod bench;
pub mod boot;
pub mod cli;
pub mod config;
pub mod control;
pub mod export;
pub mod gate;
pub mod manual;
pub mod metrics;
pub mod riot;
pub mod store;
pub mod tasks;

pub use riftsync_basics as basics;
pub use riftsync_engine as engine;
pub use riftsync_limiter as limiter;
pub use riftsync_model as model;
pub use riftsync_report as report;
pub use riftsync_simulator as simulator;
pub use riftsync_supervision as supervision;
pub use riftsync_web as web;

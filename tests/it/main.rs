//! One integration binary: the store, the engine and the program as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod control;
mod engine;
mod examples;
mod program;
mod samples;
mod setup;
mod store;
mod weather;

//! One integration binary: the store, the engine and the program as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backup;
mod boards;
mod classes;
mod clocks;
mod control;
mod copy;
mod cut;
mod data;
mod deaths;
mod details;
mod engine;
mod examples;
mod export;
mod export_details;
mod faults;
mod files;
mod fleet;
mod ground;
mod hostile;
mod made_details;
mod manual;
mod many_players;
mod missing;
mod names;
mod odd_answers;
mod older;
mod on_postgres;
mod one_key;
mod open_tree;
mod outages;
mod person;
mod place;
mod postgres;
mod program;
mod questions;
mod reach;
mod recompress;
mod rig;
mod samples;
mod schedules;
#[path = "../support/scratch.rs"]
mod scratch;
mod seasons;
mod server;
mod setup;
mod sqlite;
mod store;
mod strangers;
mod timeline_details;
mod together;
mod unread;
mod upkeep;
mod views;
mod year;

#![doc = include_str!("README.md")]
//!
//! # Inside
//!
//! Where things are, from the outside in: `server` (HTTP), `connection` (sockets that can be cut),
//! `control` (configuration and switches), `admin` (the same for other processes), `counters`;
//! `doors` (the way of a call), `keyring`, `limits`, `meter` and `window` (which call is one too
//! many), `faults`, `fault_rule` and `fault_plan` (which call fails), `fault_reply`, `retry_after`,
//! `latency`, `odd`, `reply`, `setting` (all of it as text); `call`, `endpoints` and `league` (paths to
//! answers); `match_document`, `participant`, `challenges`, `timeline_document`, `timeline_events`
//! (what documents say), `library` and `fragments` (why they are fast); `truth` (configuration and
//! what tests check), `world`, `calendar`, `game`, `script`, `story`, `people`, `names` (what is true);
//! `tables`, `json`, `hash`.
//!
//! Invariants: a world is a function of its configuration and of the renames it was told, on every machine and in
//! every release that does not say otherwise. A document is the same text however it is asked for. Time comes
//! from the configuration and from who sets the world's clock; only limits, keys and scripts look at the machine's, and
//! each of them is a pure function of the moment it is given.
//!
//! Deliberately absent: storage (documents are made when asked for), randomness of the process, and
//! everything of riftsync but its model.

// Lobbies, lists of words, minutes of a game: counts that stay far below u32::MAX.
#![allow(clippy::cast_possible_truncation)]

mod admin;
mod calendar;
mod call;
mod challenges;
mod connection;
mod control;
mod counters;
mod documents;
mod echo;
mod endpoints;
mod fault_plan;
mod fault_reply;
mod fault_rule;
mod faults;
mod game;
mod gzip;
mod hash;
mod json;
mod keyring;
mod latency;
mod league;
mod library;
mod limits;
mod mastery;
mod match_document;
mod meter;
mod middleware;
mod names;
mod odd;
mod participant;
mod people;
mod published;
mod reply;
mod retry_after;
mod script;
mod script_generator;
mod server;
mod setting;
mod stranger;
mod tables;
mod timeline_document;
mod timeline_events;
mod window;
mod world;
mod world_config;

#[cfg(test)]
mod tests;

pub use call::Method;
pub use control::{Control, SimulatorConfig};
pub use counters::{Counters, WindowName, WindowUse};
pub use endpoints::ListTime;
pub use fault_rule::{FaultRule, When};
pub use faults::{FaultKind, Faults};
pub use game::{Era, GameKind};
pub use keyring::{Blacklist, KeyExpiry};
pub use latency::Latency;
pub use limits::{Limit, LimitType};
pub use meter::{Meter, Reading};
pub use names::Rename;
pub use people::KeyScope;
pub use retry_after::RetryAfter;
pub use script::Shape;
pub use server::{SIMULATED_KEY, Simulator};
pub use setting::{SettingError, read_limits};
pub use stranger::Stranger;
pub use window::WindowModel;
pub use world::{TIME_FILTER_SINCE, World};
pub use world_config::{ExpectedMatch, WorldConfig, WorldCounts};

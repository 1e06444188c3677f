//! The control socket: how people and programs talk to a running engine.
//!
//! From the outside in: `socket` (where it is, whose it is), `server` (the actor: connections and how
//! many), `connection` (lines in, lines out), `lines` and `rpc` (JSON-RPC 2.0, one object a line),
//! `methods` (what can be asked), `view` (how a job is shown), `watch` (following jobs). `client` is the other end, and
//! `own` the way in for a verb that has the engine inside its own process.
//! Beside the socket, `exporter` is the page that Prometheus reads.
//!
//! Invariants: a connection is one task that reads no further line before it has answered the last,
//! so that nothing is buffered for a reader that does not read; what it missed is replaced by what is
//! newest, and the end of a job is always the last that is told. Nothing that a client sends or does
//! reaches another connection. The server has a thread of its own: no client takes time from jobs.
//!
//! Deliberately absent: League data, SQL, decisions about jobs. What a job's arguments mean is said by
//! its task.

pub mod client;
mod connection;
mod exporter;
mod lines;
mod methods;
mod own;
pub mod rpc;
mod server;
mod socket;
mod state;
#[cfg(test)]
mod tests;
pub mod view;
mod waits;
mod watch;

pub use client::{Client, ClientError, Notification};
pub use exporter::{ScrapePlace, exporter_spec};
pub use lines::{Lines, Taken};
pub use methods::{
    PlayerStats, YearFigures, rank_document, schedules_document, stats_document, time_zone,
    track_document, tracked_document,
};
pub use own::OwnConnections;
pub use server::{own_server_spec, server_spec};
pub use socket::{SocketError, SocketPlace, check_length, default_path, meeting_folders};
pub use state::{
    About, Advisers, CallCounts, ControlState, HealthReadings, KeyAccess, Locate, TimeLeft,
    WaitReasons,
};

use std::time::Duration;

/// What a client may use. Everything has a limit.
#[derive(Debug, Clone)]
pub struct Limits {
    pub line_bytes: usize,
    pub connections: usize,
    /// Requests in one batch.
    pub batch: usize,
    /// Jobs that one request may bring.
    pub jobs: usize,
    /// Subscriptions of one connection.
    pub subscriptions: usize,
    /// How long a line may take from its first byte to its last.
    pub half_line: Duration,
    /// How long a connection may ask nothing and wait for nothing.
    pub idle: Duration,
    /// How long a reader may not read what is written.
    pub write_stall: Duration,
    /// Whether an answer waits for a database that is away as long as the engine itself does, or says so within a
    /// second.
    pub is_patient: bool,
}

impl Limits {
    /// Of the process that the engine is inside of: it brings what it likes, and has nothing better to do than to wait.
    pub fn own() -> Self {
        let ever = Duration::from_hours(24 * 365);
        Self {
            line_bytes: 256 << 20,
            jobs: 1_000_000,
            half_line: ever,
            idle: ever,
            write_stall: ever,
            is_patient: true,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes: 1 << 20,
            connections: 64,
            batch: 10_000,
            jobs: 10_000,
            subscriptions: 1_000,
            half_line: Duration::from_secs(10),
            idle: Duration::from_mins(10),
            write_stall: Duration::from_mins(30),
            is_patient: false,
        }
    }
}

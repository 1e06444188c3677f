//! `bench pipeline`: simulated matches and timelines through everything there is, into a fresh database.
//!
//! The simulator is a process of its own, so that what is measured here is the engine alone; it shares the
//! machine's processors all the same. It serves documents that were compressed before it said that it was ready.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde::Serialize;

use super::{History, StageTimes};

/// What to measure.
#[derive(Debug, Clone)]
pub struct PipelineBench {
    pub players: u32,
    /// Of each player.
    pub matches: u32,
    pub timelines: bool,
    pub history: History,
}

/// What was measured. Memory and documents in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct PipelineReport {
    pub engine: String,
    pub store: &'static str,
    pub durability: String,
    pub history: History,
    pub players: u32,
    pub matches: u64,
    pub timelines: u64,
    pub seconds: f64,
    /// Matches, each with its timeline if there are timelines.
    pub pairs_per_s: f64,
    /// Of this process, without the database server's and the simulator's.
    pub cpu_ms_per_pair: f64,
    pub stages: StageTimes,
    pub commits: u64,
    pub commands_per_commit: f64,
    pub resident_peak_bytes: u64,
    /// Bodies as they were received.
    pub body_bytes_per_pair: f64,
    pub stored_bytes_per_pair: f64,
}

/// A simulator in a process of its own, which ends with this value.
#[derive(Debug)]
pub struct SimulatorProcess {
    child: Child,
    /// Held open: a simulator that cannot say where it is ends.
    told: BufReader<ChildStdout>,
    base_url: String,
}

impl SimulatorProcess {
    /// Starts this program as a simulator without limits, on any free port.
    pub fn start(bench: &PipelineBench) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["simulate", "--port", "0", "--platform", "euw1"]);
        command.args(["--limits", "none", "--matches", &bench.matches.to_string()]);
        for player in bench.names() {
            command.args(["--player", &player]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let told = child.stdout.take().expect("it is piped");
        let mut simulator = Self {
            child,
            told: BufReader::new(told),
            base_url: String::new(),
        };
        let mut line = String::new();
        let read = simulator.told.read_line(&mut line);
        read.map_err(|error| error.to_string())?;
        match line.strip_prefix("base URL") {
            Some(url) => simulator.base_url.push_str(url.trim()),
            None => return Err(format!("the simulator did not start: '{}'", line.trim())),
        }
        Ok(simulator)
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether it has ended, which it does not by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Bytes of all documents that it has sent.
    pub async fn body_bytes(&self) -> Result<u64, String> {
        let host = self.base_url.split("/{").next().unwrap_or_default();
        let asked = reqwest::get(format!("{host}/__simulator/counters")).await;
        let answer = asked.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let counters: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(counters["body_bytes"].as_u64().unwrap_or(0))
    }
}

impl Drop for SimulatorProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl PipelineBench {
    /// The players of the world.
    pub fn names(&self) -> impl Iterator<Item = String> {
        (0..self.players).map(|n| format!("Bench {n}#SIM"))
    }
}

impl fmt::Display for PipelineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |bytes: f64| bytes / 1024.0;
        writeln!(
            f,
            "{} on {}, {}, {}",
            self.engine, self.store, self.durability, self.history
        )?;
        writeln!(
            f,
            "pipeline   {:>9.0} matches/s: {} matches and {} timelines of {} players in {:.2} s, {} commits of {:.0} commands",
            self.pairs_per_s,
            self.matches,
            self.timelines,
            self.players,
            self.seconds,
            self.commits,
            self.commands_per_commit
        )?;
        writeln!(
            f,
            "a match    {:.2} ms of processor time: unpacked {:.2}, parsed {:.2}, stored {:.2}, the rest {:.2}",
            self.cpu_ms_per_pair,
            self.stages.unpack_ms,
            self.stages.parse_ms,
            self.stages.store_ms,
            self.stages.rest_ms
        )?;
        writeln!(
            f,
            "documents  {:.1} KiB a match received, {:.1} KiB stored ({:.2} times)",
            kib(self.body_bytes_per_pair),
            kib(self.stored_bytes_per_pair),
            self.stored_bytes_per_pair / self.body_bytes_per_pair.max(1.0)
        )?;
        write!(
            f,
            "used       {:.1} MiB of memory at most",
            kib(self.resident_peak_bytes as f64) / 1024.0
        )
    }
}

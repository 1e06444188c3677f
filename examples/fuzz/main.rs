//! Hostile inputs for whatever reads what others wrote: the API's documents, lists and headers, bodies, lines of the
//! control socket, files of players and keys, database URLs, settings, and texts that go to logs and terminals.
//!
//! ```sh
//! cargo run --release --example fuzz -- --seconds 600
//! ```
//!
//! An input is a function of its target and its seed, so one that fails is run again by these two. Of each it is
//! checked that its reader neither panics nor takes longer or more memory than it may, and what must be true of
//! whatever it makes of it: bounds, what comes back when it is written and read again, and that no key is left in a
//! text.
//!
//! Real documents, which are no part of the project, are used beside simulated ones where `RIFTSYNC_SAMPLES` names
//! their folder; without them the same seed makes another input.

mod bytes;
mod corpus;
mod json;
mod run;
mod targets;

#[cfg(test)]
pub use self::{corpus::Corpus, run::one, targets::TARGETS};

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use peak_alloc::PeakAlloc;

/// Counts what each input takes. Tests have none: others run beside them.
#[cfg(not(test))]
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;
#[cfg(test)]
static MEMORY: PeakAlloc = PeakAlloc;

/// Hostile inputs for whatever reads what others wrote.
#[derive(Debug, Parser)]
struct Args {
    /// How long to run, all targets together
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The seed of the first input of each target; the others count on from there
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many inputs of each target, however long they take
    #[arg(long)]
    inputs: Option<u64>,
    /// One of the targets only
    #[arg(long)]
    target: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let named =
        |target: &&targets::Target| args.target.as_ref().is_none_or(|name| target.name == name);
    let targets: Vec<&'static targets::Target> = targets::TARGETS.iter().filter(named).collect();
    if targets.is_empty() {
        let known: Vec<&str> = targets::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("there is no such target. Known: {}", known.join(", "));
        return ExitCode::from(2);
    }
    let samples = std::env::var_os("RIFTSYNC_SAMPLES").map(PathBuf::from);
    let plan = run::Plan {
        time: Duration::from_secs(args.seconds),
        seed: args.seed,
        inputs: args.inputs,
    };
    run::all(&targets, samples.as_deref(), &plan, MEMORY)
}

//! The verbs a person types.

pub mod batch;
pub mod behaviour;
pub mod configshow;
pub mod dbbackup;
pub mod dbcopy;
pub mod dbinfo;
pub mod error;
pub mod follow;
mod lake;
pub mod pages;
pub mod players;
#[cfg(test)]
mod readme;
pub mod remote;
mod report;
pub mod stats;
pub mod terminal;
pub mod top;
pub mod upkeep;
pub mod view;
pub mod waits;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

pub use behaviour::BehaviourArgs;
pub use error::CliError;
pub use lake::LakeArgs;
pub use report::ReportArgs;

use crate::config::{Profile, listen_address};
use crate::export::{Format, What};
use crate::model::{CatchUp, DatabaseUrl, JobState, Puuid, Share, Whom};
use crate::tasks;

/// Keeps a database of League of Legends players true to the Riot Games API.
#[derive(Debug, Parser)]
#[command(name = "riftsync", version, max_term_width = 100, after_help = pages::topics())]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// Whether stdout gets data as it is read.
    pub fn streams(&self) -> bool {
        matches!(&self.verb, Verb::Export(args) if args.out.as_ref().is_some_and(|out| out.as_os_str() == "-"))
    }
}

#[derive(Debug, Args)]
pub struct Global {
    /// One JSON document on stdout, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// A file with settings; see config/default.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The engine's control socket
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// The settings for this kind of key; production with --simulate, else development unless told
    #[arg(long, global = true, value_name = "PROFILE")]
    pub profile: Option<Profile>,
    /// The database, as `sqlite:///path/to/file.db` or `postgres://user@host/database`
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<DatabaseUrl>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Bring a player's year into the database; fetches only what is not there
    Sync(SyncArgs),
    /// Find what of players is missing, failed or damaged, and fetch and mend only that
    Recover(RecoverArgs),
    /// Delete matches that were stored long ago, with everything that hangs on them
    Cleanup(CleanupArgs),
    /// Rebuild rows and statistics from the stored documents, without a call
    Replay(ReplayArgs),
    /// Pack stored documents smaller, in the background; what they say stays
    Recompress(RecompressArgs),
    /// Show a player's yearly statistics
    Stats(StatsArgs),
    /// Fetch the names of champions, items and the rest, which Riot publishes for everybody
    Names(NamesArgs),
    /// Show where a player stands in the leagues, and how that came about
    Rank(RankArgs),
    /// Write a player's year as a page: one file that needs no script and no network
    Report(ReportArgs),
    /// Run the engine on what is queued until it is stopped
    Serve(ServeArgs),
    /// Sync the players of a ladder's tier, the best first
    Ladder(LadderOptions),
    /// Write a table of the data to a file, for DuckDB, Polars, pandas or a spreadsheet
    Export(ExportArgs),
    /// A Riot API to develop and test against
    Simulate(SimulateArgs),
    /// Look at jobs, wait for them, cancel them, or run failed ones again
    Job(JobArgs),
    /// Look at the engine's queues, pause and resume them, change their slots and rate
    Queue(QueueArgs),
    /// How the engine stands
    Status,
    /// Watch the engine: queues, jobs, limits, actors, errors; and pause, cancel, try again
    Top,
    /// Check the engine and all it stands on; exits with 0 if healthy, 1 if degraded, 3 if unhealthy
    Health,
    /// What runs by the clock
    Schedule(ScheduleArgs),
    /// Have a player synced again by schedule
    Track(TrackArgs),
    /// Have a player synced no more by schedule; what is stored stays
    Untrack(TrackArgs),
    /// List the players that are synced again by schedule, most recently active first
    Tracked,
    /// Let the engine's jobs end, or stop it
    Engine(EngineArgs),
    /// Give the engine another API key
    Key(KeyArgs),
    /// Look at the database, or bring its tables up to date
    Db(DbArgs),
    /// Look at the settings as they are, wherever they come from
    Config(ConfigArgs),
    /// Measure what this machine and disk reach
    Bench(BenchArgs),
    /// Print what a shell needs to complete these words
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write those of all verbs into a folder
    #[command(hide = true)]
    Man {
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Run the jobs of these queues alone; those of others wait for an engine that runs them
    #[arg(long, value_name = "QUEUE,...", value_delimiter = ',', value_parser = queue_names())]
    pub queues: Vec<String>,
    /// Tell the metrics to Prometheus at a port of 127.0.0.1, or at an address with its port
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen_address)]
    pub metrics_listen: Option<SocketAddr>,
    /// Show the engine in a browser, at 127.0.0.1:8470 unless told another port or address
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen_address)]
    #[arg(num_args = 0..=1, default_missing_value = "8470")]
    pub web: Option<SocketAddr>,
    /// Nothing can be changed in the browser
    #[arg(long)]
    pub web_read_only: bool,
}

fn queue_names() -> PossibleValuesParser {
    PossibleValuesParser::new(tasks::queues().into_iter().map(|queue| queue.name))
}

#[derive(Debug, Args)]
pub struct JobArgs {
    #[command(subcommand)]
    pub what: JobVerb,
}

#[derive(Debug, Args)]
pub struct QueueArgs {
    #[command(subcommand)]
    pub what: QueueVerb,
}

#[derive(Debug, Clone, Subcommand)]
pub enum QueueVerb {
    /// List the queues with what runs and what waits
    List,
    /// Start no more jobs of a queue; those that run go on
    Pause {
        /// A queue's name, or "all"
        queue: String,
    },
    /// Start jobs of a queue again
    Resume {
        /// A queue's name, or "all"
        queue: String,
    },
    /// Change a queue until the engine ends
    Set {
        /// A queue's name, or "all"
        queue: String,
        /// Jobs that run at once
        #[arg(long, value_name = "N")]
        slots: Option<u32>,
        /// Jobs that may start in a time, as 100/m, or "none"
        #[arg(long)]
        rate: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct ScheduleArgs {
    #[command(subcommand)]
    pub what: ScheduleVerb,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ScheduleVerb {
    /// List schedules with when they ran last and run next
    List,
    /// Add a schedule, or change one that was added; those of the configuration are changed there
    Add {
        /// a to z, 0 to 9, _ and -
        name: String,
        /// When it runs: "30 3 * * *", "every 6h", "at 2026-12-01T03:00" or "off"
        #[arg(long)]
        when: String,
        /// The kind of its jobs
        #[arg(long)]
        kind: String,
        /// Their arguments, as JSON
        #[arg(long, default_value = "{}", value_name = "JSON")]
        args: String,
        /// The time zone of the cron expression or moment
        #[arg(long, default_value = "UTC", value_name = "ZONE")]
        timezone: String,
        /// When no engine ran: "skip" what was missed, or run "once" for it. Usual: once for every and at
        #[arg(long, value_name = "POLICY")]
        catch_up: Option<CatchUp>,
    },
    /// Remove a schedule that was added
    Remove { name: String },
}

#[derive(Debug, Args)]
pub struct TrackArgs {
    #[command(flatten)]
    pub player: PlayerArg,
}

/// A player of the database.
#[derive(Debug, Clone, Args)]
pub struct PlayerArg {
    /// The player, as "Name#TAG"
    #[arg(required_unless_present = "puuid", conflicts_with = "puuid")]
    pub riot_id: Option<String>,
    /// The player by puuid, whatever the name: 78 letters, digits, - and _
    #[arg(long, value_name = "PUUID", allow_hyphen_values = true)]
    pub puuid: Option<Puuid>,
}

impl PlayerArg {
    /// Whom that is.
    pub fn read(&self) -> Result<Whom, CliError> {
        whom(self.riot_id.as_deref(), self.puuid.as_ref())
    }
}

/// A player as it was typed, by name or by puuid.
fn whom(riot_id: Option<&str>, puuid: Option<&Puuid>) -> Result<Whom, CliError> {
    match puuid {
        Some(puuid) => Ok(Whom::with_puuid(puuid.clone())),
        None => Ok(Whom::named(riot_id.unwrap_or_default().parse()?)),
    }
}

#[derive(Debug, Args)]
pub struct EngineArgs {
    #[command(subcommand)]
    pub what: EngineVerb,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum EngineVerb {
    /// Start no more jobs and wait until none runs; `queue resume all` takes it back
    Drain,
    /// Stop the engine, as SIGTERM does, and wait until it has gone
    Stop,
}

#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    pub what: KeyVerb,
}

#[derive(Debug, Clone, Subcommand)]
pub enum KeyVerb {
    /// Read a key from stdin and put it in use; what waits for a key goes on
    Set,
    /// Show the part of the key's limits that the engine uses, or change it until the engine ends
    ///
    /// Without a change it is riot.share of the configuration: all of it, unless told. The rest is left to other
    /// programs with the same key, in every window of every route and method.
    Share {
        /// A percentage, as 80%
        share: Option<Share>,
        /// Of one route alone: a platform (euw1) or a region (europe)
        #[arg(long)]
        route: Option<String>,
    },
}

#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only jobs in this state: available, scheduled, blocked, running, retryable, completed, cancelled, discarded
    #[arg(long)]
    pub state: Option<JobState>,
    /// Only jobs of this kind
    #[arg(long)]
    pub kind: Option<String>,
    /// Only jobs of this queue
    #[arg(long)]
    pub queue: Option<String>,
    /// How many, newest first
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Only jobs older than this one: the last of the list before
    #[arg(long, value_name = "ID")]
    pub before: Option<i64>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum JobVerb {
    /// List jobs, newest first
    List(ListArgs),
    /// Wait until jobs have ended; a line for each
    Wait {
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
    /// Show a job with the history of its errors, as JSON
    Show { id: i64 },
    /// Cancel a job, and with it those of its children that nobody else wants
    Cancel { id: i64 },
    /// Give a cancelled or discarded job all its attempts again; the next engine runs it
    Retry { id: i64 },
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub what: ConfigVerb,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigVerb {
    /// Print all settings as a configuration file, and the places they lead to; never the API key
    Show,
}

#[derive(Debug, Args)]
pub struct DbArgs {
    #[command(subcommand)]
    pub what: DbVerb,
    /// The database of `sync --simulate`
    #[arg(long, global = true)]
    pub simulate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DbVerb {
    /// Which database it is, which version its tables have, what is in it
    Info,
    /// Make the tables, or bring them up to date; engines do so themselves when they start
    Migrate,
    /// Copy all of it into another, empty database; run again, it goes on where it was stopped
    Copy(DbCopyArgs),
    /// Write all of a SQLite database into a new file, as it is at one moment; an engine may go on meanwhile
    Backup {
        /// The new file
        #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Put a backup in the place of the SQLite database, whose engine has to be stopped
    Restore(DbRestoreArgs),
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DbRestoreArgs {
    /// The backup; it is only read
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Move the database that is there aside, to a name that ends in .before-restore
    #[arg(long)]
    pub replace: bool,
}

/// What is not named is the database of the settings (`DATABASE_URL`, --database).
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DbCopyArgs {
    /// The database that is copied: of the settings, or without --to the usual file
    #[arg(long, value_name = "URL")]
    pub from: Option<DatabaseUrl>,
    /// The empty database it goes into: of the settings unless told
    #[arg(long, value_name = "URL")]
    pub to: Option<DatabaseUrl>,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub what: Bench,
}

#[derive(Debug, Subcommand)]
pub enum Bench {
    /// No-op jobs through the engine: enqueued, claimed, run and completed, all durably
    Jobs(BenchJobsArgs),
    /// Simulated matches and timelines through everything there is, into a fresh database
    Pipeline(BenchPipelineArgs),
    /// No-op jobs over the control socket: how soon one starts, how many a second are taken in
    Control(BenchControlArgs),
    /// How long it takes to find what of a player is missing, in a large made-up database
    Recovery(BenchRecoveryArgs),
    /// How fast participants become CSV and Parquet files, and how much memory that takes
    Export(BenchExportArgs),
    /// More calls than a simulated key permits: how much of it is used, and its 429s by type
    Limiter(BenchLimiterArgs),
}

/// What the measured database holds before.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Made-up matches that the database holds before
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub stored_matches: u32,
    /// Finished jobs that the database holds before
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub finished_jobs: u32,
}

impl HistoryArgs {
    pub fn read(&self) -> crate::bench::History {
        crate::bench::History {
            stored_matches: self.stored_matches,
            finished_jobs: self.finished_jobs,
        }
    }
}

#[derive(Debug, Args)]
pub struct BenchPipelineArgs {
    /// Players to sync
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub players: u32,
    /// Matches of each
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub matches: u32,
    /// Matches alone
    #[arg(long)]
    pub no_timelines: bool,
    #[command(flatten)]
    pub history: HistoryArgs,
    /// Where the measured database is made, and removed afterwards: the disk that is measured
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BenchRecoveryArgs {
    /// Matches in the database
    #[arg(long, default_value_t = 200_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub matches: u32,
    /// Matches of the player
    #[arg(long, default_value_t = 3_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub of_player: u32,
    /// Where the measured database is made, and removed afterwards: the disk that is measured
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BenchExportArgs {
    /// Participants in the database, ten of each match
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub rows: u32,
    /// Where the measured database and files are made, and removed afterwards: the disk that is measured
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BenchLimiterArgs {
    /// The key's limits, calls:seconds
    #[arg(long, default_value = "50:1,300:10", value_name = "LIMITS")]
    pub limits: String,
    /// How long
    #[arg(long, default_value_t = 60, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// How long answers take, the median and the log-normal spread; half of it before the count
    #[arg(long, default_value = "80:0.3", value_name = "MEDIAN_MS[:SIGMA]")]
    pub latency: String,
    /// How rate windows begin and end: "opened", "aligned" or "sliding"; see simulate
    #[arg(long, default_value = "opened", value_name = "MODEL")]
    pub window: String,
    /// How much later than it should a window may end
    #[arg(long, default_value_t = 0, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub edge_jitter: u32,
    /// Callers at once
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub callers: u32,
    /// Replace the limiter after three tenths of its longest window
    #[arg(long)]
    pub restart: bool,
    /// The limits change to these after half of the time
    #[arg(long, value_name = "LIMITS")]
    pub shrink: Option<String>,
}

#[derive(Debug, Args)]
pub struct BenchControlArgs {
    /// Jobs submitted one by one, each after the one before has started
    #[arg(long, default_value_t = 2_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub singles: u32,
    /// Jobs submitted in batches
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub jobs: u32,
    /// Requests in one batch
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: u32,
    /// Where the measured database is made, and removed afterwards: the disk that is measured
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BenchJobsArgs {
    /// Jobs to run
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub jobs: u32,
    /// Jobs that run at once
    #[arg(long, default_value_t = 2_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub slots: u32,
    /// Jobs a second while the latency from enqueue to start is measured
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Seconds to measure that latency
    #[arg(long, default_value_t = 5, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub latency_seconds: u32,
    /// Also measure the memory that so many queued jobs cost
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub queued: u32,
    #[command(flatten)]
    pub history: HistoryArgs,
    /// Where the measured database is made, and removed afterwards: the disk that is measured
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// The player, as "Name#TAG"
    #[arg(required_unless_present_any = ["file", "puuid"], conflicts_with_all = ["file", "puuid"])]
    pub riot_id: Option<String>,
    /// The player by puuid, whatever the name: the 78 characters that this API key gives
    #[arg(long, value_name = "PUUID", allow_hyphen_values = true, conflicts_with_all = ["file", "simulate"])]
    pub puuid: Option<Puuid>,
    /// Sync all players of a file: a Name#TAG a line, a platform behind a comma where it is another
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "simulate"])]
    pub file: Option<PathBuf>,
    /// The server the player plays on: kr, euw1, na1, ...; the API is asked unless told
    #[arg(long)]
    pub platform: Option<String>,
    /// The calendar year (UTC), or years as 2024..2026; this year unless told
    #[arg(long)]
    pub year: Option<String>,
    /// Leave it to the running engine and return at once
    #[arg(long, conflicts_with = "simulate")]
    pub detach: bool,
    /// Leave the timelines out
    #[arg(long)]
    pub no_timelines: bool,
    /// Do not have the player synced again by schedule
    #[arg(long)]
    pub no_track: bool,
    /// Ask for timelines too that are older than a year, which Riot has deleted
    #[arg(long)]
    pub old_timelines: bool,
    /// Wait for matches that Riot lists and does not serve yet; else the next sync asks for them again
    #[arg(long)]
    pub wait: bool,
    /// Only list what there is and what is missing, how many calls that takes, and how long
    #[arg(long)]
    pub dry_run: bool,
    /// Sync from a simulated API inside this process; needs no key, uses a database of its own
    #[arg(long)]
    pub simulate: bool,
    #[command(flatten)]
    pub world: WorldArgs,
}

#[derive(Debug, Args)]
pub struct LadderOptions {
    /// The server: kr, euw1, na1, ...
    #[arg(long)]
    pub platform: Option<String>,
    /// `RANKED_SOLO_5x5` or `RANKED_FLEX_SR`
    #[arg(long, default_value = "RANKED_SOLO_5x5", value_name = "QUEUE")]
    pub queue: String,
    /// challenger, grandmaster, master, diamond, emerald, ... iron
    #[arg(long)]
    pub tier: String,
    /// I, II, III or IV; all of them unless told
    #[arg(long)]
    pub division: Option<String>,
    /// Players at most
    #[arg(long, default_value_t = 300, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// The calendar year (UTC); this year unless told
    #[arg(long)]
    pub year: Option<String>,
    /// Leave the timelines out
    #[arg(long)]
    pub no_timelines: bool,
    /// Leave it to the running engine and return at once
    #[arg(long)]
    pub detach: bool,
}

impl SyncArgs {
    /// Whom that is, without a file.
    pub fn player(&self) -> Result<Whom, CliError> {
        whom(self.riot_id.as_deref(), self.puuid.as_ref())
    }
}

impl RecoverArgs {
    /// Those who are named.
    pub fn players(&self) -> Result<Vec<Whom>, CliError> {
        let named = self.riot_ids.iter().map(|text| whom(Some(text), None));
        let puuids = self.puuids.iter().map(|puuid| whom(None, Some(puuid)));
        named.chain(puuids).collect()
    }
}

/// How the simulated world is made.
#[derive(Debug, Args)]
pub struct WorldArgs {
    /// The simulated world's seed: the same seed, the same matches
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Matches of each named player in a simulated year
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub matches: u32,
    /// The simulated key's limits, calls:seconds, or "none"
    #[arg(long, default_value = "500:10,30000:600", value_name = "LIMITS")]
    pub limits: String,
}

#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// Players, as "Name#TAG"; or --all
    #[arg(required_unless_present_any = ["all", "puuids"], value_name = "NAME#TAG")]
    pub riot_ids: Vec<String>,
    /// A player by puuid, whatever the name; may be given several times
    #[arg(long = "puuid", value_name = "PUUID", allow_hyphen_values = true)]
    pub puuids: Vec<Puuid>,
    /// Every player that is tracked, the longest ago first
    #[arg(long, conflicts_with_all = ["riot_ids", "puuids"])]
    pub all: bool,
    /// The server the players play on: kr, euw1, na1, ...; the API is asked unless told
    #[arg(long)]
    pub platform: Option<String>,
    /// The calendar year (UTC), or years as 2024..2026; this year unless told
    #[arg(long)]
    pub year: Option<String>,
    /// Leave the timelines out
    #[arg(long)]
    pub no_timelines: bool,
    /// Ask for timelines too that are older than a year, which Riot has deleted
    #[arg(long)]
    pub old_timelines: bool,
    /// Only tell what is missing, the calls it takes, and how long
    #[arg(long)]
    pub dry_run: bool,
    /// Re-read what is stored, and mend what is not as it should be
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub struct CleanupArgs {
    /// Matches that were stored longer ago
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=366_000))]
    pub days: u32,
    /// Only tell how many rows and bytes would go
    #[arg(long)]
    pub dry_run: bool,
    /// Take the matches out of the statistics too; else these keep what they counted
    #[arg(long)]
    pub adjust_stats: bool,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Only tell how many rows would change
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct RecompressArgs {
    /// Only tell what it would save, by a trial with some documents
    #[arg(long, conflicts_with = "undo")]
    pub dry_run: bool,
    /// Pack them as they came, with gzip
    #[arg(long, conflicts_with = "level")]
    pub undo: bool,
    /// From quick (1) to small (19)
    #[arg(long, default_value_t = 9, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=19))]
    pub level: i32,
    /// How much of one core; a tenth of it while jobs of other queues run
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub cpu_percent: u32,
}

#[derive(Debug, Args)]
pub struct StatsArgs {
    #[command(flatten)]
    pub player: PlayerArg,
    /// Only this year
    #[arg(long)]
    pub year: Option<String>,
    /// Read the database of `sync --simulate`
    #[arg(long)]
    pub simulate: bool,
}

#[derive(Debug, Args)]
pub struct NamesArgs {
    /// Ask for every file, also those that were asked for lately
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct RankArgs {
    #[command(flatten)]
    pub player: PlayerArg,
    /// So many of the last changes in each queue
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub changes: u16,
    /// So many champions, those with the most mastery points
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    pub champions: u16,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("tables").args(["what", "all"]).required(true))]
pub struct ExportArgs {
    /// Which table
    #[arg(long, value_name = "TABLE")]
    pub what: Option<What>,
    #[command(flatten)]
    pub lake: LakeArgs,
    /// parquet or csv; by the end of the file's name unless told, parquet without one, csv to stdout
    #[arg(long)]
    pub format: Option<Format>,
    /// Only this calendar year (UTC), or these, as 2024..2026
    #[arg(long)]
    pub year: Option<String>,
    /// Only matches that this player was in, as "Name#TAG"; of stats only the player's
    #[arg(long, value_name = "NAME#TAG")]
    pub player: Option<String>,
    /// The file, or - for stdout; TABLE.FORMAT in this folder unless told. Links and devices are left alone
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Make the file's folder if there is none
    #[arg(long)]
    pub mkdir: bool,
    /// CSV for programs: texts as they are. Else one that a spreadsheet would run as a formula has a ' before it
    #[arg(long)]
    pub raw: bool,
    /// Read the database of `sync --simulate`
    #[arg(long)]
    pub simulate: bool,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The TCP port on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// A player of the world, as "Name#TAG"; may be given several times
    #[arg(long = "player", value_name = "NAME#TAG", default_value = "Faker#KR1")]
    pub players: Vec<String>,
    /// The server these players play on
    #[arg(long, default_value = "kr")]
    pub platform: String,
    #[command(flatten)]
    pub world: WorldArgs,
    #[command(flatten)]
    pub behaviour: BehaviourArgs,
}

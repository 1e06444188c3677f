//! Which lake an export brings up to date.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct LakeArgs {
    /// A lake: every table as Parquet files by platform, year and month, in the folder of --dir. Only what changed
    /// since the last time is written
    #[arg(
        long,
        requires = "dir",
        conflicts_with_all = ["what", "format", "year", "player", "out", "mkdir", "raw"]
    )]
    pub all: bool,
    /// The folder of a lake; made if there is none
    #[arg(long, value_name = "FOLDER", requires = "all")]
    pub dir: Option<PathBuf>,
    /// What changed since then: `last`, the last export into this lake. It is so unless told
    #[arg(long, value_name = "WHEN", value_parser = ["last"], requires = "all", conflicts_with = "full")]
    pub since: Option<String>,
    /// Write all of a lake anew
    #[arg(long, requires = "all")]
    pub full: bool,
}

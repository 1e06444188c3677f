//! Which lake an export brings up to date.

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser as _};

use crate::config::LakeAddress;

#[derive(Debug, Args)]
pub struct LakeArgs {
    /// A lake: every table as Parquet files by platform, year and month, in the place of --dir. Only what changed
    /// since the last time is written
    #[arg(
        long,
        conflicts_with_all = ["what", "format", "year", "player", "out", "mkdir", "raw"]
    )]
    pub all: bool,
    /// The place of a lake: a folder, which is made if there is none, or `s3://bucket/prefix`. `lake.dir` unless told
    #[arg(
        long,
        value_name = "FOLDER",
        requires = "all",
        conflicts_with = "what",
        value_parser = OsStringValueParser::new().try_map(LakeAddress::of)
    )]
    pub dir: Option<LakeAddress>,
    /// What changed since then: `last`, the last export into this lake. It is so unless told
    #[arg(long, value_name = "WHEN", value_parser = ["last"], requires = "all", conflicts_with_all = ["full", "what"])]
    pub since: Option<String>,
    /// Write all of a lake anew
    #[arg(long, requires = "all", conflicts_with = "what")]
    pub full: bool,
}

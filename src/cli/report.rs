//! What `riftsync report` takes.

use std::path::PathBuf;

use clap::Args;

use super::PlayerArg;

#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub player: PlayerArg,
    /// The calendar year (UTC); this year unless told
    #[arg(long)]
    pub year: Option<String>,
    /// Another player, whose year stands beside it
    #[arg(long, value_name = "NAME#TAG")]
    pub compare: Option<String>,
    /// The year that stands beside it; the same one unless told
    #[arg(long, value_name = "YEAR")]
    pub compare_year: Option<String>,
    /// Only games of this server: kr, euw1, na1, ...
    #[arg(long)]
    pub platform: Option<String>,
    /// Whose days and hours, as Asia/Seoul; those of this machine unless told
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// The file, or - for stdout; Name-TAG-2025.html in this folder unless told. Links and devices are left alone
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Make the file's folder if there is none
    #[arg(long)]
    pub mkdir: bool,
    /// Read the database of `sync --simulate`
    #[arg(long)]
    pub simulate: bool,
}

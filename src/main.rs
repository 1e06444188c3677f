//! `riftsync`: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use riftsync::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    match riftsync::boot::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if json && !matches!(error, riftsync::cli::CliError::JobFailed(_)) {
                println!(
                    "{}",
                    serde_json::json!({ "success": false, "error": { "message": error.to_string() } })
                );
            }
            eprintln!("riftsync: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

//! `riftsync`: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use riftsync::cli::{Cli, CliError};

#[allow(unsafe_code, reason = "SQLite is configured by C functions only")]
fn main() -> ExitCode {
    // SAFETY: there is no other thread yet.
    unsafe { riftsync::store::sqlite::tune() };
    let cli = Cli::parse();
    let json = cli.global.json;
    match riftsync::boot::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What these are about was printed as a document of its own.
            let told = matches!(
                error,
                CliError::JobFailed(_) | CliError::Degraded | CliError::Unhealthy
            );
            if json && !told {
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

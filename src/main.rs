//! `riftsync`: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use riftsync::cli::{Cli, CliError, pages, terminal};

#[allow(unsafe_code, reason = "SQLite is configured by C functions only")]
fn main() -> ExitCode {
    // SAFETY: there is no other thread yet.
    unsafe { riftsync::store::sqlite::tune() };
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    // Also where the words are none of riftsync's.
    let json = words.iter().any(|word| word == pages::JSON);
    if let Some(page) = pages::asked(&words) {
        return told(page.map(|text| riftsync::outln!("{text}")), json);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mut wrong) => {
            drop_misleading_tip(&mut wrong);
            // What is asked for with --help is no error. A program that wrote --json reads one in its own way.
            if wrong.use_stderr() && json {
                let text = wrong.to_string();
                let why = text.lines().next().unwrap_or_default();
                let error = CliError::Usage(why.trim_start_matches("error: ").to_owned());
                riftsync::outln!("{}", error.document());
            }
            wrong.exit()
        }
    };
    // Where stdout has a table, nothing else goes there.
    let json = cli.global.json && !cli.streams();
    told(riftsync::boot::run(cli), json)
}

/// A verb that does not know an option is told that it can be had as a value behind `--`: a player's name, say. Nobody
/// means that.
fn drop_misleading_tip(wrong: &mut clap::Error) {
    if wrong.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::StyledStrs(tips)) = wrong.remove(ContextKind::Suggested)
    {
        let is_useful = |tip: &StyledStr| !tip.to_string().contains("as a value");
        let tips: Vec<_> = tips.into_iter().filter(is_useful).collect();
        if !tips.is_empty() {
            wrong.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
}

/// Says how a verb ended, and gives its exit code.
fn told(ended: Result<(), CliError>, json: bool) -> ExitCode {
    match ended {
        Ok(()) => match terminal::unwritten() {
            None => ExitCode::SUCCESS,
            Some(why) => {
                eprintln!(
                    "riftsync: it is done, but what is to be shown could not be written to stdout: {why}"
                );
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            // What these are about may have been printed as a document of its own.
            let told = terminal::has_spoken()
                && matches!(
                    error,
                    CliError::JobFailed(_)
                        | CliError::Incomplete(_)
                        | CliError::Degraded
                        | CliError::Unhealthy
                );
            if json && !told {
                riftsync::outln!("{}", error.document());
            }
            riftsync::errln!("riftsync: {}", terminal::shown(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

//! `db copy`: a database to another place, with a bar, until it is there or stopped.

use super::locations::{locate, location, usual_file};
use crate::cli::dbcopy::{Bar, document, text};
use crate::cli::terminal::stop_signal;
use crate::cli::{CliError, DbCopyArgs, Global, waits};
use crate::config::Config;
use crate::store::copy::Copy;
use crate::store::{Location, StoreError};

/// What is not named is the database of the settings; without either, the usual file goes there.
pub(super) async fn copy(
    global: &Global,
    config: &Config,
    args: &DbCopyArgs,
    simulated: bool,
) -> Result<(), CliError> {
    let settings = || locate(global, config, simulated);
    let place = |url| location(config, url);
    let (from, to) = match (&args.from, &args.to) {
        (Some(from), Some(to)) => (place(from)?, place(to)?),
        (Some(from), None) => (place(from)?, settings()?),
        (None, Some(to)) => (settings()?, place(to)?),
        (None, None) => (Location::file(usual_file(simulated)), settings()?),
    };
    if from.is_shown_as(&to.to_string()) {
        return Err(CliError::Usage(format!(
            "{from} cannot be copied to itself. Name two databases with --from and --to"
        )));
    }
    let mut copy = Copy::start(from.clone(), to.clone()).map_err(named_here)?;
    let mut progress = copy.progress.clone();
    let bar = Bar::new(&format!("copy of {from}"));
    let waiting = waits::on(
        "database",
        format!("{from} or {to} has not answered yet; another program may hold it locked"),
    );
    // One for all rounds: a signal between two of them must not be lost.
    let mut stopped = std::pin::pin!(stop_signal());
    let outcome = loop {
        tokio::select! {
            done = copy.done() => break done,
            // When the sender has gone the copy is done, which is told above.
            Ok(()) = progress.changed() => {
                waiting.moved();
                bar.show(&progress.borrow_and_update());
            }
            () = &mut stopped => {
                copy.stop();
                break copy.done().await;
            }
        }
    };
    drop(waiting);
    let took = bar.clear();
    if !outcome.map_err(named_here)? {
        return Err(CliError::Interrupted);
    }
    let done = copy.progress.borrow().clone();
    if global.json {
        crate::outln!("{}", document(&from, &to, &done, took));
    } else {
        crate::outln!("{}", text(&from, &to, &done, took));
    }
    Ok(())
}

/// The databases of a copy are named by its own options.
fn named_here(error: StoreError) -> StoreError {
    let (name, what) = match error {
        StoreError::Unopenable { path, cause } => (
            path.display().to_string(),
            format!("cannot be opened: {cause}"),
        ),
        StoreError::NotADatabase { path, cause } => (
            path.display().to_string(),
            format!("is not a riftsync database: {cause}"),
        ),
        StoreError::OtherProgram { database, cause } => {
            (database, format!("is not a riftsync database: {cause}"))
        }
        other => return other,
    };
    StoreError::Refused(format!(
        "{name} {what}. It was not changed; name another database with --from or --to"
    ))
}

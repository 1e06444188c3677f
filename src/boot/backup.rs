//! `db backup` and `db restore`: a database file to and from another, with what is written so far, until it is done or
//! stopped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::cli::dbbackup::{Bar, backed_up, restored};
use crate::cli::follow::same_place;
use crate::cli::terminal::stop_signal;
use crate::cli::{CliError, DbRestoreArgs, Global};
use crate::model::DatabaseUrl;
use crate::store::sqlite::{Backup, Written};
use crate::store::{Location, StoreError, StoreResult};

/// How often it is looked how much is written.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn backup(
    global: &Global,
    database: &Location,
    simulated: bool,
    file: &Path,
) -> Result<(), CliError> {
    let path = file_of(database)?;
    let bar = Bar::new(&format!("backup of {database}"), path);
    let (written, took) = run(Backup::new(path, file), bar, Backup::write).await?;
    let named = global.database.as_ref().map(DatabaseUrl::expose);
    let same_place = same_place(simulated, named);
    let (document, text) = backed_up(database, file, &same_place, &written, took);
    show(global, &document, &text);
    Ok(())
}

pub(super) async fn restore(
    global: &Global,
    database: &Location,
    args: &DbRestoreArgs,
) -> Result<(), CliError> {
    let path = file_of(database)?;
    let replace = args.replace;
    let bar = Bar::new(
        &format!("{database} from {}", args.file.display()),
        &args.file,
    );
    let restore = move |backup: &Backup| backup.restore(replace);
    let (written, took) = run(Backup::new(&args.file, path), bar, restore).await?;
    let (document, text) = restored(database, &args.file, &written, took);
    show(global, &document, &text);
    Ok(())
}

fn show(global: &Global, document: &serde_json::Value, text: &str) {
    if global.json {
        crate::outln!("{document}");
    } else {
        crate::outln!("{text}");
    }
}

/// A server's database has tools of its own, which know it better.
fn file_of(database: &Location) -> Result<&Path, CliError> {
    match database {
        Location::Sqlite(path) => Ok(path),
        Location::Postgres(_) => Err(CliError::Usage(format!(
            "{database} is on a PostgreSQL server: back it up with `pg_dump --format=custom --file=FILE '{database}'`, and bring it back into an empty database with `pg_restore --no-owner --dbname=URL FILE`"
        ))),
    }
}

async fn run(
    backup: Backup,
    bar: Bar,
    work: impl FnOnce(&Backup) -> StoreResult<Written> + Send + 'static,
) -> Result<(Written, Duration), CliError> {
    let backup = Arc::new(backup);
    let (tell, mut told) = oneshot::channel();
    let working = backup.clone();
    // A thread of its own: one of the runtime's would hold up the end of the program.
    std::thread::Builder::new()
        .name("backup".to_owned())
        .spawn(move || tell.send(work(&working)))
        .map_err(|error| CliError::Engine(format!("no thread can be made: {error}")))?;
    let mut look = tokio::time::interval(LOOK);
    let mut stopped = std::pin::pin!(stop_signal());
    let mut is_stopped = false;
    loop {
        tokio::select! {
            written = &mut told => {
                let written = written.unwrap_or(Err(StoreError::Closed))?;
                return Ok((written, bar.clear()));
            }
            _ = look.tick() => bar.show(backup.so_far()),
            () = &mut stopped, if !is_stopped => {
                if backup.give_up() {
                    return Err(CliError::Interrupted);
                }
                // It has its name already: what is left takes no time.
                is_stopped = true;
            }
        }
    }
}

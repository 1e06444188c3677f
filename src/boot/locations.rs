//! Where things are: the database, the control socket, what stands beside the data.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::{CliError, Global, remote, waits};
use crate::config::{self, Config};
use crate::control;
use crate::gate::Machine;
use crate::metrics::LogFiles;
use crate::model::DatabaseUrl;
use crate::riot::BaseUrl;
use crate::store::{Location, Store};

/// Where the database is. A simulated world has a file of its own, so that it never mixes with real data.
pub(super) fn locate(
    global: &Global,
    config: &Config,
    simulated: bool,
) -> Result<Location, CliError> {
    // The database of the settings has real data: a simulated world goes there only if this very command says so.
    let usual = Some(&config.database.url).filter(|url| !simulated && !url.is_empty());
    match global.database.as_ref().or(usual) {
        Some(url) => location(config, url),
        None => Ok(Location::file(usual_file(simulated))),
    }
}

/// Opens a database to read only; a wait for it is told.
pub(super) async fn open_read_only(database: &Location) -> Result<Arc<dyn Store>, CliError> {
    let _opening = waits::opening(database);
    Ok(database.open_read_only().await?)
}

/// The database file of those who name none.
pub(super) fn usual_file(simulated: bool) -> PathBuf {
    config::data_folder().join(if simulated {
        "simulated.db"
    } else {
        "riftsync.db"
    })
}

/// What a URL means, used as the settings say.
pub(super) fn location(config: &Config, url: &DatabaseUrl) -> Result<Location, CliError> {
    let mut location = Location::try_from(url)?;
    if let Location::Postgres(settings) = &mut location {
        settings.writers = config.database.writers;
        settings.pooler = config.database.pooler;
        settings.notify = config.database.notify;
    }
    Ok(location)
}

/// Where an engine may be that runs already.
pub(super) fn reach(global: &Global, config: &Config) -> Result<remote::Reach, CliError> {
    let database = locate(global, config, false)?;
    let named = global.database.is_some() || !config.database.url.is_empty();
    Ok(remote::Reach {
        socket: socket_path(global, config, &database)?,
        named: named.then(|| database.clone()),
        typed: global.database.is_some().then(|| database.to_string()),
        database,
        simulated: false,
        json: global.json,
    })
}

/// Where the control socket is: as told, or in its usual place, or beside the data.
pub(super) fn socket_path(
    global: &Global,
    config: &Config,
    database: &Location,
) -> Result<PathBuf, CliError> {
    let told = match &global.socket {
        Some(path) => Some(path.clone()),
        None if config.control.socket.is_empty() => None,
        None => Some(PathBuf::from(&config.control.socket)),
    };
    if let Some(path) = told {
        control::check_length(&path).map_err(|error| CliError::Usage(error.to_string()))?;
        return Ok(path);
    }
    Ok(control::default_path(
        runtime_folder().as_deref(),
        &beside(database),
    ))
}

fn runtime_folder() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from)
}

/// Where other riftsyncs of this machine share a key for that API.
pub(super) fn machine(api: &BaseUrl, database: &Location) -> Machine {
    let folders = control::meeting_folders(runtime_folder().as_deref());
    Machine::new(folders, api.as_str(), database.to_string())
}

/// The folder for what stands beside the data.
pub(super) fn beside(database: &Location) -> PathBuf {
    match database {
        Location::Sqlite(path) => path.parent().unwrap_or(Path::new(".")).to_owned(),
        Location::Postgres(_) => config::data_folder(),
    }
}

/// Where the metrics log is: as told, or beside the data.
pub(super) fn metrics_log(config: &Config, database: &Location) -> Option<LogFiles> {
    let settings = &config.metrics;
    let path = match settings.log.as_str() {
        "none" => return None,
        // The simulated world's is apart from the real one's, as its database is.
        "" => {
            let simulated =
                matches!(database, Location::Sqlite(path) if path.ends_with("simulated.db"));
            beside(database).join(if simulated {
                "simulated-metrics.jsonl"
            } else {
                "metrics.jsonl"
            })
        }
        path => PathBuf::from(path),
    };
    Some(LogFiles {
        path,
        file_bytes: settings.file_mb << 20,
        files: settings.files,
    })
}

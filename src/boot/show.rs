//! Verbs that only read: statistics, tables in files, the settings, the database.

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::locations::{locate, metrics_log, open_read_only, socket_path};
use super::simulate::world_options;
use super::{backup, copy};
use crate::cli::configshow::{self, SettingLocations};
use crate::cli::follow::{same_place, typed};
use crate::cli::terminal::stop_signal;
use crate::cli::view::Meter;
use crate::cli::waits::{self, Bars};
use crate::cli::{CliError, DbArgs, DbVerb, ExportArgs, Global, StatsArgs, dbinfo, stats};
use crate::config::{self, Config};
use crate::control::{self, PlayerStats};
use crate::export::{self, Export, ExportError, Exported, Format, Out, What};
use crate::metrics::process::resident_peak_bytes;
use crate::model::counted;
use crate::model::names::NamedKind;
use crate::model::{Timestamp, Whom, Year};
use crate::store::export::ExportFilter;
use crate::store::people;
use crate::store::{Location, Store, StoredPlayer, YearCoverage};
use crate::tasks::{coverage, unread_text};

/// Migrations whose tables a replay fills.
const MADE_OF_DOCUMENTS: [&str; 2] = ["00000000000011", "00000000000013"];

/// How often an export is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn show_stats(
    global: &Global,
    config: &Config,
    args: &StatsArgs,
) -> Result<(), CliError> {
    let whom = args.player.read()?;
    let year = match &args.year {
        Some(text) => Some(Year::parse(text, Timestamp::now())?.get()),
        None => None,
    };
    let database = locate(global, config, args.simulate)?;
    let store = open_read_only(&database).await?;
    let place = place_of(global, args.simulate, &database);
    let (player, note) = stored(&*store, &whom, &place).await?;
    let rows = store.yearly_stats(player.id, year).await?;
    let coverage = store
        .coverage(player.id, timelines_gone(config, args.simulate))
        .await?;
    let coverage: Vec<YearCoverage> = coverage
        .into_iter()
        .filter(|one| year.is_none_or(|year| year == one.year))
        .collect();
    let unread = store.count_unread().await?;
    let aborted = match year {
        Some(year) => Some(store.aborted_matches(player.id, year).await?),
        None => None,
    };
    let champions = store.names(NamedKind::Champion).await?;
    let document = control::stats_document(&PlayerStats {
        champions: &champions,
        player: &player,
        note: note.as_deref(),
        rows: &rows,
        coverage: &coverage,
        aborted,
        unread,
    });
    if global.json {
        crate::outln!("{document}");
        return Ok(());
    }
    if let Some(note) = note {
        crate::errln!("{note}");
    }
    if stats::met_text(&player, &rows, &coverage, None).is_some() {
        let more = sync_options(global, args.simulate, &database, &player).await;
        let text = stats::met_text(&player, &rows, &coverage, more.as_deref());
        crate::errln!("{}", text.unwrap_or_default());
    }
    crate::outln!(
        "{}",
        stats::year_text(&people::shown(&player), year, &document)
    );
    for text in coverage.iter().filter_map(coverage::text) {
        crate::outln!("{text}");
    }
    // Of whom they are is not known before they can be read.
    if let Some(text) = unread_text(unread).filter(|_| !global.json) {
        crate::errln!("of all players: {text}");
    }
    Ok(())
}

/// The options with which a sync brings in more of a player; none: of a simulated world, which has all of its own
/// player alone.
async fn sync_options(
    global: &Global,
    simulate: bool,
    database: &Location,
    player: &StoredPlayer,
) -> Option<String> {
    let place = |simulated| place_of(global, simulated, database);
    // Where it cannot be read, a sync says what is wrong.
    let Ok(Some(world)) = database.simulated_world().await else {
        return Some(place(simulate));
    };
    let options = world_options(&world, player.riot_id.as_ref()?)?;
    Some(place(true) + &options)
}

/// The options that make another command mean the same database.
pub(super) fn place_of(global: &Global, simulate: bool, database: &Location) -> String {
    let shown = global.database.as_ref().map(|_| database.to_string());
    same_place(simulate, typed(shown.as_deref()))
}

/// Of matches before then Riot has deleted the timelines. The simulated API deletes nothing.
pub(super) fn timelines_gone(config: &Config, simulated: bool) -> Option<Timestamp> {
    let gone = config.riot.timelines_gone(Timestamp::now());
    gone.filter(|_| !simulated)
}

/// A player of the database.
pub(super) async fn stored(
    store: &dyn Store,
    whom: &Whom,
    place: &str,
) -> Result<(StoredPlayer, Option<String>), CliError> {
    let found = people::find(store, whom, place).await?;
    found.map_err(CliError::JobFailed)
}

pub(super) async fn export_table(
    global: &Global,
    config: &Config,
    args: &ExportArgs,
) -> Result<(), CliError> {
    let what = args.what.expect("required where it is not all");
    if what == What::Names && (args.year.is_some() || args.player.is_some()) {
        return Err(CliError::Usage(
            "names are of no year and of no player. Leave --year and --player out".to_owned(),
        ));
    }
    let (out, format) = target(args, what)?;
    let years = match &args.year {
        Some(text) => read_range(text)?,
        None => (i16::MIN, i16::MAX),
    };
    let database = locate(global, config, args.simulate)?;
    let store = open_read_only(&database).await?;
    let player = match &args.player {
        Some(text) => {
            let place = place_of(global, args.simulate, &database);
            let (player, note) = stored(&*store, &Whom::named(text.parse()?), &place).await?;
            if let Some(note) = note {
                crate::errln!("{note}");
            }
            Some(player.id)
        }
        None => None,
    };
    let order = Export {
        what,
        format,
        filter: ExportFilter { years, player },
        out,
        raw: args.raw,
    };
    let begun = Instant::now();
    let told = Arc::default();
    let to_stdout = order.out == Out::Stdout;
    let exported = tokio::select! {
        exported = export::export_telling(&*store, &order, &told) => match exported {
            Err(ExportError::ReaderGone) => return Ok(()),
            exported => exported?,
        },
        never = show_rows(what, &told, to_stdout) => match never {},
        () = stop_signal() => {
            if to_stdout {
                // A reader that reads no more would hold the writer, and the writer the end of the process.
                crate::errln!("riftsync: stopped");
                std::process::exit(CliError::Stopped.exit_code().into());
            }
            return Err(CliError::Stopped);
        }
    };
    show_exported(global, &exported, begun.elapsed(), to_stdout);
    if exported.rows == 0 {
        let named = (args.simulate || global.database.is_some()).then(|| database.to_string());
        crate::errln!("{}", why_empty(what, args, typed(named.as_deref())));
    }
    tell_odd(&exported)
}

/// What of the stored timelines is not in the file, or not as it came.
fn tell_odd(exported: &Exported) -> Result<(), CliError> {
    if !exported.odd_fields.is_empty() {
        crate::errln!(
            "some timelines have something unusual in: {}. It is read as far as it can be, and is empty else; the stored \
             documents have it as it came",
            exported.odd_fields.join(", ")
        );
    }
    match exported.unreadable.len() {
        0 => Ok(()),
        count => Err(CliError::JobFailed(format!(
            "{count} stored timelines are broken and not in the file; `riftsync recover --verify` fetches them again \
             where Riot still has them"
        ))),
    }
}

/// Why a file may have no row, and what gives it some. `named`: the database, where commands have to name it.
fn why_empty(what: What, args: &ExportArgs, named: Option<&str>) -> String {
    let of = |one: &Option<String>| {
        one.as_ref()
            .map_or(String::new(), |one| format!(" of {one}"))
    };
    let of = of(&args.player) + &of(&args.year);
    let on = same_place(false, named);
    let remedy = match what {
        What::Names => format!("`riftsync names{on}` fetches them"),
        What::Ranks => "A sync of a player who is tracked asks Riot for them".to_owned(),
        What::Mastery => {
            "With the setting data.mastery, a sync of a player who is tracked asks Riot for it"
                .to_owned()
        }
        What::Minutes | What::Purchases => format!(
            "They are made of timelines, as the setting data.timeline_rows says; `riftsync replay{on}` makes them of \
             those that are stored"
        ),
        What::TimelineFrames | What::TimelineEvents => {
            "A sync fetches the timelines that Riot still has".to_owned()
        }
        What::Teams | What::Bans | What::Damage | What::Combat | What::Vision | What::Loadout => {
            format!(
                "If its matches are stored, an older version did it, and `riftsync replay{on}` makes the rows; else a sync \
             brings matches in"
            )
        }
        _ => "A sync brings matches in".to_owned(),
    };
    format!("there is no row of {what}{of} in the database, so the file has none. {remedy}")
}

/// Where an export goes, and as what.
fn target(args: &ExportArgs, what: What) -> Result<(Out, Format), CliError> {
    let Some(file) = &args.out else {
        let format = args.format.unwrap_or(Format::Parquet);
        let path = PathBuf::from(format!("{what}.{}", format.as_str()));
        let make_folder = false;
        return Ok((Out::File { path, make_folder }, format));
    };
    if file.as_os_str() == "-" {
        let format = args.format.unwrap_or(Format::Csv);
        if format == Format::Parquet && std::io::stdout().is_terminal() {
            return Err(CliError::Usage(
                "Parquet is no text for a terminal. Send it to a file (--out FILE) or a program"
                    .to_owned(),
            ));
        }
        return Ok((Out::Stdout, format));
    }
    let format = args.format.or_else(|| Format::of(file)).ok_or_else(|| {
        if file.is_dir() {
            let inside = file.join(format!("{what}.parquet"));
            let (file, inside) = (file.display(), inside.display());
            return CliError::Usage(format!("{file} is a folder. Name a file in it, as {inside}"));
        }
        CliError::Usage(format!(
            "{} ends neither with .parquet nor with .csv. Say which of them it is to be with --format",
            file.display()
        ))
    })?;
    let out = Out::File {
        path: file.clone(),
        make_folder: args.mkdir,
    };
    Ok((out, format))
}

/// Tells what was written, to stderr where stdout has the table.
fn show_exported(global: &Global, exported: &Exported, took: Duration, to_stdout: bool) {
    let text = if global.json {
        let mut document = json!(exported);
        document["seconds"] = took.as_secs_f64().into();
        document["resident_peak_bytes"] = resident_peak_bytes().into();
        document.to_string()
    } else {
        format!(
            "{}: {}, {:.1} MiB, in {:.1} s",
            exported.file.display(),
            counted(exported.rows, "row", "rows"),
            exported.bytes as f64 / f64::from(1 << 20),
            took.as_secs_f64()
        )
    };
    if to_stdout {
        crate::errln!("{text}");
    } else {
        crate::outln!("{text}");
    }
}

/// Shows how far an export is, as long as it takes.
async fn show_rows(what: What, told: &AtomicU64, to_stdout: bool) -> Infallible {
    if to_stdout && std::io::stdout().is_terminal() {
        // The rows themselves are seen.
        return std::future::pending().await;
    }
    let bars = Bars::new(&format!("export of {what}"));
    loop {
        let rows = told.load(Ordering::Relaxed);
        bars.set(rows, |scene| {
            scene.meters = vec![Meter {
                name: "rows",
                done: rows,
                whole: None,
            }];
            scene.is_long = true;
        });
        tokio::time::sleep(LOOK).await;
    }
}

/// `2025`, or `2024..2026`.
pub(super) fn read_range(text: &str) -> Result<(i16, i16), CliError> {
    let year = |text: &str| {
        let year: Result<i16, _> = text.trim().parse();
        let year = year.ok().filter(|year| (1_000..=9_999).contains(year));
        year.ok_or_else(|| {
            CliError::Usage(format!(
                "'{text}' is not a year. Write it as 2025 or 2024..2026"
            ))
        })
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (year(first)?, year(last)?),
        None => (year(text)?, year(text)?),
    };
    if first > last {
        return Err(CliError::Usage(format!(
            "'{text}' ends before it begins. Write it as 2024..2026"
        )));
    }
    Ok((first, last))
}

pub(super) fn show_config(global: &Global, config: &Config) -> Result<(), CliError> {
    let database = locate(global, config, false)?;
    let key = match (config::api_key()?, config::api_key_file()) {
        (None, _) => "none: set RIOT_API_KEY or RIOT_API_KEY_FILE".to_owned(),
        (Some(found), Some(file)) if found.from_file => format!("in {}", file.display()),
        (Some(_), _) => "in RIOT_API_KEY".to_owned(),
    };
    let socket = socket_path(global, config, &database)?;
    let places = SettingLocations {
        file: global.config.as_deref(),
        database: &database.to_string(),
        socket: &socket,
        metrics_log: metrics_log(config, &database).map(|log| log.path),
        key: &key,
    };
    if global.json {
        crate::outln!("{}", configshow::document(config, &places));
    } else {
        crate::outln!("{}", configshow::text(config, &places));
    }
    Ok(())
}

/// Shows a database, or brings its tables up to date.
pub(super) async fn db(global: &Global, config: &Config, args: &DbArgs) -> Result<(), CliError> {
    if let DbVerb::Copy(what) = &args.what {
        return copy::copy(global, config, what, args.simulate).await;
    }
    let database = locate(global, config, args.simulate)?;
    match &args.what {
        DbVerb::Backup { file } => {
            return backup::backup(global, &database, args.simulate, file).await;
        }
        DbVerb::Restore(what) => return backup::restore(global, &database, what).await,
        _ => {}
    }
    let opening = waits::opening(&database);
    let mut made_of_documents = false;
    if args.what == DbVerb::Migrate {
        let behind = database.migrations().await?;
        made_of_documents = !behind.applied.is_empty()
            && (behind.pending.iter()).any(|one| MADE_OF_DOCUMENTS.contains(&&**one));
        database.open().await?.close().await?;
    }
    let migrations = database.migrations().await?;
    drop(opening);
    // An older database lacks tables that are counted.
    let holds = if migrations.applied.is_empty() || !migrations.pending.is_empty() {
        None
    } else {
        let store = open_read_only(&database).await?;
        Some((
            store.census().await?,
            store.count_unread().await?,
            store.size_bytes().await?,
        ))
    };
    made_of_documents &= (holds.as_ref()).is_some_and(|(census, ..)| census.matches > 0);
    if global.json {
        crate::outln!("{}", dbinfo::document(&database, &migrations, holds));
    } else {
        crate::outln!("{}", dbinfo::text(&database, &migrations, holds));
    }
    if made_of_documents {
        crate::errln!(
            "tables that this version adds are empty for the matches that are there: `riftsync replay{}` makes them of \
             the stored documents, without a call",
            place_of(global, false, &database)
        );
    }
    Ok(())
}

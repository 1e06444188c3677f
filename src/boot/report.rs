//! A player's year as a file.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde_json::json;

use super::locations::{locate, open_read_only};
use super::show::stored;
use crate::cli::{CliError, Global, ReportArgs};
use crate::config::Config;
use crate::control::{YearFigures, time_zone};
use crate::export::{ExportError, OpenPlace, Out};
use crate::model::{Platform, Timestamp, Year};
use crate::report;

pub(super) async fn report(
    global: &Global,
    config: &Config,
    args: &ReportArgs,
) -> Result<(), CliError> {
    let whom = args.player.read()?;
    let now = Timestamp::now();
    let this_year = jiff::Timestamp::now().to_zoned(TimeZone::UTC).year();
    let year = match &args.year {
        Some(text) => Year::parse(text, now)?,
        None => Year::new(this_year, now)?,
    };
    let platform: Option<Platform> = args.platform.as_deref().map(str::parse).transpose()?;
    let zone = time_zone(args.timezone.as_deref()).map_err(CliError::Usage)?;
    let database = locate(global, config, args.simulate)?;
    let store = open_read_only(&database).await?;
    let out_at = |path: PathBuf| Out::File {
        path,
        make_folder: args.mkdir,
    };
    let told = args.out.as_ref().map(|file| match file.to_str() {
        Some("-") => Out::Stdout,
        _ => out_at(file.clone()),
    });
    // First, so that nothing is read for a place that cannot be written.
    let told = told.map(OpenPlace::open).transpose()?;
    let (player, note) = stored(&*store, &whom).await?;
    if let Some(note) = note {
        crate::errln!("{note}");
    }
    let figures = YearFigures {
        player: &player,
        year: year.get(),
        platform: platform.map(Platform::as_str),
        zone: &zone,
    };
    let figures = figures
        .read(&*store, config.riot.timelines_gone(now))
        .await?;
    let page = report::file(&figures);
    let name = figures.player.riot_id.as_deref().unwrap_or("player");
    let place = match told {
        Some(place) => place,
        None => OpenPlace::open(out_at(report::file_name(name, year.get()).into()))?,
    };
    let file = place.name().display().to_string();
    let to_stdout = place.is_stdout();
    match place.write(page.as_bytes()) {
        Err(ExportError::ReaderGone) => return Ok(()),
        written => written?,
    }
    tell(global.json, &file, page.len(), &figures, to_stdout);
    Ok(())
}

/// What was written.
fn tell(json: bool, file: &str, bytes: usize, figures: &report::Year, to_stdout: bool) {
    let games = figures.all.games;
    let text = if json {
        json!({ "file": file, "bytes": bytes, "year": figures.year, "games": games }).to_string()
    } else {
        format!(
            "{file}: {games} games of {}, {:.0} kB",
            figures.year,
            bytes as f64 / 1e3
        )
    };
    if to_stdout {
        crate::errln!("{text}");
    } else {
        crate::outln!("{text}");
    }
    if games == 0 {
        crate::errln!(
            "no game of {} that counts is stored; the page says how the year is brought in",
            figures.year
        );
    }
}

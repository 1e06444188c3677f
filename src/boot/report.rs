//! A player's year as a file.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde_json::json;

use super::locations::{locate, open_read_only};
use super::show::{place_of, stored, timelines_gone};
use crate::cli::{CliError, Global, ReportArgs};
use crate::config::Config;
use crate::control::{YearFigures, time_zone};
use crate::export::{ExportError, OpenPlace, Out};
use crate::model::{Platform, RiotId, Timestamp, Whom, Year, counted};
use crate::report;
use crate::store::{Store, StoredPlayer};

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
    let beside = beside(args, year, now)?;
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
    let place = place_of(global, args.simulate, &database);
    let player = named(&*store, &whom, &place).await?;
    let gone = timelines_gone(config, args.simulate);
    let read = async |player: &StoredPlayer, year: Year, platform: Option<Platform>| {
        let figures = YearFigures {
            player,
            year: year.get(),
            platform: platform.map(Platform::as_str),
            zone: &zone,
        };
        figures.read(&*store, gone).await
    };
    let figures = read(&player, year, platform).await?;
    let other = match beside {
        None => None,
        Some((None, year)) => Some(read(&player, year, platform).await?),
        // Whom it is compared with may play elsewhere.
        Some((Some(whom), year)) => {
            Some(read(&named(&*store, &whom, &place).await?, year, None).await?)
        }
    };
    let page = match &other {
        None => report::file(&figures),
        Some(other) => report::compared_file([&figures, other]),
    };
    let target = match told {
        Some(target) => target,
        None => OpenPlace::open(out_at(file_name(&figures, other.as_ref(), platform)))?,
    };
    let file = target.name().display().to_string();
    let to_stdout = target.is_stdout();
    match target.write(page.as_bytes()) {
        Err(ExportError::ReaderGone) => return Ok(()),
        written => written?,
    }
    let years = [Some(&figures), other.as_ref()];
    tell(global.json, &file, page.len(), years, to_stdout);
    Ok(())
}

/// The player, with what has to be said of the name.
async fn named(store: &dyn Store, whom: &Whom, place: &str) -> Result<StoredPlayer, CliError> {
    let (player, note) = stored(store, whom, place).await?;
    if let Some(note) = note {
        crate::errln!("{note}");
    }
    Ok(player)
}

/// Whose year stands beside it, none for the same player's, and which one; none: no other year does.
fn beside(
    args: &ReportArgs,
    year: Year,
    now: Timestamp,
) -> Result<Option<(Option<Whom>, Year)>, CliError> {
    let whom = match &args.compare {
        Some(text) => {
            let riot_id = text
                .parse::<RiotId>()
                .map_err(|error| CliError::Usage(format!("--compare: {error}")))?;
            Some(Whom {
                riot_id: Some(riot_id),
                puuid: None,
            })
        }
        None => None,
    };
    let other = match &args.compare_year {
        Some(text) => Some(Year::parse(text, now)?),
        None => None,
    };
    let is_wanted = whom.is_some() || other.is_some();
    Ok(is_wanted.then(|| (whom, other.unwrap_or(year))))
}

/// Two pages that are not of the same have not the same name.
fn file_name(
    year: &report::Year,
    other: Option<&report::Year>,
    platform: Option<Platform>,
) -> PathBuf {
    let of = |year: &report::Year| {
        let name = year.player.riot_id.as_deref().unwrap_or("player");
        report::file_name(name, year.year)
    };
    let name = of(year);
    let name = name.trim_end_matches(".html");
    let name = match platform {
        Some(platform) => format!("{name}-{platform}"),
        None => name.to_owned(),
    };
    match other {
        None => format!("{name}.html").into(),
        Some(other) => format!("{name}-and-{}", of(other)).into(),
    }
}

/// What was written: of a year, and of the one beside it.
fn tell(json: bool, file: &str, bytes: usize, years: [Option<&report::Year>; 2], to_stdout: bool) {
    let years: Vec<&report::Year> = years.into_iter().flatten().collect();
    let text = if json {
        let mut told = json!({ "file": file, "bytes": bytes });
        for (year, [name, games]) in years
            .iter()
            .zip([["year", "games"], ["compared_year", "compared_games"]])
        {
            told[name] = json!(year.year);
            told[games] = json!(year.all.games);
        }
        told.to_string()
    } else {
        let games = years.iter().map(|year| {
            let games = counted(year.all.games, "game", "games");
            format!("{games} of {}", year.year)
        });
        let games: Vec<String> = games.collect();
        format!(
            "{file}: {}, {:.0} kB",
            games.join(" beside "),
            bytes as f64 / 1e3
        )
    };
    if to_stdout {
        crate::errln!("{text}");
    } else {
        crate::outln!("{text}");
    }
    for year in years.iter().filter(|year| year.all.games == 0) {
        let why = if year.cleaned > 0 {
            "what was cleaned away is not fetched again; the page says how the rest is brought in"
        } else {
            "the page says how the year is brought in"
        };
        crate::errln!("no game of {} that counts is stored; {why}", year.year);
    }
}

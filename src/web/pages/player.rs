//! Players: those that are tracked, and one with their years.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use riftsync_model::RiotId;
use serde::Deserialize;
use serde_json::json;

use super::{encode, query};
use crate::ask::{AskError, ask};
use crate::chart::{Strip, short};
use crate::respond;
use crate::shell::Shell;
use crate::show::grouped;
use crate::site::Site;

/// Tracked players of a page.
const TRACKED_MAX: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tracked {
    players: Vec<OneTracked>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneTracked {
    riot_id: Option<String>,
    puuid: String,
    platform: String,
    last_played: Option<String>,
    last_sync: Option<LastSync>,
    lost: Option<Lost>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LastSync {
    at: String,
    year: i64,
    listed_matches: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lost {
    since: String,
    why: String,
}

#[derive(Debug)]
struct TrackedRow {
    name: String,
    link: String,
    /// Of the list of the player's syncs; none: the player has no name.
    jobs: Option<String>,
    platform: String,
    last_played: String,
    synced_at: String,
    /// What the last sync came to.
    came_to: String,
    lost: Option<Lost>,
}

#[derive(Template)]
#[template(path = "players.html")]
struct ListPage {
    shell: Shell,
    players: Vec<TrackedRow>,
    full: bool,
}

pub(crate) async fn players(State(site): State<Arc<Site>>) -> Response {
    let shell = Shell::new(&site, "players");
    let params = json!({ "limit": TRACKED_MAX });
    let tracked: Tracked = match ask(&site.engine, "player.tracked", params).await {
        Ok(tracked) => tracked,
        Err(error) => return respond::refused(shell, &error),
    };
    respond::page(&ListPage {
        shell,
        full: tracked.players.len() == TRACKED_MAX,
        players: tracked.players.into_iter().map(tracked_row).collect(),
    })
}

fn tracked_row(player: OneTracked) -> TrackedRow {
    let link = match &player.riot_id {
        Some(riot_id) => format!("riot_id={}", encode(riot_id)),
        None => format!("puuid={}", encode(&player.puuid)),
    };
    let riot_id = player.riot_id.as_deref();
    let jobs = riot_id.and_then(|riot_id| {
        // As a job's key has it.
        let text = riot_id.parse::<RiotId>().ok()?.folded();
        Some(query(&[("kind", "sync_player_data"), ("text", &text)]))
    });
    let (synced_at, came_to) = player.last_sync.map_or_else(Default::default, |sync| {
        let listed = match sync.listed_matches {
            1 => "1 match".to_owned(),
            many => format!("{} matches", grouped(many)),
        };
        (sync.at, format!("Riot listed {listed} of {}", sync.year))
    });
    TrackedRow {
        name: player.riot_id.unwrap_or(player.puuid),
        link,
        jobs,
        platform: player.platform.to_uppercase(),
        last_played: player.last_played.unwrap_or_default(),
        synced_at,
        came_to,
        lost: player.lost,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Whom {
    riot_id: String,
    puuid: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    riot_id: Option<String>,
    puuid: String,
    note: Option<String>,
    years: Vec<Year>,
}

/// A year as `player.stats` has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names, reason = "they are the protocol's names")]
struct Year {
    year: i64,
    platform: String,
    total_matches: u64,
    wins: u64,
    losses: u64,
    remakes: u64,
    win_rate: f64,
    kda_ratio: f64,
    average_cs_per_match: f64,
    most_played_champion: Option<String>,
    listed_matches: Option<u64>,
    listed_at: Option<String>,
    missing_matches: BTreeMap<String, u64>,
    missing_timelines: BTreeMap<String, u64>,
    pending_matches: u64,
    pending_timelines: u64,
    unread_matches: u64,
}

#[derive(Debug)]
struct Row {
    year: i64,
    /// Its own page; none for somebody without a name.
    path: Option<String>,
    platform: String,
    record: String,
    win_rate: String,
    kda: String,
    cs: String,
    champion: String,
    /// What there is of it, as a picture and in words.
    strip: String,
    words: String,
    listed_at: String,
}

#[derive(Template)]
#[template(path = "player.html")]
struct Player {
    shell: Shell,
    name: String,
    puuid: String,
    note: String,
    years: Vec<Row>,
    /// Filled into the form.
    platform: String,
    this_year: i16,
    known: bool,
}

pub(crate) async fn player(State(site): State<Arc<Site>>, Query(whom): Query<Whom>) -> Response {
    let shell = Shell::new(&site, "players");
    let riot_id = whom.riot_id.trim();
    let params = if riot_id.is_empty() {
        json!({ "puuid": whom.puuid.trim() })
    } else {
        json!({ "riot_id": riot_id })
    };
    let (stats, known, note) = match ask::<Stats>(&site.engine, "player.stats", params).await {
        Ok(mut stats) => {
            let note = stats.note.take().unwrap_or_default();
            (stats, true, note)
        }
        // Nobody's first sync begins with a page that only says no.
        Err(error) if error.code == AskError::NOT_FOUND && riot_id.contains('#') => {
            // Of several who had the name, it says who they are.
            let is_told = error.message.starts_with("nobody is called");
            let note = if is_told {
                error.message
            } else {
                String::new()
            };
            (Stats::default(), false, note)
        }
        Err(error) => return respond::refused(shell, &error),
    };
    let mut years: Vec<&Year> = stats.years.iter().collect();
    years.sort_by_key(|year| (std::cmp::Reverse(year.year), year.platform.clone()));
    respond::page(&Player {
        shell,
        name: stats.riot_id.clone().unwrap_or_else(|| riot_id.to_owned()),
        puuid: stats.puuid.clone(),
        note,
        platform: years
            .first()
            .map_or_else(String::new, |year| year.platform.clone()),
        years: (years.into_iter())
            .map(|year| year_row(year, stats.riot_id.as_deref().unwrap_or_default()))
            .collect(),
        this_year: Timestamp::now().to_zoned(TimeZone::UTC).year(),
        known,
    })
}

fn year_row(year: &Year, riot_id: &str) -> Row {
    let mut parts = vec![(
        "stored".to_owned(),
        year.total_matches + year.remakes,
        "good",
    )];
    for (reason, count) in &year.missing_matches {
        parts.push((
            format!("missing ({})", reason.replace('_', " ")),
            *count,
            "bad",
        ));
    }
    parts.push((
        "stored and not readable".to_owned(),
        year.unread_matches,
        "warn",
    ));
    parts.push((
        "to be fetched yet".to_owned(),
        year.pending_matches,
        "quiet",
    ));
    let title = format!("Matches of {}", year.year);
    let strip = Strip {
        parts: &parts,
        title: &title,
    };
    let missing_timelines: u64 = year.missing_timelines.values().sum();
    let mut words: Vec<String> = (parts.iter())
        .filter(|part| part.1 > 0)
        .map(|(name, count, _)| format!("{} {name}", grouped(*count)))
        .collect();
    if missing_timelines + year.pending_timelines > 0 {
        words.push(format!(
            "timelines: {} missing, {} not fetched",
            grouped(missing_timelines),
            grouped(year.pending_timelines)
        ));
    }
    Row {
        year: year.year,
        path: super::year::path(&year.platform, riot_id, year.year),
        platform: year.platform.to_uppercase(),
        record: format!("{} – {}", year.wins, year.losses),
        win_rate: format!("{:.1} %", year.win_rate),
        kda: format!("{:.2}", year.kda_ratio),
        cs: short(year.average_cs_per_match),
        champion: year.most_played_champion.clone().unwrap_or_default(),
        strip: strip.svg(),
        words: match year.listed_matches {
            Some(listed) => format!("Riot lists {}: {}", grouped(listed), words.join(", ")),
            None => format!(
                "never listed; {} came with other players' matches",
                words.join(", ")
            ),
        },
        listed_at: year.listed_at.clone().unwrap_or_default(),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    change: String,
    #[serde(flatten)]
    whom: Whom,
}

pub(crate) async fn change_player(
    State(site): State<Arc<Site>>,
    Form(wanted): Form<Change>,
) -> Response {
    let shell = Shell::new(&site, "players");
    let method = match &*wanted.change {
        "track" => "player.track",
        "untrack" => "player.untrack",
        _ => {
            let message = "A player can be tracked, or tracked no more.";
            return respond::problem(shell, StatusCode::NOT_FOUND, "No such change", message, "");
        }
    };
    let params = if wanted.whom.riot_id.is_empty() {
        json!({ "puuid": wanted.whom.puuid })
    } else {
        json!({ "riot_id": wanted.whom.riot_id })
    };
    match site.engine.call(method, params).await {
        Ok(_) => respond::see(&format!("{}/players", site.place.settings.prefix)),
        Err(error) => respond::refused(shell, &error),
    }
}

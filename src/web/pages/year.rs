//! A player's year.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use riftsync_report::{View, Year, body, shown};
use serde::Deserialize;
use serde_json::json;

use super::{encode, query};
use crate::ask::ask;
use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    timezone: String,
    /// Whatever it is: lists to their ends.
    all: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Told {
    note: Option<String>,
    year: Year,
}

#[derive(Template)]
#[template(path = "year.html")]
struct Page {
    shell: Shell,
    name: String,
    year: i16,
    note: String,
    timezone: String,
    /// This page's own.
    path: String,
    /// The player in a link's query.
    link: String,
    body: String,
}

/// The path of a player's year; none for somebody without a name.
pub(super) fn path(platform: &str, riot_id: &str, year: i64) -> Option<String> {
    let (name, tag) = riot_id.rsplit_once('#')?;
    Some(format!(
        "/player/{}/{}-{}/{year}",
        encode(&platform.to_uppercase()),
        encode(name),
        encode(tag)
    ))
}

/// The path of a match, with the reader's zone.
pub(super) fn match_path(base: &str, match_id: &str, timezone: &str) -> String {
    let query = query(&[("timezone", timezone)]);
    format!("{base}/match/{}{query}", encode(match_id))
}

pub(crate) async fn year(
    State(site): State<Arc<Site>>,
    Path((platform, name, year)): Path<(String, String, String)>,
    Query(options): Query<Options>,
) -> Response {
    let shell = Shell::new(&site, "players");
    // A tag has no such sign, and a name may.
    let (Some((name, tag)), Ok(year)) = (name.rsplit_once('-'), year.parse::<i16>()) else {
        let remedy = "Open the player's page, which has a link to each year.";
        let message = "A year is found at /player/KR/Name-TAG/2025.";
        return respond::problem(
            shell,
            StatusCode::NOT_FOUND,
            "There is no such page",
            message,
            remedy,
        );
    };
    let riot_id = format!("{name}#{tag}");
    let params = json!({ "riot_id": riot_id, "year": year, "platform": platform, "timezone": options.timezone });
    let told: Told = match ask(&site.engine, "player.year", params).await {
        Ok(told) => told,
        Err(error) => return respond::refused(shell, &error),
    };
    let path = path(&platform, &riot_id, year.into()).unwrap_or_default();
    let timezone = &options.timezone;
    let whole = format!(
        "{}{path}{}",
        shell.base,
        query(&[("timezone", timezone), ("all", "1")])
    );
    let to_match = |id: &str| match_path(&shell.base, id, timezone);
    let to_player = |riot_id: &str| {
        let path = self::path(&platform, riot_id, year.into())?;
        Some(format!(
            "{}{path}{}",
            shell.base,
            query(&[("timezone", timezone)])
        ))
    };
    let view = View {
        to_match: Some(&to_match),
        to_player: Some(&to_player),
        is_whole: options.all.is_some(),
        to_whole: Some(&whole),
    };
    let body = body(&told.year, view);
    respond::page(&Page {
        shell,
        name: shown(told.year.player.riot_id.as_deref().unwrap_or(&riot_id)),
        year,
        note: told.note.unwrap_or_default(),
        timezone: told.year.timezone.clone(),
        path,
        link: encode(&riot_id),
        body,
    })
}

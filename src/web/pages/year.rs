//! A player's year.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use riftsync_report::{Year, body, shown};
use serde::Deserialize;
use serde_json::json;

use super::encode;
use crate::ask::ask;
use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Options {
    timezone: String,
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
    respond::page(&Page {
        shell,
        name: shown(told.year.player.riot_id.as_deref().unwrap_or(&riot_id)),
        year,
        note: told.note.unwrap_or_default(),
        timezone: told.year.timezone.clone(),
        path: path(&platform, &riot_id, year.into()).unwrap_or_default(),
        link: encode(&riot_id),
        body: body(&told.year),
    })
}

//! A player's year, and two of them side by side.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use riftsync_report::{ComparedPaths, View, Year, body, compared_body, shown};
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Beside {
    /// Name#TAG; empty: the same player.
    with: String,
    /// Empty: the same year.
    year: String,
    timezone: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Compared {
    shell: Shell,
    title: String,
    notes: Vec<String>,
    timezone: String,
    /// Of the year that stands first.
    path: String,
    with: String,
    with_year: i16,
    body: String,
}

/// Who and when a path means.
fn of_path(name: &str, year: &str) -> Option<(String, i16)> {
    // A tag has no such sign, and a name may.
    let (name, tag) = name.rsplit_once('-')?;
    Some((format!("{name}#{tag}"), year.parse().ok()?))
}

fn no_such_year(shell: Shell) -> Response {
    let remedy = "Open the player's page, which has a link to each year.";
    let message = "A year is found at /player/KR/Name-TAG/2025.";
    let title = "There is no such page";
    respond::problem(shell, StatusCode::NOT_FOUND, title, message, remedy)
}

/// Two years side by side.
pub(crate) async fn compare(
    State(site): State<Arc<Site>>,
    Path((platform, name, year)): Path<(String, String, String)>,
    Query(beside): Query<Beside>,
) -> Response {
    let shell = Shell::new(&site, "players");
    let Some((riot_id, year)) = of_path(&name, &year) else {
        return no_such_year(shell);
    };
    let with = beside.with.trim();
    let with_year = match beside.year.trim() {
        "" => Ok(year),
        text => text.parse::<i16>(),
    };
    let Ok(with_year) = with_year else {
        let message = format!("'{}' is no year.", shown(beside.year.trim()));
        let remedy = "Go back and write it as 2025.";
        let title = "That was not understood";
        return respond::problem(shell, StatusCode::BAD_REQUEST, title, &message, remedy);
    };
    let timezone = &beside.timezone;
    let mut first =
        json!({ "riot_id": riot_id, "year": year, "platform": platform, "timezone": timezone });
    let one = ask::<Told>(&site.engine, "player.year", first.clone()).await;
    first["year"] = json!(with_year);
    let second = if with.is_empty() {
        first
    } else {
        // Whom it is compared with may play elsewhere.
        json!({ "riot_id": with, "year": with_year, "timezone": timezone })
    };
    let other = ask::<Told>(&site.engine, "player.year", second).await;
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(error), _) | (_, Err(error)) => return respond::refused(shell, &error),
    };
    let own = path(&platform, &riot_id, year.into()).unwrap_or_default();
    let of_other = other.year.platforms.first().unwrap_or(&platform);
    let others = other.year.player.riot_id.as_deref();
    let others = others.and_then(|riot_id| path(of_other, riot_id, with_year.into()));
    let to = |path: &str| format!("{}{path}{}", shell.base, query(&[("timezone", timezone)]));
    let paths = [Some(to(&own)), others.as_deref().map(to)];
    let paths = ComparedPaths {
        paths: paths.each_ref().map(Option::as_deref),
    };
    let name = |year: &Year| shown(year.player.riot_id.as_deref().unwrap_or("a player"));
    let body = compared_body([&one.year, &other.year], paths);
    respond::page(&Compared {
        title: format!(
            "{} {year} and {} {with_year}",
            name(&one.year),
            name(&other.year)
        ),
        notes: [one.note, other.note].into_iter().flatten().collect(),
        timezone: one.year.timezone.clone(),
        with: with.to_owned(),
        path: own,
        with_year,
        shell,
        body,
    })
}

pub(crate) async fn year(
    State(site): State<Arc<Site>>,
    Path((platform, name, year)): Path<(String, String, String)>,
    Query(options): Query<Options>,
) -> Response {
    let shell = Shell::new(&site, "players");
    let Some((riot_id, year)) = of_path(&name, &year) else {
        return no_such_year(shell);
    };
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

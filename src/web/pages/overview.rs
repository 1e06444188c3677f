//! The engine as a whole, and what changes by itself.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::encode;
use crate::parts::Parts;
use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

/// Pages that watch at once. A connection is left to each of as many others.
const VIEWERS_MAX: usize = 128;
/// Parts that one page watches.
const PARTS_MAX: usize = 16;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    shell: Shell,
    parts: Arc<Parts>,
}

#[derive(Template)]
#[template(path = "one_part.html")]
struct OnePart {
    shell: Shell,
    title: &'static str,
    about: &'static str,
    name: &'static str,
    parts: Arc<Parts>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Watched {
    /// Names between commas.
    #[serde(default)]
    parts: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    q: String,
}

impl Overview {
    fn part(&self, name: &str) -> &str {
        self.parts.html(name)
    }
}

pub(crate) async fn overview(State(site): State<Arc<Site>>) -> Response {
    respond::page(&Overview {
        shell: Shell::new(&site, ""),
        parts: site.live.now().await,
    })
}

async fn one_part(
    site: &Site,
    page: &'static str,
    title: &'static str,
    about: &'static str,
    name: &'static str,
) -> Response {
    respond::page(&OnePart {
        shell: Shell::new(site, page),
        title,
        about,
        name,
        parts: site.live.now().await,
    })
}

pub(crate) async fn actors(State(site): State<Arc<Site>>) -> Response {
    let about = "What the engine is made of. One that dies is started anew by the one above it.";
    one_part(&site, "actors", "Actors", about, "actors").await
}

pub(crate) async fn log(State(site): State<Arc<Site>>) -> Response {
    let about =
        "What happened last in this engine, the newest first. The metrics log has all of it.";
    one_part(&site, "log", "Log", about, "events").await
}

/// What changes, as it does.
pub(crate) async fn live(
    State(site): State<Arc<Site>>,
    Query(watched): Query<Watched>,
) -> Response {
    let Some(viewer) = site.live.watch(VIEWERS_MAX) else {
        let why = "so many pages watch already that this one is not told of changes; load it again to see them\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let names = watched.parts.split(',').map(str::to_owned).take(PARTS_MAX);
    let stream = site.live.stream(names.collect(), viewer);
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (kind, Body::from_stream(stream)).into_response()
}

/// One field for everything: a job by its number, a player by their Riot ID, else jobs with that text.
pub(crate) async fn find(State(site): State<Arc<Site>>, Query(wanted): Query<Wanted>) -> Response {
    let base = &site.place.settings.prefix;
    let text = wanted.q.trim();
    let place = if text.parse::<i64>().is_ok() {
        format!("{base}/jobs/{text}")
    } else if text.contains('#') {
        format!("{base}/player?riot_id={}", encode(text))
    } else {
        format!("{base}/jobs{}", super::query(&[("text", text)]))
    };
    respond::see(&place)
}

pub(crate) async fn nowhere(State(site): State<Arc<Site>>) -> Response {
    let shell = Shell::new(&site, "-");
    let message = "There is no page at this address.";
    let remedy = "The pages there are stand above.";
    respond::problem(
        shell,
        StatusCode::NOT_FOUND,
        "No such page",
        message,
        remedy,
    )
}

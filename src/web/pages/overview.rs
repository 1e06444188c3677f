//! The engine as a whole, and what changes by itself.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::encode;
use crate::live::Parts;
use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

/// Pages that watch at once. A connection is left to each of as many others.
const VIEWERS_MAX: usize = 128;
/// How often one that watches hears something, though nothing has changed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

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
    html: Arc<str>,
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
        self.parts.get(name).map_or("", |html| html)
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
    let parts = site.live.now().await;
    respond::page(&OnePart {
        shell: Shell::new(site, page),
        title,
        about,
        name,
        html: parts.get(name).cloned().unwrap_or_default(),
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
    let names = watched.parts.split(',').map(str::to_owned).take(16);
    let stream = site.live.stream(names.collect(), viewer);
    let keep = KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(stream).keep_alive(keep).into_response()
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

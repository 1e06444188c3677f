//! A match.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use riftsync_report::{OneMatch, View, match_body, shown};
use serde::Deserialize;
use serde_json::json;

use super::{encode, query, year};
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
    r#match: OneMatch,
}

#[derive(Template)]
#[template(path = "match.html")]
struct Page {
    shell: Shell,
    match_id: String,
    timezone: String,
    /// This page's own.
    path: String,
    body: String,
}

pub(crate) async fn one_match(
    State(site): State<Arc<Site>>,
    Path(match_id): Path<String>,
    Query(options): Query<Options>,
) -> Response {
    let shell = Shell::new(&site, "players");
    let timezone = &options.timezone;
    let params = json!({ "match_id": match_id, "timezone": timezone });
    let Told { r#match: told } = match ask(&site.engine, "match.get", params).await {
        Ok(told) => told,
        Err(error) => return respond::refused(shell, &error),
    };
    let to_player = |riot_id: &str| {
        let path = year::path(&told.platform, riot_id, told.year.into())?;
        Some(format!(
            "{}{path}{}",
            shell.base,
            query(&[("timezone", timezone)])
        ))
    };
    let view = View {
        to_player: Some(&to_player),
        ..View::default()
    };
    let body = match_body(&told, view);
    respond::page(&Page {
        match_id: shown(&told.match_id),
        timezone: told.timezone.clone(),
        path: format!("/match/{}", encode(&told.match_id)),
        shell,
        body,
    })
}

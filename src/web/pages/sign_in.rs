//! How a person shows that the engine is theirs.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::encode;
use crate::respond;
use crate::shell::Shell;
use crate::site::Site;

/// What a wrong guess costs; one is looked at at a time.
const GUESS: Duration = Duration::from_millis(300);

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    shell: Shell,
    error: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct Given {
    #[serde(default)]
    secret: String,
}

/// The page that asks for the secret.
pub(crate) fn ask_to_sign_in(shell: Shell, error: &str) -> Response {
    let page = respond::page(&SignIn { shell, error });
    (StatusCode::UNAUTHORIZED, page).into_response()
}

pub(crate) async fn sign_in_by_url(
    State(site): State<Arc<Site>>,
    Query(given): Query<Given>,
) -> Response {
    if given.secret.is_empty() {
        return ask_to_sign_in(Shell::stranger(&site), "");
    }
    check(&site, &given.secret).await
}

pub(crate) async fn sign_in(State(site): State<Arc<Site>>, Form(given): Form<Given>) -> Response {
    check(&site, given.secret.trim()).await
}

async fn check(site: &Site, given: &str) -> Response {
    let settings = &site.place.settings;
    if !settings.secret.is(given) {
        let _turn = site.guess.lock().await;
        tokio::time::sleep(GUESS).await;
        return ask_to_sign_in(Shell::stranger(site), "That is not it.");
    }
    let cookie = format!(
        "{}={}; Path={}/; HttpOnly; SameSite=Strict",
        site.cookie,
        encode(given),
        settings.prefix
    );
    let mut response = respond::see(&format!("{}/", settings.prefix));
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => response.headers_mut().insert(header::SET_COOKIE, cookie),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    response
}

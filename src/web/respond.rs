//! How answers are made: pages, errors with their remedy, and what every answer tells the browser.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::ask::AskError;
use super::shell::Shell;

/// Nothing but our own style, script and pictures, and nothing of that inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Puts on what every answer has.
pub(crate) async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // No other site learns of these pages. Our own do: without, a browser that knows no Sec-Fetch-Site would not
        // say which page a change comes from.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(name, HeaderValue::from_static("same-origin"));
    }
    let keep = headers.entry(header::CACHE_CONTROL);
    keep.or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A page of a template.
pub(crate) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        // It fails only where it cannot be written to, and a string always can.
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    title: &'a str,
    message: &'a str,
    remedy: &'a str,
}

/// A page that says what went wrong and what helps.
pub(crate) fn problem(
    shell: Shell,
    status: StatusCode,
    title: &str,
    message: &str,
    remedy: &str,
) -> Response {
    let page_of = ErrorPage {
        shell,
        title,
        message,
        remedy,
    };
    (status, page(&page_of)).into_response()
}

/// The engine's refusal as a page.
pub(crate) fn refused(shell: Shell, error: &AskError) -> Response {
    let (status, title, remedy) = match error.code {
        AskError::NOT_FOUND => (StatusCode::NOT_FOUND, "There is no such thing", ""),
        AskError::CONFLICT => (
            StatusCode::CONFLICT,
            "That cannot be done as things stand",
            "Go back and load the page again: it may show an older state.",
        ),
        AskError::UNAVAILABLE => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The database cannot be used now",
            "Nothing was changed. Try again in a moment; the overview says when it is back.",
        ),
        AskError::INVALID_PARAMS => (
            StatusCode::BAD_REQUEST,
            "That was not understood",
            "Go back and change what the message names.",
        ),
        _ => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "The engine could not do that",
            "The engine's log may say more.",
        ),
    };
    problem(shell, status, title, &error.message, remedy)
}

/// Goes on with another page, which shows what was done.
pub(crate) fn see(location: &str) -> Response {
    let mut headers = HeaderMap::new();
    match HeaderValue::from_str(location) {
        Ok(location) => headers.insert(header::LOCATION, location),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    (StatusCode::SEE_OTHER, headers).into_response()
}

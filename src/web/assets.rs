//! Style, script and icon, compiled in. Their paths have a hash, so that a browser may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/app.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Changes with any of them.
pub(crate) static HASH: LazyLock<String> = LazyLock::new(|| {
    // FNV-1a: it tells versions apart, and guards nothing.
    let bytes = [STYLE, riftsync_report::STYLE, SCRIPT, ICON]
        .into_iter()
        .flat_map(str::bytes);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
});

pub(crate) async fn asset(Path((hash, name)): Path<(String, String)>) -> Response {
    let (kind, text) = match &*name {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "year.css" => ("text/css; charset=utf-8", riftsync_report::STYLE),
        "app.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // A page of an engine that was replaced meanwhile asks for the old ones: these do, and are not kept.
    let keep = if hash == *HASH {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_small_and_neither_asks_anybody_else() {
        assert!(SCRIPT.len() < 10_000, "{} bytes", SCRIPT.len());
        for text in [STYLE, riftsync_report::STYLE, SCRIPT] {
            for elsewhere in ["http:", "https:", "//cdn", "url(", "@import", "eval("] {
                assert!(!text.contains(elsewhere), "{elsewhere}");
            }
        }
    }
}

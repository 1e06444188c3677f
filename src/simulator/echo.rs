//! A proxy in front that sends back what it was sent, as those for debugging do, and some firewalls and mirrors.

use std::io::Read as _;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::json;

use crate::reply::Reply;
use riftsync_model::secrets::hexadecimal;

/// The reply with the headers of its call: in a document's JSON a field, or an entry of a list, more; in what is no
/// JSON at the end. Each as it is, and as URLs, base64 and hexadecimal digits have it.
pub fn echoed(reply: Reply, headers: &HeaderMap) -> Reply {
    let body = if reply.gzipped {
        let mut text = Vec::new();
        match GzDecoder::new(reply.body.as_slice()).read_to_end(&mut text) {
            Ok(_) => text,
            // What is broken on purpose stays so.
            Err(_) => return reply,
        }
    } else {
        reply.body
    };
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    let lines: String = lines.collect();
    let echo = json!({
        "plain": lines,
        "url": lines.replace('-', "%2D"),
        "base64": STANDARD.encode(&lines),
        "hexadecimal": hexadecimal(lines.as_bytes()),
        "escapes": format!("\u{1b}[31m{lines}\u{1b}[0m"),
    });
    let text = String::from_utf8_lossy(&body);
    let (first, rest) = text.split_at(text.char_indices().nth(1).map_or(text.len(), |(at, _)| at));
    let is_empty = rest.trim_start().starts_with(['}', ']']);
    let comma = if is_empty { "" } else { "," };
    let body = match first {
        // Words are what clients show; so it stands in those of an error too.
        "{" if reply.status >= 400 => {
            let status = json!({ "message": format!("you sent {lines}\u{1b}[31m"), "status_code": reply.status });
            format!("{{\"status\":{status},\"echo\":{echo}{comma}{rest}")
        }
        "{" => format!("{{\"echo\":{echo}{comma}{rest}"),
        "[" => format!("[{{\"echo\":{echo}}}{comma}{rest}"),
        _ => format!("{text}{echo}"),
    };
    Reply {
        body: body.into_bytes(),
        gzipped: false,
        ..reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_and_holds_what_was_sent() {
        let mut headers = HeaderMap::new();
        headers.insert("x-riot-token", "RGAPI-sent".parse().unwrap());
        for reply in [
            Reply::json(200, "{}"),
            Reply::json(200, "[]"),
            Reply::json(200, "[1]"),
            Reply::error(451, "Unavailable"),
        ] {
            let echoed = echoed(reply.clone(), &headers);
            let document: serde_json::Value = serde_json::from_slice(&echoed.body).unwrap();
            assert!(document.to_string().contains("RGAPI-sent"), "{document}");
            assert_eq!(echoed.status, reply.status);
        }
        let page = echoed(Reply::html(502, "<html>"), &headers);
        assert!(String::from_utf8(page.body).unwrap().contains("RGAPI-sent"));
    }
}

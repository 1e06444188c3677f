//! Working told from waiting, in answers of the engine.

use std::time::Duration;

use serde_json::Value;

use super::text;
use crate::cli::follow::rounded;

/// What a job waits for, and how long; none: it does not.
pub(super) fn waiting_of(job: &Value) -> Option<String> {
    let waiting = job["waiting"].as_object()?;
    Some(match waiting["left_s"].as_u64() {
        Some(left @ 1..) => {
            let left = rounded(Duration::from_secs(left));
            format!("{}, {left}", text(&waiting["text"]))
        }
        _ => text(&waiting["text"]),
    })
}

/// `working 2, waiting for the key's budget 3 (8 s)`, of a queue or of all; none: an older engine.
pub(super) fn doing(document: &Value) -> Option<String> {
    let working = document["working"].as_u64()?;
    let waits = waits_of(document);
    if waits.is_empty() {
        return Some(format!("working {working}"));
    }
    Some(format!("working {working}, waiting for {waits}"))
}

/// What jobs of a queue wait for, and how many.
pub(super) fn waits_of(document: &Value) -> String {
    let waits = document["waits"].as_array().into_iter().flatten();
    let each = waits.map(|wait| {
        let left = match wait["left_s"].as_u64() {
            Some(left @ 1..) => format!(" ({})", rounded(Duration::from_secs(left))),
            _ => String::new(),
        };
        format!("{} {}{left}", text(&wait["for"]), wait["jobs"])
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Jobs that the engine holds: at work, or waiting for something.
pub(super) fn held(document: &Value) -> u64 {
    let running = document["running"].as_u64().unwrap_or(0);
    let waits = document["waits"].as_array().into_iter().flatten();
    let waiting: u64 = waits.filter_map(|wait| wait["jobs"].as_u64()).sum();
    running.max(document["working"].as_u64().unwrap_or(0) + waiting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn working_is_told_from_waiting_with_the_reasons_and_the_time() {
        let queue = json!({
            "running": 5, "working": 2,
            "waits": [
                { "for": "the key's budget", "jobs": 3, "left_s": 8 }, { "for": "the queue's rate of 30/m", "jobs": 7 },
            ],
        });
        assert_eq!(
            doing(&queue).unwrap(),
            "working 2, waiting for the key's budget 3 (8 s), the queue's rate of 30/m 7"
        );
        assert_eq!(held(&queue), 12);
        let busy = json!({ "running": 5, "working": 5, "waits": [] });
        assert_eq!(
            (doing(&busy).unwrap(), held(&busy)),
            ("working 5".to_owned(), 5)
        );
        let older = json!({ "running": 5 });
        assert_eq!((doing(&older), held(&older)), (None, 5));
        let job = json!({ "waiting": { "text": "the key's budget is used up", "left_s": 8 } });
        assert_eq!(
            waiting_of(&job).unwrap(),
            "the key's budget is used up, 8 s"
        );
        assert_eq!(waiting_of(&json!({ "waiting": null })), None);
    }
}

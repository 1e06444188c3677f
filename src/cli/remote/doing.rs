//! Working told from waiting, in answers of the engine.

use std::time::Duration;

use serde_json::Value;

use super::text;
use crate::cli::view::rounded;

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

/// What jobs of a queue, or of all, wait for, and how many: what reads alike, as slots of two queues do, is told once,
/// with the shortest time.
pub(super) fn waits_of(document: &Value) -> String {
    let mut told: Vec<(String, u64, Option<u64>)> = Vec::new();
    for wait in document["waits"].as_array().into_iter().flatten() {
        let (reason, left) = (text(&wait["for"]), wait["left_s"].as_u64());
        let jobs = wait["jobs"].as_u64().unwrap_or(0);
        match told.iter_mut().find(|(other, ..)| *other == reason) {
            Some((_, all, shortest)) => {
                *all += jobs;
                *shortest = shortest.iter().copied().chain(left).min();
            }
            None => told.push((reason, jobs, left)),
        }
    }
    let each = told.iter().map(|(reason, jobs, left)| {
        let left = match left {
            Some(left @ 1..) => format!(" ({})", rounded(Duration::from_secs(*left))),
            _ => String::new(),
        };
        format!("{reason} {jobs}{left}")
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
        let alike = json!({
            "running": 9, "working": 0,
            "waits": [
                { "for": "a slot", "jobs": 41 }, { "for": "the key's budget", "jobs": 4, "left_s": 8 },
                { "for": "a slot", "jobs": 13 }, { "for": "the key's budget", "jobs": 5, "left_s": 3 },
            ],
        });
        assert_eq!(
            doing(&alike).unwrap(),
            "working 0, waiting for a slot 54, the key's budget 9 (3 s)"
        );
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

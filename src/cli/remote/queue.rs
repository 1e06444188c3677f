//! `queue list|pause|resume|set`.

use serde_json::{Value, json};

use super::doing::waits_of;
use super::table::table;
use super::{Ask as _, Reach, text};
use crate::cli::{CliError, QueueVerb};

pub async fn queue(reach: &Reach, verb: QueueVerb) -> Result<(), CliError> {
    let mut engine = reach.engine().await?;
    let (method, params) = match verb {
        QueueVerb::List => ("queue.list", json!({})),
        QueueVerb::Pause { queue } => ("queue.pause", json!({ "queue": queue })),
        QueueVerb::Resume { queue } => ("queue.resume", json!({ "queue": queue })),
        QueueVerb::Set { queue, slots, rate } => {
            if slots.is_none() && rate.is_none() {
                let why = "name what to set: --slots N, --rate 100/m, or both";
                return Err(CliError::Usage(why.to_owned()));
            }
            let params = json!({ "queue": queue, "slots": slots, "rate": rate });
            ("queue.set", params)
        }
    };
    let answer = engine.ask(method, params).await?;
    reach.show(&answer, |answer| queues_table(&answer["queues"]));
    Ok(())
}

pub(super) fn queues_table(queues: &Value) -> String {
    let rows = queues.as_array().into_iter().flatten().map(|queue| {
        let state = match (queue["paused"].as_bool(), queue["held"].as_bool()) {
            (Some(true), _) => "paused",
            (_, Some(true)) => "held by the API",
            _ => "open",
        };
        let mut row = vec![text(&queue["queue"]), state.to_owned()];
        let columns = [
            "running",
            "slots",
            "rate",
            "available",
            "scheduled",
            "retryable",
            "blocked",
        ];
        row.extend(
            columns.map(|column| match (column, &queue["express_slots"]) {
                ("slots", express @ Value::Number(_)) => format!("{}+{express}", queue["slots"]),
                _ => text(&queue[column]),
            }),
        );
        row.push(waits_of(queue));
        row
    });
    let header = [
        "queue",
        "state",
        "running",
        "slots",
        "rate",
        "available",
        "scheduled",
        "retryable",
        "blocked",
        "waiting for",
    ];
    table(&header, rows)
}

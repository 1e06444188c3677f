//! `schedule`: what runs by the clock.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::table::table;
use super::{Ask as _, Reach, text};
use crate::cli::{CliError, ScheduleVerb};
use crate::control::schedules_document;
use crate::model::Timestamp;

pub async fn schedule(reach: &Reach, what: ScheduleVerb) -> Result<(), CliError> {
    match what {
        ScheduleVerb::List => {
            let answer = if let Some(mut engine) = reach.engine_if_any().await? {
                engine.ask("schedule.list", json!({})).await?
            } else {
                let schedules = reach.read_only().await?.schedules().await?;
                schedules_document(&schedules, Timestamp::now())
            };
            reach.show(&answer, list_text);
        }
        ScheduleVerb::Add {
            name,
            when,
            kind,
            args,
            timezone,
            catch_up,
        } => {
            let args = RawValue::from_string(args)
                .map_err(|error| CliError::Usage(format!("--args is no JSON: {error}")))?;
            let mut add = json!({ "name": name, "when": when, "kind": kind, "args": args, "timezone": timezone });
            if let Some(catch_up) = catch_up {
                add["catch_up"] = json!(catch_up);
            }
            let answer = reach.engine().await?.ask("schedule.add", add).await?;
            reach.show(&answer, |answer| {
                format!("{name} is scheduled; next: {}", text(&answer["next"]))
            });
        }
        ScheduleVerb::Remove { name } => {
            let mut engine = reach.engine().await?;
            let answer = engine
                .ask("schedule.remove", json!({ "name": name }))
                .await?;
            reach.show(&answer, |_| format!("{name} is removed"));
        }
    }
    Ok(())
}

fn list_text(answer: &Value) -> String {
    let schedules = answer["schedules"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if schedules.is_empty() {
        return "there are no schedules".to_owned();
    }
    let rows = schedules.iter().map(|line| {
        let mut when = text(&line["when"]);
        if line["timezone"] != "UTC" {
            when = format!("{when} ({})", text(&line["timezone"]));
        }
        let last = match &line["last_job"] {
            Value::Null => text(&line["last"]),
            job => format!("{}, job {job}", text(&line["last"])),
        };
        let next = match &line["problem"] {
            Value::Null => text(&line["next"]),
            problem => text(problem),
        };
        vec![
            text(&line["name"]),
            when,
            text(&line["kind"]),
            text(&line["catch_up"]),
            last,
            next,
            text(&line["origin"]),
        ]
    });
    let header = [
        "schedule", "when", "kind", "catch up", "last", "next", "from",
    ];
    table(&header, rows)
}

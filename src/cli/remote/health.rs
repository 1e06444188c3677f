//! `health`: how the engine and what it stands on are, and what to do about it.

use std::fmt::Write;

use serde_json::{Value, json};

use super::engine::company;
use super::{Reach, text};
use crate::cli::{CliError, waits};

pub async fn health(reach: &Reach) -> Result<(), CliError> {
    let mut engine = reach.engine().await?;
    let _checking = waits::on(
        "health",
        "the engine's check is not done: it asks Riot on every route, which takes up to 20 s",
    );
    let check = engine.call("engine.health", json!({})).await?;
    reach.show(&check, health_text);
    match check["verdict"].as_str() {
        Some("healthy") => Ok(()),
        Some("degraded") => Err(CliError::Degraded),
        _ => Err(CliError::Unhealthy),
    }
}

fn health_text(check: &Value) -> String {
    let mut told = text(&check["verdict"]);
    let list = |field: &str| check[field].as_array().cloned().unwrap_or_default();
    for finding in list("findings") {
        let _ = write!(
            told,
            "\n  {}, {}: {}\n    {}",
            text(&finding["part"]),
            text(&finding["verdict"]),
            text(&finding["message"]),
            text(&finding["remedy"])
        );
    }
    let database = &check["database"];
    if !database.is_null() {
        let _ = write!(
            told,
            "\ndatabase   write {} ms, read {} ms",
            text(&database["write_ms"]),
            text(&database["read_ms"])
        );
        for (field, what) in [("size_bytes", "in it"), ("free_bytes", "left")] {
            if let Some(bytes) = database[field].as_u64() {
                let _ = write!(told, ", {} MiB {what}", bytes >> 20);
            }
        }
    }
    told.push_str(&company(check));
    for route in list("routes") {
        let _ = write!(told, "\nRiot API   {}: ", text(&route["route"]));
        let _ = match route["latency_ms"].as_f64() {
            Some(latency) => write!(told, "answers in {latency} ms"),
            None => write!(told, "{}", text(&route["state"]).replace('_', " ")),
        };
        let budget = route["budget"].as_array().cloned().unwrap_or_default();
        for window in budget.iter().filter(|window| window["method"].is_null()) {
            let _ = write!(
                told,
                ", {} of {} calls left in {} s",
                window["left"], window["limit"], window["seconds"]
            );
        }
        if let Some(percent) = route["strangers_percent"].as_u64() {
            let _ = write!(told, ", another program uses about {percent} %");
        }
    }
    for queue in list("queues") {
        if queue["waiting"] == 0 && queue["running"] == 0 {
            continue;
        }
        let _ = write!(
            told,
            "\nqueue      {}: {} run, {} wait",
            text(&queue["queue"]),
            queue["running"],
            queue["waiting"]
        );
        if let Some(seconds) = queue["oldest_waiting_s"].as_u64() {
            let _ = write!(told, ", the oldest for {seconds} s");
        }
        if let Some(seconds) = queue["last_completed_s"].as_u64() {
            let _ = write!(told, ", one ended {seconds} s ago");
        }
    }
    told
}

//! `status`, `engine drain|stop`, `key set` and `key share`.

use std::fmt::Write;
use std::io::{IsTerminal, Read};
use std::time::Duration;

use serde_json::{Value, json};

use super::doing::{doing, held};
use super::queue::queues_table;
use super::table::table;
use super::{Ask as _, Reach, text};
use crate::cli::CliError;
use crate::cli::view::rounded;
use crate::cli::waits;
use crate::control::client::holder;
use crate::control::{Client, ClientError};
use crate::model::Share;
use crate::model::counted;

/// How often an engine is looked at that is draining or stopping.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than any key; no more is read.
const KEY_BYTES_MAX: u64 = 4_096;

pub async fn show_status(reach: &Reach) -> Result<(), CliError> {
    let status = reach
        .engine()
        .await?
        .ask("engine.status", json!({}))
        .await?;
    reach.show(&status, status_text);
    Ok(())
}

fn status_text(status: &Value) -> String {
    let number = |name: &str| status[name].as_u64().unwrap_or(0);
    let uptime = rounded(Duration::from_secs(number("uptime_s")));
    let engines =
        engines_table(&status["engines"]).map_or_else(String::new, |table| format!("\n{table}"));
    let doing = doing(status).map_or_else(String::new, |doing| format!(" ({doing})"));
    let inside = match &status["inside"] {
        Value::String(verb) => format!(", inside `riftsync {verb}`, with which it ends"),
        _ => String::new(),
    };
    let away = match status["database_away"]["text"].as_str() {
        Some(away) => format!(
            "\n{away}; the queues' counts are of {}",
            text(&status["counted_at"])
        ),
        None => String::new(),
    };
    let company = company(status);
    format!(
        "engine {} (riftsync {}, pid {}) is {}, up {uptime}{inside}\n\
         database {}{away}\n\
         API key {}; {}, {} answered 429{company}\n\
         {} running{doing}, {}\n{}{engines}",
        text(&status["engine"]),
        text(&status["version"]),
        text(&status["pid"]),
        text(&status["state"]),
        text(&status["database"]),
        text(&status["key"]),
        counted(number("calls"), "call", "calls"),
        number("rate_limited"),
        counted(held(status), "job", "jobs"),
        counted(number("commits"), "commit", "commits"),
        queues_table(&status["queues"]),
    )
}

/// Who else uses the key, a line for each.
pub(super) fn company(told: &Value) -> String {
    let mut lines = String::new();
    for database in told["key_shared_with"].as_array().into_iter().flatten() {
        let _ = write!(
            lines,
            "\nthe key's limits are shared with the riftsync of {}",
            text(database)
        );
    }
    for (route, percent) in told["strangers_percent"].as_object().into_iter().flatten() {
        let _ = write!(
            lines,
            "\nanother program uses the key: about {percent} % of its limits on {route}"
        );
    }
    lines
}

/// The engines that share the database, if there is more than this one to tell of.
fn engines_table(engines: &Value) -> Option<String> {
    let engines = engines.as_array()?;
    let told = |engine: &&Value| engine["state"] != "stopped";
    if engines.iter().filter(told).count() < 2 {
        return None;
    }
    let rows = engines.iter().filter(told).map(|engine| {
        let silent = Duration::from_secs_f64(engine["silent_s"].as_f64().unwrap_or(0.0).max(0.0));
        let leads = if engine["leads"] == true { "leads" } else { "" };
        let mut row: Vec<String> = ["engine", "state", "host", "pid", "version", "running"]
            .map(|column| text(&engine[column]))
            .to_vec();
        row.extend([format!("{} ago", rounded(silent)), leads.to_owned()]);
        row
    });
    let header = [
        "engine", "state", "host", "pid", "version", "running", "heard", "",
    ];
    Some(table(&header, rows))
}

/// Starts no more jobs, and waits until none runs.
pub async fn drain(reach: &Reach) -> Result<(), CliError> {
    let mut engine = reach.engine().await?;
    let mut status = engine.ask("engine.drain", json!({})).await?;
    let wait = waits::on("drain", "");
    let mut ran = 0;
    loop {
        let running = status["running"].as_u64().unwrap_or(0);
        if running == 0 {
            break;
        }
        if ran != running {
            wait.moved();
        }
        ran = running;
        wait.say(
            "drain",
            format!("jobs that run have to end first ({running})"),
        );
        tokio::time::sleep(LOOK).await;
        status = engine.ask("engine.status", json!({})).await?;
    }
    reach.show(&status, |_| {
        "no job runs any more; `riftsync queue resume all` takes jobs again, `riftsync engine stop` ends the engine"
            .to_owned()
    });
    Ok(())
}

/// Stops the engine, and waits until it has gone.
pub async fn stop(reach: &Reach) -> Result<(), CliError> {
    let mut engine = reach.engine().await?;
    let answer = engine.ask("engine.stop", json!({})).await?;
    let wait = waits::on("stop", ending(&answer["pid"], None));
    // It can be asked how it stands until it has ended.
    while let Ok(status) = engine.call("engine.status", json!({})).await {
        wait.say("stop", ending(&answer["pid"], status["running"].as_u64()));
        tokio::time::sleep(LOOK).await;
    }
    engine.closed().await;
    // The socket closes first; its place is free when the engine has written its last.
    while holder(engine.path()).is_some() {
        tokio::time::sleep(LOOK).await;
    }
    reach.show(&json!({ "state": "stopped", "pid": answer["pid"] }), |_| {
        format!("the engine with pid {} has stopped", answer["pid"])
    });
    Ok(())
}

fn ending(pid: &Value, running: Option<u64>) -> String {
    match running {
        Some(running @ 1..) => {
            format!("the engine with pid {pid} lets the jobs that run end ({running})")
        }
        _ => format!("the engine with pid {pid} has not ended yet"),
    }
}

/// Shows the part of the key that is used, or changes it.
pub async fn share(
    reach: &Reach,
    share: Option<Share>,
    route: Option<String>,
) -> Result<(), CliError> {
    if share.is_none() && route.is_some() {
        let why = "name the share that the route is to have: riftsync key share 50% --route europe";
        return Err(CliError::Usage(why.to_owned()));
    }
    let mut engine = reach.engine().await?;
    let params = json!({ "share": share, "route": route });
    let answer = engine.ask("key.share", params).await;
    let answer = answer.map_err(|error| match error {
        ClientError::Refused(error) => CliError::Usage(error.message),
        other => other.into(),
    })?;
    reach.show(&answer, shares_text);
    Ok(())
}

fn shares_text(answer: &Value) -> String {
    let share = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut text = format!(
        "the engine uses {} of the key's limits",
        share(&answer["share"])
    );
    for (route, its) in answer["routes"].as_object().into_iter().flatten() {
        for part in ["\non ", route, ": ", &share(its)] {
            text.push_str(part);
        }
    }
    text
}

/// Gives the engine another key, read from stdin: arguments are seen by everybody on the machine.
pub async fn set_key(reach: &Reach) -> Result<(), CliError> {
    let mut engine: Client = reach.engine().await?;
    // Before it is asked for: nobody should type it in vain.
    engine.is_ours()?;
    let typed = std::io::stdin().is_terminal();
    if typed {
        crate::errln!("Paste the new API key, then press Enter and Ctrl-D:");
    }
    let text = "the new API key has not come on stdin yet";
    let reading = (!typed).then(|| waits::on("stdin", text));
    let mut key = String::new();
    std::io::stdin()
        .take(KEY_BYTES_MAX)
        .read_to_string(&mut key)
        .map_err(|error| CliError::Usage(format!("no key could be read from stdin: {error}")))?;
    drop(reading);
    let answer = engine.ask("key.set", json!({ "key": key.trim() })).await;
    let answer = answer.map_err(|error| match error {
        ClientError::Refused(error) => CliError::Usage(error.message),
        other => other.into(),
    })?;
    reach.show(&answer, |answer| {
        if answer["replaced"] == true {
            "the engine uses the new key from now on".to_owned()
        } else {
            "the engine uses this key already".to_owned()
        }
    });
    Ok(())
}

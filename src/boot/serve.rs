//! `serve`: the engine with its control socket, until it is told to stop.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::control::Control;
use super::locations::{locate, socket_path};
use super::required_key;
use super::running_engine::RunningEngine;
use super::service::ServiceManager;
use super::web;
use crate::cli::terminal::stop_signal;
use crate::cli::{CliError, Global, ServeArgs, waits};
use crate::config::Config;
use crate::model::counted;
use crate::store::Location;

/// How often a stop that takes its time is looked at.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn serve(
    global: &Global,
    config: &Config,
    args: &ServeArgs,
) -> Result<(), CliError> {
    let database = locate(global, config, false)?;
    // Its form was checked when the configuration was read.
    let metrics = args
        .metrics_listen
        .or_else(|| config.metrics.listen().unwrap_or_default());
    let metrics = metrics.map(|addr| (addr, config.metrics.hosts()));
    let socket = socket_path(global, config, &database)?;
    let pages = web::open(config, args, &socket)?;
    let control = Control::open(&socket, metrics, pages)?;
    let key = required_key(true)?;
    let base = &config.riot.base_url;
    let only: Vec<&str> = args.queues.iter().map(String::as_str).collect();
    let running = RunningEngine::start(config, &database, key, base, Some(&control), &only).await?;
    let open = running.store.open_jobs().await?;
    // Whoever reads that it is ready may stop it at once.
    let stopped = stop_signal();
    say_ready(global, &running, &control, &database);
    tracing::info!(
        "engine {} is ready; {} in {database}",
        running.engine.id(),
        counted(open, "open job", "open jobs")
    );
    let manager = ServiceManager::from_environment();
    if manager.is_some() {
        ServiceManager::ready(&running);
    }
    let told = async {
        match &manager {
            Some(manager) => manager.keep_telling(&running).await,
            None => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        () = stopped => Ok(()),
        () = control.asked_to_stop() => Ok(()),
        error = running.gave_up() => Err(logged(error)),
        never = told => match never {},
    };
    if manager.is_some() {
        ServiceManager::stopping();
    }
    if outcome.is_ok() {
        tracing::info!("stopping: running jobs have {:?} to end", config.drain());
        control.ask_to_stop();
        // While they end, the engine can still be asked how it stands.
        running.gate.availability.close();
        let drain = config.drain();
        tokio::select! {
            () = running.engine.drain(drain) => {}
            never = tell_what_runs(&running, drain) => match never {},
        }
    }
    let _stopping = waits::on(
        "stop",
        "the engine hands its jobs back and closes the database",
    );
    let stopped = running.stop().await;
    let closed = running.store.close().await;
    outcome?;
    stopped?;
    Ok(closed?)
}

/// The end of the database is logged while the engine stops, so that its last line need not say it again.
fn logged(error: CliError) -> CliError {
    match error {
        CliError::Store(end) if end.is_end() => {
            tracing::error!("{end}");
            CliError::Ended(end)
        }
        other => other,
    }
}

/// While the engine stops: how many jobs still run, and how long they may.
async fn tell_what_runs(running: &RunningEngine, drain: Duration) -> Infallible {
    let wait = waits::reasons();
    let ends = Instant::now() + drain;
    loop {
        let jobs = running.running_jobs();
        let text = format!("jobs still run ({jobs}); what has not ended then is handed back");
        let left = ends.saturating_duration_since(Instant::now());
        wait.reason("drain", &text, Some(left));
        tokio::time::sleep(LOOK).await;
    }
}

/// One line, for whoever waits for it: from now on the socket answers.
fn say_ready(global: &Global, running: &RunningEngine, control: &Control, database: &Location) {
    let (engine, pid) = (running.engine.id(), std::process::id());
    let socket = control.socket().unwrap_or("".as_ref());
    let ready = if global.json {
        let ready = json!({
            "ready": true, "engine": engine, "pid": pid, "socket": socket, "database": database.to_string(),
            "metrics": control.metrics_addr().map(|addr| format!("http://{addr}/metrics")),
            "web": control.pages_url(),
        });
        ready.to_string()
    } else {
        let pages = control.pages_url();
        let pages = pages.map_or_else(String::new, |url| format!("\nin a browser: {url}"));
        format!(
            "riftsync is ready: engine {engine}, pid {pid}, socket {}{pages}",
            socket.display()
        )
    };
    // The engine works as well when nobody reads that.
    let _ = writeln!(std::io::stdout(), "{ready}");
}

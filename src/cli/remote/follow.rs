//! A job from its submission to its end: the one way in which verbs do work.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Reach, Session, text};
use crate::cli::CliError;
use crate::cli::follow::Shown;
use crate::control::ClientError;
use crate::control::rpc::RpcError;
use crate::model::JobId;

/// How often the engine is asked for what its jobs do not tell: calls, how long it will take, whether the key is taken.
const LOOK: Duration = Duration::from_secs(1);

/// Brings work to the engine; the job that has it.
pub(super) async fn submit(
    session: &mut Session,
    method: &str,
    order: Value,
) -> Result<(JobId, Value), CliError> {
    let submitted = session.ask(method, order).await?;
    let id = JobId(submitted["job_id"].as_i64().unwrap_or(0));
    Ok((id, submitted))
}

/// Says that nobody waits for it.
pub(super) fn show_detached(reach: &Reach, id: JobId, submitted: &Value) {
    reach.show(submitted, |_| {
        format!("job {id} is in the engine's hands; `riftsync job wait {id}` waits for it")
    });
}

/// Shows a job until it has ended. Returns it, and how many calls the engine made meanwhile.
pub(super) async fn follow(
    session: &mut Session,
    id: JobId,
    shown: &mut impl Shown,
) -> Result<(Value, u64), CliError> {
    let mut calls = Calls::look(session).await?;
    let mut job = session.subscribe(id).await?;
    let mut look = tokio::time::interval(LOOK);
    let mut left = std::pin::pin!(session.is_left());
    loop {
        shown.job(&job, calls.made(), session.is_inside());
        tokio::select! {
            told = session.notification() => {
                let mut told = told?;
                job = told.params["job"].take();
                if told.method == "job.ended" {
                    calls.look_again(session).await?;
                    return Ok((job, calls.made()));
                }
            }
            _ = look.tick() => {
                calls.look_again(session).await?;
                look_ahead(session, id, &job, shown).await?;
                if shown.bars().ask() {
                    let waiting = session.waiting(id).await?;
                    shown.wait().document(&waiting);
                }
            }
            () = &mut left => return Err(CliError::Detached(id)),
        }
    }
}

/// Shows what the job's descendants came to so far, and how long it will take.
async fn look_ahead(
    session: &mut Session,
    id: JobId,
    job: &Value,
    shown: &mut impl Shown,
) -> Result<(), CliError> {
    let outlook = time_left(session, id).await?;
    shown.so_far(job, &outlook["rollup"]);
    let left = outlook["eta_s"]
        .as_u64()
        .filter(|_| job["state"] == "blocked");
    shown.bars().left(left.map(Duration::from_secs));
    Ok(())
}

/// How long the job will take, and what its descendants came to so far; null: nobody can know now.
pub(super) async fn time_left(session: &mut Session, id: JobId) -> Result<Value, CliError> {
    let asked = json!({ "job_id": id });
    session.ask_if_it_can("job.time_left", asked).await
}

/// All that is known of a job that has ended. A database that is away for a while is waited for: the work is done.
pub(super) async fn whole(
    session: &mut Session,
    id: JobId,
    shown: &impl Shown,
) -> Result<Value, CliError> {
    loop {
        match session.ask("job.get", json!({ "job_id": id })).await {
            Err(ClientError::Refused(error)) if error.code == RpcError::UNAVAILABLE => {
                shown.wait().reason("database", &error.message, None);
            }
            answer => return Ok(answer?),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = session.is_left() => return Err(CliError::Detached(id)),
        }
    }
}

/// Shows a job that has ended; an error if it failed.
pub(super) fn succeeded(reach: &Reach, id: JobId, job: &Value) -> Result<(), CliError> {
    if reach.json {
        crate::outln!("{job}");
    }
    if job["success"] == true {
        return Ok(());
    }
    let error = &job["error"];
    let mut why = match &error["message"] {
        Value::Null => format!("job {id} is {}", text(&job["state"])),
        message => text(message),
    };
    if let Value::String(remedy) = &error["remedy"] {
        why = format!("{why}; {remedy}");
    }
    Err(CliError::JobFailed(why))
}

/// The engine's calls, counted from when it was first asked.
struct Calls {
    before: u64,
    now: u64,
}

impl Calls {
    async fn look(session: &mut Session) -> Result<Self, CliError> {
        let mut calls = Self { before: 0, now: 0 };
        calls.look_again(session).await?;
        calls.before = calls.now;
        Ok(calls)
    }

    async fn look_again(&mut self, session: &mut Session) -> Result<(), CliError> {
        let status = session.ask("engine.status", json!({})).await?;
        session.check_key(&status)?;
        self.now = status["calls"].as_u64().unwrap_or(self.now);
        Ok(())
    }

    fn made(&self) -> u64 {
        self.now - self.before
    }
}

//! Asks the engine how it stands, again and again, and carries commands to it. When the engine has gone
//! it waits for the next one.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::app::ControlCommand;
use crate::cli::CliError;
use crate::cli::remote::Reach;
use crate::control::{Client, ClientError};
use crate::model::snapshot::{Job, Snapshot, read};

/// Between two looks, and between two tries to find an engine.
const LOOK: Duration = Duration::from_secs(1);
const KNOCK: Duration = Duration::from_millis(500);
/// A look that took long is not repeated before so many times as long has passed.
const BREATHER: u32 = 10;
/// Jobs of one state that are asked for.
const JOBS_MAX: u32 = 200;
const FAILED_MAX: u32 = 50;

/// What the screen is told.
#[derive(Debug)]
pub(super) enum Told {
    Looked(Box<Snapshot>),
    /// The engine has gone, or does not answer.
    Gone(String),
    /// What became of a command.
    Did(Result<String, String>),
}

/// Never returns, unless nobody listens any more.
pub(super) async fn feed(
    reach: Reach,
    engine: Client,
    mut commands: mpsc::Receiver<ControlCommand>,
    tell: mpsc::Sender<Told>,
) {
    let mut engine = Some(engine);
    loop {
        let connected = match engine.take() {
            Some(engine) => Ok(engine),
            None => reach.engine().await,
        };
        let why = match connected {
            Ok(engine) => match keep_looking(engine, &mut commands, &tell).await {
                Some(why) => why,
                None => return,
            },
            Err(error) => error,
        };
        while commands.try_recv().is_ok() {
            let no = Err("there is no engine to do that now".to_owned());
            if tell.send(Told::Did(no)).await.is_err() {
                return;
            }
        }
        if tell.send(Told::Gone(why.to_string())).await.is_err() {
            return;
        }
        tokio::time::sleep(KNOCK).await;
    }
}

/// Until the engine has gone, and why; none: nobody listens.
async fn keep_looking(
    mut engine: Client,
    commands: &mut mpsc::Receiver<ControlCommand>,
    tell: &mpsc::Sender<Told>,
) -> Option<CliError> {
    let mut failed = Failed::default();
    loop {
        let began = Instant::now();
        let snapshot = match look(&mut engine, &mut failed).await {
            Ok(snapshot) => snapshot,
            Err(error) => return Some(error.into()),
        };
        tell.send(Told::Looked(Box::new(snapshot))).await.ok()?;
        let pause = LOOK.max(began.elapsed() * BREATHER);
        let command = tokio::select! {
            () = tokio::time::sleep(pause) => continue,
            command = commands.recv() => command?,
        };
        let did = match carry_out(&mut engine, &command).await {
            Ok(did) => Ok(did),
            Err(ClientError::Refused(error)) => Err(error.message),
            Err(error) => return Some(error.into()),
        };
        failed.look_again();
        tell.send(Told::Did(did)).await.ok()?;
    }
}

/// Failed jobs change seldom, and finding them can take a database long.
#[derive(Debug, Default)]
struct Failed {
    jobs: Vec<Job>,
    next: Option<Instant>,
}

impl Failed {
    /// Between two looks at the least.
    const LOOK: Duration = Duration::from_secs(5);

    fn look_again(&mut self) {
        self.next = None;
    }

    async fn look(&mut self, engine: &mut Client) -> Result<(), ClientError> {
        let began = Instant::now();
        if self.next.is_some_and(|next| began < next) {
            return Ok(());
        }
        self.jobs = list(engine, "discarded", FAILED_MAX).await?;
        self.jobs
            .extend(list(engine, "cancelled", FAILED_MAX).await?);
        self.next = Some(Instant::now() + Self::LOOK.max(began.elapsed() * BREATHER));
        Ok(())
    }
}

async fn look(engine: &mut Client, failed: &mut Failed) -> Result<Snapshot, ClientError> {
    let status = read(engine.call("engine.status", json!({})).await?);
    let metrics = read(engine.call("engine.metrics", json!({})).await?);
    let mut jobs = list(engine, "running", JOBS_MAX).await?;
    jobs.extend(list(engine, "blocked", JOBS_MAX).await?);
    failed.look(engine).await?;
    Ok(Snapshot {
        status,
        metrics,
        jobs,
        failed: failed.jobs.clone(),
    })
}

/// During an outage the database has no list: that hides nothing else.
async fn list(engine: &mut Client, state: &str, limit: u32) -> Result<Vec<Job>, ClientError> {
    let params = json!({ "state": state, "limit": limit });
    match engine.call("job.list", params).await {
        Ok(mut answer) => Ok(match answer["jobs"].take() {
            Value::Array(jobs) => jobs.into_iter().map(read).collect(),
            _ => Vec::new(),
        }),
        Err(ClientError::Refused(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn carry_out(engine: &mut Client, command: &ControlCommand) -> Result<String, ClientError> {
    let (method, params) = match command {
        ControlCommand::Pause(queue) => ("queue.pause", json!({ "queue": queue })),
        ControlCommand::Resume(queue) => ("queue.resume", json!({ "queue": queue })),
        ControlCommand::Cancel(id) => ("job.cancel", json!({ "job_id": id })),
        ControlCommand::Retry(id) => ("job.retry", json!({ "job_id": id })),
    };
    let answer = engine.call(method, params).await?;
    Ok(match command {
        ControlCommand::Pause(queue) => format!("{queue} starts no more jobs"),
        ControlCommand::Resume(queue) => format!("{queue} starts jobs again"),
        ControlCommand::Cancel(id) if answer["requested"] == true => {
            format!("job {id} runs, and is asked to end")
        }
        ControlCommand::Cancel(id) => format!("job {id} is cancelled"),
        ControlCommand::Retry(id) if answer["joined"] == true => {
            format!("job {} does what {id} was for", answer["job_id"])
        }
        ControlCommand::Retry(id) => format!("job {id} runs again"),
    })
}

//! One client: its lines, their answers, and what it follows. One task, one thing at a time.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::lines::{Lines, Taken};
use super::methods::{self, Answer, SUBSCRIBE, UNSUBSCRIBE};
use super::rpc::{self, Malformed, Params, Request, RpcError, RpcLine};
use super::state::ControlState;
use super::view;
use super::watch::{Seen, is_over};
use crate::model::JobId;
use crate::store::question;

/// Submits of one batch that are under way at once: as many as the writer takes in a few commits.
const SUBMITS_AT_ONCE: usize = 1_024;
/// Answers to a batch that are held before they are written, in bytes: a client that asks for much and
/// reads little waits for itself, and costs no memory.
const ANSWERS_BYTES: usize = 64 << 10;
/// How often a client that writes no more is looked at: is it still there to read?
const LOOK: Duration = Duration::from_secs(5);

type Change = (u64, JobId, watch::Receiver<Seen>, bool);
/// None: it was given up.
type Follow = Pin<Box<dyn Future<Output = Option<Change>>>>;

/// See the module.
pub(super) struct Connection {
    control: Arc<ControlState>,
    lines: Lines<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    follows: FuturesUnordered<Follow>,
    /// To drop one's sender is to give it up.
    subscriptions: HashMap<u64, oneshot::Sender<()>>,
    last_subscription: u64,
    active: Instant,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, control: Arc<ControlState>) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            lines: Lines::new(reader, control.limits.line_bytes),
            control,
            writer,
            follows: FuturesUnordered::new(),
            subscriptions: HashMap::new(),
            last_subscription: 0,
            active: Instant::now(),
        }
    }

    /// Serves the client until it goes, or is sent away. An error is its going.
    pub(super) async fn run(mut self) -> io::Result<()> {
        loop {
            loop {
                match self.lines.take() {
                    Taken::Line(line) => self.answer_line(&line).await?,
                    Taken::TooLong => {
                        let max = self.control.limits.line_bytes;
                        let why = format!("a line is longer than {max} bytes; it was not read");
                        self.refuse(RpcError::new(RpcError::LIMIT, why)).await?;
                    }
                    Taken::Nothing => break,
                }
            }
            self.let_go().await?;
            let ended = self.lines.has_ended();
            if ended && self.follows.is_empty() {
                return Ok(());
            }
            let (deadline, why) = self.deadline();
            tokio::select! {
                read = self.lines.fill(), if !ended => {
                    read?;
                    self.active = Instant::now();
                }
                Some(change) = self.follows.next(), if !self.follows.is_empty() => {
                    if let Some(change) = change {
                        self.tell(change).await?;
                    }
                }
                () = tokio::time::sleep_until(deadline) => {
                    if !ended {
                        return self.refuse(RpcError::new(RpcError::TIMEOUT, why)).await;
                    }
                    if self.writer.ready(Interest::WRITABLE).await?.is_write_closed() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// How long the client may stay silent, and what it is told then.
    fn deadline(&self) -> (Instant, &'static str) {
        let limits = &self.control.limits;
        if self.lines.has_ended() {
            return (Instant::now() + LOOK, "");
        }
        if let Some(begun) = self.lines.half_since() {
            return (
                begun + limits.half_line,
                "the line was not finished in time; the connection is closed",
            );
        }
        let idle = if self.follows.is_empty() {
            limits.idle
        } else {
            // It waits for its jobs.
            Duration::from_hours(24 * 365)
        };
        (
            self.active + idle,
            "nothing was asked for too long; the connection is closed",
        )
    }

    async fn answer_line(&mut self, line: &[u8]) -> io::Result<()> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        match rpc::read_line(line, self.control.limits.batch) {
            RpcLine::One(request) => {
                let mut out = Vec::new();
                self.answer_one(request, &mut out).await;
                if !out.is_empty() {
                    out.push(b'\n');
                    self.write(&out).await?;
                }
            }
            RpcLine::Batch(requests) => self.answer_batch(requests).await?,
        }
        self.active = Instant::now();
        Ok(())
    }

    /// In the order of the requests. Submits that follow each other go together, so that they share
    /// their commits.
    async fn answer_batch(
        &mut self,
        requests: Vec<Result<Request<'_>, Malformed<'_>>>,
    ) -> io::Result<()> {
        let mut requests = requests.into_iter().peekable();
        let mut out = Batched::default();
        while let Some(request) = requests.next() {
            match request {
                Ok(first) if is_submit(&first) => {
                    let mut submits = vec![first];
                    while let Some(Ok(next)) =
                        requests.next_if(|next| next.as_ref().is_ok_and(is_submit))
                    {
                        submits.push(next);
                    }
                    let control = self.control.clone();
                    let mut answers = futures_util::stream::iter(submits)
                        .map(async |submit| {
                            let answer =
                                methods::call(&control, &submit.method, submit.params).await;
                            (submit.id, answer)
                        })
                        .buffered(SUBMITS_AT_ONCE);
                    while let Some((id, answer)) = answers.next().await {
                        if id.is_some() {
                            out.add(|bytes| rpc::answer(bytes, id, &answer));
                            self.write_much(&mut out.bytes).await?;
                        }
                    }
                }
                other => {
                    let mut answer = Vec::new();
                    self.answer_one(other, &mut answer).await;
                    if !answer.is_empty() {
                        out.add(|bytes| bytes.append(&mut answer));
                    }
                    self.write_much(&mut out.bytes).await?;
                }
            }
        }
        // A batch of notifications has no answer at all.
        if out.begun {
            out.bytes.extend_from_slice(b"]\n");
            self.write(&out.bytes).await?;
        }
        Ok(())
    }

    /// Writes what is worth it.
    async fn write_much(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if bytes.len() >= ANSWERS_BYTES {
            self.write(bytes).await?;
            bytes.clear();
        }
        Ok(())
    }

    async fn answer_one(&mut self, request: Result<Request<'_>, Malformed<'_>>, out: &mut Vec<u8>) {
        match request {
            Err(malformed) => rpc::answer(out, malformed.id, &Err(malformed.error)),
            Ok(Request { method, params, id }) => {
                let answer = match &*method {
                    SUBSCRIBE => self.subscribe(params).await,
                    UNSUBSCRIBE => self.unsubscribe(params),
                    method => methods::call(&self.control, method, params).await,
                };
                if id.is_some() {
                    rpc::answer(out, id, &answer);
                }
            }
        }
    }

    async fn subscribe(&mut self, params: Params<'_>) -> Answer {
        let id = JobId(params.read::<methods::OneJob>()?.job_id);
        let max = self.control.limits.subscriptions;
        if self.subscriptions.len() >= max {
            let why = format!("one connection follows at most {max} jobs");
            return Err(RpcError::new(RpcError::LIMIT, why));
        }
        let follow = self.control.watch.follow(id);
        let follow = if self.control.limits.is_patient {
            follow.await
        } else {
            question::asked(follow).await
        };
        let Some((job, receiver)) = follow? else {
            return Err(methods::unknown_job(id));
        };
        self.last_subscription += 1;
        let subscription = self.last_subscription;
        self.follow_on(subscription, id, receiver);
        Ok(json!({ "subscription": subscription, "job": view::job(self.control.document, &job) }))
    }

    fn unsubscribe(&mut self, params: Params<'_>) -> Answer {
        let subscription = params.read::<methods::OneSubscription>()?.subscription;
        if self.subscriptions.remove(&subscription).is_none() {
            let why = format!("this connection has no subscription {subscription}");
            return Err(RpcError::new(RpcError::NOT_FOUND, why));
        }
        Ok(json!({ "subscription": subscription }))
    }

    /// Waits for the next change of a job, until the subscription is given up.
    fn follow_on(&mut self, subscription: u64, id: JobId, receiver: watch::Receiver<Seen>) {
        let (held, given_up) = oneshot::channel();
        self.subscriptions.insert(subscription, held);
        self.follows
            .push(next_change(subscription, id, receiver, given_up));
    }

    /// Takes away what waits for subscriptions that were given up: one who subscribes and gives up without end would
    /// fill the memory, as nothing else comes of them before their jobs change.
    async fn let_go(&mut self) -> io::Result<()> {
        while self.follows.len() > self.subscriptions.len() {
            match self.follows.next().now_or_never() {
                Some(Some(None)) => {}
                Some(Some(Some(change))) => self.tell(change).await?,
                Some(None) | None => break,
            }
        }
        Ok(())
    }

    /// Tells the client what is newest of a job.
    async fn tell(&mut self, (subscription, id, mut receiver, open): Change) -> io::Result<()> {
        if !self.subscriptions.contains_key(&subscription) {
            return Ok(());
        }
        let seen = receiver.borrow_and_update().clone();
        let over = is_over(&seen) || !open;
        let method = if over { "job.ended" } else { "job.progress" };
        let job = match seen {
            Some(job) => view::job(self.control.document, &job),
            None => json!({ "job_id": id, "state": "gone" }),
        };
        if over {
            self.subscriptions.remove(&subscription);
        } else {
            self.follow_on(subscription, id, receiver);
        }
        let mut out = Vec::new();
        let params = json!({ "subscription": subscription, "job": job });
        rpc::notification(&mut out, method, &params);
        self.write(&out).await
    }

    /// An error that belongs to no request.
    async fn refuse(&mut self, error: RpcError) -> io::Result<()> {
        let mut out = Vec::new();
        rpc::answer(&mut out, None, &Err::<Value, _>(error));
        out.push(b'\n');
        self.write(&out).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stall = self.control.limits.write_stall;
        // Progress counts, not the whole: a slow reader of a long answer is a reader.
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = tokio::time::timeout(stall, self.writer.write(rest)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
        }
        Ok(())
    }
}

fn is_submit(request: &Request<'_>) -> bool {
    request.method == "job.submit"
}

/// The answers to a batch, as far as they are not written yet.
#[derive(Default)]
struct Batched {
    bytes: Vec<u8>,
    begun: bool,
}

impl Batched {
    fn add(&mut self, answer: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.push(if self.begun { b',' } else { b'[' });
        self.begun = true;
        answer(&mut self.bytes);
    }
}

fn next_change(
    subscription: u64,
    id: JobId,
    mut receiver: watch::Receiver<Seen>,
    given_up: oneshot::Receiver<()>,
) -> Follow {
    Box::pin(async move {
        let open = tokio::select! {
            biased;
            _ = given_up => return None,
            changed = receiver.changed() => changed.is_ok(),
        };
        Some((subscription, id, receiver, open))
    })
}

/// The line for a client that is sent away before it could ask.
pub(super) fn farewell(error: RpcError) -> Vec<u8> {
    let mut out = Vec::new();
    rpc::answer(&mut out, None::<&RawValue>, &Err::<Value, _>(error));
    out.push(b'\n');
    out
}

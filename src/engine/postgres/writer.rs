//! The writers: each carries out groups of commands (`gather`), a transaction for each, on its own connection.
//!
//! Callers hear of success only after the commit. A command that fails takes nothing with it: its group
//! is rolled back, cut in two, and run again, until it is alone. While the database is away, commands wait
//! a while and are then told so; nothing of them is written.
//!
//! **A connection that is cut in the middle of a commit** leaves the fate of the group open. So each
//! transaction that writes leaves a mark of its own in the same commit (`store_commits`). The writer connects
//! again and puts a mark of the same id there itself, one that says "not made". If it succeeds, the group
//! is not committed and never can be: its own mark would be a duplicate. If a mark is there (the insert
//! waits for a transaction still in flight), it says what happened. Until that is known nobody is told
//! anything. So no command is done twice, and none is reported as what it is not; enqueues without keys
//! included, for it is the group that has the id.

use std::marker::PhantomData;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use futures_util::FutureExt;
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::command::Command;
use super::commit_marks::{self, CommitMarks};
use super::connect::{Link, Purpose, STATEMENT_TIMEOUT, begin};
use super::fault::Fault;
use super::gather::{Gatherer, Group};
use super::group;
use super::locks::Lessons;
use super::seam::PostgresJobs;
use super::shared::Shared;
use super::transaction::{Consequences, Transaction};
use crate::store::{Effect, StoreError, StoreResult};
use riftsync_supervision::panic_message;

/// Commands that may wait; callers beyond wait for room.
pub(super) const QUEUE_MAX: usize = 4_096;
/// How long a command waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// Runs of a group that others were in the way of, before it is cut in two.
const RUNS_MAX: u32 = 5;
/// Runs of a group that did not know all that it had to lock.
const LESSONS_MAX: u32 = 20;
/// The pause between two tries to connect.
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// A whole group: a server that answers each statement in time, and is still stuck, is not waited for.
const GROUP_TIMEOUT: Duration = Duration::from_mins(1);

/// What a caller hears who waits for a fate that nobody can ask for any more.
const UNKNOWN_FATE: &str = "the connection was cut in the middle of a commit, and this engine stopped before it could ask whether it was made";

/// Starts the writers on the current runtime, and what gives them their groups. They end when every sender is gone, with
/// what is queued committed; or by a panic, which `death` then tells.
pub(super) fn start<J: PostgresJobs>(
    shared: &Arc<Shared>,
) -> (mpsc::Sender<Command<J::Effect>>, Vec<JoinHandle<()>>) {
    let (commands, waiting) = mpsc::channel(QUEUE_MAX);
    let mut tasks = Vec::new();
    let writers = (0..shared.settings.writers.max(1)).map(|_| {
        let (groups, mine) = mpsc::channel(1);
        tasks.push(watched(shared, Writer::<J>::new(shared.clone()).run(mine)));
        groups
    });
    let gatherer = Gatherer::new(shared.clone(), waiting, writers.collect());
    tasks.push(watched(shared, gatherer.run()));
    (commands, tasks)
}

/// A task whose panic is told.
fn watched(
    shared: &Arc<Shared>,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let shared = shared.clone();
    tokio::spawn(async move {
        // A group is dropped with its connection, which rolls it back; its callers hear that the writer was
        // interrupted.
        if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
            shared.death.send_replace(Some(panic_message(&*panic)));
        }
    })
}

/// Why a group is not known to be committed.
enum Failed {
    /// It is not.
    Before(Fault),
    /// The connection was lost when the commit was under way. What follows from it, if it was made.
    InCommit(String, Consequences),
}

struct Writer<J> {
    jobs: PhantomData<fn() -> J>,
    shared: Arc<Shared>,
    link: Option<Link>,
    marks: CommitMarks,
    failures: u32,
}

impl<J: PostgresJobs> Writer<J> {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            jobs: PhantomData,
            shared,
            link: None,
            marks: CommitMarks::new(),
            failures: 0,
        }
    }

    async fn run(mut self, mut groups: mpsc::Receiver<Group<J::Effect>>) {
        while let Some(Group { commands, busy }) = groups.recv().await {
            self.carry_out(commands).await;
            drop(busy);
        }
        self.take_marks_away().await;
    }

    /// Carries out a group, in parts if it must be.
    async fn carry_out(&mut self, commands: Vec<Command<J::Effect>>) {
        let mut parts = group::parts(commands);
        // The last is the next.
        parts.reverse();
        while let Some(mut part) = parts.pop() {
            let fault = match self.commit(&mut part).await {
                Ok(lessons) => {
                    let (later, done) = part
                        .into_iter()
                        .partition(|command| command.is_left_out(&lessons));
                    deliver(done, &Ok(()));
                    let later: Vec<Command<J::Effect>> = later;
                    parts.extend(later.into_iter().map(|command| vec![command]));
                    continue;
                }
                Err(fault) => fault,
            };
            let of_one = matches!(
                fault,
                Fault::Command(_) | Fault::Again(_) | Fault::Raced(_) | Fault::Lesson(_)
            );
            if part.len() > 1 && of_one {
                let second = part.split_off(part.len() / 2);
                parts.push(second);
                parts.push(part);
            } else {
                deliver(part, &Err(fault.into_error()));
            }
        }
    }

    /// Runs a group until it is committed, or is known not to be and worth no other try.
    async fn commit(&mut self, commands: &mut Vec<Command<J::Effect>>) -> Result<Lessons, Fault> {
        let mut runs = 0;
        let mut lessons = Lessons::default();
        loop {
            commands.retain(|command| !command.fate.is_withdrawn());
            if commands.is_empty() {
                return Ok(lessons);
            }
            let since = commands.iter().map(|command| command.since).min();
            let until = since.unwrap_or_else(Instant::now) + PATIENCE;
            self.connect(until).await.map_err(Fault::Lost)?;
            let begun = Instant::now();
            let fault = match self.attempt(commands, &lessons).await {
                Ok(after) => {
                    self.shared.write_worked(weight_of(commands));
                    self.shared.counters.times.note(begun.elapsed());
                    if commands.iter().any(|command| command.weight() > 0) {
                        self.shared.took(begun.elapsed());
                    }
                    self.failures = 0;
                    self.tell(&after, commands.len());
                    return Ok(lessons);
                }
                Err(Failed::InCommit(why, after)) => {
                    self.lost(&why);
                    let mark = self.marks.next() - 1;
                    match self.fate(mark).await {
                        Some(true) => {
                            self.tell(&after, commands.len());
                            return Ok(lessons);
                        }
                        Some(false) => Fault::Lost(why),
                        None => return Err(Fault::Lost(UNKNOWN_FATE.to_owned())),
                    }
                }
                Err(Failed::Before(fault)) => fault,
            };
            for command in &*commands {
                command.fate.unseal();
            }
            match fault {
                Fault::Lost(why) => {
                    self.lost(&why);
                    self.give_up_after(until, &why)?;
                }
                Fault::Full(why) => {
                    self.shared.write_failed(&why, weight_of(commands).max(1));
                    self.give_up_after(until, &why)?;
                    self.pause().await;
                }
                Fault::Transient(why) => {
                    self.shared.write_failed(&why, 0);
                    self.give_up_after(until, &why)?;
                    self.pause().await;
                }
                fault @ (Fault::Again(_) | Fault::Raced(_)) => {
                    runs += 1;
                    if runs >= RUNS_MAX {
                        // Alone, and still not done: whoever waits for it must not wait in silence.
                        if let (1, Fault::Again(why)) = (commands.len(), &fault) {
                            self.shared.write_failed(why, 0);
                        }
                        return Err(fault);
                    }
                    tokio::time::sleep(jittered(Duration::from_millis(5) * runs)).await;
                }
                Fault::Lesson(more) => {
                    runs += 1;
                    if runs >= LESSONS_MAX {
                        return Err(Fault::Lesson(more));
                    }
                    lessons.learn(*more);
                }
                // A message that was not understood may be bad luck: twice is none.
                Fault::Command(error) => {
                    runs += 1;
                    let again = !matches!(error, StoreError::Refused(_) | StoreError::Panicked(_));
                    if runs >= 2 || !again {
                        return Err(Fault::Command(error));
                    }
                    // A session may know tables as they were before a newer engine changed them.
                    self.link = None;
                }
            }
        }
    }

    fn give_up_after(&self, until: Instant, why: &str) -> Result<(), Fault> {
        if Instant::now() >= until || self.shared.closing.load(Ordering::Relaxed) {
            return Err(Fault::Lost(why.to_owned()));
        }
        Ok(())
    }

    /// One run of a group, to its commit.
    async fn attempt(
        &mut self,
        commands: &mut [Command<J::Effect>],
        lessons: &Lessons,
    ) -> Result<Consequences, Failed> {
        let (mark, old) = (self.marks.next(), self.marks.old());
        let link = self.link.as_mut().expect("connected before a run");
        let run = run::<J>(link, &self.shared, commands, lessons, old.clone());
        let outcome = timeout(GROUP_TIMEOUT, run).await;
        // The door is open for the next when this is committed.
        let (after, _inside) = match outcome {
            Ok(Ok(run)) => run,
            Ok(Err(fault)) => {
                let closed = link.is_closed();
                if closed || matches!(fault, Fault::Lost(_)) {
                    return Err(Failed::Before(Fault::Lost(fault.into_error().to_string())));
                }
                return match rollback(link).await {
                    Ok(()) => Err(Failed::Before(fault)),
                    Err(why) => Err(Failed::Before(Fault::Lost(why))),
                };
            }
            Err(_) => {
                let why = format!("no end within {GROUP_TIMEOUT:?}");
                return Err(Failed::Before(Fault::Lost(why)));
            }
        };
        // Who has given up must not find it done: without it, again.
        if !commands.iter().all(|command| command.fate.seal()) {
            let why = "one of the group was withdrawn".to_owned();
            return match rollback(link).await {
                Ok(()) => Err(Failed::Before(Fault::Again(why))),
                Err(why) => Err(Failed::Before(Fault::Lost(why))),
            };
        }
        let end = if after.wrote {
            self.marks.used();
            commit_marks::commit(mark)
        } else {
            "COMMIT".to_owned()
        };
        let committed = timeout(STATEMENT_TIMEOUT * 2, link.conn.batch_execute(&end)).await;
        let failed = match committed {
            Ok(Ok(())) => {
                if let Some(old) = old.filter(|_| after.wrote) {
                    self.marks.taken_away(&old);
                }
                return Ok(after);
            }
            Ok(Err(error)) => Fault::from(error),
            Err(_) => Fault::Lost("no answer to a commit".to_owned()),
        };
        let lost = link.is_closed() || matches!(failed, Fault::Lost(_));
        match (lost, after.wrote) {
            (true, true) => Err(Failed::InCommit(failed.into_error().to_string(), after)),
            (true, false) => Err(Failed::Before(Fault::Lost(failed.into_error().to_string()))),
            // The server lives and has said no: it has rolled back.
            (false, _) => match rollback(link).await {
                Ok(()) => Err(Failed::Before(failed)),
                Err(why) => Err(Failed::Before(Fault::Lost(why))),
            },
        }
    }

    /// Whether the group with this mark was committed. `None`: the store closes before anybody can know.
    async fn fate(&mut self, mark: i64) -> Option<bool> {
        loop {
            let patient = Instant::now() + Duration::from_hours(1);
            if self.connect(patient).await.is_ok()
                && let Some(link) = &self.link
            {
                match timeout(STATEMENT_TIMEOUT * 2, commit_marks::ask(&link.conn, mark)).await {
                    Ok(Ok(made)) => return Some(made),
                    Ok(Err(fault)) => self.lost(&fault.into_error().to_string()),
                    Err(_) => self.lost("no answer"),
                }
            }
            if self.shared.closing.load(Ordering::Relaxed) {
                return None;
            }
        }
    }

    /// A connection that works as far as is known; tries until then.
    async fn connect(&mut self, until: Instant) -> Result<(), String> {
        if self.link.as_ref().is_some_and(Link::is_closed) {
            self.link = None;
        }
        while self.link.is_none() {
            // The first loss is mended at once: it may be the connection alone.
            if self.failures > 1 {
                self.pause().await;
            }
            match Link::connect(&self.shared.settings, Purpose::Write).await {
                Ok(link) => self.link = Some(link),
                Err(error) => {
                    self.failures += 1;
                    self.shared.write_failed(&error.cause, 0);
                    if Instant::now() >= until || self.shared.closing.load(Ordering::Relaxed) {
                        return Err(error.cause);
                    }
                }
            }
        }
        Ok(())
    }

    fn lost(&mut self, why: &str) {
        tracing::debug!("a connection to the database is lost: {why}");
        self.link = None;
        self.failures += 1;
        if self.failures > 1 {
            self.shared.write_failed(why, 0);
        }
    }

    async fn pause(&self) {
        let pause = BACKOFF * 2_u32.saturating_pow(self.failures.clamp(2, 10) - 2);
        tokio::time::sleep(jittered(pause.min(BACKOFF_MAX))).await;
    }

    fn tell(&self, after: &Consequences, commands: usize) {
        let counters = &self.shared.counters;
        counters.commits.fetch_add(1, Ordering::Relaxed);
        counters
            .commands
            .fetch_add(commands as u64, Ordering::Relaxed);
        counters.stale.fetch_add(after.stale, Ordering::Relaxed);
        self.shared.made.send_modify(|made| *made += 1);
        let cursors = &self.shared.cursors;
        for claim in &after.claims {
            claim.note(cursors);
        }
        for ((queue, priority), place) in &after.came {
            cursors.came(queue, *priority, *place);
        }
        for queue in &after.returned {
            cursors.forget(queue);
        }
        let hints = &self.shared.hints;
        for queue in &after.ready {
            hints.notify(queue);
        }
        if after.scheduled {
            hints.schedule().notify_one();
        }
        if after.cancels {
            hints.cancels().notify_one();
        }
        let shared = &self.shared;
        if shared.settings.notify && shared.others.load(Ordering::Relaxed) > 0 {
            shared.notifier.ring(after);
        }
    }

    async fn take_marks_away(&mut self) {
        if let (Some(link), Some(all)) = (&self.link, self.marks.all()) {
            let _ = timeout(
                Duration::from_secs(1),
                commit_marks::take_away(&link.conn, all),
            )
            .await;
        }
    }
}

/// Runs the commands in a new transaction, which stays open.
async fn run<J: PostgresJobs>(
    link: &mut Link,
    shared: &Shared,
    commands: &mut [Command<J::Effect>],
    lessons: &Lessons,
    old_marks: Option<Range<i64>>,
) -> Result<(Consequences, Option<OwnedMutexGuard<()>>), Fault> {
    let mut tx = Transaction::new(
        &link.conn,
        &shared.cursors,
        lessons.clone(),
        shared.house.clone(),
    );
    group::run::<J>(&mut tx, commands, begin(&shared.settings)).await?;
    if let Some(old) = old_marks.filter(|_| tx.after.wrote) {
        commit_marks::take_away(tx.conn, old).await?;
    }
    Ok(tx.into_after())
}

async fn rollback(link: &mut Link) -> Result<(), String> {
    match timeout(STATEMENT_TIMEOUT, link.conn.batch_execute("ROLLBACK")).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer to a rollback".to_owned()),
    }
}

fn weight_of<E: Effect>(commands: &[Command<E>]) -> usize {
    commands.iter().map(Command::weight).sum()
}

fn deliver<E: Effect>(commands: Vec<Command<E>>, committed: &StoreResult<()>) {
    for command in commands {
        command.deliver(committed.clone());
    }
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

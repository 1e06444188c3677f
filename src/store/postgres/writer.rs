//! The writers: each gathers the commands that are waiting into one transaction on its own connection.
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

use std::any::Any;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use futures_util::FutureExt;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Settings;
use super::bell::Bell;
use super::command::Command;
use super::connect::{Link, Purpose, STATEMENT_TIMEOUT, begin};
use super::fault::Fault;
use super::group;
use super::locks::Lessons;
use super::marks::{self, Marks};
use super::positions::Positions;
use super::presence::Presence;
use super::transaction::{Consequences, House, Transaction};
use crate::metrics::OutageLog;
use crate::model::histogram::Histogram;
use crate::store::absence::Absence;
use crate::store::{Hints, StoreError, StoreResult, WRITES, WriterStats};

/// Commands that may wait; callers beyond wait for room.
pub(super) const QUEUE_MAX: usize = 4_096;
/// Commands in one commit.
const GROUP_MAX: usize = 1_024;
/// Bytes of documents in one commit.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// A group so large is worth a second transaction beside one that is under way; a smaller one waits for the
/// end of that, and grows meanwhile: what a transaction costs hardly depends on how much is in it.
const GROUP_WORTHY: usize = 512;
const GROUP_WORTHY_BYTES: usize = 2 << 20;
/// But it waits no longer, for each engine: the other may wait for a lock, or for a server that is far away. Several engines
/// keep the server busy with one transaction each; more of them stand in each other's way.
const GROUP_WAITS: Duration = Duration::from_millis(10);
/// One with documents waits longer: two of them need the same rows.
const DOCUMENTS_WAIT: Duration = Duration::from_millis(40);
/// Documents that were stored in this time are stored as soon as they come. If the last ones took longer, a group gathers for
/// a part of the time that was too long, and so longer the more engines there are, whose small groups would stand in each
/// other's way: what a group costs hardly depends on how much is in it.
const QUICK: Duration = Duration::from_millis(8);
const GATHERS_FOR: u32 = 2;
/// But no longer than this, for each engine.
const GATHERS_MAX: Duration = Duration::from_millis(20);
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

/// What the writers of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) hints: Hints,
    pub(super) bell: Bell,
    pub(super) positions: Positions,
    pub(super) presence: Presence,
    pub(super) counters: Counters,
    /// The reason why a writer died; `None` while all live.
    pub(super) death: watch::Sender<Option<String>>,
    /// The store closes: nobody waits for a database that is away any longer.
    pub(super) closing: AtomicBool,
    /// Other engines that live, as the last heartbeat told.
    pub(super) others: AtomicU32,
    /// What is told of it to those who ask.
    pub(super) absence: Arc<Absence>,
    /// The database is away, or cannot be written.
    outage: OutageLog,
    /// Writers in the middle of a group.
    busy: AtomicU32,
    /// One of them has come to its end.
    freed: Notify,
    /// How long the last group with documents took, in microseconds.
    took: AtomicU32,
    pub(super) house: Arc<House>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    commands: AtomicU64,
    stale: AtomicU64,
    times: Histogram,
}

impl Counters {
    pub(super) fn read(&self, waiting: usize, busy: bool) -> WriterStats {
        WriterStats {
            commits: self.commits.load(Ordering::Relaxed),
            commands: self.commands.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            waiting: waiting as u64,
            busy,
            times: self.times.read(),
        }
    }
}

impl Shared {
    fn took(&self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.took.store(took, Ordering::Relaxed);
    }

    fn gathers_for(&self) -> Duration {
        let took = Duration::from_micros(self.took.load(Ordering::Relaxed).into());
        (took.saturating_sub(QUICK) / GATHERS_FOR).min(GATHERS_MAX) * self.engines()
    }

    /// Those that live and share the database, as far as that makes a difference.
    fn engines(&self) -> u32 {
        self.others.load(Ordering::Relaxed).min(9) + 1
    }

    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            hints: Hints::default(),
            bell: Bell::new(),
            positions: Positions::default(),
            presence: Presence::default(),
            counters: Counters::default(),
            death: watch::Sender::new(None),
            closing: AtomicBool::new(false),
            others: AtomicU32::new(0),
            absence: Arc::default(),
            outage: OutageLog::new(WRITES),
            busy: AtomicU32::new(0),
            freed: Notify::new(),
            took: AtomicU32::new(0),
            house: Arc::default(),
        }
    }

    /// A commit is under way, or was tried and could not be made.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0 || self.outage.is_on()
    }

    /// Told once, not for each of those who wait. `weight`: bytes for which there was no room; 0 if that is not why.
    fn bad_weather(&self, why: &str, weight: usize) {
        self.absence.unwritable(why);
        let error = StoreError::Unavailable(why.to_owned());
        self.outage.failed(weight as u64, error);
    }

    fn good_weather(&self, weight: usize) {
        self.absence.written();
        self.outage.worked(weight as u64);
    }
}

/// Starts the writers on the current runtime. They end when every sender is gone, with what is queued
/// committed; or by a panic, which `death` then tells.
pub(super) fn start(shared: &Arc<Shared>) -> (mpsc::Sender<Command>, Vec<JoinHandle<()>>) {
    let (commands, waiting) = mpsc::channel(QUEUE_MAX);
    let waiting = Arc::new(Mutex::new(waiting));
    let writers = (0..shared.settings.writers.max(1)).map(|_| {
        let (shared, waiting) = (shared.clone(), waiting.clone());
        tokio::spawn(async move {
            let writer = Writer::new(shared.clone()).run(&waiting);
            // The group is dropped with its connection, which rolls it back; its callers hear that the writer
            // was interrupted.
            if let Err(panic) = AssertUnwindSafe(writer).catch_unwind().await {
                shared.death.send_replace(Some(panic_text(&*panic)));
            }
        })
    });
    (commands, writers.collect())
}

/// Why a group is not known to be committed.
enum Failed {
    /// It is not.
    Before(Fault),
    /// The connection was lost when the commit was under way. What follows from it, if it was made.
    InCommit(String, Consequences),
}

struct Writer {
    shared: Arc<Shared>,
    link: Option<Link>,
    marks: Marks,
    failures: u32,
}

impl Writer {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            link: None,
            marks: Marks::new(),
            failures: 0,
        }
    }

    async fn run(mut self, waiting: &Mutex<mpsc::Receiver<Command>>) {
        loop {
            let mut waiting = waiting.lock().await;
            let commands = self.gather(&mut waiting).await;
            if commands.is_empty() {
                break;
            }
            let shared = self.shared.clone();
            // Before the next may gather.
            let _busy = Busy::begin(&shared);
            drop(waiting);
            self.carry_out(commands).await;
        }
        self.take_marks_away().await;
    }

    /// The next group. None: there will be no more.
    async fn gather(&self, waiting: &mut mpsc::Receiver<Command>) -> Vec<Command> {
        let mut group = Vec::new();
        let Some(first) = waiting.recv().await else {
            return group;
        };
        let mut bytes = first.weight();
        group.push(first);
        let begun = tokio::time::Instant::now();
        loop {
            while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(next) = waiting.try_recv() else { break };
                bytes += next.weight();
                group.push(next);
            }
            if group.len() >= GROUP_WORTHY || bytes >= GROUP_WORTHY_BYTES {
                return group;
            }
            let freed = self.shared.freed.notified();
            tokio::pin!(freed);
            // Before the look: an end between the two is heard of.
            freed.as_mut().enable();
            let alone = self.shared.busy.load(Ordering::Acquire) == 0;
            let gathers = if bytes > 0 {
                self.shared.gathers_for()
            } else {
                Duration::ZERO
            };
            if alone && begun.elapsed() >= gathers {
                return group;
            }
            let patience = if bytes > 0 {
                (DOCUMENTS_WAIT * self.shared.engines()).max(gathers)
            } else {
                GROUP_WAITS * self.shared.engines()
            };
            tokio::select! {
                () = tokio::time::sleep_until(begun + gathers), if alone => {}
                () = freed => {}
                () = tokio::time::sleep_until(begun + patience) => return group,
                next = waiting.recv() => match next {
                    Some(next) => {
                        bytes += next.weight();
                        group.push(next);
                    }
                    None => return group,
                },
            }
        }
    }

    /// Carries out a group, in parts if it must be.
    async fn carry_out(&mut self, commands: Vec<Command>) {
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
                    let later: Vec<Command> = later;
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
    async fn commit(&mut self, commands: &mut Vec<Command>) -> Result<Lessons, Fault> {
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
                    self.shared.good_weather(weight_of(commands));
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
                    self.shared.bad_weather(&why, weight_of(commands).max(1));
                    self.give_up_after(until, &why)?;
                    self.pause().await;
                }
                Fault::Weather(why) => {
                    self.shared.bad_weather(&why, 0);
                    self.give_up_after(until, &why)?;
                    self.pause().await;
                }
                fault @ (Fault::Again(_) | Fault::Raced(_)) => {
                    runs += 1;
                    if runs >= RUNS_MAX {
                        // Alone, and still not done: whoever waits for it must not wait in silence.
                        if let (1, Fault::Again(why)) = (commands.len(), &fault) {
                            self.shared.bad_weather(why, 0);
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
                    if runs >= 2 || matches!(error, StoreError::Refused(_)) {
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
        commands: &mut [Command],
        lessons: &Lessons,
    ) -> Result<Consequences, Failed> {
        let (mark, old) = (self.marks.next(), self.marks.old());
        let link = self.link.as_mut().expect("connected before a run");
        let run = run(link, &self.shared, commands, lessons, old.clone());
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
            marks::commit(mark)
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
                match timeout(STATEMENT_TIMEOUT * 2, marks::ask(&link.conn, mark)).await {
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
                    self.shared.bad_weather(&error.cause, 0);
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
            self.shared.bad_weather(why, 0);
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
        let positions = &self.shared.positions;
        for claim in &after.claims {
            claim.note(positions);
        }
        for ((queue, priority), place) in &after.came {
            positions.came(queue, *priority, *place);
        }
        for queue in &after.returned {
            positions.forget(queue);
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
            shared.bell.ring(after);
        }
    }

    async fn take_marks_away(&mut self) {
        if let (Some(link), Some(all)) = (&self.link, self.marks.all()) {
            let _ = timeout(Duration::from_secs(1), marks::take_away(&link.conn, all)).await;
        }
    }
}

/// A writer in the middle of a group, also if it panics there.
struct Busy<'s>(&'s Shared);

impl<'s> Busy<'s> {
    fn begin(shared: &'s Shared) -> Self {
        shared.busy.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_waiters();
    }
}

/// Runs the commands in a new transaction, which stays open.
async fn run(
    link: &mut Link,
    shared: &Shared,
    commands: &mut [Command],
    lessons: &Lessons,
    old_marks: Option<Range<i64>>,
) -> Result<(Consequences, Option<OwnedMutexGuard<()>>), Fault> {
    let mut tx = Transaction::new(
        &link.conn,
        &shared.positions,
        lessons.clone(),
        shared.house.clone(),
    );
    group::run(&mut tx, commands, begin(&shared.settings)).await?;
    if let Some(old) = old_marks.filter(|_| tx.after.wrote) {
        marks::take_away(tx.conn, old).await?;
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

fn weight_of(commands: &[Command]) -> usize {
    commands.iter().map(Command::weight).sum()
}

fn deliver(commands: Vec<Command>, committed: &StoreResult<()>) {
    for command in commands {
        command.deliver(committed.clone());
    }
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

//! One queue: which jobs it may start, which are running, and when it asks for more.
//!
//! `QueueSupervisor` decides *when* to claim; `model::attempt::settle` decides *what an outcome means*;
//! the store decides nothing, it writes what it is told if the lease still matches.
//!
//! Invariants: a claim never asks for more than the window (`slots + prefetch`) has room for; one
//! claim is in flight at a time. Memory does not grow with the backlog. A start of this actor first
//! hands back what an earlier incarnation left running, so that nothing is lost by its death.
//!
//! Deliberately absent: SQL, HTTP, League data. A failed job is an `Outcome`, not a crash.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::watch;

use super::attempts::Priorities;
use super::controls::{QueueControl, QueueSettings};
use super::executor::{Abandon, Executor, JobFinished, JobWorked};
use super::heartbeat::Standing;
use super::lanes::Holds;
use super::metrics::bump;
use super::registry::Registry;
use super::slot_window::{Next, SlotWindow};
use super::store::{Completion, JobStore, StoreError};
use super::tools::{Shared, Tools};
use super::trouble::Trouble;
use riftsync_basics::words::words;
use riftsync_basics::{ClaimedJob, Failure, JobState, Lease, Outcome, attempt, counted};
use riftsync_supervision::{ChildEnded, ChildGuard, EndReason};

/// The longest time between two looks at the store: hints are hints, this is the truth.
const POLL: Duration = Duration::from_secs(1);

/// See the module.
#[allow(missing_debug_implementations, reason = "holds tasks")]
pub struct QueueSupervisor<S: JobStore + ?Sized> {
    name: &'static str,
    control: Arc<QueueControl>,
    settings: watch::Receiver<QueueSettings>,
    engine: Arc<str>,
    store: Arc<S>,
    registry: Arc<Registry<S>>,
    epoch: Instant,
    window: SlotWindow,
    running: HashMap<Lease, RunningJob<S>>,
    /// Set while the queue's rate holds jobs back.
    rate_timer: Option<SpawnHandle>,
    incarnations: u64,
    /// Waits for the running jobs to end.
    drained: Vec<tokio::sync::oneshot::Sender<()>>,
    holds: watch::Receiver<Holds>,
    standing: watch::Receiver<Standing>,
    /// What the jobs of this engine have become.
    priorities: watch::Receiver<Priorities>,
    /// Losses of this engine's jobs that this queue has taken note of.
    losses: u64,
    /// The store is asked what this engine still holds.
    taking_stock: bool,
    /// Of opening and claiming.
    claims: Trouble,
    /// What executors work with; the store and the clock are this actor's too.
    tools: Tools<S>,
    guard: ChildGuard,
}

/// A job that runs.
struct RunningJob<S: JobStore + ?Sized> {
    executor: Addr<Executor<S>>,
    incarnation: u64,
    job: Arc<ClaimedJob>,
}

/// Look for work now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Claim;

/// Claim no more, let what runs end within the time, hand the rest back, stop.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Drain(pub Duration);

impl<S: JobStore + ?Sized> QueueSupervisor<S> {
    pub(super) fn new(control: Arc<QueueControl>, shared: Shared<S>, guard: ChildGuard) -> Self {
        let Shared {
            engine,
            registry,
            holds,
            standing,
            tools,
        } = shared;
        let settings = control.watch_settings();
        let begin = *settings.borrow();
        // What a predecessor lost is handed back with the rest.
        let losses = standing.borrow().losses;
        let claims = Trouble::new(format!("queue {} cannot claim", control.name));
        Self {
            window: SlotWindow::new(begin.slots, begin.prefetch, begin.rate),
            epoch: Instant::now(),
            name: control.name,
            settings,
            engine,
            store: tools.store.clone(),
            registry,
            control,
            running: HashMap::new(),
            rate_timer: None,
            incarnations: 0,
            drained: Vec::new(),
            holds,
            losses,
            standing,
            priorities: tools.attempts.watch_priorities(),
            taking_stock: false,
            claims,
            tools,
            guard,
        }
    }

    fn on_claimed(
        &mut self,
        claimed: Result<Vec<ClaimedJob>, StoreError>,
        ctx: &mut Context<Self>,
    ) {
        self.claims.heed(&claimed);
        if let Ok(jobs) = claimed {
            self.window.claimed(jobs);
            // Some may have been raised while they were on their way.
            self.window.hurry(&self.priorities.borrow());
            self.heed_losses(ctx);
            self.start_ready(ctx);
            self.give_up_if_paused(ctx);
        } else {
            self.window.claim_failed();
            ctx.notify_later(Claim, POLL);
        }
    }

    fn start_ready(&mut self, ctx: &mut Context<Self>) {
        self.heed_at_once();
        let mut opens = None;
        loop {
            match self.window.next(self.epoch.elapsed()) {
                Next::Start(job) => self.start_job(job, ctx),
                Next::At(at) => {
                    opens = Some(self.epoch + at);
                    if self.rate_timer.is_none() {
                        let pause = at.saturating_sub(self.epoch.elapsed());
                        self.rate_timer = Some(ctx.run_later(pause, |this, ctx| {
                            this.rate_timer = None;
                            this.start_ready(ctx);
                        }));
                    }
                    break;
                }
                Next::Nothing => break,
            }
        }
        self.control.rate_opens_at(opens);
        self.show();
        if self.window.wants_more() {
            self.claim(ctx);
        }
    }

    fn show(&self) {
        let counters = &self.control.counters;
        bump(&counters.running, self.window.working());
        bump(&counters.ready, self.window.ready());
        self.control.now_running(self.window.running());
    }

    fn claim(&mut self, ctx: &mut Context<Self>) {
        self.heed_at_once();
        let Some(look) = self.window.look() else {
            return;
        };
        let (store, engine, queue) = (self.store.clone(), self.engine.clone(), self.name);
        let clock = self.tools.clock.clone();
        let claim = async move {
            let now = clock.now();
            if let Some(held) = &look.reconcile {
                store.release(&engine, Some(queue), held, now).await?;
            }
            store.claim(look.wanted(queue), &engine, now).await
        };
        ctx.spawn(
            claim
                .into_actor(self)
                .map(|claimed, this, ctx| this.on_claimed(claimed, ctx)),
        );
    }

    fn start_job(&mut self, job: ClaimedJob, ctx: &mut Context<Self>) {
        let lease = job.lease;
        let Some(task) = self.registry.task(&job.kind) else {
            let why = Failure::new(
                "unknown_kind",
                format!("no task of kind '{}' is known here", job.kind),
            )
            .with_remedy(format!(
                "it may come from a newer {}: upgrade this engine",
                words().version
            ));
            let settlement = attempt::settle(
                job.attempt,
                job.max_attempts,
                Outcome::Discard(why),
                Duration::ZERO,
                self.tools.clock.now(),
            );
            let (store, completion) = (self.store.clone(), Arc::new(Completion::of(settlement)));
            let now = self.tools.clock.now();
            let settled = async move { store.settle(lease, completion, now).await };
            ctx.spawn(settled.into_actor(self).map(move |settled, this, ctx| {
                if let Err(error) = settled {
                    tracing::error!("job {} of an unknown kind: {error}", lease.job);
                }
                this.window.ended(lease, false);
                this.start_ready(ctx);
            }));
            return;
        };
        self.incarnations += 1;
        let job = Arc::new(job);
        let guard = ChildGuard::new(&job.kind, self.incarnations, ctx.address().recipient());
        let executor = Executor::new(task, job.clone(), self.tools.clone(), ctx.address(), guard);
        let running = RunningJob {
            executor: executor.start(),
            incarnation: self.incarnations,
            job,
        };
        self.running.insert(lease, running);
    }

    fn forget(&mut self, lease: Lease, state: Option<JobState>, ctx: &mut Context<Self>) {
        if self.running.remove(&lease).is_none() {
            return;
        }
        let snoozed = state == Some(JobState::Scheduled);
        self.window.ended(lease, snoozed);
        if self.running.is_empty() {
            for told in self.drained.drain(..) {
                let _ = told.send(());
            }
        }
        self.start_ready(ctx);
    }

    /// Takes over what the services say may not start now, and hears of every change.
    fn heed_holds(&mut self, ctx: &mut Context<Self>) {
        {
            let holds = self.holds.borrow_and_update();
            let held = holds.queues.contains(self.name);
            self.window.hold(held, holds.lanes.clone());
        }
        self.start_ready(ctx);
        self.claim(ctx);
        let mut holds = self.holds.clone();
        let changed = async move { holds.changed().await };
        ctx.spawn(changed.into_actor(self).map(|changed, this, ctx| {
            // An error is the end of the services: nothing will change any more.
            if changed.is_ok() {
                this.heed_holds(ctx);
            }
        }));
    }

    /// What was said before this moment counts, heard or not: who has paused a queue sees it start
    /// nothing more.
    fn heed_at_once(&mut self) {
        if self.settings.has_changed().unwrap_or(false) {
            let settings = *self.settings.borrow_and_update();
            self.window.set(settings);
        }
        if self.holds.has_changed().unwrap_or(false) {
            let holds = self.holds.borrow_and_update();
            let held = holds.queues.contains(self.name);
            self.window.hold(held, holds.lanes.clone());
        }
        let standing = *self.standing.borrow();
        let lost = standing.losses != self.losses;
        self.window
            .lapse(lost || standing.has_lapsed(Instant::now()));
    }

    /// What somebody waits for by now goes before the rest, and hears of every change.
    fn heed_priorities(&mut self, ctx: &mut Context<Self>) {
        self.window.hurry(&self.priorities.borrow_and_update());
        self.start_ready(ctx);
        let mut priorities = self.priorities.clone();
        let changed = async move { priorities.changed().await };
        ctx.spawn(changed.into_actor(self).map(|changed, this, ctx| {
            // An error is the end of the engine.
            if changed.is_ok() {
                this.heed_priorities(ctx);
            }
        }));
    }

    /// Starts again after this engine was not heard for a while, without what others have taken over.
    fn heed_standing(&mut self, ctx: &mut Context<Self>) {
        self.standing.mark_unchanged();
        self.heed_losses(ctx);
        self.start_ready(ctx);
        self.claim(ctx);
        let mut standing = self.standing.clone();
        let changed = async move { standing.changed().await };
        ctx.spawn(changed.into_actor(self).map(|changed, this, ctx| {
            // An error is the end of the engine.
            if changed.is_ok() {
                this.heed_standing(ctx);
            }
        }));
    }

    /// Its jobs were returned behind its back: drops those that it no longer holds. Nothing starts until
    /// that is done.
    fn heed_losses(&mut self, ctx: &mut Context<Self>) {
        let losses = self.standing.borrow().losses;
        // A claim that is under way may have been made before the loss or after: its answer is waited for.
        if losses == self.losses || self.taking_stock || self.window.is_claiming() {
            return;
        }
        self.taking_stock = true;
        self.window.lapse(true);
        let (store, engine) = (self.store.clone(), self.engine.clone());
        let held = async move { store.held(&engine).await };
        ctx.spawn(held.into_actor(self).map(move |held, this, ctx| {
            this.taking_stock = false;
            match held {
                Ok(held) => {
                    let held: HashSet<Lease> = held.into_iter().map(|(lease, _)| lease).collect();
                    for lease in this.window.keep_only(&held) {
                        this.window.ended(lease, false);
                        if let Some(running) = this.running.remove(&lease) {
                            running.executor.do_send(Abandon);
                        }
                    }
                    this.losses = losses;
                    this.heed_losses(ctx);
                    this.start_ready(ctx);
                }
                Err(_) => {
                    ctx.run_later(POLL, Self::heed_losses);
                }
            }
        }));
    }

    /// A paused queue holds no jobs that others could run.
    fn give_up_if_paused(&mut self, ctx: &mut Context<Self>) {
        if !self.window.is_paused() {
            return;
        }
        let Some(kept) = self.window.give_up_ready() else {
            return;
        };
        self.show();
        let (store, engine, queue) = (self.store.clone(), self.engine.clone(), self.name);
        let now = self.tools.clock.now();
        let released = async move { store.release(&engine, Some(queue), &kept, now).await };
        ctx.spawn(released.into_actor(self).map(|released, this, ctx| {
            match released {
                Ok(_) => this.window.claimed(Vec::new()),
                // The next claim hands them back first.
                Err(_) => this.window.claim_failed(),
            }
            // It may be resumed by now.
            this.claim(ctx);
        }));
    }

    /// Takes over what an operator says, and hears of every change.
    fn heed_settings(&mut self, ctx: &mut Context<Self>) {
        let settings = *self.settings.borrow_and_update();
        self.window.set(settings);
        self.start_ready(ctx);
        self.give_up_if_paused(ctx);
        self.claim(ctx);
        let mut settings = self.settings.clone();
        let changed = async move { settings.changed().await };
        ctx.spawn(changed.into_actor(self).map(|changed, this, ctx| {
            // An error cannot be: this actor holds the sender too.
            if changed.is_ok() {
                this.heed_settings(ctx);
            }
        }));
    }

    /// Opens the queue once nothing of an earlier incarnation is left running.
    fn hand_back_then_open(&mut self, ctx: &mut Context<Self>) {
        let (store, engine, queue) = (self.store.clone(), self.engine.clone(), self.name);
        let now = self.tools.clock.now();
        let released = async move { store.release(&engine, Some(queue), &[], now).await };
        ctx.spawn(released.into_actor(self).map(|released, this, ctx| {
            this.claims.heed(&released);
            let Ok(count) = released else {
                ctx.run_later(POLL, Self::hand_back_then_open);
                return;
            };
            if count > 0 {
                tracing::info!(
                    "queue {}: {} handed back",
                    this.name,
                    counted(
                        count as u64,
                        "job of its predecessor was",
                        "jobs of its predecessor were"
                    )
                );
            }
            this.window.open();
            this.claim(ctx);
        }));
    }
}

impl<S: JobStore + ?Sized> Actor for QueueSupervisor<S> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.hand_back_then_open(ctx);
        self.heed_holds(ctx);
        self.heed_settings(ctx);
        self.heed_standing(ctx);
        self.heed_priorities(ctx);
        let hint = self.store.hints().queue(self.name);
        let addr = ctx.address();
        // The future belongs to this actor: it ends with it.
        ctx.spawn(
            async move {
                loop {
                    // Whether by hint or by time: look. A poll of an empty queue is one indexed read.
                    // Several engines do not look at the same time.
                    let poll = POLL.mul_f64(0.75 + 0.5 * fastrand::f64());
                    let _ = tokio::time::timeout(poll, hint.notified()).await;
                    if addr.send(Claim).await.is_err() {
                        break;
                    }
                }
            }
            .into_actor(self),
        );
    }
}

impl<S: JobStore + ?Sized> Drop for QueueSupervisor<S> {
    /// Executors do not outlive their supervisor: its successor hands their leases back.
    fn drop(&mut self) {
        for running in self.running.values() {
            running.executor.do_send(Abandon);
        }
        self.control.now_running(0);
    }
}

impl<S: JobStore + ?Sized> Handler<Claim> for QueueSupervisor<S> {
    type Result = ();
    fn handle(&mut self, _: Claim, ctx: &mut Self::Context) {
        self.window.news();
        self.claim(ctx);
    }
}

impl<S: JobStore + ?Sized> Handler<JobWorked> for QueueSupervisor<S> {
    type Result = ();
    fn handle(&mut self, JobWorked(lease): JobWorked, ctx: &mut Self::Context) {
        self.window.worked(lease);
        self.start_ready(ctx);
    }
}

impl<S: JobStore + ?Sized> Handler<JobFinished> for QueueSupervisor<S> {
    type Result = ();
    fn handle(&mut self, finished: JobFinished, ctx: &mut Self::Context) {
        self.control
            .counters
            .finished(finished.state, finished.took);
        self.forget(finished.lease, finished.state, ctx);
    }
}

impl<S: JobStore + ?Sized> Handler<ChildEnded> for QueueSupervisor<S> {
    type Result = ();
    /// An executor that died without settling (its own bug, not its task's): the attempt is spent.
    fn handle(&mut self, ended: ChildEnded, ctx: &mut Self::Context) {
        let EndReason::Died(cause) = ended.reason else {
            return;
        };
        let running = self
            .running
            .values()
            .find(|running| running.incarnation == ended.incarnation);
        let Some(job) = running.map(|running| running.job.clone()) else {
            return;
        };
        let failure = Failure::new("panic", cause).retryable();
        let backoff = self
            .registry
            .task(&job.kind)
            .map_or(POLL, |task| task.backoff(job.attempt, fastrand::f64()));
        let settlement = attempt::settle(
            job.attempt,
            job.max_attempts,
            Outcome::Retry(failure),
            backoff,
            self.tools.clock.now(),
        );
        let (store, lease, now) = (self.store.clone(), job.lease, self.tools.clock.now());
        let settled = async move {
            let completion = Arc::new(Completion::of(settlement));
            store.settle(lease, completion, now).await
        };
        ctx.spawn(settled.into_actor(self).map(move |settled, this, ctx| {
            if let Err(error) = settled {
                let what = format!("job {} died and could not be settled", lease.job);
                super::store_failed(&what, &error);
            }
            this.control
                .counters
                .finished(Some(JobState::Retryable), Duration::ZERO);
            this.forget(lease, Some(JobState::Retryable), ctx);
        }));
    }
}

impl<S: JobStore + ?Sized> Handler<Drain> for QueueSupervisor<S> {
    type Result = ResponseActFuture<Self, ()>;
    fn handle(&mut self, Drain(time): Drain, _: &mut Self::Context) -> Self::Result {
        self.window.drain();
        let (told, empty) = tokio::sync::oneshot::channel();
        if self.running.is_empty() {
            let _ = told.send(());
        } else {
            self.drained.push(told);
        }
        let (store, engine, queue) = (self.store.clone(), self.engine.clone(), self.name);
        let holder = self.store.clone();
        let drained = async move {
            tokio::select! {
                empty = tokio::time::timeout(time, empty) => empty.is_ok(),
                () = super::in_vain(&*holder) => false,
            }
        };
        Box::pin(drained.into_actor(self).then(move |all_done, this, _| {
            if !all_done {
                let left = this.running.len();
                let what = match this.store.away() {
                    Some(_) => "cannot end now and will be returned at the next start",
                    None => "did not end in time and will be handed back",
                };
                let left = counted(left as u64, "job", "jobs");
                tracing::info!("queue {queue}: {left} {what}");
            }
            for running in this.running.values() {
                running.executor.do_send(Abandon);
            }
            this.running.clear();
            this.control.now_running(0);
            let now = this.tools.clock.now();
            async move {
                // Nor is a server waited for that is away.
                let released = match store.away().filter(|_| store.is_shared()) {
                    Some(away) => Err(away.into()),
                    None => store.release(&engine, Some(queue), &[], now).await,
                };
                if let Err(error) = released {
                    let what =
                        format!("queue {queue}: its jobs will be returned at the next start");
                    super::store_failed(&what, &error);
                }
            }
            .into_actor(this)
            .map(|(), this, ctx| {
                this.guard.ends(EndReason::Shutdown);
                ctx.stop();
            })
        }))
    }
}

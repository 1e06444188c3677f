//! One route's limiter as an actor: who waits, who goes, and one timer for when the next may go.
//!
//! Invariants: a call goes only with a permit. Whoever may go is first by priority (but for the few turns that `line`
//! leaves to a crawl), then by turn between flows, then by age, among those whose method does not stand still. While a
//! person's next calls are expected, a crawl leaves some of each long window to them: a sync is several calls one after
//! the other, and a window that has just opened would be used up between two of them. A 429 stops everybody
//! in its scope with the message that tells of it. No step looks at all waiters.
//!
//! Deliberately absent: HTTP, keys, retries. What a 429 means for a job is its task's business.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::{MessageResponse, OneshotSender};
use actix::prelude::*;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::admission::Admission;
use super::board::Board;
use super::budget::{Budget, MethodId};
use super::clock::Clock;
use super::line::{Line, Place};
use super::margin::Margins;
use super::news::Teller;
use super::permit::{Acquire, AcquireError, Ended, Lease, Permit};
use super::report::{
    Elsewhere, Estimate, LimiterState, RefusedCounts, SetShare, Snapshot, Whose, between,
};
use riftsync_model::{Route, Share};

/// Waiters of one route at most: some hundred bytes each.
const WAITING_MAX: usize = 50_000;
/// A method that there is not, for calls that count in the route's limits whatever their methods are.
const OF_OTHERS: MethodId = MethodId::MAX;
/// Messages that wait to be handled; callers beyond wait for room.
const MAILBOX_MAX: usize = 1024;
/// The longest nap of the timer, whatever a pause says: the timer's clock stands still while the machine sleeps.
const NAP_MAX: Duration = Duration::from_secs(5);

/// How soon an engine that others do not see looks whether they do.
const UNSEEN_NAP: Duration = Duration::from_millis(100);

/// After a call that a person waits for, for so long its next ones are expected: what they bring is read and stored
/// first.
const EXPECTED: Duration = Duration::from_secs(2);
/// Who comes again and again is first in the line, and nothing is kept for the next time.
const EXPECTED_MOST: Duration = Duration::from_secs(10);

/// Exchanges with the board while calls go: usually, and at the most often.
const EXCHANGE_USUAL: Duration = Duration::from_secs(1);
const EXCHANGE_MIN: Duration = Duration::from_millis(20);
/// The same while it has something to tell that others, and this engine, gain by.
const EXCHANGE_NEWS: Duration = Duration::from_millis(40);
/// Pauses after exchanges that brought nothing double so often.
const FRUITLESS_MAX: u32 = 5;
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
/// The last one holds up the end of the process.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// How it stands with the board.
#[derive(Debug, Default)]
struct Exchange {
    begun: bool,
    /// When the last report was sent.
    last: Duration,
    under_way: bool,
    /// Exchanges in a row that brought nothing.
    fruitless: u32,
    /// Permits granted until then.
    granted: u64,
    timer: Option<(Duration, SpawnHandle)>,
}

/// Calls that people wait for.
#[derive(Debug, Default)]
struct Urgent {
    in_flight: u32,
    /// When one went after there had been none for a while.
    since: Option<Duration>,
    /// When the last one went or ended.
    seen: Duration,
}

impl Urgent {
    /// Until when more of them are expected; none: they are not.
    fn expected_until(&self, now: Duration) -> Option<Duration> {
        let most = self.since? + EXPECTED_MOST;
        let until = if self.in_flight > 0 {
            most
        } else {
            most.min(self.seen + EXPECTED)
        };
        (until > now).then_some(until)
    }

    fn went(&mut self, now: Duration) {
        if self.in_flight == 0 && now >= self.seen + EXPECTED {
            self.since = None;
        }
        self.since = self.since.or(Some(now));
        self.in_flight += 1;
        self.seen = now;
    }

    fn ended(&mut self, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.seen = now;
    }
}

type Grant = OneshotSender<Result<Permit, AcquireError>>;

/// See the module.
#[derive(Debug)]
pub struct RateLimiter {
    route: Route,
    /// The budget's time.
    clock: Clock,
    budget: Budget,
    line: Line<Grant>,
    waiting_max: usize,
    /// Waiters that were left by the last sweep.
    swept: usize,
    timer: Option<(Duration, SpawnHandle)>,
    granted: u64,
    given_back: u64,
    urgent: Urgent,
    /// Where other engines of the key are, if there may be any.
    board: Option<Arc<dyn Board>>,
    exchange: Exchange,
    /// It makes its last report, and tells there that it was made.
    leaves: Option<oneshot::Sender<bool>>,
    has_left: bool,
    refused: RefusedCounts,
    teller: Teller,
}

impl RateLimiter {
    pub fn new(route: Route) -> Self {
        Self::with_margins(route, Margins::default())
    }

    /// A limiter that trusts the edges of the server's windows less, or more.
    pub fn with_margins(route: Route, margins: Margins) -> Self {
        Self {
            route,
            clock: Clock::new(),
            budget: Budget::new(margins),
            line: Line::new(|grant: &Grant| !grant.is_closed()),
            waiting_max: WAITING_MAX,
            swept: 0,
            timer: None,
            granted: 0,
            given_back: 0,
            urgent: Urgent::default(),
            board: None,
            exchange: Exchange::default(),
            leaves: None,
            has_left: false,
            refused: RefusedCounts::default(),
            teller: Teller::new(route),
        }
    }

    /// A limiter in the place of one that has just ended: it begins with a second of quiet.
    pub fn succeeding(route: Route) -> Self {
        Self {
            budget: Budget::succeeding(Margins::default(), Duration::ZERO),
            ..Self::new(route)
        }
    }

    /// A limiter that shares the limits with other engines.
    #[must_use]
    pub fn with_board(mut self, board: Arc<dyn Board>) -> Self {
        self.budget = Budget::shared(Margins::default());
        self.board = Some(board);
        self
    }

    /// With a part of the limits, rather than all of them.
    #[must_use]
    pub fn with_share(mut self, share: Share) -> Self {
        self.budget.set_share(share);
        self
    }

    /// With another bound on the waiting line.
    #[must_use]
    pub fn with_waiting_max(mut self, waiting_max: usize) -> Self {
        self.waiting_max = waiting_max;
        self
    }

    fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Grants what may go now and sets the timer for what may go next.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        if self.leaves.is_some() || self.has_left {
            return;
        }
        let now = self.now();
        if self.line.len() > 0 && self.board.as_ref().is_some_and(|board| !board.is_seen()) {
            return self.wake_at(now + UNSEEN_NAP, now, ctx);
        }
        let mut next = None;
        while self.line.len() > 0 {
            match self.budget.admit_any(now) {
                Admission::Now => {}
                Admission::At(at) => {
                    next = Some(at);
                    break;
                }
                Admission::AfterAnswer => break,
            }
            let (first, opens_at) = self.first_that_may_go(now);
            next = opens_at;
            let Some((method, place)) = first else { break };
            let urgent = place.is_urgent();
            // A crawl does not use up the window between two calls of a person.
            if !urgent
                && !self.line.is_turn_of_others()
                && !self.budget.leaves_some()
                && let Some(until) = self.urgent.expected_until(now)
            {
                next = Some(next.map_or(until, |at| at.min(until)));
                break;
            }
            if let Some(grant) = self.line.take(method, place) {
                let departure = self.budget.depart(method, now);
                self.granted += 1;
                if urgent {
                    self.urgent.went(now);
                }
                // Whoever has just gone drops the permit, and its drop gives it back.
                let permit =
                    Permit::new(ctx.address(), self.clock, self.lease(), departure, urgent);
                let _ = grant.send(Ok(permit));
            }
        }
        if let Some(at) = next {
            self.wake_at(at, now, ctx);
        }
        if self.line.len() > 0 && self.budget.wants_grant(now) {
            self.exchange_soon(ctx);
        }
    }

    /// For how long what is granted now may be used.
    fn lease(&self) -> Option<Lease> {
        let until = self.budget.trusted_until()?;
        let board = self.board.clone()?;
        Some(Lease { board, until })
    }

    /// Asks the board for more, but not all the time.
    fn exchange_soon(&mut self, ctx: &mut Context<Self>) {
        if self.exchange.under_way {
            return;
        }
        let now = self.now();
        let mut pause = EXCHANGE_MIN * (1 << self.exchange.fruitless);
        if self.budget.has_news() {
            pause = pause.min(EXCHANGE_NEWS);
        }
        let earliest = self.exchange.last + pause;
        if self.exchange.begun && now < earliest {
            self.exchange_at(earliest, now, ctx);
        } else {
            self.exchange_now(ctx);
        }
    }

    /// One timer: the earlier one counts.
    fn exchange_at(&mut self, at: Duration, now: Duration, ctx: &mut Context<Self>) {
        if let Some((set_for, handle)) = self.exchange.timer {
            if set_for <= at {
                return;
            }
            ctx.cancel_future(handle);
        }
        let handle = ctx.run_later(at.saturating_sub(now), |this, ctx| {
            this.exchange.timer = None;
            this.exchange_now(ctx);
        });
        self.exchange.timer = Some((at, handle));
    }

    fn exchange_now(&mut self, ctx: &mut Context<Self>) {
        let Some(board) = self.board.clone() else {
            return;
        };
        if self.exchange.under_way || self.has_left {
            return;
        }
        let sent = self.now();
        let granted = u32::try_from(self.granted - self.exchange.granted).unwrap_or(u32::MAX);
        self.exchange.granted = self.granted;
        let elapsed = sent.saturating_sub(self.exchange.last).max(EXCHANGE_MIN);
        self.exchange.begun = true;
        self.exchange.last = sent;
        self.exchange.under_way = true;
        // Those who wait, as many again who come after them, and what went in a second of late.
        let pace = f64::from(granted) / elapsed.as_secs_f64();
        let wanted = self.wanted(pace);
        let report = self.budget.report(sent, &wanted);
        let asked = board.exchange(self.route, report);
        let asked = async move { tokio::time::timeout(EXCHANGE_TIMEOUT, asked).await };
        ctx.spawn(asked.into_actor(self).map(move |answer, this, ctx| {
            this.exchange.under_way = false;
            if this.leaves.is_some() {
                return this.leave();
            }
            let now = this.now();
            match answer {
                Ok(Ok(grant)) => {
                    this.budget.granted(&grant, sent, now);
                    // Who has its part need not ask for more all the time.
                    let more = !this.budget.wants_grant(now);
                    let fruitless = this.exchange.fruitless + 1;
                    this.exchange.fruitless = if more {
                        0
                    } else {
                        fruitless.min(FRUITLESS_MAX)
                    };
                }
                Ok(Err(why)) => {
                    tracing::debug!("the limits of {} cannot be shared now: {why}", this.route);
                }
                Err(_) => tracing::debug!("the limits of {} cannot be shared in time", this.route),
            }
            if this.line.len() > 0 || !this.budget.is_idle() {
                this.exchange_at(sent + EXCHANGE_USUAL, now, ctx);
            }
            this.pump(ctx);
        }));
    }

    /// The last report, if there were any.
    fn leave(&mut self) {
        let Some(tell) = self.leaves.take() else {
            return;
        };
        match &self.board {
            Some(board) if self.exchange.begun => {
                let report = self.budget.last_report(self.clock.now());
                let asked = board.exchange(self.route, report);
                // It outlives this actor.
                actix::spawn(async move {
                    // Whoever asked may not wait any longer.
                    let _ = tell.send(asked.await.is_ok());
                });
            }
            _ => {
                let _ = tell.send(true);
            }
        }
        // It stays for those who ask how it stood.
        self.has_left = true;
    }

    /// Calls of each method that are wanted before the next exchange.
    fn wanted(&mut self, pace: f64) -> Vec<(MethodId, u32)> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a pace of calls is small and not negative; the cast saturates"
        )]
        let pace = (pace * EXCHANGE_USUAL.as_secs_f64() * 1.5).ceil() as u32;
        let mut methods: Vec<MethodId> = self.budget.methods().collect();
        methods.extend(self.line.methods());
        methods.sort_unstable();
        methods.dedup();
        methods
            .into_iter()
            .map(|method| {
                let waiting = u32::try_from(self.line.waiting_for(method)).unwrap_or(u32::MAX);
                let more = if waiting > 0 { pace } else { 0 };
                (method, waiting.saturating_mul(2).saturating_add(more))
            })
            .collect()
    }

    /// The next of those whose method may go, or when a method may that may not.
    fn first_that_may_go(
        &mut self,
        now: Duration,
    ) -> (Option<(MethodId, Place)>, Option<Duration>) {
        let mut may_go = Vec::new();
        let mut opens_at: Option<Duration> = None;
        for method in self.line.methods() {
            if self.line.first(method).is_none() {
                continue;
            }
            match self.budget.admit_method(method, now) {
                Admission::Now => may_go.push(method),
                Admission::At(at) => opens_at = Some(opens_at.map_or(at, |other| other.min(at))),
                Admission::AfterAnswer => {}
            }
        }
        (self.line.next(&may_go), opens_at)
    }

    /// When the first of those who wait may go.
    fn opens_at(&mut self, now: Duration) -> Option<Duration> {
        if self.line.len() == 0 {
            return None;
        }
        match self.budget.admit_any(now) {
            Admission::Now => self.first_that_may_go(now).1,
            Admission::At(at) => Some(at),
            Admission::AfterAnswer => None,
        }
    }

    /// One timer: an earlier one is left to fire, as it sets the next.
    fn wake_at(&mut self, at: Duration, now: Duration, ctx: &mut Context<Self>) {
        if let Some((set_for, handle)) = self.timer {
            if set_for <= at {
                return;
            }
            ctx.cancel_future(handle);
        }
        let nap = at.saturating_sub(now).min(NAP_MAX);
        let handle = ctx.run_later(nap, |this, ctx| {
            this.timer = None;
            this.pump(ctx);
        });
        self.timer = Some((at, handle));
    }

    fn join(&mut self, acquire: &Acquire, grant: Grant) {
        if self.line.len() >= self.waiting_max {
            self.sweep();
        }
        if self.line.len() >= self.waiting_max {
            let waiting = self.line.len();
            // Nobody left to tell is as good.
            let _ = grant.send(Err(AcquireError::LineFull { waiting }));
            return;
        }
        self.line
            .push(acquire.method, acquire.priority, acquire.flow, grant);
        // Twice as many as the last sweep left: those who went away never outnumber the others.
        if self.line.len() > 2 * self.swept + 1024 {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        self.line.sweep();
        self.swept = self.line.len();
    }
}

impl Actor for RateLimiter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_MAX);
    }
}

/// Hands the way to answer over to the waiting line: whether it is closed tells who went away.
#[derive(Debug)]
pub struct Turn(Acquire);

impl MessageResponse<RateLimiter, Acquire> for Turn {
    fn handle(
        self,
        ctx: &mut Context<RateLimiter>,
        grant: Option<OneshotSender<Result<Permit, AcquireError>>>,
    ) {
        // Without a grant nobody waits.
        if let Some(grant) = grant {
            ctx.notify(Join {
                acquire: self.0,
                grant,
            });
        }
    }
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Join {
    acquire: Acquire,
    grant: Grant,
}

impl Handler<Acquire> for RateLimiter {
    type Result = Turn;
    fn handle(&mut self, acquire: Acquire, _: &mut Self::Context) -> Self::Result {
        Turn(acquire)
    }
}

impl Handler<Join> for RateLimiter {
    type Result = ();
    fn handle(&mut self, join: Join, ctx: &mut Self::Context) {
        self.join(&join.acquire, join.grant);
        self.pump(ctx);
    }
}

impl Handler<Ended> for RateLimiter {
    type Result = ();
    fn handle(&mut self, mut call: Ended, ctx: &mut Self::Context) {
        let now = self.now();
        if let Some(begun) = call.begun {
            call.departure.sent_at(begun);
        }
        if call.urgent {
            self.urgent.ended(now);
        }
        match call.observation {
            None => {
                self.given_back += 1;
                self.budget.give_back(&call.departure);
            }
            Some(seen) => {
                let received = seen.received.map(|at| self.clock.at(Instant::from_std(at)));
                let received = received.map_or(call.at, |received| received.min(call.at));
                if let Some(refused) = seen.refused {
                    self.refused.add(refused.by);
                }
                let news = self.budget.observe(&call.departure, received, now, &seen);
                let refused = seen.refused.map(|refused| refused.by);
                self.teller.tell(news, refused, now);
                if refused.is_none() && seen.answered {
                    self.teller.answered(now);
                }
            }
        }
        self.pump(ctx);
    }
}

/// No call goes any more: the board is told what was used, exactly. The answer comes when it knows.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Leave;

impl Handler<Leave> for RateLimiter {
    type Result = ResponseFuture<()>;
    fn handle(&mut self, _: Leave, _: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.leaves = Some(tell);
        // Two reports under way may overtake each other.
        if !self.exchange.under_way {
            self.leave();
        }
        Box::pin(async move {
            let told = tokio::time::timeout(LEAVE_TIMEOUT, told).await;
            if !matches!(told, Ok(Ok(true))) {
                tracing::debug!("what was used of a route's limits could not be told in time");
            }
        })
    }
}

impl Handler<SetShare> for RateLimiter {
    type Result = ();
    fn handle(&mut self, SetShare(share): SetShare, ctx: &mut Self::Context) {
        self.budget.set_share(share);
        self.pump(ctx);
    }
}

impl Handler<Estimate> for RateLimiter {
    type Result = MessageResult<Estimate>;
    fn handle(&mut self, asked: Estimate, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        self.sweep();
        let mut calls = asked.calls;
        let ours = calls
            .iter()
            .fold(0_u32, |sum, (_, calls)| sum.saturating_add(*calls));
        let Whose { priority, flow } = asked.whose;
        let (before, beside, flows) = self.line.others(priority, flow);
        let to_u32 = |calls| u32::try_from(calls).unwrap_or(u32::MAX);
        let others = Elsewhere {
            before: asked.elsewhere.before.saturating_add(to_u32(before)),
            beside: asked.elsewhere.beside.saturating_add(to_u32(beside)),
        };
        calls.push((OF_OTHERS, between(ours, others, flows)));
        let last = self.budget.estimate(now, &calls);
        MessageResult(last.saturating_sub(now) + self.budget.round_trip())
    }
}

impl Handler<Snapshot> for RateLimiter {
    type Result = LimiterState;
    fn handle(&mut self, _: Snapshot, _: &mut Self::Context) -> Self::Result {
        let now = self.now();
        self.sweep();
        let opens_in = self.opens_at(now).map(|at| at.saturating_sub(now));
        let left = |method| self.budget.paused_until(method).saturating_sub(now);
        let paused = left(None);
        let paused_methods = self
            .budget
            .methods()
            .map(|method| (method, left(Some(method))))
            .filter(|(_, left)| !left.is_zero())
            .collect();
        let methods = self.budget.methods().map(Some);
        let excesses = std::iter::once(None)
            .chain(methods)
            .filter_map(|method| Some((method, self.budget.excess(method)?)))
            .collect();
        LimiterState {
            route: self.route,
            excesses,
            windows: self.budget.windows(now),
            waiting: self.line.len(),
            opens_in,
            in_flight: self.budget.in_flight(),
            granted: self.granted,
            given_back: self.given_back,
            refused: self.refused,
            paused,
            paused_methods,
            share: self.budget.share(),
            strangers: self.budget.strangers(now),
            wants_share: self.line.len() > 0 && self.budget.wants_grant(now),
            round_trip: self.budget.round_trip(),
        }
    }
}

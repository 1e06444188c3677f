//! All limits of one route: the application's and each method's. Pure: time comes in, as what has
//! passed since any epoch.

use std::collections::BTreeMap;
use std::time::Duration;

use super::admission::Admission;
use super::answer::{Answer, verdicts};
use super::margin::Margins;
use super::news::News;
use super::observation::Observation;
use super::pause::PAUSE_MAX;
use super::scope::{SETTLE, Scope, Ticket};
use super::transit::Transit;
use riftsync_model::Share;
use riftsync_model::budget_share::{BoardGrant, BoardReport, LEASE_MS};

/// A method's name to the limiter; it need not know which there are.
pub type MethodId = u8;

/// A call that may go. It ends with `observe` or `give_back`.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub struct Departure {
    method: MethodId,
    /// When it was allowed, or when it really went if that is known.
    sent: Duration,
    of_app: Ticket,
    of_method: Ticket,
}

impl Departure {
    /// It went later than it was allowed to.
    pub fn sent_at(&mut self, now: Duration) {
        self.sent = self.sent.max(now);
    }

    pub fn method(&self) -> MethodId {
        self.method
    }
}

/// A window as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowState {
    /// None: the application's, for all methods together.
    pub method: Option<MethodId>,
    pub seconds: u32,
    /// Calls that have to be reckoned with, those in flight included.
    pub used: u32,
    pub limit: u32,
}

/// See the module.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, Hash))]
pub struct Budget {
    app: Scope,
    methods: BTreeMap<MethodId, Scope>,
    margins: Margins,
    share: Share,
    transit: Transit,
    board: Option<BoardState>,
}

/// What is known of the board that engines share limits by.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone, Hash))]
struct BoardState {
    /// When the report was sent that it last answered.
    answered: Option<Duration>,
    reports: u64,
}

/// Without an answer of the board for so long no call goes: others may take it for the end of this
/// engine a second later.
const BOARD_TRUSTED: Duration = Duration::from_millis(LEASE_MS.unsigned_abs() - 1_000);

impl Budget {
    pub fn new(margins: Margins) -> Self {
        Self {
            app: Scope::new(margins, Share::ALL),
            methods: BTreeMap::new(),
            margins,
            share: Share::ALL,
            transit: Transit::default(),
            board: None,
        }
    }

    /// A budget whose predecessor ended just now: its last calls may not have been counted yet, and
    /// a window of a second may be full. The first call waits for that.
    pub fn succeeding(margins: Margins, now: Duration) -> Self {
        let mut budget = Self::new(margins);
        budget.app.hold_until(now + SETTLE);
        budget
    }

    /// A budget that several engines share by a board. No call goes before the board has answered.
    pub fn shared(margins: Margins) -> Self {
        let mut budget = Self::new(margins);
        budget.app.share_by_board();
        budget.board = Some(BoardState::default());
        budget
    }

    fn method(&mut self, method: MethodId) -> &mut Scope {
        let (margins, share, by_board) = (self.margins, self.share, self.board.is_some());
        self.methods.entry(method).or_insert_with(|| {
            let mut scope = Scope::new(margins, share);
            if by_board {
                scope.share_by_board();
            }
            scope
        })
    }

    /// The board was not asked yet, or its answer is too old.
    fn board_is_silent(&self, now: Duration) -> bool {
        self.board
            .as_ref()
            .is_some_and(|board| board.answered.is_none_or(|at| now > at + BOARD_TRUSTED))
    }

    /// Until when the board's last answer may be used; none: there is no board, or it has not answered.
    pub fn trusted_until(&self) -> Option<Duration> {
        let board = self.board.as_ref()?;
        Some(board.answered? + BOARD_TRUSTED)
    }

    /// A call waits for what the board may grant.
    pub fn wants_grant(&self, now: Duration) -> bool {
        self.board.is_some()
            && (self.board_is_silent(now)
                || self.app.wants_grant(now)
                || self.methods.values().any(|scope| scope.wants_grant(now)))
    }

    /// What ended engines have left is known better than the board knows it.
    pub fn has_news(&self) -> bool {
        self.app.has_news() || self.methods.values().any(Scope::has_news)
    }

    /// No place of any window is held.
    pub fn is_idle(&self) -> bool {
        self.app.is_idle() && self.methods.values().all(Scope::is_idle)
    }

    /// What the board is told; `wanted` are the calls of each method that wait. Until it answers, no
    /// more is used than the report keeps.
    pub fn report(&mut self, now: Duration, wanted: &[(MethodId, u32)]) -> BoardReport {
        let total = wanted.iter().map(|(_, calls)| calls).sum();
        let mut windows = self.app.report(None, now, &self.transit, total);
        for (&method, scope) in &mut self.methods {
            let wanted = wanted.iter().find(|(of, _)| *of == method);
            let wanted = wanted.map_or(0, |(_, calls)| *calls);
            windows.extend(scope.report(Some(method), now, &self.transit, wanted));
        }
        let left = |method| {
            let left = self.paused_until(method).saturating_sub(now).as_millis();
            (left > 0).then(|| (method, u32::try_from(left).unwrap_or(u32::MAX)))
        };
        let methods = self.methods.keys().map(|method| Some(*method));
        let pauses = std::iter::once(None)
            .chain(methods)
            .filter_map(left)
            .collect();
        let mut report = BoardReport {
            windows,
            pauses,
            asked: self.app.asked(),
            ..BoardReport::default()
        };
        if let Some(board) = &mut self.board {
            board.reports += 1;
            report.number = board.reports;
            let elapsed = board.answered.map(|at| now.saturating_sub(at).as_millis());
            report.elapsed = elapsed.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
        }
        report
    }

    /// What the board is told when no call goes any more: exactly what is used.
    pub fn last_report(&mut self, now: Duration) -> BoardReport {
        self.app.close();
        for scope in self.methods.values_mut() {
            scope.close();
        }
        BoardReport {
            last: true,
            ..self.report(now, &[])
        }
    }

    /// The board's answer to the report that was sent at `sent`.
    pub fn granted(&mut self, grant: &BoardGrant, sent: Duration, now: Duration) {
        for window in &grant.windows {
            match window.key.method {
                None => self.app.granted(*window, now),
                Some(method) => self.method(method).granted(*window, now),
            }
        }
        for (method, left) in &grant.pauses {
            let left = Duration::from_millis(u64::from(*left));
            let until = now + left.min(PAUSE_MAX);
            match method {
                None => self.app.hold_until(until),
                Some(method) => self.method(*method).hold_until(until),
            }
        }
        self.app.was_heard();
        if let Some(board) = &mut self.board {
            board.answered = Some(sent);
        }
    }

    /// May any call go?
    pub fn admit_any(&mut self, now: Duration) -> Admission {
        if self.board_is_silent(now) {
            return Admission::AfterAnswer;
        }
        self.app.admit(now, &self.transit)
    }

    /// Whether another call would leave some of each long window to those who come next. `admit_any` comes first.
    pub fn leaves_some(&self) -> bool {
        self.app.leaves_some()
    }

    /// May a call of this method go, as far as the method is concerned?
    pub fn admit_method(&mut self, method: MethodId, now: Duration) -> Admission {
        self.method(method);
        let transit = &self.transit;
        self.methods
            .get_mut(&method)
            .map_or(Admission::Now, |scope| scope.admit(now, transit))
    }

    /// May a call of this method go?
    pub fn admit(&mut self, method: MethodId, now: Duration) -> Admission {
        self.admit_any(now).and(self.admit_method(method, now))
    }

    /// A call goes now; `admit` said that it may.
    pub fn depart(&mut self, method: MethodId, now: Duration) -> Departure {
        Departure {
            method,
            sent: now,
            of_app: self.app.depart(now),
            of_method: self.method(method).depart(now),
        }
    }

    /// The call was never sent.
    pub fn give_back(&mut self, departure: &Departure) {
        self.app.give_back();
        self.method(departure.method).give_back();
    }

    /// The call ended at `received`, which is reported now.
    pub fn observe(
        &mut self,
        departure: &Departure,
        received: Duration,
        now: Duration,
        seen: &Observation,
    ) -> News {
        let received = received.clamp(departure.sent, now.max(departure.sent));
        if !seen.answered {
            self.app.lost(received, &self.transit);
            let scope = self.methods.get_mut(&departure.method);
            if let Some(scope) = scope {
                scope.lost(received, &self.transit);
            }
            return News::default();
        }
        self.transit
            .observe(received.saturating_sub(departure.sent));
        let [of_app, of_method] = verdicts(seen);
        let app = Answer {
            sent: departure.sent,
            received,
            limits: &seen.app_limits,
            counts: &seen.app_counts,
            verdict: of_app,
        };
        let method = Answer {
            limits: &seen.method_limits,
            counts: &seen.method_counts,
            verdict: of_method,
            ..app
        };
        let news = self.app.answered(&departure.of_app, app, now);
        let scope = self.method(departure.method);
        let news = news.merge(scope.answered(&departure.of_method, method, now));
        News {
            strangers: self.strangers(now),
            ..news
        }
    }

    /// The part of all limits that may be ours from now on.
    pub fn set_share(&mut self, share: Share) {
        self.share = share;
        self.app.set_share(share);
        for scope in self.methods.values_mut() {
            scope.set_share(share);
        }
    }

    pub fn share(&self) -> Share {
        self.share
    }

    /// The part of the route's limits that other programs on the key use, in percent; none: nobody is known to.
    pub fn strangers(&self, now: Duration) -> Option<u32> {
        self.app.strangers(now)
    }

    /// When the last of these further calls may go if nothing else comes between: a moment, not
    /// before now. Methods whose limits are not known yet are taken to have none.
    pub fn estimate(&mut self, now: Duration, calls: &[(MethodId, u32)]) -> Duration {
        self.advance(now);
        let total = calls
            .iter()
            .fold(0_u32, |sum, (_, calls)| sum.saturating_add(*calls));
        let of_methods = calls.iter().filter_map(|(method, calls)| {
            let scope = self.methods.get(method)?;
            Some(scope.estimate(now, &self.transit, *calls))
        });
        let of_app = self.app.estimate(now, &self.transit, total);
        of_methods.fold(of_app, Duration::max)
    }

    /// What a round trip takes of late.
    pub fn round_trip(&self) -> Duration {
        self.transit.mean()
    }

    pub fn in_flight(&self) -> u32 {
        self.app.in_flight()
    }

    /// Until when the whole route, or the method, stands still.
    pub fn paused_until(&self, method: Option<MethodId>) -> Duration {
        match method {
            None => self.app.paused_until(),
            Some(method) => self
                .methods
                .get(&method)
                .map_or(Duration::ZERO, Scope::paused_until),
        }
    }

    /// What was told of the route or the method that is too long to be believed.
    pub fn excess(&self, method: Option<MethodId>) -> Option<Duration> {
        match method {
            None => self.app.excess(),
            Some(method) => self.methods.get(&method)?.excess(),
        }
    }

    /// Methods that were called.
    pub fn methods(&self) -> impl Iterator<Item = MethodId> + '_ {
        self.methods.keys().copied()
    }

    pub fn windows(&mut self, now: Duration) -> Vec<WindowState> {
        self.advance(now);
        let scopes = std::iter::once((None, &self.app)).chain(
            self.methods
                .iter()
                .map(|(&method, scope)| (Some(method), scope)),
        );
        scopes
            .flat_map(|(method, scope)| {
                scope
                    .windows()
                    .map(move |(seconds, used, limit)| WindowState {
                        method,
                        seconds,
                        used,
                        limit,
                    })
            })
            .collect()
    }

    fn advance(&mut self, now: Duration) {
        self.app.advance(now, &self.transit);
        for scope in self.methods.values_mut() {
            scope.advance(now, &self.transit);
        }
    }
}

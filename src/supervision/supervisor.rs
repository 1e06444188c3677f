//! A supervisor: starts its children in order, restarts those that die, stops them in reverse order
//! (those of one-for-one, which do not lean on each other, all at once).
//!
//! Invariants: a child is only ever made by its factory, never reused after a death. A late report
//! of an earlier incarnation changes nothing. More restarts than the budget allows end the
//! supervisor, which its own guard or `on_escalation` tells upwards.
//!
//! Deliberately absent: what the children do.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::budget::{Intensity, RestartBackoff, RestartBudget};
use super::guard::{ChildEnded, ChildGuard};
use super::observer::{EndReason, Observer};
use super::reporter::Reporter;

pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// When a child that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// Only after a death.
    Transient,
    /// Never.
    Temporary,
}

/// Which siblings share a dead child's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    OneForOne,
    /// The dead child and all that were started after it, for they lean on it.
    RestForOne,
}

/// A started child, as its supervisor holds it.
#[allow(missing_debug_implementations, reason = "a closure")]
pub struct ChildHandle {
    /// Asks the child to stop; resolves when it has accepted.
    pub stop: Box<dyn FnOnce() -> LocalFuture<()>>,
}

/// How to make, restart and stop one child.
#[allow(missing_debug_implementations, reason = "a closure")]
pub struct ChildSpec {
    pub name: String,
    pub restart: Restart,
    pub backoff: RestartBackoff,
    /// How long its stop may take.
    pub stop_timeout: Duration,
    /// The factory: a new child, which keeps the guard as long as it lives.
    #[allow(clippy::type_complexity, reason = "one closure type, used once")]
    pub start: Rc<dyn Fn(ChildGuard) -> ChildHandle>,
}

impl ChildSpec {
    pub fn permanent(name: &str, start: impl Fn(ChildGuard) -> ChildHandle + 'static) -> Self {
        Self {
            name: name.to_owned(),
            restart: Restart::Permanent,
            backoff: RestartBackoff::default(),
            stop_timeout: Duration::from_secs(10),
            start: Rc::new(start),
        }
    }
}

struct Child {
    spec: ChildSpec,
    handle: Option<ChildHandle>,
    incarnation: u64,
    started: Instant,
    /// Restarts since it was last quiet.
    restarts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping,
}

/// See the module.
#[allow(missing_debug_implementations, reason = "holds closures")]
pub struct Supervisor {
    path: String,
    strategy: Strategy,
    budget: RestartBudget,
    children: Vec<Child>,
    phase: Phase,
    epoch: Instant,
    incarnations: u64,
    guard: Option<ChildGuard>,
    on_escalation: Option<Box<dyn FnOnce(String)>>,
    observer: Option<Arc<dyn Observer>>,
}

/// Stops the children in reverse order; answered when the last has stopped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Shutdown;

/// The names of the children and how often each was restarted.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(String, u64)>")]
pub struct ListChildren;

impl Supervisor {
    pub fn new(
        path: &str,
        strategy: Strategy,
        intensity: Intensity,
        specs: Vec<ChildSpec>,
    ) -> Self {
        let epoch = Instant::now();
        let children = specs
            .into_iter()
            .map(|spec| Child {
                spec,
                handle: None,
                incarnation: 0,
                started: epoch,
                restarts: 0,
            })
            .collect();
        Self {
            path: path.to_owned(),
            strategy,
            budget: RestartBudget::new(intensity),
            children,
            phase: Phase::Running,
            epoch,
            incarnations: 0,
            guard: None,
            on_escalation: None,
            observer: None,
        }
    }

    /// Makes it a child of another supervisor.
    #[must_use]
    pub fn guarded(mut self, guard: ChildGuard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Called with the reason when the budget is spent.
    #[must_use]
    pub fn on_escalation(mut self, call: impl FnOnce(String) + 'static) -> Self {
        self.on_escalation = Some(Box::new(call));
        self
    }

    /// Tells of its children's lives.
    #[must_use]
    pub fn observed(mut self, observer: &Arc<impl Observer + 'static>) -> Self {
        self.observer = Some(observer.clone());
        self
    }

    fn start_child(&mut self, index: usize, ctx: &mut Context<Self>) {
        self.incarnations += 1;
        let child = &mut self.children[index];
        child.incarnation = self.incarnations;
        child.started = Instant::now();
        let path = format!("{}/{}", self.path, child.spec.name);
        // Before the child is made, which may report at once.
        if let Some(observer) = &self.observer {
            observer.started(&path);
        }
        let reporter = self.observer.clone();
        let guard = ChildGuard::new(
            &child.spec.name,
            child.incarnation,
            ctx.address().recipient(),
        )
        .reporting(reporter.map(|observer| Reporter::new(&path, observer)));
        child.handle = Some((child.spec.start)(guard));
    }

    /// Stops children `from..`, each within its time: in reverse order where one leans on another, all
    /// at once where none does.
    fn stop_from(&mut self, from: usize) -> LocalFuture<()> {
        let stops: Vec<_> = self.children[from..]
            .iter_mut()
            .rev()
            .filter_map(|child| {
                // Its report is not a death any more.
                child.incarnation = 0;
                let handle = child.handle.take()?;
                Some((child.spec.name.clone(), child.spec.stop_timeout, handle))
            })
            .collect();
        let path = self.path.clone();
        let stops = stops.into_iter().map(move |(name, timeout, handle)| {
            let path = path.clone();
            async move {
                let stopped = tokio::time::timeout(timeout, (handle.stop)()).await;
                if stopped.is_err() {
                    tracing::warn!(
                        "{path}/{name} did not stop within {timeout:?}; going on without it"
                    );
                }
            }
        });
        match self.strategy {
            Strategy::OneForOne => {
                let stops = futures_util::future::join_all(stops);
                Box::pin(async move {
                    stops.await;
                })
            }
            Strategy::RestForOne => Box::pin(async move {
                for stop in stops {
                    stop.await;
                }
            }),
        }
    }

    fn child_ended(&mut self, index: usize, reason: &EndReason, ctx: &mut Context<Self>) {
        let restart = match (self.children[index].spec.restart, reason) {
            (Restart::Permanent, _) | (Restart::Transient, EndReason::Died(_)) => true,
            (Restart::Transient, EndReason::Normal | EndReason::Shutdown)
            | (Restart::Temporary, _) => false,
        };
        let child = &mut self.children[index];
        child.handle = None;
        let path = format!("{}/{}", self.path, child.spec.name);
        if let EndReason::Died(cause) = reason {
            tracing::error!(actor = path, "{path} died: {cause}");
        }
        if let Some(observer) = &self.observer {
            observer.ended(&path, reason);
        }
        if !restart {
            return;
        }
        if !self.budget.spend(self.epoch.elapsed()) {
            self.escalate(format!("{path} died too often; last: {reason:?}"), ctx);
            return;
        }
        let child = &mut self.children[index];
        let (pause, restarts) =
            child
                .spec
                .backoff
                .next(child.restarts, child.started.elapsed(), fastrand::f64());
        child.restarts = restarts;
        child.incarnation = 0;
        let stopped = match self.strategy {
            Strategy::OneForOne => Box::pin(std::future::ready(())),
            Strategy::RestForOne => self.stop_from(index + 1),
        };
        let last = match self.strategy {
            Strategy::OneForOne => index + 1,
            Strategy::RestForOne => self.children.len(),
        };
        let restart = async move {
            stopped.await;
            tokio::time::sleep(pause).await;
        };
        ctx.spawn(restart.into_actor(self).map(move |(), this, ctx| {
            for again in index..last {
                if this.phase == Phase::Running && this.children[again].handle.is_none() {
                    tracing::info!(
                        "restarting {}/{}",
                        this.path,
                        this.children[again].spec.name
                    );
                    this.start_child(again, ctx);
                }
            }
        }));
    }

    fn escalate(&mut self, why: String, ctx: &mut Context<Self>) {
        tracing::error!(actor = self.path, "{} gives up: {why}", self.path);
        if let Some(observer) = &self.observer {
            observer.gave_up(&self.path, &why);
        }
        self.phase = Phase::Stopping;
        let stopped = self.stop_from(0);
        ctx.spawn(stopped.into_actor(self).map(move |(), this, ctx| {
            if let Some(guard) = &mut this.guard {
                guard.ends(EndReason::Died(why.clone()));
            }
            if let Some(tell) = this.on_escalation.take() {
                tell(why);
            }
            ctx.stop();
        }));
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for index in 0..self.children.len() {
            self.start_child(index, ctx);
        }
    }
}

impl Handler<ChildEnded> for Supervisor {
    type Result = ();
    fn handle(&mut self, ended: ChildEnded, ctx: &mut Self::Context) {
        let index = self
            .children
            .iter()
            .position(|child| child.incarnation == ended.incarnation);
        if let (Some(index), Phase::Running) = (index, self.phase) {
            self.child_ended(index, &ended.reason, ctx);
        }
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseActFuture<Self, ()>;
    fn handle(&mut self, _: Shutdown, _: &mut Self::Context) -> Self::Result {
        self.phase = Phase::Stopping;
        let stopped = self.stop_from(0);
        Box::pin(stopped.into_actor(self).map(|(), this, ctx| {
            if let Some(guard) = &mut this.guard {
                guard.ends(EndReason::Shutdown);
            }
            ctx.stop();
        }))
    }
}

impl Handler<ListChildren> for Supervisor {
    type Result = MessageResult<ListChildren>;
    fn handle(&mut self, _: ListChildren, _: &mut Self::Context) -> Self::Result {
        MessageResult(
            self.children
                .iter()
                .map(|child| (child.spec.name.clone(), u64::from(child.restarts)))
                .collect(),
        )
    }
}

/// The handle of a child that is itself a supervisor.
pub fn supervisor_handle(addr: Addr<Supervisor>) -> ChildHandle {
    ChildHandle {
        stop: Box::new(move || {
            Box::pin(async move {
                // A closed mailbox: it has stopped already.
                let _ = addr.send(Shutdown).await;
            })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// An actor that panics when told to.
    struct Fragile {
        guard: ChildGuard,
    }
    impl Actor for Fragile {
        type Context = Context<Self>;
    }
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Break;
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Stop;
    impl Handler<Break> for Fragile {
        type Result = ();
        fn handle(&mut self, _: Break, _: &mut Self::Context) {
            panic!("told to break");
        }
    }
    impl Handler<Stop> for Fragile {
        type Result = ();
        fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
            self.guard.ends(EndReason::Shutdown);
            ctx.stop();
        }
    }

    type Log = Rc<RefCell<Vec<String>>>;
    type Started = tokio::sync::mpsc::UnboundedReceiver<(String, Addr<Fragile>)>;

    fn specs(names: &[&'static str], log: &Log) -> (Vec<ChildSpec>, Started) {
        let (started, receiver) = tokio::sync::mpsc::unbounded_channel();
        let specs = names
            .iter()
            .map(|&name| {
                let (log, started) = (log.clone(), started.clone());
                let mut spec = ChildSpec::permanent(name, move |guard| {
                    let addr = Fragile { guard }.start();
                    let _ = started.send((name.to_owned(), addr.clone()));
                    let log = log.clone();
                    ChildHandle {
                        stop: Box::new(move || {
                            Box::pin(async move {
                                log.borrow_mut().push(name.to_owned());
                                let _ = addr.send(Stop).await;
                            })
                        }),
                    }
                });
                spec.backoff.min = Duration::from_millis(1);
                spec.backoff.max = Duration::from_millis(2);
                spec
            })
            .collect();
        (specs, receiver)
    }

    async fn next(started: &mut Started) -> (String, Addr<Fragile>) {
        started.recv().await.unwrap()
    }

    #[actix::test]
    async fn one_for_one_restarts_only_the_child_that_panicked() {
        let log = Log::default();
        let (specs, mut started) = specs(&["a", "b"], &log);
        let _root = Supervisor::new("/t", Strategy::OneForOne, Intensity::default(), specs).start();
        let (_, a) = next(&mut started).await;
        let (_, b) = next(&mut started).await;
        let _ = a.send(Break).await;
        assert_eq!(next(&mut started).await.0, "a");
        assert!(b.connected());
        assert!(log.borrow().is_empty());
    }

    #[actix::test]
    async fn rest_for_one_stops_later_children_in_reverse_and_restarts_them_in_order() {
        let log = Log::default();
        let (specs, mut started) = specs(&["a", "b", "c", "d"], &log);
        let _root =
            Supervisor::new("/t", Strategy::RestForOne, Intensity::default(), specs).start();
        let mut addrs = Vec::new();
        for _ in 0..4 {
            addrs.push(next(&mut started).await.1);
        }
        let _ = addrs[1].send(Break).await;
        let again: Vec<_> = [
            next(&mut started).await.0,
            next(&mut started).await.0,
            next(&mut started).await.0,
        ]
        .into();
        assert_eq!(again, ["b", "c", "d"]);
        assert_eq!(*log.borrow(), ["d", "c"]);
        assert!(addrs[0].connected());
    }

    #[actix::test]
    async fn a_spent_budget_stops_all_children_and_escalates() {
        let log = Log::default();
        let (specs, mut started) = specs(&["a", "b"], &log);
        let (tell, told) = tokio::sync::oneshot::channel();
        let intensity = Intensity {
            max_restarts: 1,
            period: Duration::from_mins(1),
        };
        let root = Supervisor::new("/t", Strategy::OneForOne, intensity, specs)
            .on_escalation(move |why| tell.send(why).unwrap())
            .start();
        let (_, a) = next(&mut started).await;
        let (_, b) = next(&mut started).await;
        let _ = a.send(Break).await;
        let (_, a) = next(&mut started).await;
        let _ = a.send(Break).await;
        assert!(told.await.unwrap().contains("/t/a"));
        assert!(!b.connected());
        assert!(root.send(ListChildren).await.is_err());
    }

    #[actix::test]
    async fn a_shutdown_stops_in_reverse_order_and_restarts_nobody() {
        let log = Log::default();
        let (specs, mut started) = specs(&["a", "b", "c"], &log);
        let root = Supervisor::new("/t", Strategy::OneForOne, Intensity::default(), specs).start();
        for _ in 0..3 {
            next(&mut started).await;
        }
        root.send(Shutdown).await.unwrap();
        assert_eq!(*log.borrow(), ["c", "b", "a"]);
        assert!(started.try_recv().is_err());
    }
}

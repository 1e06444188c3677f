//! The usual ways to be a child: an actor that ends when it is asked to, and a loop.

use std::rc::Rc;

use actix::dev::ToEnvelope;
use actix::prelude::*;

use super::guard::ChildGuard;
use super::observer::EndReason;
use super::reporter::Reporter;
use super::supervisor::{ChildHandle, ChildSpec, LocalFuture};

/// Asks a child to end. It tells its guard that the end was meant ([`EndReason::Shutdown`]), and stops.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Stop;

impl ChildSpec {
    /// A child that is an actor. `make` makes a new one, which keeps the guard as long as it lives.
    pub fn actor<A>(name: &str, make: impl Fn(ChildGuard) -> A + 'static) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<Stop>,
    {
        Self::permanent(name, move |guard| stopped_by(make(guard).start()))
    }

    /// A child that is one future, made anew at each start. When it is to stop it is dropped where it waits, so what it
    /// has begun there it must be able to leave. Its end is that of the child; most have none.
    pub fn looped<F>(name: &str, run: impl Fn() -> F + 'static) -> Self
    where
        F: Future + 'static,
        F::Output: Into<EndReason>,
    {
        Self::actor(name, move |guard| Loop::new(run(), guard))
    }
}

impl ChildSpec {
    /// The same as [`Self::looped`] on a thread of its own, whose work takes no time from others. The thread lives as
    /// long as the specification and whoever was started by it.
    pub fn looped_apart<F>(name: &str, run: impl Fn() -> F + Clone + Send + 'static) -> Self
    where
        F: Future + 'static,
        F::Output: Into<EndReason>,
    {
        let thread = Rc::new(Thread(Arbiter::new()));
        Self::permanent(name, move |guard| {
            let (run, thread) = (run.clone(), thread.clone());
            let addr = Loop::start_in_arbiter(&thread.0.handle(), move |_| Loop::new(run(), guard));
            let ours = stopped_by(addr);
            ChildHandle {
                stop: Box::new(move || {
                    Box::pin(async move {
                        (ours.stop)().await;
                        drop(thread);
                    })
                }),
            }
        })
    }
}

/// A thread of a child; it ends with the last who needs it.
struct Thread(Arbiter);

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The handle of an actor that ends when it is asked to.
pub fn stopped_by<A>(addr: Addr<A>) -> ChildHandle
where
    A: Actor + Handler<Stop>,
    A::Context: ToEnvelope<A, Stop>,
{
    ChildHandle {
        stop: Box::new(move || {
            Box::pin(async move {
                // A closed mailbox: it has ended already.
                let _ = addr.send(Stop).await;
            })
        }),
    }
}

impl From<()> for EndReason {
    fn from((): ()) -> Self {
        Self::Normal
    }
}

struct Loop {
    run: Option<LocalFuture<EndReason>>,
    guard: ChildGuard,
}

impl Loop {
    fn new<F>(run: F, guard: ChildGuard) -> Self
    where
        F: Future + 'static,
        F::Output: Into<EndReason>,
    {
        let run = Reporter::scope(guard.reporter(), run);
        Self {
            run: Some(Box::pin(async move { run.await.into() })),
            guard,
        }
    }
}

impl Actor for Loop {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(run) = self.run.take() else { return };
        ctx.spawn(run.into_actor(self).map(|reason, this, ctx| {
            this.guard.ends(reason);
            ctx.stop();
        }));
    }
}

impl Handler<Stop> for Loop {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        self.guard.ends(EndReason::Shutdown);
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::{Intensity, Observer, Shutdown, Strategy, Supervisor, report_state, watch_panics};

    struct TellsItsDrop(mpsc::UnboundedSender<&'static str>);

    impl Drop for TellsItsDrop {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }

    #[actix::test]
    async fn a_loop_that_panics_or_ends_is_made_anew_and_one_that_is_stopped_is_dropped_where_it_waits()
     {
        watch_panics(str::to_owned);
        let (tell, mut told) = mpsc::unbounded_channel();
        let runs = Rc::new(Cell::new(0));
        let child = ChildSpec::looped("loop", move || {
            let (tell, run) = (tell.clone(), runs.get());
            runs.set(run + 1);
            async move {
                match run {
                    0 => panic!("the first run"),
                    1 => EndReason::Died("the second run".to_owned()),
                    _ => {
                        let _ = tell.send("waits");
                        let _held = TellsItsDrop(tell);
                        std::future::pending().await
                    }
                }
            }
        });
        let root = Supervisor::new(
            "/app",
            Strategy::OneForOne,
            Intensity::default(),
            vec![child],
        )
        .start();
        assert_eq!(told.recv().await, Some("waits"));
        root.send(Shutdown).await.unwrap();
        assert_eq!(told.recv().await, Some("dropped"));
    }

    struct Hears(mpsc::UnboundedSender<(String, serde_json::Value)>);

    impl Observer for Hears {
        fn started(&self, _: &str) {}
        fn ended(&self, _: &str, _: &EndReason) {}
        fn gave_up(&self, _: &str, _: &str) {}
        fn reported(&self, path: &str, state: serde_json::Value) {
            let _ = self.0.send((path.to_owned(), state));
        }
    }

    #[actix::test]
    async fn a_loop_reports_by_its_path_wherever_it_runs() {
        let (hear, mut heard) = mpsc::unbounded_channel();
        let run = || async {
            report_state(&7);
            std::future::pending::<()>().await;
        };
        let children = vec![
            ChildSpec::looped("here", run),
            ChildSpec::looped_apart("apart", run),
        ];
        let (one, budget) = (Strategy::OneForOne, Intensity::default());
        let root = Supervisor::new("/app", one, budget, children)
            .observed(&Arc::new(Hears(hear)))
            .start();
        let mut paths = [heard.recv().await.unwrap(), heard.recv().await.unwrap()];
        paths.sort_by(|one, other| one.0.cmp(&other.0));
        let told = ["/app/apart", "/app/here"].map(|path| (path.to_owned(), 7.into()));
        assert_eq!(paths, told);
        report_state(&8); // nobody hears it
        root.send(Shutdown).await.unwrap();
        assert!(heard.recv().await.is_none());
    }
}

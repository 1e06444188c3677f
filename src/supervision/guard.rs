//! Seeing a child die: a value inside the actor that reports when it is dropped.
//!
//! actix ends an actor whose handler panics by dropping it, and tells nobody. The guard's drop is the
//! one thing that happens on every way out.

use std::any::Any;
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;

use actix::prelude::*;
use serde::Serialize;

use super::observer::EndReason;
use super::reporter::Reporter;

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A child has ended. Sent once for every guard.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ChildEnded {
    pub name: String,
    /// Which start of the child it was: a late message of an earlier one is told apart.
    pub incarnation: u64,
    pub reason: EndReason,
}

/// Held by a child actor; its drop tells the supervisor.
#[derive(Debug)]
pub struct ChildGuard {
    name: String,
    incarnation: u64,
    supervisor: Recipient<ChildEnded>,
    reason: Option<EndReason>,
    reporter: Option<Reporter>,
}

impl ChildGuard {
    pub fn new(name: &str, incarnation: u64, supervisor: Recipient<ChildEnded>) -> Self {
        Self {
            name: name.to_owned(),
            incarnation,
            supervisor,
            reason: None,
            reporter: None,
        }
    }

    /// Its states are heard.
    #[must_use]
    pub(super) fn reporting(mut self, reporter: Option<Reporter>) -> Self {
        self.reporter = reporter;
        self
    }

    pub(super) fn reporter(&self) -> Option<Reporter> {
        self.reporter.clone()
    }

    /// Says how the child stands: the observer of its supervisor has it ([`Observer::reported`](super::Observer)).
    pub fn report(&self, state: &impl Serialize) {
        if let Some(reporter) = &self.reporter {
            reporter.report(state);
        }
    }

    /// Says how the end that now comes is meant; without it a drop is a death.
    pub fn ends(&mut self, reason: EndReason) {
        self.reason = Some(reason);
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let reason = self.reason.take().unwrap_or_else(|| {
            EndReason::Died(if std::thread::panicking() {
                last_panic()
            } else {
                "it was dropped".to_owned()
            })
        });
        // One message per child and start, which must not wait and cannot pile up.
        self.supervisor.do_send(ChildEnded {
            name: std::mem::take(&mut self.name),
            incarnation: self.incarnation,
            reason,
        });
    }
}

const NO_MESSAGE: &str = "a panic without a message";

/// The text of this thread's last panic, taken.
pub fn last_panic() -> String {
    LAST_PANIC
        .with_borrow_mut(Option::take)
        .unwrap_or_else(|| NO_MESSAGE.to_owned())
}

/// The text of a panic that this thread has just caught: as [`watch_panics`] kept it, or its own message where nobody
/// watches.
pub fn caught_panic(panic: &(dyn Any + Send)) -> String {
    LAST_PANIC
        .with_borrow_mut(Option::take)
        .unwrap_or_else(|| panic_message(panic))
}

/// What a panic says, without its place.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| NO_MESSAGE.to_owned())
}

/// Keeps the text of panics for the guards and logs them in one line, or writes it to stderr where nobody listens to
/// the log, as in most tests. `redact` removes secrets.
pub fn watch_panics(redact: impl Fn(&str) -> String + Send + Sync + 'static) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        std::panic::set_hook(Box::new(move |info| {
            let text = redact(&describe(info));
            if tracing::enabled!(target: "riftsync_supervision::panic", tracing::Level::ERROR) {
                tracing::error!(target: "riftsync_supervision::panic", "panicked: {text}");
            } else {
                eprintln!("panicked: {text}");
            }
            LAST_PANIC.with_borrow_mut(|last| *last = Some(text));
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    match info.location() {
        Some(at) => format!("{message} (at {}:{})", at.file(), at.line()),
        None => message.to_owned(),
    }
}

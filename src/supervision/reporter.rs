//! What an actor says of itself: a small state that those read who watch it, and that a test can wait for.
//!
//! An actor keeps its guard, and reports by it ([`ChildGuard::report`](super::ChildGuard::report)). A loop has
//! none, and reports by [`report_state`]. A state is reported when it changes, or at each look: what changes
//! thousands of times a second is better read where it is counted.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::observer::Observer;

tokio::task_local! {
    static REPORTER: Reporter;
}

/// The way from a child to whoever observes its supervisor.
#[derive(Clone)]
pub(super) struct Reporter {
    path: Arc<str>,
    observer: Arc<dyn Observer>,
}

impl Reporter {
    pub(super) fn new(path: &str, observer: Arc<dyn Observer>) -> Self {
        Self {
            path: path.into(),
            observer,
        }
    }

    pub(super) fn report(&self, state: &impl Serialize) {
        match serde_json::to_value(state) {
            Ok(state) => self.observer.reported(&self.path, state),
            Err(why) => tracing::debug!("{} has a state that is no JSON: {why}", self.path),
        }
    }

    /// Runs a loop as the child that reports this way.
    pub(super) async fn scope<F: Future>(reporter: Option<Self>, run: F) -> F::Output {
        match reporter {
            Some(reporter) => REPORTER.scope(reporter, run).await,
            None => run.await,
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Says how the loop stands that this is called from. Outside of a supervised loop nobody hears it.
pub fn report_state(state: &impl Serialize) {
    let _ = REPORTER.try_with(|reporter| reporter.report(state));
}

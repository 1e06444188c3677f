//! What one of the engine's loops fails in, again and again: told when it begins, now and then, and when it is over.

use super::metrics::{OutageLog, Words};
use super::store::StoreResult;

const WORDS: Words = Words {
    over: "it works again",
    failures: "tries failed",
};

/// See the module.
#[derive(Debug)]
pub(super) struct Trouble {
    what: String,
    log: OutageLog,
}

impl Trouble {
    /// `what` cannot be done: the beginning of a sentence.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            log: OutageLog::new(WORDS),
        }
    }

    /// Its outages, and the end of a database, are told by the store, once for everybody.
    pub(super) fn heed<T>(&self, outcome: &StoreResult<T>) {
        match outcome {
            Ok(_) if self.log.is_on() => {
                self.log.worked(0);
            }
            Ok(_) => {}
            Err(error) if error.is_told() => tracing::debug!("{}: {error}", self.what),
            Err(error) => self.log.failed(0, format_args!("{}: {error}", self.what)),
        }
    }
}

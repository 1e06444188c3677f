//! Which kinds of jobs this engine can run. Filled once, before the engine starts.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::store::JobStore;
use super::task::Task;
use riftsync_basics::{Form, NewJob};

pub struct Registry<S: ?Sized> {
    tasks: HashMap<&'static str, Arc<dyn Task<S>>>,
    /// In the order in which they were added.
    kinds: Vec<&'static str>,
}

impl<S: ?Sized> Default for Registry<S> {
    fn default() -> Self {
        Self {
            tasks: HashMap::new(),
            kinds: Vec::new(),
        }
    }
}

impl<S: JobStore + ?Sized> Registry<S> {
    /// Adds a kind. Two tasks of one kind are a bug.
    #[must_use]
    pub fn with(mut self, task: impl Task<S>) -> Self {
        let kind = task.kind();
        let before = self.tasks.insert(kind, Arc::new(task));
        assert!(before.is_none(), "the kind '{kind}' is registered twice");
        self.kinds.push(kind);
        self
    }

    /// The forms of the kinds that people submit, in the order in which they were added.
    pub fn forms(&self) -> Vec<Form> {
        let kinds = self.kinds.iter();
        kinds
            .filter_map(|kind| self.tasks.get(kind)?.form())
            .collect()
    }

    pub fn task(&self, kind: &str) -> Option<Arc<dyn Task<S>>> {
        self.tasks.get(kind).cloned()
    }
}

/// Why no job can be made of what somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderError {
    UnknownKind { known: String },
    Arguments(String),
}

impl<S: JobStore + ?Sized> Registry<S> {
    /// A job from a kind and arguments that somebody wrote.
    pub fn order(&self, kind: &str, args: &str) -> Result<NewJob, OrderError> {
        if let Some(task) = self.tasks.get(kind) {
            return task.order(args).map_err(OrderError::Arguments);
        }
        let mut known: Vec<&str> = self.tasks.keys().copied().collect();
        known.sort_unstable();
        Err(OrderError::UnknownKind {
            known: known.join(", "),
        })
    }
}

impl<S: ?Sized> fmt::Debug for Registry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.kinds).finish()
    }
}

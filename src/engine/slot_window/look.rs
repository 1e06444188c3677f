//! A claim as a queue asks for it.

use super::super::store::Wanted;
use riftsync_basics::{Lease, Priority};

/// A claim to make now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Look {
    /// How many jobs to claim.
    pub(in super::super) room: usize,
    /// Lanes whose jobs are not claimed.
    pub(in super::super) closed: Vec<String>,
    pub(in super::super) part: Part,
    /// The fate of the last claim is unknown. Before this one, everything that this engine holds of
    /// the queue is handed back but these.
    pub(in super::super) reconcile: Option<Vec<Lease>>,
}

/// Which jobs there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Part {
    All,
    Urgent,
    /// Those that are not urgent.
    Plain,
}

impl Look {
    pub(in super::super) fn wanted<'a>(&'a self, queue: &'a str) -> Wanted<'a> {
        let bound = |part| (self.part == part).then_some(Priority::DEFAULT);
        Wanted {
            queue,
            limit: self.room,
            closed: &self.closed,
            before: bound(Part::Urgent),
            from: bound(Part::Plain),
        }
    }
}

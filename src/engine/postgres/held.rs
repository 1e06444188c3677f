//! Jobs whose attempts end, locked.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::enqueue::{Call, From, Open, OpenJobs};
use super::settle::End;
use crate::store::rows::{no_less_urgent, priority_from};
use riftsync_basics::{JobState, NewJob, Settlement};

/// As `Fence` gives it.
pub(super) type HeldRow = (
    (i64, String, Option<String>, String, String, String),
    (i32, i64, Option<i64>, i32, i32),
);

/// A job whose attempt ends, locked.
pub(super) struct Held<'a> {
    /// Where its end stands among all.
    pub(super) at: usize,
    pub(super) end: End<'a>,
    pub(super) kind: String,
    pub(super) key: Option<String>,
    pub(super) queue: String,
    pub(super) errors: String,
    pub(super) rollup: String,
    pub(super) attempt: i32,
    pub(super) flow: i64,
    pub(super) crashes: i32,
    pub(super) settlement: Settlement,
    pub(super) children: Cow<'a, [NewJob]>,
}

impl Held<'_> {
    pub(super) fn call(&self) -> Call<'_> {
        Call {
            jobs: &self.children,
            now: self.end.now,
            from: From::Parent {
                id: self.end.lease.job,
                flow: self.flow,
            },
        }
    }

    pub(super) fn spawns(&self) -> bool {
        self.settlement.state == JobState::Completed && !self.children.is_empty()
    }
}

/// The jobs of these ends that are held.
pub(super) fn held_of<'a>(rows: Vec<HeldRow>, ends: &[End<'a>], of: &[usize]) -> Vec<Held<'a>> {
    let places = of.iter().map(|at| (ends[*at].lease.job.0, *at));
    let places: HashMap<i64, usize> = places.collect();
    rows.into_iter()
        .map(
            |(
                (id, kind, key, queue, errors, rollup),
                (attempt, flow, cancel, crashes, priority),
            )| {
                let at = places[&id];
                let end = ends[at];
                let mut settlement = end.settlement.clone();
                let mut children = end.children;
                if cancel.is_some() {
                    settlement = settlement.under_cancellation(!children.is_empty(), end.now);
                    children = &[];
                }
                Held {
                    at,
                    end,
                    kind,
                    key,
                    queue,
                    errors,
                    rollup,
                    attempt,
                    flow,
                    crashes,
                    settlement,
                    children: no_less_urgent(children, priority_from(priority)),
                }
            },
        )
        .collect()
}

/// Whether a child of the job is a job that ends in the same batch, or one that waits itself: then the order
/// in which they are written matters, and there may be a circle.
pub(super) fn is_entangled(
    job: &Held<'_>,
    settling: &HashSet<(&str, &str)>,
    open: &OpenJobs,
) -> bool {
    job.children.iter().any(|child| {
        let Some(key) = child.key.as_deref() else {
            return false;
        };
        settling.contains(&(child.kind, key))
            || open
                .get(&(child.kind.to_owned(), key.to_owned()))
                .is_some_and(Open::is_blocked)
    })
}

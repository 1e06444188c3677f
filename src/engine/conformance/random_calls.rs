//! Random calls to a store, for property tests: every verb, at any time, with any lease there ever was.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::store::{Completion, Effect};
use riftsync_basics::attempt::settle;
use riftsync_basics::suspicion::Death;
use riftsync_basics::{After, Failure, JobId, NewJob, OnFailure, Outcome, Priority, Timestamp};

pub const QUEUES: [&str; 2] = ["q0", "q1"];
pub const LANES: [&str; 3] = ["", "l1", "l2"];
const KINDS: [&str; 2] = ["k0", "k1"];

#[derive(Debug, Clone)]
pub enum StoreCall {
    Enqueue(Vec<JobSketch>),
    Batch(Vec<JobSketch>),
    Claim {
        queue: usize,
        limit: usize,
        /// A lane that is passed over.
        closed: Option<usize>,
        urgent: Option<bool>,
    },
    Settle {
        lease: usize,
        end: End,
    },
    Cancel {
        job: usize,
    },
    Retry {
        job: usize,
    },
    /// Time goes on, and what is due becomes available.
    Stage {
        after_s: u64,
    },
    /// The engine dies; the next one returns its jobs.
    Crash {
        death: Death,
    },
    /// An attempt tells that it runs alone.
    RunAlone {
        lease: usize,
    },
    Release {
        queue: usize,
    },
}

#[derive(Debug, Clone)]
pub struct JobSketch {
    kind: usize,
    queue: usize,
    lane: usize,
    key: Option<u8>,
    priority: u8,
    max_attempts: u32,
    delay_s: Option<u64>,
    after: Option<(usize, bool)>,
}

#[derive(Debug, Clone)]
pub enum End {
    Complete(Vec<JobSketch>),
    Retry,
    Snooze,
    Cancel,
    Discard,
}

impl JobSketch {
    /// `known`: the jobs there are, for those that come after one of them.
    pub fn job(&self, known: &[JobId], now: Timestamp) -> NewJob {
        let after = match self.after {
            Some((other, cancel)) if !known.is_empty() => After {
                jobs: vec![known[other % known.len()]],
                on_failure: if cancel {
                    OnFailure::Cancel
                } else {
                    OnFailure::RunAnyway
                },
            },
            _ => After::default(),
        };
        NewJob {
            kind: KINDS[self.kind],
            queue: QUEUES[self.queue],
            lane: LANES[self.lane],
            key: self.key.map(|key| key.to_string()),
            args: "{}".to_owned(),
            priority: Priority::new(self.priority),
            max_attempts: self.max_attempts,
            run_at: self.delay_s.map(|delay| now + Duration::from_secs(delay)),
            after,
        }
    }
}

impl End {
    pub fn completion<E: Effect>(
        &self,
        attempt: u32,
        max_attempts: u32,
        now: Timestamp,
    ) -> Arc<Completion<E>> {
        let failure = || Failure::new("test", "as ordered");
        let (outcome, children) = match self {
            Self::Complete(children) => (
                Outcome::Complete(serde_json::Value::Null),
                // A child that comes after its own parent would wait for ever: children have no `after`.
                children.iter().map(|child| child.job(&[], now)).collect(),
            ),
            Self::Retry => (Outcome::Retry(failure()), Vec::new()),
            Self::Snooze => {
                let delay = Duration::from_secs(3);
                let why = String::new();
                (Outcome::Snooze { delay, why }, Vec::new())
            }
            Self::Cancel => (Outcome::Cancel(String::new()), Vec::new()),
            Self::Discard => (Outcome::Discard(failure()), Vec::new()),
        };
        let backoff = Duration::from_secs(4);
        Arc::new(Completion {
            settlement: settle(attempt, max_attempts, outcome, backoff, now),
            effects: Vec::new(),
            children,
            survived: true,
        })
    }
}

/// What a claim of only urgent jobs is for, or one of only the others: before which priority, and from which on.
pub fn bounds(urgent: Option<bool>) -> [Option<Priority>; 2] {
    let bound = Some(Priority::new(1));
    match urgent {
        None => [None, None],
        Some(true) => [bound, None],
        Some(false) => [None, bound],
    }
}

/// The lanes a claim passes over.
pub fn lanes(closed: Option<usize>) -> Vec<String> {
    closed.iter().map(|lane| LANES[*lane].to_owned()).collect()
}

fn sketch() -> impl Strategy<Value = JobSketch> {
    (
        0..KINDS.len(),
        (0..QUEUES.len(), 0..LANES.len()),
        prop::option::of(0_u8..5),
        0_u8..2,
        1_u32..4,
        prop::option::weighted(0.2, 0_u64..6),
        prop::option::weighted(0.2, (any::<usize>(), any::<bool>())),
    )
        .prop_map(
            |(kind, (queue, lane), key, priority, max_attempts, delay_s, after)| JobSketch {
                kind,
                queue,
                lane,
                key,
                priority,
                max_attempts,
                delay_s,
                after,
            },
        )
}

pub fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => prop::collection::vec(sketch(), 0..4).prop_map(End::Complete),
        2 => Just(End::Retry),
        1 => Just(End::Snooze),
        1 => Just(End::Cancel),
        1 => Just(End::Discard),
    ]
}

pub fn store_calls(length: usize) -> impl Strategy<Value = Vec<StoreCall>> {
    let call = prop_oneof![
        3 => prop::collection::vec(sketch(), 1..4).prop_map(StoreCall::Enqueue),
        1 => prop::collection::vec(sketch(), 0..4).prop_map(StoreCall::Batch),
        6 => (0..QUEUES.len(), 1_usize..5, prop::option::weighted(0.4, 0..LANES.len()), prop::option::weighted(0.3, any::<bool>()))
            .prop_map(|(queue, limit, closed, urgent)| StoreCall::Claim { queue, limit, closed, urgent }),
        9 => (any::<usize>(), end()).prop_map(|(lease, end)| StoreCall::Settle { lease, end }),
        1 => any::<usize>().prop_map(|job| StoreCall::Cancel { job }),
        1 => any::<usize>().prop_map(|job| StoreCall::Retry { job }),
        2 => (0_u64..6).prop_map(|after_s| StoreCall::Stage { after_s }),
        2 => prop_oneof![
            6 => Just(Death::ByItself), 1 => Just(Death::FromOutside), 2 => Just(Death::Unknown)
        ].prop_map(|death| StoreCall::Crash { death }),
        1 => any::<usize>().prop_map(|lease| StoreCall::RunAlone { lease }),
        1 => (0..QUEUES.len()).prop_map(|queue| StoreCall::Release { queue }),
    ];
    prop::collection::vec(call, 1..length)
}

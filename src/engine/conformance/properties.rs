//! What holds of jobs whatever is ordered, on the reference model.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;

use super::random_calls::{QUEUES, StoreCall, bounds, lanes, store_calls};
use crate::memory::ledger::Ledger;
use crate::store::{Fenced, Retried, Wanted};
use riftsync_basics::{ClaimedJob, JobId, JobState, Timestamp};

/// A world that carries out calls on a ledger and checks every step.
struct World {
    ledger: Ledger,
    leases: Vec<ClaimedJob>,
    engine: u32,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            leases: Vec::new(),
            engine: 0,
            now: Timestamp::EPOCH,
        }
    }

    fn engine(&self) -> String {
        format!("e{}", self.engine)
    }

    fn known(&self) -> Vec<JobId> {
        self.ledger.jobs.keys().copied().collect()
    }

    /// Carries out one call; the job that it revived, if it did.
    fn step(&mut self, call: &StoreCall) -> Option<JobId> {
        let (known, now) = (self.known(), self.now);
        let pick = |n: usize| known.get(n % known.len().max(1)).copied();
        match call {
            StoreCall::Enqueue(sketches) => {
                let jobs: Vec<_> = sketches.iter().map(|job| job.job(&known, now)).collect();
                self.ledger.enqueue(&jobs, now);
            }
            StoreCall::Batch(sketches) => {
                let jobs: Vec<_> = sketches.iter().map(|job| job.job(&known, now)).collect();
                self.ledger.enqueue_batch(&jobs, now);
            }
            StoreCall::Claim {
                queue,
                limit,
                closed,
                urgent,
            } => {
                let engine = self.engine();
                let [before, from] = bounds(*urgent);
                let wanted = Wanted {
                    queue: QUEUES[*queue],
                    limit: *limit,
                    closed: &lanes(*closed),
                    before,
                    from,
                };
                let claimed = self.ledger.claim(wanted, &engine);
                self.leases.extend(claimed);
            }
            StoreCall::Settle { lease, end } => {
                let job = self.leases.get(lease % self.leases.len().max(1))?;
                let completion = end.completion(job.attempt, job.max_attempts, now);
                let before = self.ledger.clone();
                let held = before.jobs[&job.lease.job]
                    .lease
                    .as_ref()
                    .is_some_and(|(held, _)| *held == job.lease);
                let fenced = self
                    .ledger
                    .settle::<Infallible>(job.lease, &completion, now);
                assert_eq!(fenced == Fenced::Applied, held);
                if fenced == Fenced::Stale {
                    assert_eq!(self.ledger, before, "a stale attempt changes nothing");
                }
            }
            StoreCall::Cancel { job } => {
                let _ = self.ledger.cancel(pick(*job)?, now);
            }
            StoreCall::Retry { job } => {
                let job = pick(*job)?;
                let is_batch = self.ledger.jobs[&job].kind == riftsync_basics::attempt::BATCH_KIND;
                if !is_batch && self.ledger.retry(job, now) == Retried::Available {
                    return Some(job);
                }
            }
            StoreCall::Stage { after_s } => {
                self.now = now + Duration::from_secs(*after_s);
                self.ledger.stage(self.now);
            }
            StoreCall::RunAlone { lease } => {
                let job = self.leases.get(lease % self.leases.len().max(1))?;
                let _ = self.ledger.runs_alone(job.lease);
            }
            StoreCall::Crash { death } => {
                let engine = self.engine();
                self.ledger.died(&engine, *death);
                self.engine += 1;
                let engine = self.engine();
                self.ledger.rescue(&engine, now);
            }
            StoreCall::Release { queue } => {
                let engine = self.engine();
                self.ledger.release(&engine, Some(QUEUES[*queue]), &[], now);
            }
        }
        None
    }

    fn check(&self, before: &BTreeMap<JobId, JobState>, revived: Option<JobId>) {
        for (id, row) in &self.ledger.jobs {
            assert!(row.attempt <= row.max_attempts, "job {id}: {row:?}");
            assert_eq!(
                row.state == JobState::Running,
                row.lease.is_some(),
                "job {id}"
            );
            if let Some(was) = before.get(id)
                && was.is_final()
                && revived != Some(*id)
            {
                assert_eq!(*was, row.state, "job {id} left a final state");
            }
            assert!(
                row.children
                    .iter()
                    .all(|child| !self.ledger.jobs[child].state.is_final()),
                "job {id} waits for a child that has ended"
            );
            let waits = !row.children.is_empty() || !row.after.is_empty();
            assert_eq!(row.state == JobState::Blocked, waits, "job {id}: {row:?}");
            assert!(
                row.effects <= 1 || revived.is_some() || row.submitted,
                "job {id}"
            );
        }
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// Stale attempts change nothing, attempts stay within their maximum, final states are left only by
    /// retry, and a job waits exactly as long as something it waits for is open.
    #[test]
    fn whatever_is_ordered_the_rules_of_jobs_hold(calls in store_calls(80)) {
        let mut world = World::new();
        for call in &calls {
            let before = world.ledger.jobs.iter().map(|(id, row)| (*id, row.state)).collect();
            let revived = world.step(call);
            world.check(&before, revived);
        }
    }

    /// However it began, an engine that goes on claiming and completing ends with every job final.
    #[test]
    fn no_job_is_stuck(calls in store_calls(60)) {
        let mut world = World::new();
        for call in &calls {
            world.step(call);
        }
        world.step(&StoreCall::Crash {
            death: riftsync_basics::suspicion::Death::FromOutside,
        });
        for _ in 0..2_000 {
            world.step(&StoreCall::Stage { after_s: 10 });
            let engine = world.engine();
            let jobs: Vec<_> = QUEUES
                .iter()
                .flat_map(|queue| world.ledger.claim(Wanted::of(queue, 3), &engine))
                .collect();
            if jobs.is_empty() {
                break;
            }
            for job in jobs {
                let end = super::random_calls::End::Complete(Vec::new());
                let completion = end.completion(job.attempt, job.max_attempts, world.now);
                prop_assert_eq!(world.ledger.settle::<Infallible>(job.lease, &completion, world.now), Fenced::Applied);
            }
        }
        for (id, row) in &world.ledger.jobs {
            prop_assert!(row.state.is_final(), "job {} is stuck: {:?}", id, row);
        }
    }
}

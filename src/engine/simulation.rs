//! The engine's decisions against the reference store, with everything that can go wrong between two
//! steps: a crash, an answer that never comes, an outage, late news. Thousands of seeds in seconds; a
//! failing one prints itself, and `RIFTSYNC_SEED=N cargo test engine::simulation` replays it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::memory::ledger::{Ledger, Row};
use super::slot_window::{Look, Next, SlotWindow};
use super::store::{Completion, Fenced, Retried};
use riftsync_basics::attempt::settle;
use riftsync_basics::suspicion::Death;
use riftsync_basics::{
    After, ClaimedJob, Failure, JobId, JobState, Lease, NewJob, Outcome, Priority, Rate,
    RetryPolicy, Timestamp,
};

const QUEUES: [&str; 3] = ["q0", "q1", "q2"];
const LANES: [&str; 3] = ["", "l1", "l2"];
const POLICY: RetryPolicy = RetryPolicy::new(3, 2, 20);
/// Moments in which things go wrong; afterwards the world is calm and must come to rest.
const WILD: u64 = 30;
/// Crashes that one world sees at most.
const CRASHES_MAX: u32 = 8;

/// Something that will happen.
#[derive(Debug, Clone)]
enum Event {
    /// The claim reaches the store.
    Claim {
        queue: usize,
        look: Look,
    },
    /// The claim's answer reaches the queue. None: the store was away.
    Claimed {
        queue: usize,
        jobs: Option<Vec<ClaimedJob>>,
    },
    /// An attempt has done its work.
    Worked {
        queue: usize,
        job: ClaimedJob,
    },
    /// The end of an attempt reaches the store.
    Settle {
        queue: usize,
        lease: Lease,
        completion: Arc<Completion<Infallible>>,
    },
    /// The store's answer reaches the executor. None: the store was away.
    Settled {
        queue: usize,
        lease: Lease,
        completion: Arc<Completion<Infallible>>,
        fenced: Option<Fenced>,
    },
    /// A queue looks for work, whether it was told of some or not.
    Look {
        queue: usize,
    },
    Stage,
    Submit,
    CancelOrRetry,
    Crash,
}

struct World {
    rng: fastrand::Rng,
    /// By time and age.
    events: BTreeMap<(Duration, u64), Event>,
    ages: u64,
    now: Duration,
    ledger: Ledger,
    engine: u32,
    crashes: u32,
    windows: Vec<SlotWindow>,
    /// Attempts that run in this engine.
    working: HashMap<Lease, usize>,
    /// Of these the ones whose work is done.
    ending: HashMap<Lease, usize>,
    /// How often a person gave a job its attempts back.
    revived: HashMap<JobId, usize>,
    /// Ends of attempts whose answer was lost.
    uncertain: HashSet<Lease>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            rng: fastrand::Rng::with_seed(seed),
            events: BTreeMap::new(),
            ages: 0,
            now: Duration::ZERO,
            ledger: Ledger::default(),
            engine: 0,
            crashes: 0,
            windows: Vec::new(),
            working: HashMap::new(),
            ending: HashMap::new(),
            revived: HashMap::new(),
            uncertain: HashSet::new(),
        };
        for _ in 0..6 {
            world.submit();
        }
        for second in 0..WILD {
            for (chance, event) in [
                (0.3, Event::Submit),
                (0.1, Event::CancelOrRetry),
                (0.05, Event::Crash),
            ] {
                if world.rng.f64() < chance {
                    let at = Duration::from_secs(second) + world.moment();
                    world.at(at, event);
                }
            }
        }
        world.start_engine();
        world
    }

    fn clock(&self) -> Timestamp {
        Timestamp::EPOCH + self.now
    }

    /// Up to a second.
    fn moment(&mut self) -> Duration {
        Duration::from_millis(self.rng.u64(1..1_000))
    }

    fn wild(&self) -> bool {
        self.now < Duration::from_secs(WILD)
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.ages += 1;
        self.events.insert((at, self.ages), event);
    }

    fn soon(&mut self, event: Event) {
        let at = self.now + self.moment();
        self.at(at, event);
    }

    /// A process starts: whatever the last one held in memory is gone.
    fn start_engine(&mut self) {
        if self.rng.bool() {
            let last = self.engine_name();
            self.ledger.died(&last, Death::ByItself);
        }
        self.engine += 1;
        self.working.clear();
        self.ending.clear();
        self.events.retain(|_, event| {
            matches!(event, Event::Submit | Event::CancelOrRetry | Event::Crash)
        });
        let rate = Rate {
            count: 5,
            period: Duration::from_secs(2),
        };
        self.windows = (0..QUEUES.len())
            .map(|queue| SlotWindow::new(1 + queue, queue, (queue == 2).then_some(rate)))
            .collect();
        let (engine, now) = (self.engine_name(), self.clock());
        self.ledger.rescue(&engine, now);
        for queue in 0..QUEUES.len() {
            self.windows[queue].open();
            self.soon(Event::Look { queue });
        }
        self.soon(Event::Stage);
    }

    fn engine_name(&self) -> String {
        format!("e{}", self.engine)
    }

    fn job(&mut self) -> NewJob {
        let known: Vec<JobId> = self.ledger.jobs.keys().copied().collect();
        let after = if !known.is_empty() && self.rng.f64() < 0.1 {
            After {
                jobs: vec![known[self.rng.usize(..known.len())]],
                ..After::default()
            }
        } else {
            After::default()
        };
        NewJob {
            kind: "k",
            queue: QUEUES[self.rng.usize(..QUEUES.len())],
            lane: LANES[self.rng.usize(..LANES.len())],
            key: (self.rng.f64() < 0.5).then(|| self.rng.u8(..12).to_string()),
            args: String::new(),
            priority: Priority::new(self.rng.u8(3..7)),
            max_attempts: POLICY.max_attempts(),
            run_at: (self.rng.f64() < 0.1).then(|| self.clock() + Duration::from_secs(5)),
            after,
        }
    }

    fn submit(&mut self) {
        let jobs: Vec<NewJob> = (0..self.rng.usize(1..4)).map(|_| self.job()).collect();
        let now = self.clock();
        if self.rng.f64() < 0.2 {
            self.ledger.enqueue_batch(&jobs, now);
        } else {
            self.ledger.enqueue(&jobs, now);
        }
    }

    fn cancel_or_retry(&mut self) {
        let known: Vec<JobId> = self.ledger.jobs.keys().copied().collect();
        let (job, now) = (known[self.rng.usize(..known.len())], self.clock());
        if self.rng.bool() {
            let _ = self.ledger.cancel(job, now);
        } else if self.ledger.jobs[&job].kind == "k"
            && self.ledger.retry(job, now) == Retried::Available
        {
            *self.revived.entry(job).or_default() += 1;
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Look { queue } => {
                self.hold(queue);
                self.look(queue);
                let at = self.now + Duration::from_secs(1);
                self.at(at, Event::Look { queue });
                self.start_ready(queue);
            }
            Event::Claim { queue, look } => self.claim(queue, &look),
            Event::Claimed { queue, jobs } => {
                match jobs {
                    Some(jobs) => self.windows[queue].claimed(jobs),
                    None => self.windows[queue].claim_failed(),
                }
                self.start_ready(queue);
            }
            Event::Worked { queue, job } => {
                self.windows[queue].worked(job.lease);
                self.ending.insert(job.lease, queue);
                self.start_ready(queue);
                let completion = self.end_of(&job);
                self.soon(Event::Settle {
                    queue,
                    lease: job.lease,
                    completion,
                });
            }
            Event::Settle {
                queue,
                lease,
                completion,
            } => {
                // It fails before the commit, or after it: then it stands and nobody knows.
                let failed = self.wild() && self.rng.f64() < 0.1;
                let lost = self.wild() && self.rng.f64() < 0.05;
                let mut fenced = None;
                if !failed {
                    let now = self.clock();
                    fenced = Some(self.ledger.settle(lease, &completion, now));
                }
                if lost {
                    fenced = None;
                    self.uncertain.insert(lease);
                }
                self.soon(Event::Settled {
                    queue,
                    lease,
                    completion,
                    fenced,
                });
            }
            Event::Settled {
                queue,
                lease,
                completion,
                fenced,
            } => match fenced {
                None => self.soon(Event::Settle {
                    queue,
                    lease,
                    completion,
                }),
                Some(fenced) => {
                    assert!(
                        fenced == Fenced::Applied || self.uncertain.contains(&lease),
                        "an attempt settles once, and nobody took it"
                    );
                    self.working.remove(&lease);
                    self.ending.remove(&lease);
                    self.windows[queue]
                        .ended(lease, completion.settlement.state == JobState::Scheduled);
                    self.start_ready(queue);
                }
            },
            Event::Stage => {
                let now = self.clock();
                self.ledger.stage(now);
                self.soon(Event::Stage);
            }
            Event::Submit => self.submit(),
            Event::CancelOrRetry => self.cancel_or_retry(),
            Event::Crash => {
                if self.crashes < CRASHES_MAX {
                    self.crashes += 1;
                    self.start_engine();
                }
            }
        }
    }

    fn claim(&mut self, queue: usize, look: &Look) {
        if self.wild() && self.rng.f64() < 0.1 {
            self.soon(Event::Claimed { queue, jobs: None });
            return;
        }
        let (engine, now) = (self.engine_name(), self.clock());
        if let Some(held) = &look.reconcile {
            self.ledger.release(&engine, Some(QUEUES[queue]), held, now);
        }
        let jobs = self.ledger.claim(look.wanted(QUEUES[queue]), &engine);
        let lost = self.wild() && self.rng.f64() < 0.05;
        let jobs = (!lost).then_some(jobs);
        self.soon(Event::Claimed { queue, jobs });
    }

    /// A service may hold the queue or close a lane, while things go wrong.
    fn hold(&mut self, queue: usize) {
        let held = self.wild() && self.rng.f64() < 0.1;
        let closed = self.wild() && self.rng.f64() < 0.2;
        let lanes = closed.then(|| LANES[self.rng.usize(..LANES.len())].to_owned());
        self.windows[queue].hold(held, lanes.into_iter().collect());
    }

    fn look(&mut self, queue: usize) {
        if let Some(look) = self.windows[queue].look() {
            self.soon(Event::Claim { queue, look });
        }
    }

    fn start_ready(&mut self, queue: usize) {
        while let Next::Start(job) = self.windows[queue].next(self.now) {
            let before = self.working.insert(job.lease, queue);
            assert_eq!(before, None, "an attempt starts once");
            self.soon(Event::Worked { queue, job });
        }
        if self.windows[queue].wants_more() {
            self.look(queue);
        }
    }

    /// What an attempt comes to.
    fn end_of(&mut self, job: &ClaimedJob) -> Arc<Completion<Infallible>> {
        let depth_left = job.lease.job.0 < 60;
        let failure = || Failure::new("test", "as drawn");
        let mut children = Vec::new();
        let outcome = match self.rng.u8(..if self.wild() { 10 } else { 1 }) {
            0..=4 => {
                if depth_left && self.wild() {
                    children = (0..self.rng.usize(..3))
                        .map(|_| NewJob {
                            after: After::default(),
                            ..self.job()
                        })
                        .collect();
                }
                Outcome::Complete(serde_json::Value::Null)
            }
            5 | 6 => Outcome::Retry(failure()),
            7 => Outcome::Snooze {
                delay: Duration::from_secs(3),
                why: String::new(),
            },
            8 => Outcome::Discard(failure()),
            _ => Outcome::Cancel(String::new()),
        };
        let backoff = POLICY.backoff(job.attempt, self.rng.f64());
        Arc::new(Completion {
            settlement: settle(
                job.attempt,
                job.max_attempts,
                outcome,
                backoff,
                self.clock(),
            ),
            effects: Vec::new(),
            children,
            survived: true,
        })
    }

    fn check(&self) {
        for (number, queue) in QUEUES.iter().enumerate() {
            let held = self
                .ledger
                .jobs
                .values()
                .filter(|row| row.state == JobState::Running && row.queue == *queue);
            // Ends beside the slots: one less than there are slots.
            let of = |all: &HashMap<Lease, usize>| all.values().filter(|of| **of == number).count();
            let beside = of(&self.ending).min(number);
            assert!(
                held.count() <= 2 * (1 + number) + number + number,
                "{queue} holds more than its window"
            );
            assert!(
                of(&self.working) - beside <= 2 * (1 + number),
                "{queue} runs more than its slots"
            );
        }
        for (lease, _) in self
            .ledger
            .jobs
            .values()
            .filter_map(|row| row.lease.as_ref())
        {
            assert!(self.ledger.jobs[&lease.job].attempt <= POLICY.max_attempts());
        }
    }

    /// Runs until nothing is left to do, or too long for that.
    fn run(mut self) {
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            self.step(event);
            // Looking at everything after every event would cost the seeds.
            if self.ages.is_multiple_of(8) {
                self.check();
            }
            if !self.wild() && self.ledger.jobs.values().all(|row| row.state.is_final()) {
                return self.check_end();
            }
            let too_long = at > Duration::from_secs(WILD + 600);
            assert!(!too_long, "stuck: {:?}", self.open());
        }
        panic!("the engine fell asleep: {:?}", self.open())
    }

    fn open(&self) -> Vec<(&JobId, &Row)> {
        let jobs = self.ledger.jobs.iter();
        jobs.filter(|(_, row)| !row.state.is_final()).collect()
    }

    /// Done is done once, whatever happened: only who revives a job has it done again.
    fn check_end(&self) {
        for (id, row) in &self.ledger.jobs {
            let times = 1 + self.revived.get(id).copied().unwrap_or(0);
            assert!(
                row.effects <= times,
                "job {id} took effect too often: {row:?}"
            );
            let done = row.state == JobState::Completed && row.kind == "k";
            assert!(!done || row.effects >= 1, "job {id} is lost: {row:?}");
        }
    }
}

fn seeds() -> Box<dyn Iterator<Item = u64>> {
    match std::env::var("RIFTSYNC_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => Box::new(std::iter::once(seed)),
        None => Box::new(0..2_000),
    }
}

#[test]
fn whenever_the_engine_dies_every_job_ends_and_is_done_once() {
    for seed in seeds() {
        let ran = std::panic::catch_unwind(|| World::new(seed).run());
        assert!(
            ran.is_ok(),
            "seed {seed} fails; replay it with RIFTSYNC_SEED={seed}"
        );
    }
}

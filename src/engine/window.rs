//! What a queue decides: when to claim and how many, and which job starts next. Pure: no actor, no
//! clock, no store, so that it can be crashed a million times in a test.
//!
//! Invariants: jobs held (ready and running) never exceed `slots + prefetch`, jobs running never
//! exceed `slots`, one claim is in flight at a time. Only urgent jobs get a little more: what a person
//! waits for does not wait until a crawl leaves a slot.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::controls::QueueSettings;
use super::lanes::Lanes;
use crate::model::{Bucket, ClaimedJob, Lease, Priority, Rate};
use crate::store::Wanted;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Hands back what an earlier incarnation left.
    Starting,
    Open,
    Draining,
}

/// A claim to make now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// How many jobs to claim.
    pub(super) room: usize,
    /// Lanes whose jobs are not claimed.
    pub(super) closed: Vec<String>,
    /// There is room for urgent jobs only.
    pub(super) urgent: bool,
    /// The fate of the last claim is unknown. Before this one, everything that this engine holds of
    /// the queue is handed back but these.
    pub(super) reconcile: Option<Vec<Lease>>,
}

impl Look {
    pub(super) fn wanted<'a>(&'a self, queue: &'a str) -> Wanted<'a> {
        Wanted {
            queue,
            limit: self.room,
            closed: &self.closed,
            before: self.urgent.then_some(Priority::DEFAULT),
        }
    }
}

fn is_urgent(job: &ClaimedJob) -> bool {
    job.priority < Priority::DEFAULT
}

/// What may start.
#[derive(Debug)]
pub(super) enum Next {
    Start(ClaimedJob),
    /// The queue's rate holds the next job until then.
    At(Duration),
    Nothing,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    slots: usize,
    /// Slots beyond these that only urgent jobs get.
    express: usize,
    prefetch: usize,
    bucket: Option<Bucket>,
    phase: Phase,
    /// An operator says that nothing more may start.
    paused: bool,
    /// A service says that nothing of this queue may start now.
    held: bool,
    /// Other engines may have the jobs of this one.
    lapsed: bool,
    lanes: Lanes,
    /// The last claim passed over lanes that had their share.
    passed_over: bool,
    /// Room that the claim in flight was asked to fill.
    claiming: Option<usize>,
    /// More work may be there than the last claim could take.
    hungry: bool,
    /// By priority, then in the order they were claimed.
    ready: VecDeque<ClaimedJob>,
    /// By lease: after an end whose answer was lost, a job can be claimed again before its last attempt
    /// has heard that it is over. With its lane.
    running: HashMap<Lease, String>,
    /// A claim came to nothing as far as is known; it may have been made all the same.
    uncertain: bool,
}

/// Slots beyond the others for urgent jobs: those that a person waits for.
pub fn express_slots(slots: usize) -> usize {
    (slots / 8).max(1)
}

impl Window {
    pub(super) fn new(slots: usize, prefetch: usize, rate: Option<Rate>) -> Self {
        Self {
            slots,
            express: express_slots(slots),
            prefetch,
            bucket: rate.map(Bucket::new),
            phase: Phase::Starting,
            paused: false,
            held: false,
            lapsed: false,
            lanes: Lanes::default(),
            passed_over: false,
            claiming: None,
            hungry: true,
            ready: VecDeque::new(),
            running: HashMap::new(),
            uncertain: false,
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Jobs that are held and do not run.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Whether jobs may be claimed and started.
    fn is_going(&self) -> bool {
        self.phase == Phase::Open && !self.paused && !self.held && !self.lapsed
    }

    fn room(&self) -> usize {
        (self.slots + self.prefetch).saturating_sub(self.running.len() + self.ready.len())
    }

    /// Room for urgent jobs when there is none for others.
    fn express_room(&self) -> usize {
        (self.slots + self.express + self.prefetch)
            .saturating_sub(self.running.len() + self.ready.len())
    }

    /// There may be work. The claim to make now, if one may be made.
    pub(super) fn look(&mut self) -> Option<Look> {
        let (room, urgent) = match self.room() {
            0 => (self.express_room(), true),
            room => (room, false),
        };
        if !self.is_going() || self.claiming.is_some() || room == 0 {
            self.hungry = true;
            return None;
        }
        self.claiming = Some(room);
        self.hungry = false;
        let ready = self.ready.iter().map(|job| job.lease);
        let reconcile = self
            .uncertain
            .then(|| ready.chain(self.running.keys().copied()).collect());
        let closed;
        (closed, self.passed_over) = if urgent {
            (self.lanes.closed(), false)
        } else {
            self.lanes.passed_over(room)
        };
        Some(Look {
            room,
            closed,
            urgent,
            reconcile,
        })
    }

    /// The claim in flight has come back with these jobs. False: the queue is draining, and they are
    /// handed back with everything else it holds.
    pub(super) fn claimed(&mut self, jobs: Vec<ClaimedJob>) {
        let asked = self.claiming.take();
        self.uncertain = false;
        self.hungry |= Some(jobs.len()) == asked;
        if self.phase != Phase::Draining {
            for job in &jobs {
                self.lanes.took(&job.lane);
            }
            self.ready.extend(jobs);
            self.ready.make_contiguous().sort_by_key(|job| job.priority);
        }
    }

    /// The claim in flight came to nothing.
    pub(super) fn claim_failed(&mut self) {
        self.claiming = None;
        self.hungry = true;
        self.uncertain = true;
    }

    /// Whether to look again now, not only when told of new work: at half the room at least, so that a
    /// claim is worth its commit.
    pub(super) fn wants_more(&self) -> bool {
        self.hungry
            && self.claiming.is_none()
            && self.is_going()
            && (self.passed_over || self.room() * 2 >= self.prefetch.max(1))
    }

    /// The next job that may start, which counts as running from now on.
    pub(super) fn next(&mut self, now: Duration) -> Next {
        let free = self.slots.saturating_sub(self.running.len());
        let express = (self.slots + self.express).saturating_sub(self.running.len());
        if !self.is_going() || express == 0 {
            return Next::Nothing;
        }
        let mut ready = self.ready.iter();
        let Some(place) = ready.position(|job| {
            let free = if is_urgent(job) { express } else { free };
            free > 0 && self.lanes.may_start(&job.lane, free, is_urgent(job))
        }) else {
            return Next::Nothing;
        };
        if let Some(bucket) = &mut self.bucket
            && let Err(at) = bucket.take(now)
        {
            return Next::At(at);
        }
        match self.ready.remove(place) {
            Some(job) => {
                debug_assert!(is_urgent(&job) || free > 0);
                self.lanes.started(&job.lane);
                self.running.insert(job.lease, job.lane.clone());
                Next::Start(job)
            }
            None => Next::Nothing,
        }
    }

    /// A running job has ended. One that only waits for better times has not used its turn of the
    /// queue's rate.
    pub(super) fn ended(&mut self, lease: Lease, snoozed: bool) {
        let Some(lane) = self.running.remove(&lease) else {
            return;
        };
        self.lanes.ended(&lane);
        // There may be more where the last claim did not look.
        self.hungry |= self.passed_over;
        if let (true, Some(bucket)) = (snoozed, &mut self.bucket) {
            bucket.give_back();
        }
    }

    /// Holds the whole queue, and closes lanes, until told otherwise.
    pub(super) fn hold(&mut self, held: bool, lanes: BTreeSet<String>) {
        self.held = held;
        self.lanes.close(lanes);
    }

    /// Nothing of an earlier incarnation is left.
    pub(super) fn open(&mut self) {
        if self.phase == Phase::Starting {
            self.phase = Phase::Open;
        }
    }

    /// Takes over what an operator says. Fewer slots take nothing from jobs that run.
    pub(super) fn set(&mut self, settings: QueueSettings) {
        self.slots = settings.slots;
        self.express = express_slots(settings.slots);
        self.prefetch = settings.prefetch;
        self.paused = settings.paused;
        if self.bucket.as_ref().map(Bucket::rate) != settings.rate {
            self.bucket = settings.rate.map(Bucket::new);
        }
    }

    /// Other engines may have the jobs of this one, or may not.
    pub(super) fn lapse(&mut self, lapsed: bool) {
        self.lapsed = lapsed;
    }

    pub(super) fn is_claiming(&self) -> bool {
        self.claiming.is_some()
    }

    /// Forgets what is ready and not `held` any more, and tells what runs and is not.
    pub(super) fn keep_only(&mut self, held: &HashSet<Lease>) -> Vec<Lease> {
        let lanes = &mut self.lanes;
        self.ready.retain(|job| {
            let kept = held.contains(&job.lease);
            if !kept {
                lanes.dropped(&job.lane);
            }
            kept
        });
        self.hungry = true;
        let running = self.running.keys().copied();
        running.filter(|lease| !held.contains(lease)).collect()
    }

    /// Forgets what is ready, so that it can be handed back; until that is told as a claim that came to
    /// nothing or failed, no other is made. Returns what is kept; none: there is nothing to hand back, or a
    /// claim is under way.
    pub(super) fn give_up_ready(&mut self) -> Option<Vec<Lease>> {
        if self.ready.is_empty() || self.claiming.is_some() {
            return None;
        }
        self.claiming = Some(0);
        self.ready.clear();
        self.lanes.dropped_ready();
        self.hungry = true;
        Some(self.running.keys().copied().collect())
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Starts and claims no more. What is ready but not running is handed back with its lease.
    pub(super) fn drain(&mut self) {
        self.phase = Phase::Draining;
        self.ready.clear();
        self.lanes.dropped_ready();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobId;

    fn jobs(count: i64) -> Vec<ClaimedJob> {
        let job = |n| ClaimedJob {
            lease: lease(n),
            flow: JobId(n),
            kind: "k".into(),
            lane: String::new(),
            key: None,
            args: String::new(),
            priority: Priority::DEFAULT,
            attempt: 1,
            max_attempts: 1,
            alone: false,
        };
        (0..count).map(job).collect()
    }

    fn lease(n: i64) -> Lease {
        Lease {
            job: JobId(n),
            token: n,
        }
    }

    fn open(slots: usize, prefetch: usize) -> Window {
        let mut window = Window::new(slots, prefetch, None);
        assert_eq!(window.look(), None, "not before it is open");
        window.open();
        window
    }

    fn settings(slots: usize) -> QueueSettings {
        QueueSettings {
            slots,
            prefetch: slots,
            rate: None,
            paused: false,
        }
    }

    fn asked(window: &mut Window) -> Option<usize> {
        window.look().map(|look| look.room)
    }

    fn started(window: &mut Window) -> usize {
        let mut count = 0;
        while let Next::Start(_) = window.next(Duration::ZERO) {
            count += 1;
        }
        count
    }

    #[test]
    fn a_claim_asks_for_the_room_there_is_and_is_alone() {
        let mut window = open(2, 2);
        assert_eq!(asked(&mut window), Some(4));
        assert_eq!(window.look(), None, "one is in flight");
        window.claimed(jobs(3));
        assert_eq!(started(&mut window), 2);
        assert_eq!(asked(&mut window), Some(1));
    }

    #[test]
    fn a_full_claim_means_that_more_is_there() {
        let mut window = open(1, 1);
        window.look();
        window.claimed(jobs(2));
        assert_eq!(started(&mut window), 1);
        assert!(!window.wants_more(), "no room yet");
        window.ended(lease(0), false);
        assert!(window.wants_more());
    }

    #[test]
    fn a_claim_of_unknown_fate_is_followed_by_handing_back_what_is_not_held() {
        let mut window = open(1, 2);
        window.look();
        window.claimed(jobs(2));
        assert_eq!(started(&mut window), 1);
        window.look();
        window.claim_failed();
        let look = window.look().unwrap();
        let mut held = look.reconcile.unwrap();
        held.sort_by_key(|lease| lease.token);
        let expected: Vec<Lease> = jobs(2).into_iter().map(|job| job.lease).collect();
        assert_eq!((look.room, held), (1, expected));
        window.claimed(vec![]);
        assert_eq!(window.look().unwrap().reconcile, None);
    }

    #[test]
    fn a_paused_queue_starts_nothing_until_it_is_resumed() {
        let mut window = open(2, 2);
        window.look();
        window.claimed(jobs(1));
        window.set(QueueSettings {
            paused: true,
            ..settings(2)
        });
        assert_eq!((started(&mut window), window.look()), (0, None));
        window.set(settings(2));
        assert_eq!(started(&mut window), 1);
    }

    #[test]
    fn a_queue_that_is_paused_before_it_opens_opens_when_it_is_resumed() {
        let mut window = Window::new(2, 2, None);
        window.set(QueueSettings {
            paused: true,
            ..settings(2)
        });
        window.open();
        assert_eq!(window.look(), None);
        window.set(settings(2));
        assert_eq!(asked(&mut window), Some(4));
    }

    #[test]
    fn slots_and_rate_can_change_while_jobs_run() {
        let mut window = open(4, 4);
        window.look();
        window.claimed(jobs(8));
        assert_eq!(started(&mut window), 4);
        window.set(settings(2));
        window.ended(lease(0), false);
        window.ended(lease(1), false);
        assert_eq!(started(&mut window), 0, "two run, and two may");
        let rate = Rate {
            count: 1,
            period: Duration::from_secs(10),
        };
        window.set(QueueSettings {
            rate: Some(rate),
            ..settings(6)
        });
        assert_eq!(started(&mut window), 1);
        window.set(settings(6));
        assert_eq!(started(&mut window), 3);
    }

    #[test]
    fn a_draining_queue_takes_nothing_any_more() {
        let mut window = open(2, 2);
        window.look();
        window.drain();
        window.claimed(jobs(2));
        window.set(settings(2));
        assert_eq!((started(&mut window), window.look()), (0, None));
    }

    #[test]
    fn a_queues_rate_holds_the_jobs_beyond_it() {
        let rate = Rate {
            count: 2,
            period: Duration::from_secs(10),
        };
        let mut window = Window::new(5, 5, Some(rate));
        window.open();
        window.look();
        window.claimed(jobs(3));
        assert_eq!(started(&mut window), 2);
        assert!(
            matches!(window.next(Duration::ZERO), Next::At(at) if at == Duration::from_secs(5))
        );
        assert!(matches!(
            window.next(Duration::from_secs(5)),
            Next::Start(_)
        ));
    }

    #[test]
    fn a_job_that_was_snoozed_gives_its_turn_of_the_rate_back() {
        let rate = Rate {
            count: 1,
            period: Duration::from_secs(10),
        };
        for (snoozed, may_start) in [(true, true), (false, false)] {
            let mut window = Window::new(1, 1, Some(rate));
            window.open();
            window.look();
            window.claimed(jobs(2));
            assert!(matches!(window.next(Duration::ZERO), Next::Start(_)));
            window.ended(lease(0), snoozed);
            let next = window.next(Duration::ZERO);
            assert_eq!(matches!(next, Next::Start(_)), may_start);
        }
    }

    #[test]
    fn an_urgent_job_does_not_wait_for_a_slot() {
        let mut window = open(2, 1);
        window.look();
        window.claimed(jobs(3));
        assert_eq!(started(&mut window), 2);
        let look = window.look().unwrap();
        assert_eq!((look.room, look.urgent), (1, true), "all is full");
        assert_eq!(look.wanted("q").before, Some(Priority::DEFAULT));
        let mut urgent = jobs(10).split_off(9);
        urgent[0].priority = Priority::INTERACTIVE;
        window.claimed(urgent);
        assert_eq!(started(&mut window), 1);
        assert!(window.running.contains_key(&lease(9)));
        assert_eq!(window.look(), None, "only so many");
    }

    #[test]
    fn what_is_urgent_starts_before_what_was_ready() {
        let mut window = open(1, 3);
        window.look();
        window.claimed(jobs(2));
        assert_eq!(started(&mut window), 1);
        window.look();
        let mut urgent = jobs(11).split_off(9);
        urgent[1].priority = Priority::INTERACTIVE;
        window.claimed(urgent);
        assert_eq!(started(&mut window), 1);
        assert!(window.running.contains_key(&lease(10)));
        window.ended(lease(0), false);
        assert_eq!(started(&mut window), 0, "the slots are for both");
        window.ended(lease(10), false);
        assert_eq!(started(&mut window), 1);
        assert!(window.running.contains_key(&lease(1)));
    }

    #[test]
    fn a_held_queue_and_a_closed_lane_start_nothing_and_the_rest_goes_on() {
        let mut window = open(4, 4);
        window.look();
        let mut of_lane = jobs(4);
        for (job, lane) in of_lane.iter_mut().zip(["a", "a", "b", ""]) {
            lane.clone_into(&mut job.lane);
        }
        window.claimed(of_lane);
        window.hold(true, BTreeSet::new());
        assert_eq!((started(&mut window), window.look()), (0, None));
        window.hold(false, BTreeSet::from(["a".to_owned()]));
        assert_eq!(started(&mut window), 2, "of b and of no lane");
        assert_eq!(window.look().unwrap().closed, ["a"]);
        window.hold(false, BTreeSet::new());
        assert_eq!(started(&mut window), 2);
    }

    #[test]
    fn a_lane_that_waits_leaves_room_for_another() {
        let mut window = open(16, 16);
        window.look();
        let mut of_a = jobs(32);
        for job in &mut of_a {
            "a".clone_into(&mut job.lane);
        }
        window.claimed(of_a);
        assert_eq!(started(&mut window), 14);
        window.ended(lease(0), false);
        let look = window.look().unwrap();
        assert_eq!((look.room, look.closed), (1, vec!["a".to_owned()]));
        let mut of_b = jobs(100).split_off(99);
        "b".clone_into(&mut of_b[0].lane);
        window.claimed(of_b);
        assert_eq!(
            started(&mut window),
            2,
            "one more of a, and b before all others of a"
        );
        assert!(window.running.contains_key(&lease(99)));
    }
}

//! What a queue decides: when to claim and how many, and which job starts next. Pure: no actor, no
//! clock, no store, so that it can be crashed a million times in a test.
//!
//! Invariants: jobs at work never exceed `slots`, with those that are ready never `slots + prefetch`; one claim is in
//! flight at a time. Only urgent jobs get more, as many again: most of a crawl's jobs hold their slots while they wait
//! for the limits of the API, and what a person waits for does not wait behind those. And urgent jobs never take all:
//! some slots are left for the others, however many people come.
//!
//! A job whose work is done gives its slot to the next while its end is committed: the more engines there are, the
//! longer commits take, and slots would stand still meanwhile. Of these there are fewer than slots; more hold theirs.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::attempts::Priorities;
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
    pub(super) part: Part,
    /// The fate of the last claim is unknown. Before this one, everything that this engine holds of
    /// the queue is handed back but these.
    pub(super) reconcile: Option<Vec<Lease>>,
}

/// Which jobs there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Urgent,
    /// Those that are not urgent.
    Plain,
}

impl Look {
    pub(super) fn wanted<'a>(&'a self, queue: &'a str) -> Wanted<'a> {
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

/// What may start.
#[derive(Debug)]
pub(super) enum Next {
    Start(ClaimedJob),
    /// The queue's rate holds the next job until then.
    At(Duration),
    Nothing,
}

/// Which jobs of one queue may start, and how many more to claim.
#[derive(Debug)]
pub(super) struct SlotWindow {
    slots: usize,
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
    /// Room that the claim in flight was asked to fill, and with what.
    claiming: Option<(usize, Part)>,
    /// More work may be there than the last claim could take.
    hungry: bool,
    /// The same of urgent jobs, for which there is room when there is none for others.
    more_urgent: bool,
    /// The same of the others, when urgent jobs have all the room but theirs.
    more_plain: bool,
    /// There was news while a claim was in flight, which may have been made before.
    news: bool,
    /// By priority, then in the order they were claimed.
    ready: VecDeque<ClaimedJob>,
    /// By lease: after an end whose answer was lost, a job can be claimed again before its last attempt
    /// has heard that it is over.
    running: HashMap<Lease, OccupiedSlot>,
    /// Jobs at work that are urgent.
    urgent_working: usize,
    /// Jobs whose work is done, and whose end is not committed yet.
    ending: usize,
    /// The last job that ended worked long enough for a claim to be made meanwhile.
    works_long: bool,
    /// A claim came to nothing as far as is known; it may have been made all the same.
    uncertain: bool,
}

#[derive(Debug)]
struct OccupiedSlot {
    lane: String,
    urgent: bool,
    ending: bool,
}

/// Slots beyond the others for urgent jobs, those that a person waits for: as many as such a job would have by itself.
pub fn express_slots(slots: usize) -> usize {
    slots
}

/// Slots that urgent jobs leave to the others, whose turn in the waiting lines comes too.
fn spare_slots(slots: usize) -> usize {
    (slots / 8).max(1)
}

impl SlotWindow {
    pub(super) fn new(slots: usize, prefetch: usize, rate: Option<Rate>) -> Self {
        Self {
            slots,
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
            more_urgent: true,
            more_plain: true,
            news: false,
            ready: VecDeque::new(),
            running: HashMap::new(),
            urgent_working: 0,
            ending: 0,
            works_long: false,
            uncertain: false,
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Jobs that hold slots. A queue with one slot does one thing after the other: the next starts after the last commit.
    pub(super) fn working(&self) -> usize {
        let beside = self.slots.saturating_sub(1);
        self.running.len() - self.ending.min(beside)
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
        (self.slots + self.prefetch).saturating_sub(self.working() + self.ready.len())
    }

    /// Room for urgent jobs when there is none for others.
    fn express_room(&self) -> usize {
        let most = self.slots + express_slots(self.slots) + self.prefetch;
        let all = self.working() + self.ready.len();
        let of_urgent = self.held_urgent() + spare_slots(self.slots);
        most.saturating_sub(all.max(of_urgent))
    }

    /// Room for the others when urgent jobs have the rest.
    fn spare_room(&self) -> usize {
        let plain = self.working() + self.ready.len() - self.held_urgent();
        spare_slots(self.slots).saturating_sub(plain)
    }

    fn held_urgent(&self) -> usize {
        let ready = self.ready.iter().filter(|job| job.priority.is_urgent());
        self.urgent_working + ready.count()
    }

    fn plain_working(&self) -> usize {
        self.working() - self.urgent_working
    }

    /// What a claim would be for now.
    fn part(&self) -> (usize, Part) {
        let (express, spare) = (self.express_room(), self.spare_room());
        match self.room() {
            0 if spare > 0 && self.more_plain && (express == 0 || !self.more_urgent) => {
                (spare, Part::Plain)
            }
            0 => (express, Part::Urgent),
            room => (room, Part::All),
        }
    }

    /// Work came in, or enough time has passed that it may have.
    pub(super) fn news(&mut self) {
        self.news = self.claiming.is_some();
        (self.more_urgent, self.more_plain) = (true, true);
    }

    /// There may be work. The claim to make now, if one may be made.
    pub(super) fn look(&mut self) -> Option<Look> {
        let (room, part) = self.part();
        if !self.is_going() || self.claiming.is_some() || room == 0 {
            self.hungry = true;
            return None;
        }
        self.claiming = Some((room, part));
        self.hungry &= part != Part::All;
        let ready = self.ready.iter().map(|job| job.lease);
        let reconcile = self
            .uncertain
            .then(|| ready.chain(self.running.keys().copied()).collect());
        let closed;
        (closed, self.passed_over) = match part {
            Part::All => self.lanes.passed_over(room),
            Part::Urgent | Part::Plain => (self.lanes.closed(), self.passed_over),
        };
        Some(Look {
            room,
            closed,
            part,
            reconcile,
        })
    }

    /// The claim in flight has come back with these jobs. False: the queue is draining, and they are
    /// handed back with everything else it holds.
    pub(super) fn claimed(&mut self, jobs: Vec<ClaimedJob>) {
        let (asked, part) = self.claiming.take().unwrap_or((0, Part::All));
        let full = jobs.len() == asked;
        self.uncertain = false;
        match part {
            Part::All => {
                self.hungry |= full;
                let last = jobs.iter().map(|job| job.priority).max();
                self.more_plain = full;
                self.more_urgent = full && last.is_some_and(Priority::is_urgent);
            }
            Part::Urgent => self.more_urgent = full,
            Part::Plain => self.more_plain = full,
        }
        if std::mem::take(&mut self.news) {
            (self.hungry, self.more_urgent, self.more_plain) = (true, true, true);
        }
        if self.phase != Phase::Draining {
            for job in jobs.iter().filter(|job| !job.priority.is_urgent()) {
                self.lanes.took(&job.lane);
            }
            self.ready.extend(jobs);
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.ready.make_contiguous().sort_by_key(|job| job.priority);
    }

    /// Jobs that are held may have become more urgent.
    pub(super) fn hurry(&mut self, by_now: &Priorities) {
        let lanes = &mut self.lanes;
        for job in &mut self.ready {
            if let Some(now) = by_now.get(&job.lease).filter(|now| **now < job.priority) {
                if now.is_urgent() && !job.priority.is_urgent() {
                    lanes.dropped(&job.lane);
                }
                job.priority = *now;
            }
        }
        self.sort();
        let plain = self.running.iter_mut().filter(|(_, job)| !job.urgent);
        for (lease, job) in plain {
            if by_now.get(lease).is_some_and(|now| now.is_urgent()) {
                job.urgent = true;
                if !job.ending {
                    self.urgent_working += 1;
                    self.lanes.ended(&job.lane);
                }
            }
        }
    }

    /// The claim in flight came to nothing.
    pub(super) fn claim_failed(&mut self) {
        self.claiming = None;
        self.hungry = true;
        self.uncertain = true;
    }

    /// Whether to look again now, not only when told of new work: at half the room at least, so that a claim is worth its
    /// commit; where jobs take their time at a quarter, for slots would wait for the claim.
    pub(super) fn wants_more(&self) -> bool {
        if self.claiming.is_some() || !self.is_going() {
            return false;
        }
        let part = if self.works_long { 4 } else { 2 };
        let enough = |room: usize| room * part >= self.prefetch.max(1);
        let wants_all = self.hungry && self.room() > 0 && (self.passed_over || enough(self.room()));
        match self.part() {
            (_, Part::All) => wants_all,
            (room, Part::Urgent) => self.more_urgent && room > 0 && enough(room),
            (_, Part::Plain) => true,
        }
    }

    /// The next job that may start, which counts as running from now on.
    pub(super) fn next(&mut self, now: Duration) -> Next {
        if !self.is_going() {
            return Next::Nothing;
        }
        let free = [false, true].map(|urgent| self.free(urgent));
        let mut ready = self.ready.iter();
        let Some(place) = ready.position(|job| {
            let urgent = job.priority.is_urgent();
            let free = free[usize::from(urgent)];
            free > 0 && self.lanes.may_start(&job.lane, free, urgent)
        }) else {
            return Next::Nothing;
        };
        let urgent = self.ready[place].priority.is_urgent();
        if let Some(bucket) = &mut self.bucket {
            // A person does not wait for what a crawl has used up of the rate.
            let taken = if urgent {
                bucket.borrow(now)
            } else {
                bucket.take(now)
            };
            if let Err(at) = taken {
                return Next::At(at);
            }
        }
        match self.ready.remove(place) {
            Some(job) => {
                let lane = job.lane.clone();
                if urgent {
                    self.urgent_working += 1;
                } else {
                    self.lanes.started(&lane);
                }
                let running = OccupiedSlot {
                    lane,
                    urgent,
                    ending: false,
                };
                self.running.insert(job.lease, running);
                Next::Start(job)
            }
            None => Next::Nothing,
        }
    }

    /// Slots that are free for another job.
    fn free(&self, urgent: bool) -> usize {
        let (slots, spare) = (self.slots, spare_slots(self.slots));
        let most = slots + express_slots(slots);
        if urgent {
            let others = self.plain_working().max(spare);
            return most.saturating_sub(self.urgent_working + others);
        }
        let left = slots.saturating_sub(self.working());
        left.max(spare.saturating_sub(self.plain_working()))
    }

    /// The work of a running job is done, and took long enough to be told; its end is to be committed.
    pub(super) fn worked(&mut self, lease: Lease) {
        let Some(job) = self.running.get_mut(&lease).filter(|job| !job.ending) else {
            return;
        };
        job.ending = true;
        self.ending += 1;
        self.works_long = true;
        if job.urgent {
            self.urgent_working -= 1;
        } else {
            self.lanes.ended(&job.lane);
        }
        self.hungry |= self.passed_over;
    }

    /// The end of a running job is committed. One that only waits for better times has not used its turn of the
    /// queue's rate.
    pub(super) fn ended(&mut self, lease: Lease, snoozed: bool) {
        let Some(job) = self.running.remove(&lease) else {
            return;
        };
        self.works_long = job.ending;
        if job.ending {
            self.ending -= 1;
        } else if job.urgent {
            self.urgent_working -= 1;
        } else {
            self.lanes.ended(&job.lane);
        }
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
            if !kept && !job.priority.is_urgent() {
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
        self.claiming = Some((0, Part::All));
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

    fn open(slots: usize, prefetch: usize) -> SlotWindow {
        let mut window = SlotWindow::new(slots, prefetch, None);
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

    fn asked(window: &mut SlotWindow) -> Option<usize> {
        window.look().map(|look| look.room)
    }

    fn started(window: &mut SlotWindow) -> usize {
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
        let mut window = SlotWindow::new(2, 2, None);
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
        let mut window = SlotWindow::new(5, 5, Some(rate));
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
            let mut window = SlotWindow::new(1, 1, Some(rate));
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
    fn a_job_whose_end_is_committed_leaves_its_slot_to_the_next() {
        let mut window = open(3, 3);
        window.look();
        let mut of_lane = jobs(6);
        for job in &mut of_lane {
            "a".clone_into(&mut job.lane);
        }
        window.claimed(of_lane);
        assert_eq!(started(&mut window), 3);
        window.worked(lease(0));
        window.worked(lease(0));
        assert_eq!((started(&mut window), window.working()), (1, 3));
        assert_eq!(asked(&mut window), Some(1), "it is not held as the others");
        window.claimed(Vec::new());
        window.worked(lease(1));
        window.worked(lease(2));
        assert_eq!(started(&mut window), 1, "two ends beside three slots");
        window.ended(lease(0), false);
        assert_eq!((started(&mut window), window.working()), (1, 3));
        let held = window.give_up_ready();
        assert_eq!(held, None, "all of them run");
        assert_eq!(window.running.len(), 5);
    }

    #[test]
    fn a_queue_with_one_slot_does_one_thing_after_the_other() {
        let mut window = open(1, 1);
        window.look();
        window.claimed(jobs(2));
        assert_eq!(started(&mut window), 1);
        window.worked(lease(0));
        assert_eq!(started(&mut window), 0, "its end is not committed");
        window.ended(lease(0), false);
        assert_eq!(started(&mut window), 1);
    }

    #[test]
    fn a_job_that_becomes_urgent_while_its_end_is_committed_takes_no_slot_of_the_urgent() {
        let mut window = open(3, 3);
        window.look();
        window.claimed([urgent(0..1), jobs(2).split_off(1)].concat());
        assert_eq!(started(&mut window), 2);
        window.worked(lease(0));
        window.worked(lease(1));
        window.hurry(&Priorities::new([(lease(1), Priority::INTERACTIVE)].into()));
        assert_eq!((window.working(), window.urgent_working), (0, 0));
        window.ended(lease(0), false);
        window.ended(lease(1), false);
        assert_eq!((window.working(), window.urgent_working), (0, 0));
    }

    #[test]
    fn an_urgent_job_does_not_wait_for_a_slot() {
        let mut window = open(2, 1);
        window.look();
        window.claimed(jobs(3));
        assert_eq!(started(&mut window), 2);
        let look = window.look().unwrap();
        assert_eq!((look.room, look.part), (2, Part::Urgent), "all is full");
        assert_eq!(look.wanted("q").before, Some(Priority::DEFAULT));
        window.claimed(urgent(9..11));
        assert_eq!(started(&mut window), 2);
        assert!(window.running.contains_key(&lease(9)));
        assert_eq!(window.look(), None, "only so many");
        window.ended(lease(9), false);
        assert!(window.wants_more(), "the last claim was full");
        assert_eq!(window.look().map(|look| look.part), Some(Part::Urgent));
        window.claimed(vec![]);
        assert!(!window.wants_more());
    }

    fn urgent(ids: std::ops::Range<i64>) -> Vec<ClaimedJob> {
        let mut urgent = jobs(ids.end).split_off(usize::try_from(ids.start).unwrap());
        for job in &mut urgent {
            job.priority = Priority::INTERACTIVE;
        }
        urgent
    }

    /// However many people come: what they wait for has nearly all slots, and the crawl has its two.
    #[test]
    fn a_crawl_keeps_some_slots_and_room_however_much_is_urgent() {
        let mut window = open(16, 16);
        assert_eq!(asked(&mut window), Some(32));
        window.claimed(urgent(0..32));
        assert_eq!(started(&mut window), 30);
        // There may be more urgent ones, and then there are none: the others get their room all the same.
        let look = window.look().unwrap();
        assert_eq!((look.room, look.part), (14, Part::Urgent));
        window.claimed(urgent(32..40));
        assert!(window.wants_more());
        let look = window.look().unwrap();
        assert_eq!((look.room, look.part), (2, Part::Plain));
        assert_eq!(look.wanted("q").from, Some(Priority::DEFAULT));
        window.claimed(jobs(102).split_off(100));
        assert_eq!(started(&mut window), 2);
        assert_eq!(window.running(), 32);
        window.ended(lease(100), false);
        assert_eq!(
            started(&mut window),
            0,
            "its place is left for another of the crawl"
        );
        assert_eq!(window.look().map(|look| look.part), Some(Part::Plain));
        window.claimed(jobs(103).split_off(102));
        assert_eq!(started(&mut window), 1);
    }

    #[test]
    fn news_that_come_while_a_claim_is_in_flight_are_looked_for_after_it() {
        let mut window = open(2, 1);
        window.look();
        window.claimed(jobs(3));
        started(&mut window);
        window.news();
        assert_eq!(window.look().map(|look| look.part), Some(Part::Urgent));
        window.news();
        assert_eq!(window.look(), None, "one is in flight");
        window.claimed(vec![]);
        assert!(window.wants_more());
        assert_eq!(window.look().map(|look| look.part), Some(Part::Urgent));
        window.claimed(vec![]);
        assert!(!window.wants_more());
    }

    #[test]
    fn a_job_that_somebody_comes_to_wait_for_goes_before_the_others_and_leaves_its_slot_to_them() {
        let mut window = open(2, 2);
        window.look();
        let mut crawl = jobs(4);
        for job in &mut crawl {
            "a".clone_into(&mut job.lane);
        }
        window.claimed(crawl);
        assert_eq!(started(&mut window), 2);
        let raised = [
            (lease(1), Priority::INTERACTIVE),
            (lease(3), Priority::INTERACTIVE),
        ];
        window.hurry(&Priorities::new(raised.into()));
        assert_eq!(started(&mut window), 1);
        assert!(window.running.contains_key(&lease(3)));
        for ended in [0, 1, 3] {
            window.ended(lease(ended), false);
        }
        assert_eq!(started(&mut window), 1, "of the crawl");
        assert_eq!(window.running(), 1);
    }

    #[test]
    fn an_urgent_job_borrows_of_the_rate_what_a_crawl_has_used_up() {
        let rate = Rate {
            count: 2,
            period: Duration::from_secs(10),
        };
        let mut window = SlotWindow::new(4, 4, Some(rate));
        window.open();
        window.look();
        window.claimed(jobs(4));
        assert_eq!(started(&mut window), 2, "and then the rate holds");
        window.news();
        window.look();
        window.claimed(urgent(10..13));
        assert_eq!(started(&mut window), 2, "a period's worth on credit");
        assert!(
            matches!(window.next(Duration::ZERO), Next::At(at) if at == Duration::from_secs(5))
        );
    }

    #[test]
    fn what_is_urgent_starts_before_what_was_ready() {
        let mut window = open(1, 3);
        window.look();
        window.claimed(jobs(2));
        assert_eq!(started(&mut window), 1);
        window.look();
        let mut more = jobs(11).split_off(9);
        more[1].priority = Priority::INTERACTIVE;
        window.claimed(more);
        assert_eq!(started(&mut window), 1);
        assert!(window.running.contains_key(&lease(10)));
        window.ended(lease(0), false);
        assert_eq!(started(&mut window), 1, "a slot is left to the others");
        assert!(window.running.contains_key(&lease(1)));
        window.ended(lease(1), false);
        window.ended(lease(10), false);
        assert_eq!(started(&mut window), 1);
        assert!(window.running.contains_key(&lease(9)));
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

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

mod look;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

pub(super) use self::look::Look;
use self::look::Part;
use super::attempts::Priorities;
use super::controls::QueueSettings;
use super::lanes::Lanes;
use riftsync_basics::{Bucket, ClaimedJob, Lease, Priority, Rate};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Hands back what an earlier incarnation left.
    Starting,
    Open,
    Draining,
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
    /// The same of urgent jobs, for which there is room when there is none for others, or none for their lane.
    more_urgent: bool,
    /// A claim of urgent jobs of full lanes has just been made: all others are next, whatever comes in.
    all_next: bool,
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
            all_next: false,
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

    /// Jobs that hold slots. A queue with one slot does one thing after the other: the next starts after the last
    /// commit.
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

    /// Room for urgent jobs when there is none for others, or none for their lane.
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

    /// Whether urgent jobs of lanes that are full may be there, and it is their turn.
    fn has_urgent_first(&self, room: usize) -> bool {
        self.more_urgent && !self.all_next && self.lanes.some_full(room)
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
            // A claim of all passes over a lane that is full, and over what is urgent there with it.
            room if room > 0 && self.has_urgent_first(room) => (express, Part::Urgent),
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
                // It passed over the urgent jobs of full lanes that news had told of meanwhile.
                let not_asked = std::mem::take(&mut self.all_next) && self.more_urgent;
                self.more_urgent = not_asked || (full && last.is_some_and(Priority::is_urgent));
            }
            Part::Urgent => {
                self.more_urgent = full;
                self.all_next = !full && self.room() > 0;
            }
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

    /// Whether to look again now, not only when told of new work: at half the room at least, so that a claim is worth
    /// its commit; where jobs take their time at a quarter, for slots would wait for the claim.
    pub(super) fn wants_more(&self) -> bool {
        if self.claiming.is_some() || !self.is_going() {
            return false;
        }
        let part = if self.works_long { 4 } else { 2 };
        let enough = |room: usize| room * part >= self.prefetch.max(1);
        let wants_all = self.hungry && self.room() > 0 && (self.passed_over || enough(self.room()));
        match self.part() {
            (_, Part::All) => wants_all,
            (room, Part::Urgent) => wants_all || (self.more_urgent && room > 0 && enough(room)),
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
mod tests;

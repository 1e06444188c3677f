//! Who waits, and who is next: by priority, then fair between flows, then by age.
//!
//! What a person waits for goes before a crawl, but for one turn in `OTHERS_EVERY` while both wait: a crawl is slowed
//! down by people, however many they are, and never stands still behind them.
//!
//! Fair is start-time fair queueing: the turn of a flow is one later than its last one, but not
//! before the turn that is being served. So a flow of 3,000 and ten flows of 30 take turns, and one
//! that was away has saved up nothing. A turn is a flow's, whatever the method; so a method that
//! stands still holds up nobody but its own waiters.
//!
//! No step here looks at all waiters, but `sweep`, which its caller makes rare.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::budget::MethodId;
use riftsync_model::Priority;

/// A place in the line: the smaller, the sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    priority: Priority,
    turn: u64,
    /// Of the flow's coming to this head; breaks ties by age.
    arrival: u64,
    flow: u64,
}

impl Place {
    pub(super) fn is_urgent(&self) -> bool {
        self.priority.is_urgent()
    }
}

type FlowKey = (Priority, u64);

/// What waits for one method.
#[derive(Debug)]
struct Lane<T> {
    /// One for each flow that waits here.
    heads: BTreeSet<Place>,
    queues: HashMap<FlowKey, VecDeque<T>>,
}

/// A line of things that may have gone away in the meantime.
#[derive(Debug)]
pub(super) struct Line<T> {
    lanes: BTreeMap<MethodId, Lane<T>>,
    /// The next turn of flows that wait or waited a short while ago.
    turns: HashMap<FlowKey, u64>,
    /// The turn that is being served, by priority.
    now: BTreeMap<Priority, u64>,
    arrivals: u64,
    len: usize,
    /// Urgent ones that went in a row while others waited too.
    urgent_in_a_row: u32,
    is_alive: fn(&T) -> bool,
}

/// While urgent ones and others wait, one turn in so many is of the others.
const OTHERS_EVERY: u32 = 20;
/// Turns of flows that are remembered before old ones are looked for.
const TURNS_MAX: usize = 4096;

impl<T> Line<T> {
    pub(super) fn new(is_alive: fn(&T) -> bool) -> Self {
        Self {
            lanes: BTreeMap::new(),
            turns: HashMap::new(),
            now: BTreeMap::new(),
            arrivals: 0,
            len: 0,
            urgent_in_a_row: 0,
            is_alive,
        }
    }

    /// Those that wait, and those that went away unnoticed.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, method: MethodId, priority: Priority, flow: u64, item: T) {
        let now = self.now.get(&priority).copied().unwrap_or(0);
        let turn = self.turns.entry((priority, flow)).or_insert(now);
        *turn = (*turn).max(now);
        self.arrivals += 1;
        self.len += 1;
        let lane = self.lanes.entry(method).or_insert_with(|| Lane {
            heads: BTreeSet::new(),
            queues: HashMap::new(),
        });
        match lane.queues.entry((priority, flow)) {
            Entry::Occupied(queue) => queue.into_mut().push_back(item),
            Entry::Vacant(queue) => {
                queue.insert(VecDeque::from([item]));
                lane.heads.insert(Place {
                    priority,
                    turn: *turn,
                    arrival: self.arrivals,
                    flow,
                });
            }
        }
    }

    /// Methods that somebody waits for.
    pub(super) fn methods(&self) -> Vec<MethodId> {
        self.lanes.keys().copied().collect()
    }

    /// The first who waits for this method, after those who went away.
    pub(super) fn first(&mut self, method: MethodId) -> Option<Place> {
        self.first_from(method, Priority::FIRST)
    }

    /// The same of those who are no more urgent than this.
    fn first_from(&mut self, method: MethodId, from: Priority) -> Option<Place> {
        let lane = self.lanes.get_mut(&method)?;
        let from = Place {
            priority: from,
            turn: 0,
            arrival: 0,
            flow: 0,
        };
        while let Some(&place) = lane.heads.range(from..).next() {
            let key = (place.priority, place.flow);
            let queue = lane.queues.entry(key).or_default();
            while queue.front().is_some_and(|item| !(self.is_alive)(item)) {
                queue.pop_front();
                self.len -= 1;
            }
            if queue.is_empty() {
                lane.queues.remove(&key);
                lane.heads.remove(&place);
                continue;
            }
            // The flow had a turn for another method since.
            let turn = self.turns.get(&key).copied().unwrap_or(place.turn);
            if turn <= place.turn {
                return Some(place);
            }
            lane.heads.remove(&place);
            lane.heads.insert(Place { turn, ..place });
        }
        if lane.heads.is_empty() {
            self.lanes.remove(&method);
        }
        None
    }

    /// Who is next of those whose method may go, and for which method that is.
    pub(super) fn next(&mut self, may_go: &[MethodId]) -> Option<(MethodId, Place)> {
        let from = |line: &mut Self, from| {
            let firsts = may_go
                .iter()
                .filter_map(|method| Some((*method, line.first_from(*method, from)?)));
            firsts.min_by_key(|(_, place)| *place)
        };
        let of_others = self
            .is_turn_of_others()
            .then(|| from(self, Priority::DEFAULT))
            .flatten();
        of_others.or_else(|| from(self, Priority::FIRST))
    }

    /// Whether the next turn is of those who are not urgent, if some wait who may go.
    pub(super) fn is_turn_of_others(&self) -> bool {
        self.urgent_in_a_row + 1 >= OTHERS_EVERY
    }

    /// Whether somebody waits who is not urgent.
    fn others_wait(&self) -> bool {
        let mut lasts = self.lanes.values().filter_map(|lane| lane.heads.last());
        lasts.any(|place| !place.priority.is_urgent())
    }

    /// Takes who `next` says is next.
    pub(super) fn take(&mut self, method: MethodId, place: Place) -> Option<T> {
        let others_wait = place.priority.is_urgent() && self.others_wait();
        let lane = self.lanes.get_mut(&method)?;
        let key = (place.priority, place.flow);
        let queue = lane.queues.get_mut(&key)?;
        let item = queue.pop_front()?;
        self.len -= 1;
        self.urgent_in_a_row = if others_wait {
            self.urgent_in_a_row + 1
        } else {
            0
        };
        let next_turn = place.turn + 1;
        self.turns.insert(key, next_turn);
        let now = self.now.entry(place.priority).or_insert(0);
        *now = (*now).max(place.turn);
        lane.heads.remove(&place);
        if queue.is_empty() {
            lane.queues.remove(&key);
            if lane.heads.is_empty() {
                self.lanes.remove(&method);
            }
        } else {
            self.arrivals += 1;
            lane.heads.insert(Place {
                turn: next_turn,
                arrival: self.arrivals,
                ..place
            });
        }
        self.forget_old_turns();
        Some(item)
    }

    /// A turn that is past is what a new flow gets, so it need not be remembered. Nor the one after:
    /// who comes back is early by one turn then.
    fn forget_old_turns(&mut self) {
        if self.turns.len() < TURNS_MAX || !self.arrivals.is_multiple_of(1024) {
            return;
        }
        let (now, lanes) = (&self.now, &self.lanes);
        self.turns.retain(|key, turn| {
            let served = now.get(&key.0).copied().unwrap_or(0);
            *turn > served + 1 || lanes.values().any(|lane| lane.queues.contains_key(key))
        });
    }

    /// Removes all who went away.
    pub(super) fn sweep(&mut self) {
        let is_alive = self.is_alive;
        let mut len = 0;
        for lane in self.lanes.values_mut() {
            lane.queues.retain(|_, queue| {
                queue.retain(is_alive);
                len += queue.len();
                !queue.is_empty()
            });
            let queues = &lane.queues;
            lane.heads
                .retain(|place| queues.contains_key(&(place.priority, place.flow)));
        }
        self.lanes.retain(|_, lane| !lane.queues.is_empty());
        self.len = len;
    }

    /// How many go before a flow's at a priority, how many are beside them, and of how many flows those are.
    pub(super) fn others(&self, priority: Priority, flow: u64) -> (usize, usize, usize) {
        let (mut before, mut beside, mut flows) = (0, 0, HashSet::new());
        let queues = self.lanes.values().flat_map(|lane| &lane.queues);
        for ((at, of), queue) in queues {
            if *at < priority {
                before += queue.len();
            } else if *at == priority && *of != flow {
                beside += queue.len();
                flows.insert(*of);
            }
        }
        (before, beside, flows.len())
    }

    /// Everybody who waits for one method, gone or not: how many.
    pub(super) fn waiting_for(&self, method: MethodId) -> usize {
        self.lanes
            .get(&method)
            .map_or(0, |lane| lane.queues.values().map(VecDeque::len).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Priority = Priority::DEFAULT;

    /// Things are (flow, number), and gone when the number is negative.
    fn line() -> Line<(u64, i32)> {
        Line::new(|item| item.1 >= 0)
    }

    fn take(line: &mut Line<(u64, i32)>, method: MethodId) -> Option<(u64, i32)> {
        let (method, place) = line.next(&[method])?;
        line.take(method, place)
    }

    fn taken(line: &mut Line<(u64, i32)>, method: MethodId, n: usize) -> Vec<u64> {
        (0..n)
            .filter_map(|_| take(line, method))
            .map(|item| item.0)
            .collect()
    }

    #[test]
    fn a_flow_of_many_does_not_starve_flows_of_few() {
        let mut line = line();
        for n in 0..3_000 {
            line.push(0, P, 99, (99, n));
        }
        for flow in 0..10 {
            for n in 0..30 {
                line.push(0, P, flow, (flow, n));
            }
        }
        // Eleven flows take turns: thirty rounds serve all the small ones.
        let served = taken(&mut line, 0, 330);
        for flow in 0..10 {
            assert_eq!(served.iter().filter(|f| **f == flow).count(), 30);
        }
        assert_eq!(line.len(), 2_970);
    }

    #[test]
    fn a_flow_that_was_away_has_saved_up_nothing() {
        let mut line = line();
        line.push(0, P, 2, (2, 0));
        taken(&mut line, 0, 1);
        for n in 0..100 {
            line.push(0, P, 1, (1, n));
        }
        taken(&mut line, 0, 50);
        for n in 0..100 {
            line.push(0, P, 2, (2, n));
        }
        let served = taken(&mut line, 0, 40);
        let of_2 = served.iter().filter(|flow| **flow == 2).count();
        assert!((19..=21).contains(&of_2), "{of_2}");
    }

    #[test]
    fn a_flow_that_comes_back_at_once_takes_turns_too() {
        let mut line = line();
        for n in 0..100 {
            line.push(0, P, 1, (1, n));
        }
        line.push(0, P, 2, (2, 0));
        let mut of_2 = 0;
        for _ in 0..50 {
            if take(&mut line, 0).unwrap().0 == 2 {
                of_2 += 1;
                line.push(0, P, 2, (2, 0));
            }
        }
        assert!((24..=26).contains(&of_2), "{of_2}");
    }

    #[test]
    fn priority_goes_before_fairness_and_age() {
        let mut line = line();
        for n in 0..20_000 {
            line.push(0, P, 1, (1, n));
        }
        line.push(0, Priority::INTERACTIVE, 2, (2, 0));
        assert_eq!(taken(&mut line, 0, 2), [2, 1]);
    }

    #[test]
    fn a_crawl_has_one_turn_in_twenty_while_people_come_and_people_all_others() {
        let mut line = line();
        let mut served = Vec::new();
        for n in 0..2_000 {
            line.push(1, P, 1, (1, n));
            line.push(0, Priority::LAST, 3, (3, n));
            line.push(0, Priority::INTERACTIVE, 2, (2, n));
            let (method, place) = line.next(&[0, 1]).unwrap();
            served.push(line.take(method, place).unwrap().0);
        }
        assert_eq!(served.iter().filter(|flow| **flow == 1).count(), 100);
        assert_eq!(served.iter().filter(|flow| **flow == 3).count(), 0);
        assert!(served[..19].iter().all(|flow| *flow == 2));
        // The turn of a crawl whose method stands still is a person's.
        let people = (0..40).map(|_| {
            let (method, place) = line
                .next(&[2, 7])
                .unwrap_or_else(|| line.next(&[0]).unwrap());
            line.take(method, place).unwrap().0
        });
        assert!(people.filter(|flow| *flow == 3).count() <= 2);
    }

    #[test]
    fn a_turn_counts_whatever_the_method() {
        let mut line = line();
        for n in 0..10 {
            line.push(0, P, 1, (1, n));
            line.push(1, P, 1, (1, n));
            line.push(1, P, 2, (2, n));
        }
        assert_eq!(taken(&mut line, 0, 3), [1, 1, 1]);
        assert_eq!(taken(&mut line, 1, 6), [2, 2, 2, 1, 2, 1]);
    }

    #[test]
    fn who_went_away_leaves_no_hole_and_costs_no_turn() {
        let mut line = line();
        for n in 0..100 {
            line.push(0, P, 1, (1, if n == 99 { 99 } else { -1 }));
        }
        for n in 0..3 {
            line.push(0, P, 2, (2, n));
        }
        assert_eq!(taken(&mut line, 0, 9), [1, 2, 2, 2]);
        assert_eq!(line.len(), 0);
        assert!(line.methods().is_empty());
    }

    #[test]
    fn a_sweep_removes_exactly_those_who_went_away() {
        let mut line = line();
        for n in -50..50 {
            line.push(MethodId::from(n % 2 == 0), P, 1, (1, n));
        }
        line.sweep();
        assert_eq!(line.len(), 50);
        assert_eq!(line.waiting_for(0) + line.waiting_for(1), 50);
        assert_eq!(taken(&mut line, 0, 99).len(), 25);
        assert_eq!(taken(&mut line, 1, 99).len(), 25);
    }

    #[test]
    fn turns_of_flows_that_went_are_forgotten() {
        let mut line = line();
        for flow in 0..50_000 {
            line.push(0, P, flow, (flow, 0));
            take(&mut line, 0);
        }
        assert!(line.turns.len() <= TURNS_MAX + 1024, "{}", line.turns.len());
    }
}

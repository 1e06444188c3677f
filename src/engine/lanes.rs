//! Which lanes a queue may take jobs of: those that are not closed, and that leave room for others.
//! Pure.
//!
//! Jobs of one lane wait for the same scarce thing, and while they wait they hold slots. So that a
//! lane with a long wait does not hold all of them, a lane takes no more while it has as many as
//! `SHARE` times what is left. A lane alone gets nearly everything, two that want all of it get half
//! each, and there is always something left for one that comes later (the "dynamic threshold" of
//! switches with a shared buffer, Choudhury and Hahne 1998).

use std::collections::{BTreeSet, HashMap};

/// Of 16 slots a lane alone can have 14.
const SHARE: usize = 7;

/// What may not start now, and who says so is a service that knows: the rest goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    pub queues: BTreeSet<&'static str>,
    pub lanes: BTreeSet<String>,
}

/// Jobs of each lane. Those without a lane are not looked at, nor are urgent ones: they need not leave room for others.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    closed: BTreeSet<String>,
    /// Ready and running, and of these running.
    counts: HashMap<String, [usize; 2]>,
}

impl Lanes {
    pub(super) fn close(&mut self, lanes: BTreeSet<String>) {
        self.closed = lanes;
    }

    pub(super) fn took(&mut self, lane: &str) {
        if !lane.is_empty() {
            self.counts.entry(lane.to_owned()).or_default()[0] += 1;
        }
    }

    pub(super) fn started(&mut self, lane: &str) {
        if let Some([_, running]) = self.counts.get_mut(lane) {
            *running += 1;
        }
    }

    pub(super) fn ended(&mut self, lane: &str) {
        if let Some([held, running]) = self.counts.get_mut(lane) {
            *held -= 1;
            *running -= 1;
            if *held == 0 {
                self.counts.remove(lane);
            }
        }
    }

    /// One that was ready is forgotten.
    pub(super) fn dropped(&mut self, lane: &str) {
        if let Some([held, _]) = self.counts.get_mut(lane) {
            *held -= 1;
            if *held == 0 {
                self.counts.remove(lane);
            }
        }
    }

    /// Everything that was ready is handed back.
    pub(super) fn dropped_ready(&mut self) {
        self.counts.retain(|_, [held, running]| {
            *held = *running;
            *held > 0
        });
    }

    /// May another job of the lane start, with so many slots free? An urgent one need not leave room.
    pub(super) fn may_start(&self, lane: &str, free: usize, urgent: bool) -> bool {
        let running = self.counts.get(lane).map_or(0, |[_, running]| *running);
        let has_part = urgent || running < SHARE * free;
        lane.is_empty() || (has_part && !self.closed.contains(lane))
    }

    /// Lanes that have their share of the room already.
    fn full(&self, room: usize) -> impl Iterator<Item = &String> {
        self.counts
            .iter()
            .filter(move |(_, [held, _])| *held >= SHARE * room)
            .map(|(lane, _)| lane)
    }

    pub(super) fn some_full(&self, room: usize) -> bool {
        self.full(room).next().is_some()
    }

    pub(super) fn closed(&self) -> Vec<String> {
        self.closed.iter().cloned().collect()
    }

    /// The lanes that a claim passes over, and whether some are only full.
    pub(super) fn passed_over(&self, room: usize) -> (Vec<String>, bool) {
        let full: BTreeSet<&String> = self.full(room).collect();
        let lanes = full
            .union(&self.closed.iter().collect())
            .copied()
            .cloned()
            .collect();
        (lanes, !full.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts jobs of the lanes in turn until none may start; how many each has.
    fn fill(lanes: &mut Lanes, wanting: &[&str], slots: usize) -> Vec<usize> {
        let mut counts = vec![0; wanting.len()];
        loop {
            let before = counts.clone();
            for (lane, count) in wanting.iter().zip(&mut counts) {
                let used: usize = before.iter().sum::<usize>().max(lanes.running());
                if used < slots && lanes.may_start(lane, slots - lanes.running(), false) {
                    lanes.took(lane);
                    lanes.started(lane);
                    *count += 1;
                }
            }
            if counts == before {
                return counts;
            }
        }
    }

    impl Lanes {
        fn running(&self) -> usize {
            self.counts.values().map(|[_, running]| running).sum()
        }
    }

    #[test]
    fn a_lane_alone_leaves_a_little_and_two_share() {
        assert_eq!(fill(&mut Lanes::default(), &["a"], 16), [14]);
        assert_eq!(fill(&mut Lanes::default(), &["a", "b"], 16), [8, 7]);
        assert_eq!(fill(&mut Lanes::default(), &["a"], 1), [1]);
        assert_eq!(fill(&mut Lanes::default(), &["a"], 4), [4]);
    }

    #[test]
    fn a_lane_that_comes_late_finds_room_and_gets_its_part_as_the_other_ends() {
        let mut lanes = Lanes::default();
        assert_eq!(fill(&mut lanes, &["a"], 16), [14]);
        assert_eq!(fill(&mut lanes, &["b"], 16), [2]);
        let mut of_b = 2;
        while of_b < 7 {
            lanes.ended("a");
            let [a, b] = fill(&mut lanes, &["a", "b"], 16)[..] else {
                unreachable!()
            };
            assert_eq!((a, b), (0, 1), "the place is b's");
            of_b += b;
        }
    }

    #[test]
    fn a_closed_lane_starts_nothing_and_is_passed_over() {
        let mut lanes = Lanes::default();
        lanes.close(BTreeSet::from(["a".to_owned()]));
        assert_eq!(fill(&mut lanes, &["a", "b"], 16), [0, 14]);
        assert_eq!(lanes.passed_over(16), (vec!["a".to_owned()], false));
        assert_eq!(
            lanes.passed_over(2),
            (vec!["a".to_owned(), "b".to_owned()], true)
        );
        lanes.close(BTreeSet::new());
        assert_eq!(lanes.passed_over(16), (vec![], false));
    }
}

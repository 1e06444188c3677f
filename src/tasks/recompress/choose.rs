//! Decisions of a recompression: which documents to train on, whether to train at all, and how long to rest. Pure.

use std::time::Duration;

use fastrand::Rng;

use crate::model::Timestamp;
use crate::store::repack::DictionaryRow;

/// Documents that a dictionary is trained on at most: more make it no better.
pub(super) const SAMPLES: usize = 128;
/// Documents that a trial packs, and that no dictionary was trained on.
pub(super) const TRIALS: usize = 32;
/// With fewer documents of a kind a dictionary is larger than what it saves.
pub(super) const DOCUMENTS_MIN: usize = 30;
/// Documents change with the game, and what they have in common with them.
const FRESH_FOR: Duration = Duration::from_hours(24 * 90);
/// A dictionary of few documents gives way when there are so many times more.
const MORE: u64 = 4;
/// While jobs of other queues run, what is left of the share of a core.
const ASIDE: u32 = 10;
const REST_MIN: Duration = Duration::from_millis(2);
const REST_MAX: Duration = Duration::from_mins(1);

/// So many of all that was offered, each as likely as any other, however many come: none needs to be kept.
#[derive(Debug)]
pub(super) struct Sample<T> {
    taken: Vec<T>,
    limit: usize,
    offered: u64,
    rng: Rng,
}

impl<T> Sample<T> {
    pub(super) fn new(limit: usize, seed: u64) -> Self {
        Self {
            taken: Vec::new(),
            limit,
            offered: 0,
            rng: Rng::with_seed(seed),
        }
    }

    pub(super) fn offer(&mut self, one: T) {
        self.offered += 1;
        if self.taken.len() < self.limit {
            self.taken.push(one);
            return;
        }
        let place = self.rng.u64(..self.offered);
        if let Some(place) = usize::try_from(place).ok().filter(|at| *at < self.limit) {
            self.taken[place] = one;
        }
    }

    pub(super) fn offered(&self) -> u64 {
        self.offered
    }

    pub(super) fn taken(&self) -> &[T] {
        &self.taken
    }
}

/// How many of some documents are for training, if the rest are to tell what it is worth.
pub(super) fn for_training(documents: usize) -> usize {
    documents - (documents / 5).clamp(1.min(documents), TRIALS)
}

/// Whether documents are packed with a dictionary that is there, or with a new one.
pub(super) fn serves(known: DictionaryRow, documents: u64, now: Timestamp) -> bool {
    let many = u64::from(known.samples) >= SAMPLES as u64;
    now < known.trained_at + FRESH_FOR && (many || documents < MORE * u64::from(known.samples))
}

/// The percent of a core that may be used.
pub(super) fn share(percent: u32, others_work: bool) -> u32 {
    let percent = percent.clamp(1, 100);
    if others_work {
        (percent / ASIDE).max(1)
    } else {
        percent
    }
}

/// The rest after some work, so that the work takes that percent of the time.
pub(super) fn rest_after(work: Duration, percent: u32) -> Duration {
    let percent = percent.clamp(1, 100);
    (work * (100 - percent) / percent).clamp(REST_MIN, REST_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_bounded_and_of_everything() {
        let mut sample = Sample::new(100, 7);
        (0..40).for_each(|n| sample.offer(n));
        assert_eq!(sample.taken(), (0..40).collect::<Vec<u64>>());
        (40..100_000).for_each(|n| sample.offer(n));
        assert_eq!((sample.taken().len(), sample.offered()), (100, 100_000));
        // Of each quarter some, of none most.
        for quarter in 0..4 {
            let of_it = sample.taken().iter().filter(|n| **n / 25_000 == quarter);
            assert!((12..=40).contains(&of_it.count()), "{quarter}");
        }
    }

    #[test]
    fn a_trial_is_made_with_documents_that_nothing_was_trained_on() {
        for (documents, training) in [(0, 0), (1, 0), (4, 3), (20, 16), (100, 80), (160, 128)] {
            assert_eq!(for_training(documents), training, "{documents}");
        }
        assert_eq!(for_training(SAMPLES + TRIALS), SAMPLES);
    }

    #[test]
    fn a_dictionary_serves_until_it_is_old_or_was_made_of_little() {
        let at = Timestamp::from_millis(1_780_000_000_000);
        let check = |samples: u32, documents: u64, days: u64, expected: bool| {
            let known = DictionaryRow {
                id: 1,
                trained_at: at,
                samples,
            };
            let now = at + Duration::from_hours(24 * days);
            assert_eq!(
                serves(known, documents, now),
                expected,
                "{samples} {documents} {days}"
            );
        };
        check(128, 1_000_000, 89, true);
        check(128, 10, 90, false);
        check(30, 119, 1, true);
        check(30, 120, 1, false);
    }

    #[test]
    fn work_takes_its_share_of_a_core_and_steps_aside_for_others() {
        let ms = Duration::from_millis;
        for (percent, others_work, rest) in [
            (50, false, ms(100)),
            (25, false, ms(300)),
            (100, false, REST_MIN),
            (50, true, ms(1_900)),
            (100, true, ms(900)),
            (1, true, ms(9_900)),
            (0, false, ms(9_900)),
        ] {
            let share = share(percent, others_work);
            assert_eq!(rest_after(ms(100), share), rest, "{percent} {others_work}");
        }
        assert_eq!(rest_after(ms(9_000), 1), REST_MAX, "it looks again");
    }
}

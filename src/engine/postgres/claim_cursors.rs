//! Where the available jobs of a queue begin.
//!
//! PostgreSQL keeps the index entries of jobs that are long done for as long as any transaction of the server is
//! older than they are (a backup, a forgotten `BEGIN`): a claim from the front of the queue would walk over all of
//! them, more with every job. So each engine remembers the last place it claimed from, by priority, and
//! begins there, while walks from the front are slow. Jobs that come in before that place lower it, if they come
//! through this engine; those of others are found by the next walk from the front, which comes when they ring, or
//! after some seconds if walks are very slow. While walks are quick every claim begins at the front.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dashmap::DashMap;

use riftsync_basics::Priority;

/// Turn and id of a job: its place among those of its queue and priority.
pub(super) type Place = (i64, i64);

const FRONT: Place = (i64::MIN, i64::MIN);
const PRIORITIES: usize = 10;
/// News that are remembered for claims that began before them.
const NEWS_MAX: usize = 64;
/// A walk from the front that takes no longer is quick.
const QUICK: Duration = Duration::from_micros(500);
/// One that takes no longer is made again when another engine tells of new jobs.
const BEARABLE: Duration = Duration::from_millis(5);
/// Slow walks from the front take one part in so many of an engine's time at most.
const SPARE: u32 = 20;
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);

/// Where a claim begins, by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    places: [Place; PRIORITIES],
    from_front: bool,
    /// As it was when the claim began.
    changes: u64,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            places: [FRONT; PRIORITIES],
            from_front: true,
            changes: 0,
        }
    }
}

impl Start {
    /// Not behind a place where a job came in.
    pub(super) fn not_after(&mut self, priority: Priority, place: Place) {
        if let Some(here) = self.places.get_mut(usize::from(priority.get())) {
            *here = (*here).min(place);
        }
    }

    pub(super) fn at(&self, priority: usize) -> Place {
        self.places.get(priority).copied().unwrap_or(FRONT)
    }
}

#[derive(Debug, Clone)]
struct ClaimCursor {
    /// The last that was claimed, by priority.
    places: [Place; PRIORITIES],
    /// When the last walk from the front began, and how long it took.
    walked: Option<(Instant, Duration)>,
    changes: u64,
    /// Where jobs came in of late, by the change; all since one that is not known any more.
    news: VecDeque<(u64, usize, Place)>,
    known_since: u64,
}

impl Default for ClaimCursor {
    fn default() -> Self {
        Self {
            places: [FRONT; PRIORITIES],
            walked: None,
            changes: 0,
            news: VecDeque::new(),
            known_since: 0,
        }
    }
}

impl ClaimCursor {
    fn start(&self, now: Instant) -> Start {
        let from_front = self.walked.is_none_or(|(at, took)| {
            took <= QUICK || now.duration_since(at) >= (took * SPARE).max(AT_LEAST_EVERY)
        });
        Start {
            places: if from_front {
                [FRONT; PRIORITIES]
            } else {
                self.places
            },
            from_front,
            changes: self.changes,
        }
    }

    fn claimed(&mut self, start: &Start, last: &[(usize, Place)], began: Instant, took: Duration) {
        if start.from_front {
            self.walked = Some((began, took));
        }
        if start.changes < self.known_since {
            return;
        }
        for (priority, place) in last {
            // What came in meanwhile the claim may not have seen.
            let missed = self
                .news
                .iter()
                .filter(|(change, at, _)| *change > start.changes && at == priority);
            let first = missed.map(|(_, _, missed)| *missed).min();
            if let Some(here) = self.places.get_mut(*priority) {
                *here = first.map_or(*place, |first| first.min(*place));
            }
        }
    }

    fn came(&mut self, priority: usize, place: Place) {
        self.changes += 1;
        if self.news.len() == NEWS_MAX
            && let Some((change, ..)) = self.news.pop_front()
        {
            self.known_since = change;
        }
        self.news.push_back((self.changes, priority, place));
        if let Some(here) = self.places.get_mut(priority) {
            *here = (*here).min(place);
        }
    }

    fn forget(&mut self) {
        self.changes += 1;
        self.known_since = self.changes;
        self.news.clear();
        self.places = [FRONT; PRIORITIES];
    }
}

/// The cursors of all queues of an engine.
#[derive(Debug, Default)]
pub(super) struct ClaimCursors {
    queues: DashMap<String, ClaimCursor>,
}

impl ClaimCursors {
    /// Where to begin now.
    pub(super) fn start(&self, queue: &str, now: Instant) -> Start {
        let cursor = self.queues.get(queue);
        cursor.map_or_else(Start::default, |cursor| cursor.start(now))
    }

    /// A claim got the jobs up to these places; it passed over none that was free.
    pub(super) fn claimed(
        &self,
        queue: &str,
        start: &Start,
        last: &[(usize, Place)],
        began: Instant,
        took: Duration,
    ) {
        let mut cursor = self.queues.entry(queue.to_owned()).or_default();
        cursor.claimed(start, last, began, took);
    }

    /// A job is available at this place.
    pub(super) fn came(&self, queue: &str, priority: Priority, place: Place) {
        if let Some(mut cursor) = self.queues.get_mut(queue) {
            cursor.came(usize::from(priority.get()), place);
        }
    }

    /// Another engine tells of new jobs, not of their places.
    pub(super) fn heard(&self, queue: &str) {
        if let Some(mut cursor) = self.queues.get_mut(queue)
            && cursor.walked.is_none_or(|(_, took)| took <= BEARABLE)
        {
            cursor.forget();
        }
    }

    /// Jobs are available again at places that nobody told.
    pub(super) fn forget(&self, queue: &str) {
        if let Some(mut cursor) = self.queues.get_mut(queue) {
            cursor.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(30);

    fn after(cursor: &mut ClaimCursor, at: Instant, took: Duration, last: &[(usize, Place)]) {
        let start = cursor.start(at);
        cursor.claimed(&start, last, at, took);
    }

    #[test]
    fn claims_begin_at_the_front_while_that_is_quick_and_now_and_then_when_it_is_not() {
        let (mut cursor, begun) = (ClaimCursor::default(), Instant::now());
        after(&mut cursor, begun, QUICK, &[(5, (0, 7))]);
        assert!(cursor.start(begun).from_front);
        after(&mut cursor, begun, SLOW, &[(5, (0, 9))]);
        let start = cursor.start(begun + AT_LEAST_EVERY / 2);
        assert_eq!((start.at(5), start.at(0)), ((0, 9), FRONT));
        assert!(cursor.start(begun + AT_LEAST_EVERY).from_front);
        // A walk that takes longer is made more rarely.
        let later = begun + AT_LEAST_EVERY;
        after(&mut cursor, later, SLOW * 10, &[]);
        assert!(!cursor.start(later + SLOW * 199).from_front);
        assert!(cursor.start(later + SLOW * 200).from_front);
    }

    #[test]
    fn what_comes_in_is_not_walked_past() {
        let (cursors, begun) = (ClaimCursors::default(), Instant::now());
        let five = Priority::DEFAULT;
        let claim = |start: Start, last| cursors.claimed("q", &start, last, begun, SLOW);
        claim(cursors.start("q", begun), &[(5, (3, 40))]);
        let start = cursors.start("q", begun);
        assert_eq!(start.at(5), (3, 40));
        cursors.came("q", five, (0, 41));
        assert_eq!(cursors.start("q", begun).at(5), (0, 41));
        // A claim that began before may not have seen it.
        claim(start, &[(5, (3, 50))]);
        assert_eq!(cursors.start("q", begun).at(5), (0, 41));
        for id in 100..100 + NEWS_MAX as i64 {
            cursors.came("q", five, (0, id));
        }
        claim(start, &[(5, (3, 60))]);
        let place = cursors.start("q", begun).at(5);
        assert_eq!(place, (0, 41), "too long ago to know what it missed");
        cursors.forget("q");
        assert_eq!(cursors.start("q", begun).at(5), FRONT);
        cursors.came("another", five, (0, 0));
        assert!(
            cursors.queues.get("another").is_none(),
            "nobody claims there"
        );
    }
}

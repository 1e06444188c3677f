//! How long a sync will take, or many of them: by the limiter of their routes, by what is before them in the line, and by
//! the rates of the queues as they are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::control::TimeLeft;
use crate::engine::QueueControls;
use crate::gate::RiotApi;
use crate::limiter::{Elsewhere, MethodId, Whose};
use crate::model::rollup::KindCount;
use crate::model::{JobRecord, JobState, Priority, Route};
use crate::riot::Method;
use crate::store::open_tree::{Backlog, SoFar};
use crate::store::{Store, StoreResult};
use crate::tasks::{
    MATCH_PROCESSING, MatchSync, Pacing, PlayerReport, PlayerSync, PlayerSyncArgs, PuuidSync,
    TIMELINE_PROCESSING, TimelineSync,
};

/// Jobs that tell on which routes the calls of many syncs are.
const TREE_MAX: usize = 500;
/// Calls that find out who a player is and begin the list of matches.
const CALLS_OF_A_PLAYER: u64 = 4;
/// Matches that one call lists.
const PAGE: u64 = 100;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Forecast {
    pub(super) api: Arc<RiotApi>,
    pub(super) queues: Arc<QueueControls>,
    pub(super) store: Arc<dyn Store>,
}

/// Calls that are still to be made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Calls {
    lists: u64,
    matches: u64,
    timelines: u64,
}

impl Calls {
    fn all(self) -> u64 {
        self.lists + self.matches + self.timelines
    }

    /// A part of them: so many of so many.
    fn part(self, part: usize, of: usize) -> Self {
        let [part, of] = [part, of.max(1)].map(|n| n as u64);
        Self {
            lists: (self.lists * part).div_ceil(of),
            matches: (self.matches * part).div_ceil(of),
            timelines: (self.timelines * part).div_ceil(of),
        }
    }

    fn by_method(self) -> Vec<(MethodId, u32)> {
        let calls = [
            (Method::MatchIds, self.lists),
            (Method::Match, self.matches),
            (Method::Timeline, self.timelines),
        ];
        let to_u32 = |calls| u32::try_from(calls).unwrap_or(u32::MAX);
        let calls = calls.map(|(method, calls)| (method as MethodId, to_u32(calls)));
        calls.into_iter().filter(|(_, calls)| *calls > 0).collect()
    }
}

/// What many syncs have left, as far as those tell whose lists are known: the others are taken to be like them. None:
/// no list is known yet. Pure.
fn calls_of_many(so_far: &SoFar) -> Option<Calls> {
    let of = |kind| so_far.rollup.of(kind);
    let ended = |count: KindCount| u64::from(count.completed) + u64::from(count.failed);
    let left = |count: KindCount| u64::from(count.total).saturating_sub(ended(count));
    let [players, matches, timelines] =
        [PlayerSync::KIND, MatchSync::KIND, TimelineSync::KIND].map(of);
    let listed = u64::from(players.completed);
    if listed == 0 {
        return None;
    }
    let to_list = left(players) + left(of(PuuidSync::KIND));
    let unlisted_matches = u64::from(matches.total) * to_list / listed;
    let pages = u64::from(matches.total) / (listed * PAGE);
    // A match that has done its own work and is open waits for its timeline.
    let begun = so_far
        .children_pending
        .saturating_sub(left(matches) + left(timelines));
    let known_timelines = u64::from(timelines.total) + begun;
    let to_fetch = left(matches) + unlisted_matches;
    // As often as so far a match will have one; before the first is there, always.
    let more_timelines = match u64::from(matches.completed) {
        0 => to_fetch,
        stored => to_fetch * known_timelines.min(stored) / stored,
    };
    Some(Calls {
        lists: to_list * (CALLS_OF_A_PLAYER + pages),
        matches: to_fetch,
        timelines: known_timelines.saturating_sub(ended(timelines)) + more_timelines,
    })
}

/// Calls of jobs of others that wait in the queues. Pure.
fn elsewhere(backlog: &[Backlog], priority: Priority, ours: Calls) -> Elsewhere {
    let calls = |of: &dyn Fn(&&Backlog) -> bool| {
        let jobs = backlog.iter().filter(of);
        let calls = jobs.map(|waiting| match waiting.queue.as_str() {
            // With its timeline.
            MATCH_PROCESSING => 2 * waiting.jobs,
            TIMELINE_PROCESSING => waiting.jobs,
            _ => 0,
        });
        calls.sum::<u64>()
    };
    let before = calls(&|waiting| waiting.priority < priority);
    let beside = calls(&|waiting| waiting.priority == priority);
    let to_u32 = |calls| u32::try_from(calls).unwrap_or(u32::MAX);
    Elsewhere {
        before: to_u32(before),
        beside: to_u32(beside.saturating_sub(ours.matches + ours.timelines)),
    }
}

#[async_trait]
impl TimeLeft for Forecast {
    async fn of(&self, job: &JobRecord) -> Option<Duration> {
        // A forecast that cannot be made now is none.
        self.look(job).await.ok().flatten()
    }
}

impl Forecast {
    async fn look(&self, job: &JobRecord) -> StoreResult<Option<Duration>> {
        if job.kind == PlayerSync::KIND {
            let Ok(order) = serde_json::from_value::<PlayerSyncArgs>(job.args.clone()) else {
                return Ok(None);
            };
            let [matches, timelines] = PlayerReport::of(job).calls_left();
            let calls = Calls {
                lists: 0,
                matches,
                timelines,
            };
            let route = Route::Region(order.platform.region());
            return self
                .on_routes(job, calls, &[(route.as_str().to_owned(), 1)])
                .await;
        }
        if job.state != JobState::Blocked {
            return Ok(None);
        }
        let Some(calls) = calls_of_many(&self.store.so_far(job.id).await?) else {
            return Ok(None);
        };
        let mut routes: BTreeMap<String, usize> = BTreeMap::new();
        for open in self.store.open_tree(job.id, TREE_MAX).await? {
            if !open.lane.is_empty() {
                *routes.entry(open.lane).or_default() += 1;
            }
        }
        let routes: Vec<(String, usize)> = routes.into_iter().collect();
        self.on_routes(job, calls, &routes).await
    }

    /// When the last of these calls will be done: each route has its part of them, by how many jobs are there.
    async fn on_routes(
        &self,
        job: &JobRecord,
        calls: Calls,
        routes: &[(String, usize)],
    ) -> StoreResult<Option<Duration>> {
        if calls.all() == 0 {
            return Ok(Some(Duration::ZERO));
        }
        let elsewhere = elsewhere(&self.store.backlog().await?, job.priority, calls);
        let whose = Whose {
            priority: job.priority,
            flow: job.id.0.unsigned_abs(),
        };
        let all = routes.iter().map(|(_, jobs)| jobs).sum();
        let mut longest: Option<Duration> = None;
        for (lane, jobs) in routes {
            let Ok(route) = lane.parse::<Route>() else {
                continue;
            };
            let wanted = calls.part(*jobs, all).by_method();
            let Some(left) = self.api.estimate(route, wanted, whose, elsewhere).await else {
                continue;
            };
            longest = longest.max(Some(left));
        }
        let to_u32 = |calls| u32::try_from(calls).unwrap_or(u32::MAX);
        let paced =
            Pacing::now(&self.queues).time_for([calls.matches, calls.timelines].map(to_u32));
        Ok(longest.map(|longest| longest.max(paced)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Rollup;

    fn count(total: u32, completed: u32) -> KindCount {
        KindCount {
            total,
            completed,
            ..KindCount::default()
        }
    }

    fn so_far([players, matches, timelines]: [KindCount; 3], children_pending: u64) -> SoFar {
        let mut rollup = Rollup::default();
        for (kind, count) in [
            (PlayerSync::KIND, players),
            (MatchSync::KIND, matches),
            (TimelineSync::KIND, timelines),
        ] {
            rollup.kinds.insert(kind.to_owned(), count);
        }
        SoFar {
            rollup,
            children_pending,
        }
    }

    fn left(so_far: &SoFar) -> Option<[u64; 3]> {
        calls_of_many(so_far).map(|calls| [calls.lists, calls.matches, calls.timelines])
    }

    #[test]
    fn nothing_is_told_before_the_first_list_is_known() {
        let none = count(0, 0);
        assert_eq!(left(&so_far([count(16, 0), none, none], 0)), None);
    }

    #[test]
    fn players_whose_lists_are_not_known_are_taken_to_be_like_the_others() {
        // Four of 16 players are listed, with 400 matches each, of which none is there.
        let listed = so_far([count(16, 4), count(1_600, 0), count(0, 0)], 1_600);
        assert_eq!(left(&listed), Some([12 * 8, 6_400, 6_400]));
    }

    #[test]
    fn matches_have_timelines_as_often_as_so_far() {
        let players = count(16, 16);
        // 600 matches are stored; of their timelines 250 are there, and 50 are waited for.
        let half = so_far([players, count(6_400, 600), count(250, 250)], 5_850);
        assert_eq!(left(&half), Some([0, 5_800, 50 + 2_900]));
        let none = so_far([players, count(6_400, 600), count(0, 0)], 5_800);
        assert_eq!(left(&none), Some([0, 5_800, 0]));
        let done = so_far([players, count(6_400, 6_400), count(6_400, 6_400)], 0);
        assert_eq!(left(&done), Some([0, 0, 0]));
    }

    #[test]
    fn what_is_more_urgent_goes_before_and_what_is_as_urgent_beside() {
        let waiting = |queue: &str, priority, jobs| Backlog {
            queue: queue.to_owned(),
            priority,
            jobs,
        };
        let backlog = [
            waiting(MATCH_PROCESSING, Priority::INTERACTIVE, 20),
            waiting(MATCH_PROCESSING, Priority::DEFAULT, 100),
            waiting(TIMELINE_PROCESSING, Priority::DEFAULT, 50),
            waiting(MATCH_PROCESSING, Priority::LAST, 1_000),
        ];
        let ours = Calls {
            matches: 30,
            timelines: 30,
            ..Calls::default()
        };
        let found = elsewhere(&backlog, Priority::DEFAULT, ours);
        assert_eq!((found.before, found.beside), (40, 250 - 60));
        let urgent = elsewhere(&backlog, Priority::INTERACTIVE, ours);
        assert_eq!((urgent.before, urgent.beside), (0, 0));
    }
}

//! The gap analysis: of the listed matches, which documents are to be fetched. Pure.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::model::missing::MissingCounts;
use crate::model::records::PayloadKind;
use crate::model::{MatchId, MissingDocument, MissingReason, Retention, Timestamp};
use crate::store::{GivenUp, StoredMatches};

/// An id of the list, and what the list tells of its match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: MatchId,
    /// Until then it may be too young to be served. None: it is old enough.
    pub(super) young_until: Option<Timestamp>,
    /// It was played before this moment.
    pub(super) played_before: Timestamp,
}

impl Listed {
    /// A match of which only is known that it was played before a moment.
    pub(super) fn at(id: MatchId, played_before: Timestamp) -> Self {
        Self {
            id,
            young_until: None,
            played_before,
        }
    }
}

/// The list without the matches that are known to be of another year, and how many those were: a year is asked for with
/// some hours before and behind it.
pub(super) fn of_year(
    listed: Vec<Listed>,
    stored: &StoredMatches,
    year: i16,
) -> (Vec<Listed>, usize) {
    let others = stored.matches.iter().filter(|there| there.year != year);
    let others: HashSet<MatchId> = others.map(|there| there.id).collect();
    let whole = listed.len();
    let of_year = listed.into_iter().filter(|one| !others.contains(&one.id));
    let of_year: Vec<Listed> = of_year.collect();
    let left_out = whole - of_year.len();
    (of_year, left_out)
}

/// What of that which was missing is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// What is due.
    Due,
    /// Everything that Riot can still have.
    All,
}

/// What a sync wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) timelines: bool,
    /// Timelines too that are older than Riot keeps them.
    pub(super) old_timelines: bool,
    pub(super) again: Again,
    pub(super) retention: Retention,
    pub(super) now: Timestamp,
}

impl Wanted {
    /// Whether what was missing is left alone this time.
    fn leaves(&self, missing: &MissingDocument) -> bool {
        match self.again {
            // A young match may be served at any moment, and who asks wants it now.
            Again::Due => missing.reason != MissingReason::NotYet && !missing.is_due(self.now),
            Again::All => {
                let forced = self.old_timelines && missing.kind == PayloadKind::Timeline;
                let is_over = missing.expires_at.is_some_and(|end| end <= self.now);
                !forced && (missing.reason == MissingReason::TooOld || is_over)
            }
        }
    }

    /// Whether Riot has deleted the timeline of a match of that time.
    pub(super) fn timeline_is_gone(&self, played: Timestamp) -> bool {
        !self.old_timelines
            && self
                .retention
                .is_over(PayloadKind::Timeline, played, self.now)
    }
}

/// What a sync has to fetch, and what it need not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Matches to fetch; their timelines follow from them.
    pub matches: Vec<MatchId>,
    /// Those of them whose timeline Riot still has.
    pub with_timeline: HashSet<MatchId>,
    /// Timelines of matches that are stored.
    pub timelines: Vec<MatchId>,
    pub existing_matches: usize,
    pub existing_timelines: usize,
    /// What is not asked for this time, as Riot does not give it.
    pub missing_matches: MissingCounts,
    pub missing_timelines: MissingCounts,
    /// Of the documents to fetch, those that Riot did not give before.
    pub again: [usize; 2],
    /// Cleaned away on purpose; not asked for again.
    pub cleaned_matches: usize,
    /// Stored, and not made into rows; not asked for again.
    pub unread_matches: usize,
    pub unread_timelines: usize,
    /// Not asked for: engines ended when they did.
    pub given_up: Vec<GivenUp>,
}

impl Plan {
    /// Timelines to fetch, those of matches that are to be fetched included.
    pub fn timeline_calls(&self) -> usize {
        self.timelines.len() + self.with_timeline.len()
    }

    /// Adds the counts to a job's result.
    pub fn tell(&self, result: &mut Value, listed: usize) {
        result["total_matches"] = listed.into();
        result["existing_matches"] = self.existing_matches.into();
        result["existing_timelines"] = self.existing_timelines.into();
        result["missing_matches"] = self.missing_matches.total().into();
        result["missing_timelines"] = self.missing_timelines.total().into();
        result["missing_matches_by_reason"] = json!(self.missing_matches);
        result["missing_timelines_by_reason"] = json!(self.missing_timelines);
        result["asked_again_matches"] = self.again[0].into();
        result["asked_again_timelines"] = self.again[1].into();
        result["cleaned_matches"] = self.cleaned_matches.into();
        result["unread_matches"] = self.unread_matches.into();
        result["unread_timelines"] = self.unread_timelines.into();
        // Told, or a sync would be complete without them.
        if !self.given_up.is_empty() {
            result["given_up"] = json!(self.given_up);
        }
        result["match_calls"] = self.matches.len().into();
        result["timeline_calls"] = self.timeline_calls().into();
    }
}

/// Compares a list of ids (each once) with what is stored.
pub(super) fn plan(listed: &[Listed], stored: &StoredMatches, wanted: &Wanted) -> Plan {
    let matches: HashMap<_, _> = stored.matches.iter().map(|one| (one.id, one)).collect();
    let timelines: HashSet<_> = stored.timelines.iter().collect();
    let missing: HashMap<_, _> = stored
        .missing
        .iter()
        .map(|one| ((one.kind, one.id), one))
        .collect();
    let left = |kind, id| {
        let missing = missing.get(&(kind, id))?;
        wanted.leaves(missing).then_some(missing.reason)
    };
    let given_up: HashMap<_, _> = stored
        .given_up
        .iter()
        .map(|one| ((one.kind, one.id), one))
        .collect();
    let cleaned: HashSet<_> = stored.cleaned.iter().collect();
    let unread: HashSet<_> = stored.unread.iter().collect();
    let mut plan = Plan::default();
    for one in listed {
        let id = one.id;
        let has_timeline = timelines.contains(&id);
        if cleaned.contains(&id) {
            plan.cleaned_matches += 1;
        } else if matches.contains_key(&id) || unread.contains(&(PayloadKind::Match, id)) {
            let played = matches.get(&id).map(|there| there.game_start);
            plan.existing_matches += usize::from(played.is_some());
            plan.unread_matches += usize::from(played.is_none());
            if has_timeline {
                plan.existing_timelines += 1;
            } else if unread.contains(&(PayloadKind::Timeline, id)) {
                plan.unread_timelines += 1;
            } else if wanted.timelines {
                // A game that never began has no time of its own.
                let began = played.filter(|played| *played > Timestamp::EPOCH);
                if wanted.timeline_is_gone(began.unwrap_or(one.played_before)) {
                    plan.missing_timelines.add(MissingReason::TooOld, 1);
                } else if let Some(reason) = left(PayloadKind::Timeline, id) {
                    plan.missing_timelines.add(reason, 1);
                } else if let Some(given_up) = given_up.get(&(PayloadKind::Timeline, id)) {
                    plan.given_up.push(**given_up);
                } else {
                    plan.timelines.push(id);
                }
            }
        } else if let Some(reason) = left(PayloadKind::Match, id) {
            plan.missing_matches.add(reason, 1);
        } else if let Some(given_up) = given_up.get(&(PayloadKind::Match, id)) {
            plan.given_up.push(**given_up);
        } else {
            plan.matches.push(id);
            let has_timeline = has_timeline || unread.contains(&(PayloadKind::Timeline, id));
            if wanted.timelines && !has_timeline {
                if wanted.timeline_is_gone(one.played_before) {
                    plan.missing_timelines.add(MissingReason::TooOld, 1);
                } else if let Some(reason) = left(PayloadKind::Timeline, id) {
                    plan.missing_timelines.add(reason, 1);
                } else {
                    plan.with_timeline.insert(id);
                }
            }
        }
    }
    let is_missing = |kind, id: &MatchId| missing.contains_key(&(kind, *id));
    plan.again = asked_again(&plan, is_missing);
    plan
}

fn asked_again(plan: &Plan, is_missing: impl Fn(PayloadKind, &MatchId) -> bool) -> [usize; 2] {
    let matches = plan.matches.iter();
    let timelines = plan.timelines.iter().chain(&plan.with_timeline);
    [
        matches
            .filter(|id| is_missing(PayloadKind::Match, id))
            .count(),
        timelines
            .filter(|id| is_missing(PayloadKind::Timeline, id))
            .count(),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{JobId, Platform};
    use crate::store::StoredMatch;

    /// 2026-11-23T16:00:00Z
    const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);
    const DAY: Duration = Duration::from_hours(24);

    fn id(number: u64) -> MatchId {
        MatchId::new(Platform::Kr, number)
    }

    fn ids(numbers: &[u64]) -> Vec<MatchId> {
        numbers.iter().map(|n| id(*n)).collect()
    }

    fn listed(numbers: &[u64]) -> Vec<Listed> {
        let one = |n: &u64| Listed {
            id: id(*n),
            young_until: None,
            played_before: NOW,
        };
        numbers.iter().map(one).collect()
    }

    fn stored(numbers: &[u64], played: Timestamp) -> Vec<StoredMatch> {
        let one = |n: &u64| StoredMatch {
            id: id(*n),
            game_start: played,
            year: 2026,
        };
        numbers.iter().map(one).collect()
    }

    /// Missing, and to be asked for at that moment.
    fn missing(kind: PayloadKind, number: u64, next_try: Option<Timestamp>) -> MissingDocument {
        MissingDocument {
            kind,
            id: id(number),
            reason: MissingReason::NotFound,
            tries: 1,
            first_seen: NOW - DAY,
            next_try,
            expires_at: None,
        }
    }

    fn sync(timelines: bool) -> Wanted {
        Wanted {
            timelines,
            old_timelines: false,
            again: Again::Due,
            retention: Retention {
                matches: Some(DAY * 730),
                timelines: Some(DAY * 365),
            },
            now: NOW,
        }
    }

    #[test]
    fn only_what_is_neither_stored_nor_missing_is_fetched() {
        let later = Some(NOW + DAY);
        let there = StoredMatches {
            matches: stored(&[1, 2, 3], NOW),
            timelines: ids(&[1]),
            missing: vec![
                missing(PayloadKind::Timeline, 2, later),
                missing(PayloadKind::Match, 4, later),
            ],
            cleaned: ids(&[6]),
            unread: Vec::new(),
            given_up: Vec::new(),
        };
        let with = plan(&listed(&[1, 2, 3, 4, 5, 6]), &there, &sync(true));
        assert_eq!(
            (with.matches.clone(), with.timelines.clone()),
            (ids(&[5]), ids(&[3]))
        );
        assert_eq!((with.existing_matches, with.existing_timelines), (3, 1));
        let missed = |counts: &MissingCounts| counts.of(MissingReason::NotFound);
        assert_eq!(missed(&with.missing_matches), 1);
        assert_eq!(missed(&with.missing_timelines), 1);
        assert_eq!((with.cleaned_matches, with.timeline_calls()), (1, 2));
        assert!(
            plan(&listed(&[3]), &there, &sync(false))
                .timelines
                .is_empty()
        );
    }

    #[test]
    fn what_ended_engines_is_not_asked_for_again_and_is_told_as_failed() {
        let given_up = |kind, number| GivenUp {
            kind,
            id: id(number),
            job: JobId(7),
        };
        let there = StoredMatches {
            matches: stored(&[1, 2], NOW),
            given_up: vec![
                given_up(PayloadKind::Match, 1),
                given_up(PayloadKind::Timeline, 2),
                given_up(PayloadKind::Match, 3),
            ],
            ..StoredMatches::default()
        };
        let found = plan(&listed(&[1, 2, 3, 4]), &there, &sync(true));
        assert_eq!(
            (&found.matches, &found.timelines),
            (&ids(&[4]), &ids(&[1])),
            "match 1 came in another way"
        );
        let mut told = json!({});
        found.tell(&mut told, 4);
        let keys: Vec<&Value> = told["given_up"].as_array().unwrap().iter().collect();
        assert_eq!(keys.len(), 2);
        assert_eq!(
            (&keys[0]["id"], &keys[1]["id"]),
            (&json!("KR_2"), &json!("KR_3"))
        );
    }

    #[test]
    fn what_is_kept_unread_is_not_fetched_again_but_the_timeline_of_an_unread_match_is() {
        use PayloadKind::{Match, Timeline};
        let there = StoredMatches {
            matches: stored(&[3, 5], NOW),
            timelines: ids(&[2, 5]),
            unread: [
                (Match, 1),
                (Match, 2),
                (Timeline, 3),
                (Match, 4),
                (Timeline, 4),
                (Match, 5),
            ]
            .map(|(kind, number)| (kind, id(number)))
            .into(),
            ..StoredMatches::default()
        };
        let found = plan(&listed(&[1, 2, 3, 4, 5]), &there, &sync(true));
        assert_eq!((found.matches, found.timelines), (ids(&[]), ids(&[1])));
        assert_eq!((found.unread_matches, found.unread_timelines), (3, 2));
        // One with rows is there, whatever was written of it before.
        assert_eq!((found.existing_matches, found.existing_timelines), (2, 2));
    }

    #[test]
    fn what_is_missing_is_asked_for_when_it_is_due_and_by_a_recovery_at_once() {
        let there = StoredMatches {
            missing: vec![
                missing(PayloadKind::Match, 1, Some(NOW)),
                missing(PayloadKind::Match, 2, Some(NOW + DAY)),
                missing(PayloadKind::Match, 3, None),
            ],
            ..StoredMatches::default()
        };
        let due = plan(&listed(&[1, 2, 3]), &there, &sync(true));
        assert_eq!((due.matches, due.again), (ids(&[1]), [1, 0]));
        let mut young = there.clone();
        young.missing[1].reason = MissingReason::NotYet;
        let due = plan(&listed(&[1, 2, 3]), &young, &sync(true));
        assert_eq!(due.matches, ids(&[1, 2]), "it may be served by now");
        let recovery = Wanted {
            again: Again::All,
            ..sync(true)
        };
        assert_eq!(
            plan(&listed(&[1, 2, 3]), &there, &recovery).matches,
            ids(&[1, 2, 3])
        );
        let mut gone = there.clone();
        gone.missing[1].reason = MissingReason::TooOld;
        gone.missing[2].expires_at = Some(NOW);
        let all = plan(&listed(&[1, 2, 3]), &gone, &recovery);
        assert_eq!((all.matches, all.missing_matches.total()), (ids(&[1]), 2));
    }

    #[test]
    fn a_match_that_is_known_to_be_of_another_year_counts_in_that_year_only() {
        let mut there = StoredMatches {
            matches: stored(&[1, 2], NOW),
            ..StoredMatches::default()
        };
        there.matches[0].year = 2025;
        let (left, others) = of_year(listed(&[1, 2, 3]), &there, 2026);
        assert_eq!((left, others), (listed(&[2, 3]), 1));
        let (left, others) = of_year(listed(&[1, 2, 3]), &there, 2025);
        assert_eq!((left, others), (listed(&[1, 3]), 1));
    }

    #[test]
    fn timelines_that_riot_has_deleted_are_not_asked_for_unless_told() {
        let there = StoredMatches {
            matches: [stored(&[1], NOW - DAY * 366), stored(&[2], NOW - DAY * 364)].concat(),
            ..StoredMatches::default()
        };
        let mut list = listed(&[1, 2, 3, 4]);
        list[2].played_before = NOW - DAY * 365;
        let usual = plan(&list, &there, &sync(true));
        assert_eq!(usual.timelines, ids(&[2]));
        assert_eq!(usual.matches, ids(&[3, 4]));
        assert_eq!(usual.with_timeline, HashSet::from([id(4)]));
        assert_eq!(usual.missing_timelines.of(MissingReason::TooOld), 2);
        let told = Wanted {
            old_timelines: true,
            ..sync(true)
        };
        let told = plan(&list, &there, &told);
        assert_eq!(
            (told.timeline_calls(), told.missing_timelines.total()),
            (4, 0)
        );
    }
}

//! What the API does not give, why, and when it is asked for it again. Pure: time comes in as arguments.
//!
//! A document that is listed and not given is never given up for good while Riot can still have it: outages
//! answered 404 for weeks, and whole modes answer 403 for months and are opened later. It is asked for again with
//! growing pauses, so that what is hopeless costs next to nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::ids::MatchId;
use super::records::PayloadKind;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A match may appear until so long after it was first listed: until then a 404 says nothing.
pub const YOUNG: Duration = HOUR;
/// Pauses after the first, second, ... answer that it is not there; then the last one.
const PAUSES: [Duration; 5] = [
    HOUR,
    Duration::from_hours(6),
    DAY,
    Duration::from_hours(24 * 7),
    Duration::from_hours(24 * 30),
];
/// The first pause while it is young; each is half of what it has waited, up to the longest.
const YOUNG_PAUSE_MIN: Duration = Duration::from_mins(2);
const YOUNG_PAUSE_MAX: Duration = Duration::from_mins(15);

/// Why a listed document is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MissingReason {
    /// Riot knows no such document.
    #[serde(rename = "404")]
    NotFound,
    /// Riot refuses it, and takes the key for everything else.
    #[serde(rename = "403")]
    Refused,
    /// Riot has deleted it: it was not asked for, or is not any more.
    #[serde(rename = "too_old")]
    TooOld,
    /// Riot lists it and does not serve it yet.
    #[serde(rename = "not_yet")]
    NotYet,
    /// Nothing is known of it: the route answers 404 for what it served before.
    #[serde(rename = "outage")]
    Outage,
    /// What was answered, again and again, is no document of the match, or no answer that the API is known to give.
    #[serde(rename = "unusable")]
    Unusable,
}

impl MissingReason {
    pub const ALL: [Self; 6] = [
        Self::NotFound,
        Self::Refused,
        Self::TooOld,
        Self::NotYet,
        Self::Outage,
        Self::Unusable,
    ];

    /// As the table and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "404",
            Self::Refused => "403",
            Self::TooOld => "too_old",
            Self::NotYet => "not_yet",
            Self::Outage => "outage",
            Self::Unusable => "unusable",
        }
    }

    /// A word of another version is a document that is not there.
    pub fn parse(text: &str) -> Self {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.unwrap_or(Self::NotFound)
    }

    /// The word of a job's failure for it: [`Failure::kind`](super::Failure).
    pub fn failure_kind(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::TooOld | Self::NotYet | Self::Outage | Self::Unusable => self.as_str(),
        }
    }

    /// The reason that a job's failure stands for; none: the job failed in another way.
    pub fn of_failure(kind: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|reason| reason.failure_kind() == kind)
    }

    /// Whether this is what Riot says of the document, and not only of the moment.
    pub fn is_knowledge(self) -> bool {
        match self {
            Self::NotFound | Self::Refused | Self::TooOld => true,
            Self::NotYet | Self::Outage | Self::Unusable => false,
        }
    }
}

/// How long Riot keeps documents. None: for ever, as a simulated API does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    pub matches: Option<Duration>,
    pub timelines: Option<Duration>,
}

impl Retention {
    fn of(self, kind: PayloadKind) -> Option<Duration> {
        match kind {
            PayloadKind::Match => self.matches,
            PayloadKind::Timeline => self.timelines,
        }
    }

    /// When a document of a match that was played at that moment is deleted. None: never, or the moment is not known:
    /// the document of a match that never began says 0.
    pub fn ends(self, kind: PayloadKind, played: Timestamp) -> Option<Timestamp> {
        let kept = self.of(kind).filter(|_| played > Timestamp::EPOCH);
        kept.map(|kept| played + kept)
    }

    /// Whether it is deleted by now.
    pub fn is_over(self, kind: PayloadKind, played: Timestamp, now: Timestamp) -> bool {
        self.ends(kind, played).is_some_and(|end| end <= now)
    }

    /// What was played before this moment is deleted by now.
    pub fn begins(self, kind: PayloadKind, now: Timestamp) -> Option<Timestamp> {
        self.of(kind).map(|kept| now - kept)
    }
}

/// A document that is listed and not given: a row of `missing_payloads`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingDocument {
    pub kind: PayloadKind,
    pub id: MatchId,
    pub reason: MissingReason,
    /// Answers that told something of the document.
    pub tries: u32,
    pub first_seen: Timestamp,
    /// None: it is not asked for any more.
    pub next_try: Option<Timestamp>,
    /// Riot has deleted it by then; none: nobody knows when.
    pub expires_at: Option<Timestamp>,
}

impl MissingDocument {
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_try.is_some_and(|at| at <= now)
    }
}

/// An answer that did not bring a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miss {
    pub kind: PayloadKind,
    pub id: MatchId,
    /// What the answer was taken for; a 404 of a young document is [`MissingReason::NotYet`] by itself.
    pub reason: MissingReason,
    /// The match may be too young to be served until then.
    pub young_until: Option<Timestamp>,
    /// The match was played before this moment; the moment of the answer, if nothing better is known.
    pub played_before: Timestamp,
}

/// What is remembered of a document after an answer that did not bring it.
pub fn missed(
    miss: Miss,
    before: Option<&MissingDocument>,
    retention: Retention,
    now: Timestamp,
) -> MissingDocument {
    let first_seen = before.map_or(now, |before| before.first_seen);
    let expires_at = before
        .and_then(|before| before.expires_at)
        .into_iter()
        .chain(retention.ends(miss.kind, miss.played_before))
        .min();
    let is_over = expires_at.is_some_and(|end| end <= now);
    let is_young = miss.young_until.is_some_and(|until| now < until);
    let reason = match miss.reason {
        MissingReason::NotFound if is_over => MissingReason::TooOld,
        MissingReason::NotFound if is_young => MissingReason::NotYet,
        reason => reason,
    };
    let known = before.map_or(0, |before| before.tries);
    // An outage says nothing of the document.
    let tells = reason.is_knowledge() || reason == MissingReason::Unusable;
    let tries = known + u32::from(tells);
    let pause = match reason {
        MissingReason::NotYet => {
            let left = miss.young_until.map_or(YOUNG, |until| until.since(now));
            let waited = YOUNG.saturating_sub(left);
            (waited / 2).clamp(YOUNG_PAUSE_MIN, YOUNG_PAUSE_MAX)
        }
        MissingReason::Outage => HOUR,
        MissingReason::NotFound
        | MissingReason::Refused
        | MissingReason::TooOld
        | MissingReason::Unusable => pause(tries),
    };
    let next = now + pause;
    let ends = reason == MissingReason::TooOld || expires_at.is_some_and(|end| end <= next);
    MissingDocument {
        kind: miss.kind,
        id: miss.id,
        reason,
        tries,
        first_seen,
        next_try: (!ends).then_some(next),
        expires_at,
    }
}

fn pause(tries: u32) -> Duration {
    let at = (tries.max(1) as usize - 1).min(PAUSES.len() - 1);
    PAUSES[at]
}

/// Documents that are missing, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MissingCounts(BTreeMap<MissingReason, u64>);

impl MissingCounts {
    pub fn add(&mut self, reason: MissingReason, count: u64) {
        if count > 0 {
            *self.0.entry(reason).or_default() += count;
        }
    }

    pub fn of(&self, reason: MissingReason) -> u64 {
        self.0.get(&reason).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Reasons that there are, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (MissingReason, u64)> {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }

    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (reason, count) in other.iter() {
            self.add(reason, count);
        }
        self
    }
}

/// Why a job waits that asked for something young.
pub fn not_served_yet(kind: PayloadKind, id: MatchId) -> String {
    format!("{NOT_SERVED}{} of {id}{YET}", kind.as_str())
}

/// Whether this is such a reason.
pub fn is_not_served_yet(why: &str) -> bool {
    // Jobs of before have it with a small letter.
    why.get(1..)
        .is_some_and(|rest| rest.starts_with(&NOT_SERVED[1..]))
        && why.ends_with(YET)
}

const NOT_SERVED: &str = "Riot does not serve the ";
const YET: &str = " yet";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Platform;

    const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);
    const RIOT: Retention = Retention {
        matches: Some(Duration::from_hours(24 * 730)),
        timelines: Some(Duration::from_hours(24 * 365)),
    };

    fn miss(reason: MissingReason) -> Miss {
        Miss {
            kind: PayloadKind::Match,
            id: MatchId::new(Platform::Kr, 7),
            reason,
            young_until: None,
            played_before: NOW,
        }
    }

    #[test]
    fn what_is_missing_is_absent_and_not_lost_in_the_words_of_jobs() {
        let mut words = MissingReason::ALL.map(MissingReason::failure_kind);
        let mut absent = riftsync_basics::ABSENT;
        words.sort_unstable();
        absent.sort_unstable();
        assert_eq!(words, absent);
    }

    /// The hours after the first answer at which it is asked for, until it is asked for no more.
    fn asked_at_h(miss: Miss, retention: Retention) -> Vec<u64> {
        let (mut now, mut row, mut hours) = (NOW, None, Vec::new());
        for _ in 0..100 {
            let next = missed(miss, row.as_ref(), retention, now);
            let Some(at) = next.next_try else { break };
            assert!(!next.is_due(now) && next.is_due(at));
            hours.push(at.since(NOW).as_secs() / 3600);
            (now, row) = (at, Some(next));
        }
        hours
    }

    #[test]
    fn what_is_missing_is_asked_for_with_growing_pauses_for_as_long_as_riot_can_have_it() {
        for reason in [
            MissingReason::NotFound,
            MissingReason::Refused,
            MissingReason::Unusable,
        ] {
            let hours = asked_at_h(miss(reason), RIOT);
            assert_eq!(hours[..6], [1, 7, 31, 199, 919, 1639]);
            assert!(*hours.last().unwrap() < 730 * 24, "{hours:?}");
            assert_eq!(hours.len(), 28, "about monthly for two years");
        }
        let timeline = Miss {
            kind: PayloadKind::Timeline,
            ..miss(MissingReason::NotFound)
        };
        assert_eq!(asked_at_h(timeline, RIOT).len(), 15, "and for one");
        let forever = asked_at_h(miss(MissingReason::NotFound), Retention::default());
        assert_eq!(forever.len(), 100);
    }

    #[test]
    fn what_riot_has_deleted_by_now_is_asked_for_once_at_most() {
        let old = Miss {
            played_before: NOW - DAY * 731,
            ..miss(MissingReason::NotFound)
        };
        let row = missed(old, None, RIOT, NOW);
        assert_eq!((row.reason, row.next_try), (MissingReason::TooOld, None));
        let last_day = Miss {
            played_before: NOW - DAY * 730 + HOUR / 2,
            ..old
        };
        let row = missed(last_day, None, RIOT, NOW);
        assert_eq!((row.reason, row.next_try), (MissingReason::NotFound, None));
    }

    #[test]
    fn a_match_that_never_began_is_not_too_old() {
        for kind in [PayloadKind::Match, PayloadKind::Timeline] {
            assert!(!RIOT.is_over(kind, Timestamp::EPOCH, NOW));
            assert!(RIOT.is_over(kind, NOW - DAY * 731, NOW));
        }
    }

    #[test]
    fn a_young_match_is_asked_for_every_few_minutes_and_costs_no_try() {
        let young = Miss {
            young_until: Some(NOW + YOUNG),
            ..miss(MissingReason::NotFound)
        };
        let row = missed(young, None, RIOT, NOW);
        assert_eq!((row.reason, row.tries), (MissingReason::NotYet, 0));
        assert_eq!(row.next_try, Some(NOW + YOUNG_PAUSE_MIN));
        let later = NOW + Duration::from_mins(20);
        let row = missed(young, Some(&row), RIOT, later);
        assert_eq!(row.next_try, Some(later + Duration::from_mins(10)));
        let old = NOW + YOUNG;
        let row = missed(young, Some(&row), RIOT, old);
        assert_eq!((row.reason, row.tries), (MissingReason::NotFound, 1));
        assert_eq!((row.first_seen, row.next_try), (NOW, Some(old + HOUR)));
    }

    #[test]
    fn an_outage_says_nothing_of_the_document() {
        let known = missed(miss(MissingReason::NotFound), None, RIOT, NOW);
        let later = NOW + HOUR;
        let row = missed(miss(MissingReason::Outage), Some(&known), RIOT, later);
        assert_eq!((row.tries, row.next_try), (1, Some(later + HOUR)));
        assert_eq!(row.reason, MissingReason::Outage);
    }

    #[test]
    fn what_is_known_of_its_age_is_not_forgotten() {
        let by_year = Miss {
            played_before: NOW - DAY * 400,
            ..miss(MissingReason::NotFound)
        };
        let known = missed(by_year, None, RIOT, NOW);
        let row = missed(
            miss(MissingReason::NotFound),
            Some(&known),
            RIOT,
            NOW + HOUR,
        );
        assert_eq!(row.expires_at, Some(NOW + DAY * 330));
    }

    #[test]
    fn every_reason_is_read_as_it_is_written() {
        for reason in MissingReason::ALL {
            assert_eq!(MissingReason::parse(reason.as_str()), reason);
            assert_eq!(
                MissingReason::of_failure(reason.failure_kind()),
                Some(reason)
            );
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, format!("\"{}\"", reason.as_str()));
        }
        assert_eq!(MissingReason::parse("gone"), MissingReason::NotFound);
        assert_eq!(MissingReason::of_failure("unavailable"), None);
    }
}

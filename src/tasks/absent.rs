//! A listed document that Riot does not give: what its answer is taken for, what is remembered, and what it means for
//! its job.

use std::time::Duration;

use super::failed::failed;
use super::player::Stop;
use crate::gate::{Absence, RiotApi};
use crate::model::missing::{Miss, YOUNG, missed, not_served_yet};
use crate::model::records::PayloadKind;
use crate::model::{
    Failure, MatchId, MissingDocument, MissingReason, Outcome, Platform, Retention, Route,
    Timestamp,
};
use crate::riot::{Call, Response, RiotError};
use crate::store::Effect;
use crate::store::engine::{JobContext, TaskResult};

/// A document that was served before must be younger than what Riot deletes by this much, to be a witness.
const WITNESS_MARGIN: Duration = Duration::from_hours(24 * 30);
/// Pauses before a young document is asked for again, while somebody waits for it.
const LOOK_AGAIN_MIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN_MAX: Duration = Duration::from_mins(5);

/// A document that a job asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) kind: PayloadKind,
    pub(super) id: MatchId,
    /// Until then it may be too young to be served.
    pub(super) young_until: Option<Timestamp>,
    /// It was played before this moment; none: before now.
    pub(super) played_before: Option<Timestamp>,
    /// Somebody waits until a young document is served.
    pub(super) wait: bool,
}

impl Asked {
    fn call(&self) -> Call {
        match self.kind {
            PayloadKind::Match => Call::match_document(self.id),
            PayloadKind::Timeline => Call::timeline(self.id),
        }
    }

    fn is_young(&self, now: Timestamp) -> bool {
        self.young_until.is_some_and(|until| now < until)
    }
}

/// Asks for a document. An error is what becomes of the job without it.
pub(super) async fn fetch(
    api: &RiotApi,
    context: &JobContext,
    asked: Asked,
    retention: Retention,
) -> Result<Response, TaskResult> {
    let (call, route) = (asked.call(), asked.id.route());
    if api.judge_absence(route) == Absence::Outage {
        let known = Known::of(context, asked).await?;
        return Err(absent(
            context,
            asked,
            &known,
            MissingReason::Outage,
            retention,
        ));
    }
    let answer = match api.call(context, &call).await {
        // Single refusals are whims now and then: one more call tells.
        Err(RiotError::Forbidden(_)) => api.call(context, &call).await,
        answer => answer,
    };
    let refused = match answer {
        Ok(response) => return Ok(response),
        Err(RiotError::Forbidden(_)) => true,
        Err(RiotError::NotFound) => false,
        Err(error) => return Err(not_usable(context, asked, retention, &error).await),
    };
    let known = Known::of(context, asked).await?;
    let reason = if refused {
        MissingReason::Refused
    } else {
        let judged = judge(api, context, asked, known.played_before, retention).await;
        judged.map_err(|error| failed(&error))?
    };
    Err(absent(context, asked, &known, reason, retention))
}

/// The end of a job whose answer is no document, after the last try: the next sync need not ask at once.
pub(super) async fn not_usable(
    context: &JobContext,
    asked: Asked,
    retention: Retention,
    error: &RiotError,
) -> TaskResult {
    let is_last = context.job.attempt >= context.job.max_attempts;
    let is_final = match error {
        RiotError::Payload(_) | RiotError::Unread(_) => is_last,
        RiotError::Odd(..) | RiotError::BadRequest(..) => true,
        _ => false,
    };
    if !is_final {
        return failed(error);
    }
    let known = match Known::of(context, asked).await {
        Ok(known) => known,
        Err(end) => return end,
    };
    let text = error.to_string();
    remembered(
        context,
        asked,
        &known,
        MissingReason::Unusable,
        retention,
        |what| {
            format!(
                "what Riot answers for the {what} of {} cannot be used: {text}",
                asked.id
            )
        },
    )
}

/// What is known of a document that was not given.
struct Known {
    before: Option<MissingDocument>,
    played_before: Timestamp,
}

impl Known {
    async fn of(context: &JobContext, asked: Asked) -> Result<Self, TaskResult> {
        let stored = context.store().stored_matches(&[asked.id]).await;
        let stored = stored.map_err(|error| TaskResult::from(Stop::Store(error)))?;
        let (now, told) = (context.now(), asked.played_before);
        // When a stored match was played is known; of an empty document it is not.
        let started = stored.matches.first().map(|there| there.game_start);
        let started = started.filter(|started| *started > Timestamp::EPOCH);
        let mut missing = stored.missing.into_iter();
        Ok(Self {
            before: missing.find(|missing| missing.kind == asked.kind),
            played_before: started.or(told).unwrap_or(now).min(now),
        })
    }
}

/// What the 404 of a document is taken for.
async fn judge(
    api: &RiotApi,
    context: &JobContext,
    asked: Asked,
    played_before: Timestamp,
    retention: Retention,
) -> Result<MissingReason, RiotError> {
    let now = context.now();
    if asked.is_young(now) || retention.is_over(asked.kind, played_before, now) {
        // It says nothing of the route.
        return Ok(MissingReason::NotFound);
    }
    let route = asked.id.route();
    let reason = |absence| match absence {
        Absence::Outage => MissingReason::Outage,
        Absence::Known | Absence::Doubtful => MissingReason::NotFound,
    };
    match api.absent(route) {
        Absence::Doubtful => {}
        known => return Ok(reason(known)),
    }
    let _turn = api.witness_turn(route).await;
    match api.judge_absence(route) {
        Absence::Doubtful => {}
        known => return Ok(reason(known)),
    }
    let since = retention.begins(PayloadKind::Match, now);
    let since = since.map_or(Timestamp::EPOCH, |since| since + WITNESS_MARGIN);
    let platforms = platforms_of(route);
    let witness = context.store().witness_match(&platforms, since).await;
    // Without one, nothing was ever served there: the answers are all that is known.
    let Ok(Some(witness)) = witness else {
        return Ok(MissingReason::NotFound);
    };
    match api.call(context, &Call::match_document(witness)).await {
        Ok(_) => api.witnessed(route, true),
        Err(RiotError::NotFound) => api.witnessed(route, false),
        Err(error) => return Err(error),
    }
    Ok(reason(api.judge_absence(route)))
}

/// Platforms whose matches a route serves.
fn platforms_of(route: Route) -> Vec<&'static str> {
    let of_route = Platform::ALL
        .iter()
        .filter(|platform| route == Route::Region(platform.region()));
    of_route.map(|platform| platform.as_str()).collect()
}

/// The end of a job whose document is not given: remembered, with when it is asked for again.
fn absent(
    context: &JobContext,
    asked: Asked,
    known: &Known,
    reason: MissingReason,
    retention: Retention,
) -> TaskResult {
    let (id, now) = (asked.id, context.now());
    if asked.wait
        && reason == MissingReason::NotFound
        && let Some(delay) = look_again_in(now, asked.young_until)
    {
        return Outcome::Snooze {
            delay,
            why: not_served_yet(asked.kind, id),
        }
        .into();
    }
    remembered(context, asked, known, reason, retention, |_| String::new())
}

/// The end of a job with a note of what is missing. `unusable` tells of an answer that is no document.
fn remembered(
    context: &JobContext,
    asked: Asked,
    known: &Known,
    reason: MissingReason,
    retention: Retention,
    unusable: impl FnOnce(&str) -> String,
) -> TaskResult {
    let (id, what) = (asked.id, asked.kind.as_str());
    let miss = Miss {
        kind: asked.kind,
        id,
        reason,
        young_until: asked.young_until,
        played_before: known.played_before,
    };
    let missing = missed(miss, known.before.as_ref(), retention, context.now());
    let text = match missing.reason {
        MissingReason::NotFound => format!("Riot has no {what} of {id} (404)"),
        MissingReason::Refused => format!("Riot refuses the {what} of {id} (403)"),
        MissingReason::TooOld => format!("Riot has deleted the {what} of {id} by now (404)"),
        MissingReason::NotYet => format!("Riot does not serve the {what} of {id} yet (404)"),
        MissingReason::Outage => format!(
            "{} answers 404 for what it served before; the {what} of {id} was not asked for",
            id.route()
        ),
        MissingReason::Unusable => unusable(what),
    };
    let failure = Failure::new(missing.reason.failure_kind(), text).told();
    TaskResult::from(Outcome::Discard(failure)).with_effects(vec![Effect::Missing(missing)])
}

/// How long until a young document is asked for again: soon at first, then every few minutes. None: it
/// is old.
fn look_again_in(now: Timestamp, young_until: Option<Timestamp>) -> Option<Duration> {
    let left = young_until?.since(now);
    if left.is_zero() {
        return None;
    }
    let waited = YOUNG.saturating_sub(left);
    Some((waited / 2).clamp(LOOK_AGAIN_MIN, LOOK_AGAIN_MAX).min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_match_that_somebody_waits_for_is_asked_for_again_for_an_hour_and_an_old_one_never() {
        let begin = Timestamp::EPOCH + Duration::from_secs(1_000);
        let until = begin + YOUNG;
        let (mut now, mut pauses) = (begin, Vec::new());
        while let Some(pause) = look_again_in(now, Some(until)) {
            now = now + pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(now, until);
        assert_eq!(pauses[..5], [30, 30, 30, 45, 67]);
        assert!(pauses.len() < 25 && pauses.iter().all(|pause| *pause <= 300));
        assert_eq!(look_again_in(begin, None), None);
    }
}

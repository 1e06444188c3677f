//! Where a player stands: asked with every sync that keeps its player tracked, one call each, and stored with its
//! end.
//!
//! It is an addition to the sync. A call that fails costs the sync nothing but time, which is bounded: the matches go
//! on, a note says what was not told, and the next sync asks again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::gate::RiotApi;
use crate::model::records::PlayerRecord;
use crate::model::{Puuid, Timestamp};
use crate::riot::{Call, RiotError, parse_mastery, parse_ranks};
use crate::store::Effect;
use crate::store::engine::JobContext;
use crate::store::standing::{Told, ToldStanding};

/// The matches wait no longer for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many refusals in a row are the key's. Fewer may be about single players.
const REFUSALS_MAX: u32 = 3;
/// A key that may not ask is not tried again so soon: to know that the key is good takes one more call each time.
const REFUSED_PAUSE: Duration = Duration::from_hours(6);

const RANKS: &str = "ranks";
const MASTERY: &str = "champion mastery";

/// What is asked of a tracked player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub ranks: bool,
    pub mastery: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            ranks: true,
            mastery: false,
        }
    }
}

/// What the present key was refused lately.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<&'static str, Refused>>);

#[derive(Debug, Default)]
struct Refused {
    key: String,
    in_a_row: u32,
    until: Option<Timestamp>,
}

impl Refusals {
    /// Whether it makes sense to ask.
    fn may_ask(&self, what: &'static str, key: &str, now: Timestamp) -> bool {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = refused.get(what).filter(|refused| refused.key == key);
        until.is_none_or(|refused| refused.until.is_none_or(|until| until <= now))
    }

    fn answered(&self, what: &'static str) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.remove(what);
    }

    /// Whether it is known from now on that the key may not ask.
    fn refused(&self, what: &'static str, key: &str, now: Timestamp) -> bool {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = refused.entry(what).or_default();
        if of.key != key {
            *of = Refused {
                key: key.to_owned(),
                ..Refused::default()
            };
        }
        of.in_a_row = of.in_a_row.saturating_add(1);
        if of.in_a_row >= REFUSALS_MAX {
            of.until = Some(now + REFUSED_PAUSE);
        }
        of.in_a_row == REFUSALS_MAX
    }
}

/// What was told, and what a person should know of what was not.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) effects: Vec<Effect>,
    pub(super) notes: Vec<String>,
}

/// Asks for what is wanted of a player; none: for nothing.
pub(super) async fn ask(
    api: &RiotApi,
    context: &JobContext,
    player: &PlayerRecord,
    wanted: Option<Standing>,
    refusals: &Refusals,
) -> Result<Answers, RiotError> {
    let key = &*api.key_fingerprint();
    let mut answers = Answers::default();
    let Some(wanted) = wanted else {
        return Ok(answers);
    };
    for (what, wanted) in [(RANKS, wanted.ranks), (MASTERY, wanted.mastery)] {
        if !wanted || !refusals.may_ask(what, key, context.now()) {
            continue;
        }
        let told = tokio::time::timeout(PATIENCE, told(api, context, player, what)).await;
        let why = match told {
            Ok(Ok(told)) => {
                refusals.answered(what);
                answers.effects.push(effect(&player.puuid, context, told));
                continue;
            }
            Ok(Err(error @ (RiotError::Cancelled | RiotError::Stopping))) => {
                return Err(error);
            }
            Ok(Err(error)) => {
                if matches!(error, RiotError::Forbidden(_))
                    && refusals.refused(what, key, context.now())
                {
                    tracing::warn!(
                        "this API key may not ask for {what}: {error}; it is tried again in {} hours",
                        REFUSED_PAUSE.as_secs() / 3_600
                    );
                }
                error.to_string()
            }
            Err(_) => format!("no answer within {} seconds", PATIENCE.as_secs()),
        };
        let note = format!("the {what} was not told, and the next sync asks again: {why}");
        answers.notes.push(note);
    }
    Ok(answers)
}

async fn told(
    api: &RiotApi,
    context: &JobContext,
    player: &PlayerRecord,
    what: &'static str,
) -> Result<Told, RiotError> {
    if what == RANKS {
        let response = api
            .call(context, &Call::ranks(&player.puuid, player.platform))
            .await?;
        let ((ranks, odd), _) = api.read(response, parse_ranks).await?;
        return Ok(Told::Ranks {
            ranks,
            whole: odd == 0,
        });
    }
    let call = Call::mastery(&player.puuid, player.platform);
    let response = api.call(context, &call).await?;
    let ((masteries, _), _) = api.read(response, parse_mastery).await?;
    Ok(Told::Mastery(masteries))
}

fn effect(puuid: &Puuid, context: &JobContext, what: Told) -> Effect {
    Effect::Standing(ToldStanding {
        puuid: puuid.clone(),
        at: context.now(),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_449_600_000);

    #[test]
    fn a_key_that_is_refused_again_and_again_is_not_tried_for_some_hours() {
        let refusals = Refusals::default();
        for in_a_row in 1..=REFUSALS_MAX {
            assert!(refusals.may_ask(RANKS, "a", NOW), "{in_a_row}");
            let told = refusals.refused(RANKS, "a", NOW);
            assert_eq!(told, in_a_row == REFUSALS_MAX, "told once");
        }
        assert!(!refusals.may_ask(RANKS, "a", NOW));
        assert!(
            refusals.may_ask(MASTERY, "a", NOW),
            "that is another method"
        );
        assert!(refusals.may_ask(RANKS, "b", NOW), "that is another key");
        assert!(refusals.may_ask(RANKS, "a", NOW + REFUSED_PAUSE));
    }

    #[test]
    fn players_who_are_refused_now_and_then_stop_nobody() {
        let refusals = Refusals::default();
        for _ in 0..9 {
            assert!(!refusals.refused(RANKS, "a", NOW));
            assert!(!refusals.refused(RANKS, "a", NOW));
            refusals.answered(RANKS);
        }
        assert!(refusals.may_ask(RANKS, "a", NOW));
    }
}

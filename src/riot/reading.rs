//! What an answer to the call for a document is: rows, a document to keep unread, or no document of that match at all.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::RiotError;
use super::lenient::{Lenient, Odd, Soft, lenient_object, made_readable, read, read_few};
use crate::model::{MatchId, Platform};

/// What a document says, and which of its fields are not as they should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Understood<T> {
    pub record: T,
    pub odd: Odd,
}

/// A document of the match that was asked for: its rows, or why there are none.
pub type Reading<T> = Result<Understood<T>, String>;

lenient_object! {
    /// What both documents of a match begin with.
    pub(super) Metadata { data_version: String = "dataVersion", match_id: String = "matchId" }
}

/// Keeps a document that cannot be made into rows: only what is no document of the match stays an error, for it is to
/// be fetched again. A panic of the reader is a reason like any other.
pub fn kept<T>(
    text: &[u8],
    understand: impl Fn(&[u8]) -> Result<Understood<T>, RiotError>,
) -> Result<Reading<T>, RiotError> {
    match catch_unwind(AssertUnwindSafe(|| understand(text))) {
        Ok(Ok(understood)) => Ok(Ok(understood)),
        Ok(Err(RiotError::Unread(why))) => Ok(Err(why.into())),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(Err("its reader failed".to_owned())),
    }
}

/// The document in a text. What is no JSON, or no object, is no document.
pub(super) fn document<T: for<'de> Lenient<'de>>(text: &[u8]) -> Result<T, RiotError> {
    document_by(text, |text| read(text))
}

/// The same of one of which few strings are read.
pub(super) fn document_of_few<T: for<'de> Lenient<'de>>(text: &[u8]) -> Result<T, RiotError> {
    document_by(text, |text| read_few(text))
}

fn document_by<T>(
    text: &[u8],
    read: impl Fn(&[u8]) -> Result<Soft<T>, serde_json::Error>,
) -> Result<T, RiotError> {
    let broken = |error: serde_json::Error| {
        RiotError::Payload(format!("it is no JSON, or was cut off: {error}").into())
    };
    let soft: Soft<T> = match read(text) {
        Ok(soft) => soft,
        Err(error) => {
            let text = made_readable(text).ok_or_else(|| broken(error))?;
            read(&text).map_err(broken)?
        }
    };
    soft.value.ok_or_else(no_document)
}

/// An answer that is JSON and has nothing of a document.
pub(super) fn no_document() -> RiotError {
    RiotError::Payload("it is JSON, but no document of a match".into())
}

/// Checks of which match a document is: by its metadata, else by the game's number and platform. One that says neither
/// is what was asked for.
pub(super) fn check_id(
    asked: MatchId,
    metadata: &Metadata,
    game: Option<i64>,
    platform: Option<&str>,
) -> Result<(), RiotError> {
    let by_metadata = metadata.match_id.as_deref().and_then(|id| id.parse().ok());
    let by_game = || {
        let number = u64::try_from(game?).ok().filter(|number| *number > 0)?;
        // Timelines do not tell their platform.
        let platform = match platform {
            None => asked.platform(),
            Some(text) => (Platform::ALL.iter().copied())
                .find(|known| known.as_str().eq_ignore_ascii_case(text))?,
        };
        Some(MatchId::new(platform, number))
    };
    match by_metadata.or_else(by_game) {
        None => Ok(()),
        Some(answered) if answered == asked => Ok(()),
        Some(answered) => {
            let why = format!("{asked} was asked for, {answered} was answered");
            Err(RiotError::Payload(why.into()))
        }
    }
}

/// Numbers for the participants of a list, each another: the document's own where it is positive and nobody else has
/// it; else the participant's place in the list, counted from 1; and where that is taken, the next that is free.
/// `said`: the document's number and the place of each.
pub(super) fn participant_numbers(said: &[(Option<i32>, i32)]) -> Vec<i32> {
    let numbers = || said.iter().map(|(number, _)| *number);
    let ascends = said.windows(2).all(|pair| pair[0].0 < pair[1].0);
    if ascends && said.first().is_none_or(|first| first.0 > Some(0)) {
        return numbers().flatten().collect();
    }
    let is_own =
        |number: i32| number > 0 && numbers().filter(|other| *other == Some(number)).count() == 1;
    let mut given: Vec<Option<i32>> = numbers().map(|n| n.filter(|n| is_own(*n))).collect();
    let mut taken: BTreeSet<i32> = given.iter().flatten().copied().collect();
    for (given, (_, place)) in given.iter_mut().zip(said) {
        if given.is_none() {
            let is_free = |number: &i32| !taken.contains(number);
            let next = (*place..=i32::MAX).find(is_free);
            let free = next.or_else(|| (1..=i32::MAX).find(is_free));
            *given = free;
            taken.extend(free);
        }
    }
    given.into_iter().flatten().collect()
}

/// A place in a list, counted from 1.
pub(super) fn place(index: usize) -> i32 {
    i32::try_from(index.saturating_add(1)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &[i32], expected: &[i32]) {
        let said: Vec<_> = (said.iter().enumerate())
            .map(|(index, n)| ((*n != i32::MIN).then_some(*n), place(index)))
            .collect();
        assert_eq!(participant_numbers(&said), expected);
    }

    #[test]
    fn participants_keep_the_numbers_that_are_theirs_alone_and_get_their_place_else() {
        const NONE: i32 = i32::MIN;
        check(&[], &[]);
        check(&[1, 2, 3], &[1, 2, 3]);
        check(&[3, 1, 7], &[3, 1, 7]);
        check(&[0, 0, 0], &[1, 2, 3]);
        check(&[NONE, NONE, NONE], &[1, 2, 3]);
        check(&[1, 1], &[1, 2]);
        check(&[5, 5, 6], &[1, 2, 6]);
        check(&[3, 3, 2], &[1, 3, 2]);
        check(&[2, NONE, 0], &[2, 3, 4]);
        check(&[-1, 4, -1], &[1, 4, 3]);
        check(&[NONE, 1], &[2, 1]);
        let far = [(Some(1), 1), (Some(1), i32::MAX), (Some(i32::MAX), 3)];
        assert_eq!(participant_numbers(&far), [1, 2, i32::MAX]);
    }

    #[test]
    fn a_document_is_of_a_match_by_its_metadata_or_by_its_game() {
        let asked: MatchId = "EUW1_7".parse().unwrap();
        let check = |named: Option<&str>, game, platform| {
            let metadata = Metadata {
                match_id: named.map(str::to_owned),
                ..Metadata::default()
            };
            check_id(asked, &metadata, game, platform)
        };
        let other = |result| matches!(result, Err(RiotError::Payload(_)));
        assert!(check(Some("EUW1_7"), Some(0), Some("")).is_ok());
        assert!(check(Some("7"), Some(7), Some("EUW1")).is_ok());
        assert!(check(None, Some(7), Some("euw1")).is_ok());
        assert!(check(None, Some(7), None).is_ok());
        assert!(other(check(Some("EUW1_8"), Some(7), Some("EUW1"))));
        assert!(other(check(None, Some(7), Some("KR"))));
        assert!(other(check(None, Some(8), None)));
        // One that does not say it is what was asked for.
        assert!(check(None, None, Some("EUW1")).is_ok());
        assert!(check(Some("EUW1_"), Some(-7), Some("EUW1")).is_ok());
        assert!(check(None, Some(7), Some("MARS")).is_ok());
    }

    #[test]
    fn a_reader_that_panics_costs_no_document() {
        let reading = kept::<()>(b"{}", |_| panic!("a bug"));
        assert_eq!(reading, Ok(Err("its reader failed".to_owned())));
    }
}

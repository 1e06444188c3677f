//! How whole a player's year is: what Riot listed of it, what it does not give, and how far back its list goes. Pure.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::model::MissingReason;
use crate::model::missing::MissingCounts;
use crate::store::{ListEnd, Listing, YearCoverage};
use crate::tasks::UNREAD_REMEDY;

/// A year in a line or two; none: it was never listed, so nobody knows what it lacks.
pub fn text(year: &YearCoverage) -> Option<String> {
    let listed = year.listed?.matches;
    let mut said = format!("{} {}: ", year.year, year.platform);
    let lacks = [
        not_given(&year.missing_matches, "match", "matches"),
        not_given(&year.missing_timelines, "timeline", "timelines"),
        not_read(year.unread_matches, "match", "matches"),
        not_read(year.unread_timelines, "timeline", "timelines"),
    ];
    let lacks: Vec<String> = lacks.into_iter().flatten().collect();
    if year.pending_matches > 0 {
        let _ = write!(
            said,
            "{} of the {listed} matches that Riot lists are not fetched yet. A running engine goes on with them, and so \
             does the same sync again",
            year.pending_matches
        );
        if !lacks.is_empty() {
            let _ = write!(said, ". It lacks {} too", lacks.join(" and "));
        }
    } else if lacks.is_empty() {
        said += match passing(&year.missing_matches) + passing(&year.missing_timelines) {
            0 => "all that Riot lists is stored",
            _ => "all that Riot serves is stored",
        };
    } else {
        let _ = write!(said, "complete but for {}", lacks.join(" and "));
    }
    for (counts, one, many) in [
        (&year.missing_matches, "match is", "matches are"),
        (&year.missing_timelines, "timeline is", "timelines are"),
    ] {
        let waiting = passing(counts);
        if waiting > 0 {
            let are = if waiting == 1 { one } else { many };
            let _ = write!(
                said,
                "; {waiting} {are} not served now, and asked for again"
            );
        }
    }
    if year.pending_timelines > 0 {
        let _ = write!(
            said,
            "; the timelines of {} are not fetched",
            year.pending_timelines
        );
    }
    if let Some(end) = list_end(year) {
        said += ".\n";
        said += &end;
    }
    Some(said)
}

/// What is missing for the moment only.
fn passing(counts: &MissingCounts) -> u64 {
    let passing = counts.iter().filter(|(reason, _)| !reason.is_knowledge());
    passing.map(|(_, count)| count).sum()
}

/// How far back Riot lists a player's matches, where that is not to the year's beginning.
pub fn list_end(year: &YearCoverage) -> Option<String> {
    let listing = year.listed?;
    let back = match (listing.end, listing.ends_at) {
        (ListEnd::Before, _) => return None,
        (ListEnd::At(None), _) => None,
        (ListEnd::At(Some(_)), Some(at)) => Some(day(at)),
        (ListEnd::At(Some(id)), None) => Some(id.to_string()),
    };
    Some(list_end_text(back.as_deref(), &year.year.to_string()))
}

/// Whether what is known of a list's end fits a list of so many matches.
pub(super) fn still_fits(known: &Listing, listed: usize) -> bool {
    match known.end {
        // A list that became shorter may have lost its end.
        ListEnd::Before => listed >= known.matches as usize,
        ListEnd::At(None) => listed == 0,
        ListEnd::At(Some(_)) => true,
    }
}

/// `back`: the day or the match to which the list goes back; none: it has nothing of that year.
pub fn list_end_text(back: Option<&str>, year: &str) -> String {
    match back {
        Some(back) => format!("Riot lists this player's matches back to {back} only"),
        None => format!("Riot lists none of this player's matches of {year}"),
    }
}

/// What Riot does not give, with the reasons; none: nothing.
fn not_given(counts: &MissingCounts, one: &str, many: &str) -> Option<String> {
    let known = counts.iter().filter(|(reason, _)| reason.is_knowledge());
    let known: Vec<(MissingReason, u64)> = known.collect();
    let total: u64 = known.iter().map(|(_, count)| count).sum();
    let what = if total == 1 { one } else { many };
    let reasons: Vec<String> = known
        .iter()
        .map(|(reason, count)| format!("{}: {count}", reason.as_str().replace('_', " ")))
        .collect();
    (total > 0).then(|| {
        format!(
            "{total} {what} that Riot does not give ({})",
            reasons.join(", ")
        )
    })
}

/// Documents that are stored and could not be read; none: there are none.
fn not_read(count: u64, one: &str, many: &str) -> Option<String> {
    let what = if count == 1 { one } else { many };
    (count > 0).then(|| format!("{count} {what} stored and not yet read ({UNREAD_REMEDY})"))
}

fn day(at: crate::model::Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The same for programs.
pub fn document(year: &YearCoverage) -> Value {
    let listing = year.listed;
    json!({
        "listed_at": listing.map(|listing| listing.at.to_string()),
        "listed_matches": listing.map(|listing| listing.matches),
        "listed_from": listing.and_then(|listing| listing.ends_at).map(|at| at.to_string()),
        "list_ends_at": listing.and_then(|listing| listing.end.to_column()),
        "missing_matches": year.missing_matches, "missing_timelines": year.missing_timelines,
        "unread_matches": year.unread_matches, "pending_matches": year.pending_matches,
        "unread_timelines": year.unread_timelines, "pending_timelines": year.pending_timelines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn year(matches: &[(MissingReason, u64)], end: ListEnd, ends_at: Option<i64>) -> YearCoverage {
        let mut missing_matches = MissingCounts::default();
        for (reason, count) in matches {
            missing_matches.add(*reason, *count);
        }
        YearCoverage {
            year: 2025,
            platform: "euw1".to_owned(),
            listed: Some(Listing {
                at: Timestamp::EPOCH,
                matches: 5,
                end,
                ends_at: ends_at.map(Timestamp::from_millis),
            }),
            missing_matches,
            missing_timelines: MissingCounts::default(),
            unread_matches: 0,
            pending_matches: 0,
            unread_timelines: 0,
            pending_timelines: 0,
        }
    }

    #[test]
    fn a_year_tells_of_documents_that_are_stored_and_not_read() {
        let mut lacks = year(&[], ListEnd::Before, None);
        lacks.unread_matches = 2;
        let told = text(&lacks).unwrap();
        assert!(
            told.contains("complete but for 2 matches stored and not yet read"),
            "{told}"
        );
        assert!(told.contains("riftsync replay"), "{told}");
        assert_eq!(document(&lacks)["unread_matches"], 2);
    }

    #[test]
    fn where_a_list_ends_is_asked_again_when_the_list_says_otherwise() {
        let of = |end| year(&[], end, None).listed.unwrap();
        let id = "EUW1_7".parse().unwrap();
        assert!(still_fits(&of(ListEnd::Before), 5) && !still_fits(&of(ListEnd::Before), 4));
        assert!(still_fits(&of(ListEnd::At(None)), 0) && !still_fits(&of(ListEnd::At(None)), 1));
        assert!(still_fits(&of(ListEnd::At(Some(id))), 3));
    }

    #[test]
    fn a_year_that_is_not_fetched_to_its_end_is_not_called_complete() {
        let mut begun = year(&[(MissingReason::NotFound, 1)], ListEnd::Before, None);
        begun.pending_matches = 3;
        let told = text(&begun).unwrap();
        assert!(told.starts_with("2025 euw1: 3 of the 5 matches"), "{told}");
        assert!(told.contains("It lacks 1 match that Riot"), "{told}");
        assert!(!told.contains("complete"), "{told}");
        assert_eq!(document(&begun)["pending_matches"], 3);
    }

    #[test]
    fn a_year_says_what_it_lacks_and_why() {
        let check = |year: &YearCoverage, expected: &str| {
            assert_eq!(text(year).as_deref(), Some(expected));
        };
        check(
            &year(&[], ListEnd::Before, None),
            "2025 euw1: all that Riot lists is stored",
        );
        let mut lacks = year(
            &[(MissingReason::NotFound, 3), (MissingReason::Refused, 1)],
            ListEnd::Before,
            None,
        );
        check(
            &lacks,
            "2025 euw1: complete but for 4 matches that Riot does not give (404: 3, 403: 1)",
        );
        lacks.missing_matches.add(MissingReason::NotYet, 1);
        lacks.missing_timelines.add(MissingReason::TooOld, 1);
        check(
            &lacks,
            "2025 euw1: complete but for 4 matches that Riot does not give (404: 3, 403: 1) and 1 timeline that Riot \
             does not give (too old: 1); 1 match is not served now, and asked for again",
        );
        let id = "EUW1_7".parse().unwrap();
        check(
            &year(&[], ListEnd::At(Some(id)), Some(1_743_638_400_000)),
            "2025 euw1: all that Riot lists is stored.\nRiot lists this player's matches back to 2025-04-03 only",
        );
        check(
            &year(&[], ListEnd::At(None), None),
            "2025 euw1: all that Riot lists is stored.\nRiot lists none of this player's matches of 2025",
        );
        let never = YearCoverage {
            listed: None,
            ..year(&[], ListEnd::Before, None)
        };
        assert_eq!(text(&never), None);
        assert!(document(&never)["listed_at"].is_null());
    }
}

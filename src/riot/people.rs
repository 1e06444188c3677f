//! Who players are, and lists of them and of their matches. An entry that is not what it should be is left out and
//! counted; a field that is not needed to know who somebody is may be anything.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::RiotError;
use crate::model::standing::{Mastery, Rank};
use crate::model::{MatchId, Platform, Puuid};

/// Entries of a page of the match list that are looked at; a call asks for 100.
const MATCH_IDS_MAX: usize = 200;
/// Of a page of a division, which has some 205.
const LEAGUE_PAGE_MAX: usize = 2_000;
/// Of a whole league. Master of the largest server has some ten thousand.
const LEAGUE_MAX: usize = 50_000;
/// Queues with leagues. There are three or four.
const RANKS_MAX: usize = 50;
/// Champions. There are about 170.
const MASTERIES_MAX: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub puuid: Puuid,
    pub game_name: Option<String>,
    pub tag_line: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summoner {
    pub profile_icon_id: Option<i32>,
    pub summoner_level: Option<i64>,
}

pub fn parse_account(text: &[u8]) -> Result<Account, RiotError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read<'a> {
        puuid: Puuid,
        #[serde(borrow)]
        game_name: Option<&'a RawValue>,
        #[serde(borrow)]
        tag_line: Option<&'a RawValue>,
    }
    let read: Read<'_> = parse(text)?;
    Ok(Account {
        puuid: read.puuid,
        game_name: words(read.game_name),
        tag_line: words(read.tag_line),
    })
}

pub fn parse_summoner(text: &[u8]) -> Result<Summoner, RiotError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read<'a> {
        #[serde(borrow)]
        profile_icon_id: Option<&'a RawValue>,
        #[serde(borrow)]
        summoner_level: Option<&'a RawValue>,
    }
    let read: Read<'_> = parse(text)?;
    Ok(Summoner {
        profile_icon_id: number(read.profile_icon_id).and_then(|id| i32::try_from(id).ok()),
        summoner_level: number(read.summoner_level),
    })
}

/// The platform on which a player plays; none: one that is not known here.
pub fn parse_region(text: &[u8]) -> Result<Option<Platform>, RiotError> {
    #[derive(Deserialize)]
    struct Played {
        region: String,
    }
    Ok(parse::<Played>(text)?.region.parse().ok())
}

/// A place in a league.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeagueEntry {
    pub puuid: Puuid,
    /// 0 where it says none.
    pub league_points: i64,
}

/// A whole league of the top, and how many of its entries are none; right after a season's end it has no entries.
pub fn parse_league(text: &[u8]) -> Result<(Vec<LeagueEntry>, usize), RiotError> {
    #[derive(Deserialize)]
    struct League<'a> {
        #[serde(borrow)]
        entries: Option<Entries<'a, LEAGUE_MAX>>,
    }
    let league: League<'_> = parse(text)?;
    Ok(sorted_out(league.entries.unwrap_or_default(), league_entry))
}

/// A page of a division, and how many of its entries are none.
pub fn parse_league_page(text: &[u8]) -> Result<(Vec<LeagueEntry>, usize), RiotError> {
    Ok(sorted_out(
        parse::<Entries<'_, LEAGUE_PAGE_MAX>>(text)?,
        league_entry,
    ))
}

/// A page of the match list, and how many of its entries are no match ids.
pub fn parse_match_ids(text: &[u8]) -> Result<(Vec<MatchId>, usize), RiotError> {
    let id = |entry: &RawValue| words(Some(entry))?.parse().ok();
    Ok(sorted_out(parse::<Entries<'_, MATCH_IDS_MAX>>(text)?, id))
}

/// A player's places in the leagues, one of a queue, and how many entries are none.
pub fn parse_ranks(text: &[u8]) -> Result<(Vec<Rank>, usize), RiotError> {
    Ok(sorted_out(parse::<Entries<'_, RANKS_MAX>>(text)?, rank))
}

/// What a player has come to with champions, and how many entries are none.
pub fn parse_mastery(text: &[u8]) -> Result<(Vec<Mastery>, usize), RiotError> {
    Ok(sorted_out(
        parse::<Entries<'_, MASTERIES_MAX>>(text)?,
        mastery,
    ))
}

/// A word of the API's own, as `RANKED_SOLO_5x5`: anything else would be a name nobody could ask for.
fn api_word(value: Option<&RawValue>) -> Option<String> {
    let is_of_one = |c: char| c.is_ascii_alphanumeric() || c == '_';
    words(value).filter(|word| (1..=40).contains(&word.len()) && word.chars().all(is_of_one))
}

fn rank(entry: &RawValue) -> Option<Rank> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read<'a> {
        #[serde(borrow)]
        queue_type: Option<&'a RawValue>,
        #[serde(borrow)]
        tier: Option<&'a RawValue>,
        #[serde(borrow)]
        rank: Option<&'a RawValue>,
        #[serde(borrow)]
        league_points: Option<&'a RawValue>,
        #[serde(borrow)]
        wins: Option<&'a RawValue>,
        #[serde(borrow)]
        losses: Option<&'a RawValue>,
        #[serde(borrow)]
        hot_streak: Option<&'a RawValue>,
    }
    let read: Read<'_> = serde_json::from_str(entry.get()).ok()?;
    let small = |value| number(value).and_then(|number| i32::try_from(number).ok());
    Some(Rank {
        queue: api_word(read.queue_type)?,
        tier: Some(api_word(read.tier)?),
        division: api_word(read.rank),
        league_points: small(read.league_points),
        wins: small(read.wins),
        losses: small(read.losses),
        hot_streak: read
            .hot_streak
            .and_then(|value| serde_json::from_str(value.get()).ok()),
    })
}

fn mastery(entry: &RawValue) -> Option<Mastery> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read<'a> {
        #[serde(borrow)]
        champion_id: Option<&'a RawValue>,
        #[serde(borrow)]
        champion_level: Option<&'a RawValue>,
        #[serde(borrow)]
        champion_points: Option<&'a RawValue>,
        #[serde(borrow)]
        last_play_time: Option<&'a RawValue>,
    }
    let read: Read<'_> = serde_json::from_str(entry.get()).ok()?;
    let small = |value| number(value).and_then(|number| i32::try_from(number).ok());
    Some(Mastery {
        champion_id: small(read.champion_id)?,
        level: small(read.champion_level),
        points: number(read.champion_points),
        last_played: number(read.last_play_time),
    })
}

fn league_entry(entry: &RawValue) -> Option<LeagueEntry> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Read<'a> {
        puuid: Puuid,
        #[serde(borrow)]
        league_points: Option<&'a RawValue>,
    }
    let read: Read<'_> = serde_json::from_str(entry.get()).ok()?;
    Some(LeagueEntry {
        puuid: read.puuid,
        league_points: number(read.league_points).unwrap_or(0),
    })
}

/// The first entries of a list, and how many it has.
#[derive(Default)]
struct Entries<'a, const MAX: usize> {
    first: Vec<&'a RawValue>,
    total: usize,
}

impl<'de: 'a, 'a, const MAX: usize> Deserialize<'de> for Entries<'a, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List<const MAX: usize>;
        impl<'de, const MAX: usize> Visitor<'de> for List<MAX> {
            type Value = Entries<'de, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut entries = Entries::default();
                while entries.total < MAX
                    && let Some(entry) = list.next_element()?
                {
                    entries.first.push(entry);
                    entries.total += 1;
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    entries.total += 1;
                }
                Ok(entries)
            }
        }
        from.deserialize_seq(List::<MAX>)
    }
}

/// What could be read of a list, and how much could not, or was too much.
fn sorted_out<T, const MAX: usize>(
    entries: Entries<'_, MAX>,
    read: impl Fn(&RawValue) -> Option<T>,
) -> (Vec<T>, usize) {
    let good: Vec<T> = entries.first.into_iter().filter_map(read).collect();
    let odd = entries.total - good.len();
    (good, odd)
}

fn words(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

/// A whole number; a fraction is rounded.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the bounds are looked at before"
)]
fn number(value: Option<&RawValue>) -> Option<i64> {
    let text = value?.get();
    if let Ok(whole) = serde_json::from_str(text) {
        return Some(whole);
    }
    let fraction: f64 = serde_json::from_str(text).ok()?;
    (fraction.abs() < 9e15).then(|| fraction.round() as i64)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, RiotError> {
    serde_json::from_slice(text)
        .map_err(|error| RiotError::Payload(format!("its JSON is broken: {error}").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn puuid(letter: char) -> String {
        letter.to_string().repeat(Puuid::LEN)
    }

    /// Entries as `first letter of the puuid: points`.
    fn shown((entries, odd): (Vec<LeagueEntry>, usize)) -> (Vec<String>, usize) {
        let line =
            |entry: LeagueEntry| format!("{}: {}", &entry.puuid.as_str()[..1], entry.league_points);
        (entries.into_iter().map(line).collect(), odd)
    }

    #[test]
    fn odd_entries_of_a_ladder_are_left_out_and_the_others_stay() {
        let (a, b, c) = (puuid('a'), puuid('b'), puuid('c'));
        let entries = format!(
            r#"[{{"puuid":"{a}","leaguePoints":12,"wins":1e999}},{{"leaguePoints":9}},null,7,"x",[],{{"puuid":null}},
                {{"puuid":5}},{{"puuid":"short"}},{{"puuid":"6f1c2f9a-aaaa-bbbb-cccc-0123456789ab","leaguePoints":3}},
                {{"puuid":"{b}","leaguePoints":"many","tier":{{"a":[1,"\ud800"]}}}},{{"leaguePoints":17.5,"puuid":"{c}"}}]"#
        );
        let expected = vec!["a: 12".to_owned(), "b: 0".to_owned(), "c: 18".to_owned()];
        let page = parse_league_page(entries.as_bytes()).unwrap();
        assert_eq!(shown(page), (expected.clone(), 9));
        let league = format!(r#"{{"tier":null,"entries":{entries}}}"#);
        let league = parse_league(league.as_bytes()).unwrap();
        assert_eq!(shown(league), (expected, 9));
    }

    #[test]
    fn a_league_without_entries_is_empty_and_what_is_no_league_is_broken() {
        for empty in [
            "{}",
            r#"{"entries":null}"#,
            r#"{"tier":"CHALLENGER","entries":[]}"#,
        ] {
            assert_eq!(
                parse_league(empty.as_bytes()),
                Ok((Vec::new(), 0)),
                "{empty}"
            );
        }
        for broken in ["", "[", "7", r#"{"entries":7}"#, "<html>"] {
            let league = parse_league(broken.as_bytes());
            assert!(matches!(league, Err(RiotError::Payload(_))), "{broken}");
        }
        for broken in ["", "{}", "null", r#"{"status":{"status_code":200}}"#] {
            let page = parse_league_page(broken.as_bytes());
            assert!(matches!(page, Err(RiotError::Payload(_))), "{broken}");
            let ids = parse_match_ids(broken.as_bytes());
            assert!(matches!(ids, Err(RiotError::Payload(_))), "{broken}");
        }
    }

    #[test]
    fn of_a_list_that_is_too_long_the_beginning_is_read_and_the_rest_counted() {
        let list = |entry: &str, count| format!("[{}]", vec![entry; count].join(","));
        let read = |text: &str| {
            let (ids, odd) = parse_match_ids(text.as_bytes()).unwrap();
            (ids.len(), odd)
        };
        assert_eq!(read(&list("\"EUW1_1\"", MATCH_IDS_MAX)), (200, 0));
        assert_eq!(read(&list("\"EUW1_1\"", MATCH_IDS_MAX + 7)), (200, 7));
        let entry = format!(r#"{{"puuid":"{}"}}"#, puuid('a'));
        let (page, odd) = parse_league_page(list(&entry, LEAGUE_PAGE_MAX + 7).as_bytes()).unwrap();
        assert_eq!((page.len(), odd), (2_000, 7));
        let league = format!("{{\"entries\":{}}}", list(&entry, LEAGUE_MAX + 7));
        let (league, odd) = parse_league(league.as_bytes()).unwrap();
        assert_eq!((league.len(), odd), (50_000, 7));
    }

    #[test]
    fn odd_entries_of_a_match_list_are_left_out_and_counted() {
        let text =
            r#"["EUW1_1",null,7,"x",{"id":"EUW1_2"},["EUW1_3"],"KR_4","EUW1_",true,"\ud800"]"#;
        let (ids, odd) = parse_match_ids(text.as_bytes()).unwrap();
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        assert_eq!(
            (ids, odd),
            (vec!["EUW1_1".to_owned(), "KR_4".to_owned()], 8)
        );
    }

    #[test]
    fn of_an_account_the_puuid_is_needed_and_of_a_summoner_nothing() {
        let account = |rest: &str| {
            let text = format!(r#"{{"puuid":"{}"{rest}}}"#, puuid('a'));
            let account = parse_account(text.as_bytes()).unwrap();
            (account.game_name, account.tag_line)
        };
        assert_eq!(account(""), (None, None));
        let named = account(r#","gameName":"A b","tagLine":7,"new":{}"#);
        assert_eq!(named, (Some("A b".to_owned()), None));
        assert_eq!(account(r#","gameName":null,"tagLine":["x"]"#), (None, None));
        for odd in ["{}", r#"{"puuid":"short"}"#, r#"{"puuid":null}"#, "null"] {
            assert!(parse_account(odd.as_bytes()).is_err(), "{odd}");
        }
        let summoner = |text: &str| {
            let summoner = parse_summoner(text.as_bytes()).unwrap();
            (summoner.profile_icon_id, summoner.summoner_level)
        };
        assert_eq!(summoner("{}"), (None, None));
        let odd = summoner(r#"{"profileIconId":99999999999,"summonerLevel":30.4}"#);
        assert_eq!(odd, (None, Some(30)));
        let odd = summoner(r#"{"profileIconId":"7","summonerLevel":1e30}"#);
        assert_eq!(odd, (None, None));
        assert_eq!(
            summoner(r#"{"profileIconId":7,"summonerLevel":-1}"#),
            (Some(7), Some(-1))
        );
    }

    #[test]
    fn odd_entries_of_ranks_and_of_mastery_are_left_out_and_odd_fields_are_unknown() {
        let (ranks, odd) = parse_ranks(
            br#"[{"queueType":"RANKED_SOLO_5x5","tier":"GOLD","rank":"II","leaguePoints":7,"wins":1,"losses":2,"hotStreak":true},
                 {"queueType":"RANKED_FLEX_SR","tier":"IRON","rank":4,"leaguePoints":1e30,"hotStreak":"yes"},
                 {"queueType":"CHERRY","leaguePoints":3},{"tier":"GOLD"},{"queueType":"a b","tier":"GOLD"},
                 {"queueType":"x","tier":"GO\u0000LD"},7,null]"#,
        )
        .unwrap();
        assert_eq!((ranks.len(), odd), (2, 6));
        assert_eq!(ranks[0].points(), Some(1_407));
        assert_eq!(
            (ranks[1].division.as_ref(), ranks[1].league_points),
            (None, None)
        );
        assert_eq!(ranks[1].hot_streak, None);
        let (champions, odd) = parse_mastery(
            br#"[{"championId":7,"championLevel":5,"championPoints":3000000000,"lastPlayTime":1.5},{"championId":"x"},
                 {"championId":9999999999},{"championLevel":1},{"championId":8,"championPoints":"many"}]"#,
        )
        .unwrap();
        let told: Vec<_> = champions
            .iter()
            .map(|one| (one.champion_id, one.points))
            .collect();
        assert_eq!((told, odd), (vec![(7, Some(3_000_000_000)), (8, None)], 3));
        for broken in ["", "{}", "null", "<html>"] {
            assert!(parse_ranks(broken.as_bytes()).is_err(), "{broken}");
            assert!(parse_mastery(broken.as_bytes()).is_err(), "{broken}");
        }
        assert_eq!(parse_ranks(b"[]"), Ok((Vec::new(), 0)));
    }
}

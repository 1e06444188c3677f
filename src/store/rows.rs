//! Rows as both databases have them, and what they mean. Those of jobs are the engine's, and are found here too.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};

pub(super) use crate::engine::store::rows::{from_json, priority_from, to_i32, to_json, to_u32};

use super::{
    Census, ListEnd, Listing, StoreError, StoreResult, StoredMatch, StoredMatches, StoredPlayer,
    YearCoverage, YearlyStats,
};
use crate::model::missing::MissingCounts;
use crate::model::records::{
    Codec, Dictionary, MatchClass, ParticipantRecord, Payload, PayloadKind,
};
use crate::model::statistics::{GameFacts, YearlyTally};
use crate::model::{IdError, MatchId, MissingDocument, MissingReason, RiotId, Timestamp};

/// The version whose readers could not read a document.
pub(super) const READER: &str = env!("CARGO_PKG_VERSION");

/// The sums of a year.
pub(super) type TallyRow = (
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    Text,
);

/// A row of sums as diesel loads it: the SQL types are `TallyRow`'s.
pub(super) type TallyTuple = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, String);

pub(super) fn tally_from(row: TallyTuple) -> StoreResult<YearlyTally> {
    let (wins, losses, remakes, kills, deaths, assists, gold, minions, neutral, damage, counts) =
        row;
    Ok(YearlyTally {
        wins,
        losses,
        remakes,
        kills,
        deaths,
        assists,
        gold_earned: gold,
        total_minions_killed: minions,
        neutral_minions_killed: neutral,
        damage_to_champions: damage,
        counts: from_json(&counts)?,
    })
}

pub(super) fn facts(class: MatchClass, participant: &ParticipantRecord) -> GameFacts {
    GameFacts {
        class,
        win: participant.win,
        kills: participant.kills,
        deaths: participant.deaths,
        assists: participant.assists,
        gold_earned: participant.gold_earned,
        total_minions_killed: participant.total_minions_killed,
        neutral_minions_killed: participant.neutral_minions_killed,
        damage_to_champions: participant.damage_to_champions,
        champion_id: participant.champion_id,
        champion_name: participant.champion_name.clone(),
        role: participant.role.as_str().into(),
        lane: participant.lane.as_str().into(),
    }
}

/// A game of a player as `GamesOfPlayer` gives it.
pub(super) type GameTuple = (
    (i32, String, bool, i64, bool, i32, i32, i32),
    (i32, i32, i32, i32, i32, String, String, String),
);

/// What a game counts for, and in which year and platform; nothing if it never took place.
pub(super) fn game_of(game: GameTuple) -> Option<(i32, String, GameFacts)> {
    let (
        (year, platform, is_remake, duration, win, kills, deaths, assists),
        (gold, minions, neutral, damage, champion_id, champion_name, role, lane),
    ) = game;
    let class = match (duration, is_remake) {
        (0, _) => return None,
        (_, true) => MatchClass::Remake,
        (_, false) => MatchClass::Played,
    };
    let facts = GameFacts {
        class,
        win,
        kills,
        deaths,
        assists,
        gold_earned: gold,
        total_minions_killed: minions,
        neutral_minions_killed: neutral,
        damage_to_champions: damage,
        champion_id,
        champion_name: Arc::from(champion_name),
        role: Arc::from(role),
        lane: Arc::from(lane),
    };
    Some((year, platform, facts))
}

/// Rows of the tables of documents: (table, kind, id), when it was played or first missed, its year or its tries,
/// and of what is missing why, the next try and the end.
pub(super) type StoredRow = (
    SmallInt,
    Text,
    Text,
    BigInt,
    Integer,
    Text,
    Nullable<BigInt>,
    Nullable<BigInt>,
);

pub(super) type StoredTuple = (
    i16,
    String,
    String,
    i64,
    i32,
    String,
    Option<i64>,
    Option<i64>,
);

pub(super) fn stored_from(rows: Vec<StoredTuple>) -> StoreResult<StoredMatches> {
    let mut stored = StoredMatches::default();
    for (table, kind, id, since, number, reason, next_try, expires_at) in rows {
        let id: MatchId = id.parse().map_err(unexpected)?;
        match table {
            0 => stored.matches.push(StoredMatch {
                id,
                game_start: Timestamp::from_millis(since),
                year: i16::try_from(number).unwrap_or(0),
            }),
            1 => stored.timelines.push(id),
            3 => stored.cleaned.push(id),
            4 => (stored.unread).extend(PayloadKind::parse(&kind).map(|kind| (kind, id))),
            _ => stored.missing.push(MissingDocument {
                kind: PayloadKind::parse(&kind).unwrap_or(PayloadKind::Match),
                id,
                reason: MissingReason::parse(&reason),
                tries: to_u32(number),
                first_seen: Timestamp::from_millis(since),
                next_try: next_try.map(Timestamp::from_millis),
                expires_at: expires_at.map(Timestamp::from_millis),
            }),
        }
    }
    Ok(stored)
}

/// What is told of a player's years: see the statement `Coverage`.
pub(super) type CoverageRow = (
    SmallInt,
    Integer,
    Text,
    Nullable<Text>,
    BigInt,
    Nullable<BigInt>,
    Nullable<BigInt>,
);

pub(super) type CoverageTuple = (
    i16,
    i32,
    String,
    Option<String>,
    i64,
    Option<i64>,
    Option<i64>,
);

pub(super) fn coverage_from(rows: Vec<CoverageTuple>) -> Vec<YearCoverage> {
    let mut years: BTreeMap<(i32, String), YearCoverage> = BTreeMap::new();
    for (what, year, platform, text, count, listed_at, ends_at) in rows {
        let of_year = years
            .entry((year, platform.clone()))
            .or_insert_with(|| YearCoverage {
                year: i16::try_from(year).unwrap_or(0),
                platform,
                listed: None,
                missing_matches: MissingCounts::default(),
                missing_timelines: MissingCounts::default(),
                unread_matches: 0,
                pending_matches: 0,
                unread_timelines: 0,
                pending_timelines: 0,
            });
        let missing = u64::try_from(count).unwrap_or(0);
        let reason = || MissingReason::parse(text.as_deref().unwrap_or_default());
        match what {
            0 => {
                of_year.listed = Some(Listing {
                    at: Timestamp::from_millis(listed_at.unwrap_or(0)),
                    matches: u32::try_from(count).unwrap_or(u32::MAX),
                    end: ListEnd::from_column(text.as_deref()),
                    ends_at: ends_at.map(Timestamp::from_millis),
                });
            }
            1 => of_year.missing_matches.add(reason(), missing),
            3 => of_year.unread_matches = missing,
            4 => of_year.pending_matches = missing,
            5 => of_year.unread_timelines = missing,
            6 => of_year.pending_timelines = missing,
            _ => of_year.missing_timelines.add(reason(), missing),
        }
    }
    years.into_values().collect()
}

pub(super) fn witness_from(found: &[String]) -> StoreResult<Option<MatchId>> {
    let id = found.first().map(|id| id.parse().map_err(unexpected));
    id.transpose()
}

/// The columns of `Census`, in their order.
pub(super) type CensusTuple = (i64, i64, i64, i64);

pub(super) fn census_from(row: CensusTuple) -> Census {
    let count = |number| u64::try_from(number).unwrap_or(0);
    let (players, matches, timelines, open_jobs) = row;
    Census {
        players: count(players),
        matches: count(matches),
        timelines: count(timelines),
        open_jobs: count(open_jobs),
    }
}

/// A player: the columns of `PlayersByName`, in their order.
pub(super) type PlayerRow = (
    BigInt,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Text,
    Nullable<Integer>,
    Nullable<BigInt>,
);
pub(super) type PlayerTuple = (
    i64,
    String,
    String,
    Option<String>,
    Option<String>,
    String,
    Option<i32>,
    Option<i64>,
);

pub(super) fn player_from(row: PlayerTuple) -> StoreResult<StoredPlayer> {
    let (id, puuid, key_fingerprint, name, tag, platform, profile_icon_id, summoner_level) = row;
    Ok(StoredPlayer {
        id,
        puuid: puuid.parse().map_err(unexpected)?,
        key_fingerprint,
        riot_id: match (name, tag) {
            (Some(name), Some(tag)) => RiotId::new(&name, &tag).ok(),
            _ => None,
        },
        platform: platform.parse().map_err(unexpected)?,
        profile_icon_id,
        summoner_level,
    })
}

/// What players' games add up to, by player, year and platform.
pub(super) type Tallies = BTreeMap<(i64, i32, String), YearlyTally>;

/// The rows of a player, of one year if one is named.
pub(super) fn tallies_from(
    rows: Vec<(i32, String, TallyTuple)>,
    player_id: i64,
    year: Option<i16>,
) -> StoreResult<Vec<YearlyStats>> {
    rows.into_iter()
        .filter(|row| year.is_none_or(|year| i32::from(year) == row.0))
        .map(|(row_year, platform, tally)| {
            Ok(YearlyStats {
                player_id,
                year: i16::try_from(row_year).unwrap_or(0),
                platform,
                tally: tally_from(tally)?,
            })
        })
        .collect()
}

pub(super) fn recomputed_from(tallies: Tallies) -> Vec<YearlyStats> {
    tallies
        .into_iter()
        .map(|((player_id, year, platform), tally)| YearlyStats {
            player_id,
            year: i16::try_from(year).unwrap_or(0),
            platform,
            tally,
        })
        .collect()
}

/// A body with its codec, and the dictionary that its row names.
pub(super) fn payload_from(
    (codec, body): (i32, Vec<u8>),
    dictionary: Option<Arc<Dictionary>>,
    id: &str,
) -> StoreResult<Payload> {
    let codec = match codec {
        1 => Codec::Gzip,
        2 => Codec::Zstd(dictionary),
        other => {
            return Err(StoreError::Unexpected(format!(
                "payload {id} has the unknown codec {other}"
            )));
        }
    };
    Ok(Payload {
        codec,
        body: body.into(),
    })
}

/// Ids as the database has them.
pub(super) fn id_texts(ids: &[MatchId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unexpected(error: IdError) -> StoreError {
    StoreError::Unexpected(error.to_string())
}

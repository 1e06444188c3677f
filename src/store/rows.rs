//! Rows as both databases have them, and what they mean.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};

use super::people::{Appearance, LostPlayer};
use super::upkeep::Tallies;
use super::{
    Census, Effect, EngineRow, EngineState, JobFilter, JobList, ListEnd, Listing, OpenCount,
    StoreError, StoreResult, StoredMatch, StoredMatches, StoredPlayer, YearCoverage, YearlyStats,
};
use crate::model::job::AttemptError;
use crate::model::missing::MissingCounts;
use crate::model::records::{
    Codec, Dictionary, MatchClass, ParticipantRecord, Payload, PayloadKind,
};
use crate::model::statistics::{GameFacts, YearlyTally};
use crate::model::{
    Failure, IdError, JobId, JobRecord, JobState, Lease, MatchId, MissingDocument, MissingReason,
    NewJob, Priority, RiotId, Rollup, Timestamp,
};

/// The version whose readers could not read a document.
pub(super) const READER: &str = env!("CARGO_PKG_VERSION");

/// What the parents of a job are to tell that brought a document which cannot be read.
pub(super) fn remark_of(effects: &[Effect]) -> Option<&str> {
    effects.iter().find_map(|effect| match effect {
        Effect::Unread(unread) => Some(unread.reason.as_str()),
        _ => None,
    })
}

/// Jobs that a job of this priority spawns: none is less urgent than it has become by now.
pub(super) fn no_less_urgent(children: &[NewJob], priority: Priority) -> Cow<'_, [NewJob]> {
    if children.iter().all(|child| child.priority <= priority) {
        return Cow::Borrowed(children);
    }
    let raised = children.iter().map(|child| NewJob {
        priority: child.priority.min(priority),
        ..child.clone()
    });
    Cow::Owned(raised.collect())
}

/// A priority as a row has it.
pub(super) fn priority_from(priority: i32) -> Priority {
    Priority::new(u8::try_from(priority).unwrap_or(u8::MAX))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Unexpected(error.to_string()))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> StoreResult<T> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Unexpected(format!("a JSON column: {error}")))
}

pub(super) fn to_u32(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

pub(super) fn to_i32(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Failed attempts that a job's history keeps.
const ERRORS_KEPT: usize = 10;

pub(super) fn append_error(
    history: &str,
    attempt: u32,
    failure: &Failure,
    now: Timestamp,
) -> StoreResult<String> {
    let mut errors: Vec<AttemptError> = from_json(history)?;
    errors.push(AttemptError {
        attempt,
        at: now,
        failure: failure.clone(),
    });
    let excess = errors.len().saturating_sub(ERRORS_KEPT);
    errors.drain(..excess);
    to_json(&errors)
}

/// Why a child counts as failed whose predecessor had failed before it came.
pub(super) fn after_failed() -> Failure {
    Failure::new("dependency", "what it was to come after has failed")
}

/// Why a job is cancelled whose predecessor failed.
pub(super) fn dependency_failed(other: JobId, state: JobState) -> Failure {
    Failure::new(
        "dependency",
        format!("job {other}, which it was to come after, is {state}"),
    )
    .with_remedy(format!(
        "look at job {other}; then `riftsync job retry` both"
    ))
}

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

/// A whole job.
pub(super) type JobRow = (
    (
        BigInt,
        Text,
        Text,
        Nullable<Text>,
        Text,
        Text,
        Integer,
        Integer,
        Integer,
        Integer,
    ),
    (
        BigInt,
        Nullable<Text>,
        Integer,
        Text,
        Text,
        Integer,
        Nullable<Text>,
        Text,
        BigInt,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Text,
        Nullable<Text>,
    ),
);

/// The columns of `JobById`, in their order. Two tuples, for one has at most 16 or 32 members.
pub(super) type JobTuple = (
    (
        i64,
        String,
        String,
        Option<String>,
        String,
        String,
        i32,
        i32,
        i32,
        i32,
    ),
    (
        i64,
        Option<String>,
        i32,
        String,
        String,
        i32,
        Option<String>,
        String,
        i64,
        Option<i64>,
        Option<i64>,
        String,
        Option<String>,
    ),
);

/// A list of these rows, of jobs from `from` on if not all were looked at.
pub(super) fn listed(
    rows: Vec<JobTuple>,
    from: Option<i64>,
    filter: &JobFilter,
) -> StoreResult<JobList> {
    let is_full = rows.len() >= filter.limit;
    let jobs: StoreResult<Vec<JobRecord>> = rows.into_iter().map(job_from).collect();
    Ok(JobList {
        jobs: jobs?,
        searched_to: from.filter(|_| !is_full).map(JobId),
    })
}

pub(super) fn job_from(row: JobTuple) -> StoreResult<JobRecord> {
    let (
        (id, kind, queue, key, args, state, priority, attempt, max_attempts, crash_count),
        (
            run_at,
            step,
            percent,
            progress,
            rollup,
            pending,
            result,
            errors,
            enqueued_at,
            started_at,
            finished_at,
            lane,
            engine,
        ),
    ) = row;
    let rollup: Rollup = from_json(&rollup)?;
    Ok(JobRecord {
        id: JobId(id),
        kind,
        queue,
        key,
        args: from_json(&args)?,
        state: state.parse().map_err(StoreError::Unexpected)?,
        priority: priority_from(priority),
        attempt: to_u32(attempt),
        max_attempts: to_u32(max_attempts),
        crash_count: to_u32(crash_count),
        run_at: Timestamp::from_millis(run_at),
        step,
        percent: u8::try_from(percent).unwrap_or(100),
        progress: from_json(&progress)?,
        rollup,
        children_pending: to_u32(pending),
        result: result.as_deref().map(from_json).transpose()?,
        errors: from_json(&errors)?,
        enqueued_at: Timestamp::from_millis(enqueued_at),
        started_at: started_at.map(Timestamp::from_millis),
        finished_at: finished_at.map(Timestamp::from_millis),
        lane,
        engine,
    })
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

/// Open jobs: (queue, state, how many). A queue and state may come twice.
pub(super) type CountTuple = (String, String, i64);

pub(super) fn counts_from(rows: Vec<CountTuple>) -> StoreResult<Vec<OpenCount>> {
    let mut counts: Vec<OpenCount> = Vec::new();
    for (queue, state, jobs) in rows {
        let state = state.parse().map_err(StoreError::Unexpected)?;
        let jobs = u64::try_from(jobs).unwrap_or(0);
        // What may have killed an engine is counted apart, and is available all the same.
        match counts
            .iter_mut()
            .find(|count| count.queue == queue && count.state == state)
        {
            Some(count) => count.jobs += jobs,
            None => counts.push(OpenCount { queue, state, jobs }),
        }
    }
    Ok(counts)
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

/// The columns of `PlayersByName`, in their order.
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

/// A player, since when it is lost, and why.
pub(super) type LostTuple = (PlayerTuple, i64, String);

pub(super) fn lost_from((player, since, why): LostTuple) -> StoreResult<LostPlayer> {
    Ok(LostPlayer {
        player: player_from(player)?,
        since: Timestamp::from_millis(since),
        why,
    })
}

/// A match, the participant's number in it, and when it began.
pub(super) type AppearanceTuple = (String, i32, i64);

pub(super) fn appearances_from(rows: Vec<AppearanceTuple>) -> Vec<Appearance> {
    let read = |(match_id, participant_id, start): AppearanceTuple| {
        Some(Appearance {
            match_id: match_id.parse().ok()?,
            participant_id,
            start: Timestamp::from_millis(start),
        })
    };
    rows.into_iter().filter_map(read).collect()
}

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

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unexpected(error: IdError) -> StoreError {
    StoreError::Unexpected(error.to_string())
}

pub(super) fn held_from((id, token, priority): (i64, i64, i32)) -> (Lease, Priority) {
    let lease = Lease {
        job: JobId(id),
        token,
    };
    (lease, priority_from(priority))
}

/// A row of `engines`, with how long it was silent, its state, whether it leads, and its jobs.
pub(super) type EngineTuple = ((String, i64, String, String), (i64, i64, String, bool, i64));

pub(super) fn engine_from(row: EngineTuple) -> EngineRow {
    let ((id, pid, host, version), (started_at, silent_ms, state, leads, running)) = row;
    EngineRow {
        id,
        pid: u32::try_from(pid).unwrap_or(0),
        host,
        version,
        started_at: Timestamp::from_millis(started_at),
        silent: Duration::from_millis(u64::try_from(silent_ms).unwrap_or(0)),
        state: match state.as_str() {
            "alive" => EngineState::Alive,
            "stopped" => EngineState::Stopped,
            _ => EngineState::Dead,
        },
        leads,
        running: u64::try_from(running).unwrap_or(0),
    }
}

//! Players as a crawl looks at them: who is kept up to date, and who is known already.

use async_trait::async_trait;

use super::rows::{PlayerTuple, player_from};
use super::{DataStore, StoreResult, StoredPlayer};
use crate::model::{MatchId, Platform, Puuid, RiotId, Timestamp, Whom};

/// Players whose names are looked up in one call.
pub const LOOKED_UP_MAX: usize = 1_000;

/// A player who is synced again by schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedPlayer {
    pub player: StoredPlayer,
    /// The start of the newest stored match; none: there is none.
    pub last_played: Option<Timestamp>,
    /// None: Riot never gave a list of a year.
    pub last_sync: Option<LastSync>,
    /// Asked for in vain since then, and why; none: found the last time.
    pub lost: Option<(Timestamp, String)>,
}

/// The last time that Riot gave the list of one of a player's years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSync {
    pub at: Timestamp,
    pub year: i32,
    /// Matches of that year that it had.
    pub listed: u64,
}

/// A tracked player who was asked for in vain.
#[derive(Debug, Clone, PartialEq)]
pub struct LostPlayer {
    pub player: StoredPlayer,
    pub since: Timestamp,
    pub why: String,
}

/// Where a player is in a stored match: what identifies the player in the same match under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appearance {
    pub match_id: MatchId,
    pub participant_id: i32,
    pub start: Timestamp,
}

/// Whom a name may mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Named {
    /// Who has it, as far as is known; with those who had it before, if any.
    Present(StoredPlayer, Vec<StoredPlayer>),
    /// Nobody has it, and this player alone had it.
    Former(StoredPlayer),
    /// Nobody has it, and several had it; the last one first.
    Several(Vec<StoredPlayer>),
    Nobody,
}

impl Named {
    /// Looks a name up. Who has it now wins over all who had it.
    pub async fn look_up<S: DataStore + PeopleStore + ?Sized>(
        store: &S,
        riot_id: &RiotId,
    ) -> StoreResult<Self> {
        let present = store.namesakes(riot_id).await?.into_iter().next();
        let mut before = store.former_holders(riot_id).await?;
        if let Some(present) = present {
            before.retain(|player| player.id != present.id);
            return Ok(Self::Present(present, before));
        }
        Ok(match before.len() {
            0 => Self::Nobody,
            1 => Self::Former(before.remove(0)),
            _ => Self::Several(before),
        })
    }

    /// The one player that is meant, with what a person has to know of the name; or why there is none. `place`: the
    /// options that make a command mean the same database.
    pub fn one(
        self,
        riot_id: &RiotId,
        place: &str,
    ) -> Result<(StoredPlayer, Option<String>), String> {
        match self {
            Self::Present(player, before) if before.is_empty() => Ok((player, None)),
            Self::Present(player, before) => {
                let told = format!("{riot_id} was the name of {} before", names(&before));
                Ok((player, Some(told)))
            }
            Self::Former(player) => {
                let told = format!("{riot_id} is called {} now", shown(&player));
                Ok((player, Some(told)))
            }
            Self::Several(players) => Err(format!(
                "nobody is called {riot_id} now, and several players were: {}; name the one you mean",
                names(&players)
            )),
            Self::Nobody => Err(format!(
                "the database has no player '{riot_id}'. Bring the player in with: riftsync sync \"{riot_id}\" --platform ...{place}"
            )),
        }
    }
}

/// The stored player that is asked for, with what a person has to know of the name; or why there is none.
pub async fn find<S: DataStore + PeopleStore + ?Sized>(
    store: &S,
    whom: &Whom,
    place: &str,
) -> StoreResult<Result<(StoredPlayer, Option<String>), String>> {
    if let Some(puuid) = &whom.puuid {
        let rows = store.players_by_puuid(std::slice::from_ref(puuid)).await?;
        if let Some(row) = rows.into_iter().next() {
            return Ok(Ok((row, None)));
        }
    }
    match &whom.riot_id {
        Some(riot_id) => Ok(Named::look_up(store, riot_id).await?.one(riot_id, place)),
        None => Ok(Err(format!(
            "the database has no player with the puuid {whom}; it may be of another API key. Name the player as Name#TAG"
        ))),
    }
}

/// Where somebody played who had a name that nobody has now.
pub async fn played_on<S: DataStore + PeopleStore + ?Sized>(
    store: &S,
    riot_id: &RiotId,
) -> StoreResult<Option<Platform>> {
    Ok(match Named::look_up(store, riot_id).await? {
        Named::Present(player, _) | Named::Former(player) => Some(player.platform),
        Named::Several(players) => players.first().map(|player| player.platform),
        Named::Nobody => None,
    })
}

fn names(players: &[StoredPlayer]) -> String {
    let names: Vec<String> = players.iter().map(shown).collect();
    names.join(", ")
}

/// The name, or what there is in its place.
pub fn shown(player: &StoredPlayer) -> String {
    match &player.riot_id {
        Some(riot_id) => riot_id.to_string(),
        None => format!("the player {}", player.puuid),
    }
}

#[async_trait]
pub trait PeopleStore {
    /// Most recently active first.
    async fn tracked_players(&self, limit: usize) -> StoreResult<Vec<TrackedPlayer>>;
    /// Has rows of players synced again by schedule, or not. Returns how many there are.
    async fn track(&self, player_ids: Vec<i64>, tracked: bool) -> StoreResult<usize>;
    /// Stored matches of a year that a player was to be in and that never took place.
    async fn aborted_matches(&self, player_id: i64, year: i16) -> StoreResult<u64>;
    /// Those of these puuids that there are, in any order.
    async fn players_by_puuid(&self, puuids: &[Puuid]) -> StoreResult<Vec<StoredPlayer>>;
    /// Those who had a name and have another one now, who had it last first.
    async fn former_holders(&self, riot_id: &RiotId) -> StoreResult<Vec<StoredPlayer>>;
    /// Up to `limit` stored matches that a player is in, the newest first.
    async fn appearances(&self, player_id: i64, limit: usize) -> StoreResult<Vec<Appearance>>;
    /// Remembers that a player was asked for in vain, until a sync finds the player. Returns whether it is tracked.
    async fn lose(&self, player_id: i64, why: String, now: Timestamp) -> StoreResult<bool>;
    /// Tracked players who were asked for in vain, the longest ago first.
    async fn lost_players(&self, limit: usize) -> StoreResult<Vec<LostPlayer>>;
}

/// A player, when it played last, the last list of a year (when, which, how many), since when it is lost, and why.
pub(super) type TrackedTuple = (
    PlayerTuple,
    Option<i64>,
    (
        Option<i64>,
        Option<i32>,
        Option<i64>,
        Option<i64>,
        Option<String>,
    ),
);

pub(super) fn tracked_from((player, last, more): TrackedTuple) -> StoreResult<TrackedPlayer> {
    let (at, year, listed, lost_since, lost_why) = more;
    let sync = at.zip(year).zip(listed);
    let sync = sync.map(|((at, year), listed)| LastSync {
        at: Timestamp::from_millis(at),
        year,
        listed: u64::try_from(listed).unwrap_or(0),
    });
    Ok(TrackedPlayer {
        player: player_from(player)?,
        last_played: last.map(Timestamp::from_millis),
        last_sync: sync,
        lost: lost_since.map(|since| (Timestamp::from_millis(since), lost_why.unwrap_or_default())),
    })
}

/// `Track` is each database's own: PostgreSQL locks the rows in the order of all.
pub(super) mod sql {
    use diesel::sql_types::{BigInt, Bool, Integer, Text};

    use super::super::rows::PlayerRow;
    use crate::store::statement::{List, shared_statement};

    type Opt<T> = diesel::sql_types::Nullable<T>;

    shared_statement! {
        /// The newest match of a platform has the highest id: one look into the index for each player.
        Tracked { limit: i64 => BigInt }
            -> (PlayerRow, Opt<BigInt>, (Opt<BigInt>, Opt<Integer>, Opt<BigInt>, Opt<BigInt>, Opt<Text>)) =
        "SELECT * FROM (
            SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level,
                (SELECT m.game_start FROM match_participants p JOIN matches m ON m.match_id = p.match_id
                 WHERE p.player_id = players.id ORDER BY p.match_id DESC LIMIT 1) AS last_played,
                (SELECT y.listed_at FROM player_years y WHERE y.player_id = players.id ORDER BY y.listed_at DESC, y.year DESC, y.platform LIMIT 1) AS listed_at,
                (SELECT y.year FROM player_years y WHERE y.player_id = players.id ORDER BY y.listed_at DESC, y.year DESC, y.platform LIMIT 1) AS listed_year,
                (SELECT y.listed_matches FROM player_years y WHERE y.player_id = players.id ORDER BY y.listed_at DESC, y.year DESC, y.platform LIMIT 1) AS listed,
                lost_since, lost_why
            FROM players WHERE tracked = {true}) AS known
         ORDER BY last_played DESC NULLS LAST, id LIMIT ?";
    }

    shared_statement! {
        Formerly<'a> { name: &'a str => Text, not: &'a str => Text, of: &'a str => Text } -> PlayerRow =
        "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level
         FROM players WHERE id IN (SELECT player_id FROM former_names WHERE name_folded = ?)
         AND name_folded IS DISTINCT FROM ?
         ORDER BY (SELECT max(valid_to) FROM former_names WHERE player_id = players.id AND name_folded = ?) DESC, id LIMIT 10";
    }

    shared_statement! {
        Appearances { player: i64 => BigInt, limit: i64 => BigInt } -> (Text, Integer, BigInt) =
        "SELECT p.match_id, p.participant_id, m.game_start FROM match_participants p JOIN matches m ON m.match_id = p.match_id
         WHERE p.player_id = ? ORDER BY p.match_id DESC LIMIT ?";
    }

    shared_statement! {
        Lose<'a> { now: i64 => BigInt, why: &'a str => Text, id: i64 => BigInt } -> Bool =
        "UPDATE players SET lost_since = coalesce(lost_since, ?), lost_why = ? WHERE id = ? RETURNING tracked";
    }

    shared_statement! {
        Lost { limit: i64 => BigInt } -> (PlayerRow, BigInt, Text) =
        "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level,
                lost_since, coalesce(lost_why, '')
         FROM players WHERE tracked = {true} AND lost_since IS NOT NULL ORDER BY lost_since, id LIMIT ?";
    }

    shared_statement! {
        Aborted { player: i64 => BigInt, year: i32 => Integer } -> BigInt =
        "SELECT count(*) FROM match_participants p JOIN matches m ON m.match_id = p.match_id
         WHERE p.player_id = ? AND m.year = ? AND m.game_duration_s = 0";
    }

    shared_statement! {
        ByPuuid<'a> { puuids: &'a [&'a str] => List<Text> } -> PlayerRow =
        "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level
         FROM players WHERE puuid {in ?}";
    }
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

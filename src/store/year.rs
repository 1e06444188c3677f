//! A player's year as a report reads it: its games, one narrow row each, and who was in them.

pub mod people;

use async_trait::async_trait;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::{Sqlite, SqliteValue};

use self::people::{Pair, Person};
use super::StoreResult;
use crate::report::{Game, Kill, Lead, SeenRank};

/// Whose games.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearOf<'a> {
    pub player_id: i64,
    /// The calendar year (UTC).
    pub year: i16,
    /// Only games there.
    pub platform: Option<&'a str>,
}

#[async_trait]
pub trait YearStore {
    /// All matches of the year that are stored and that the player was in, in the order in which they were played;
    /// without what [`people::tell`] adds.
    async fn games_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Game>>;
    /// Everybody who was in them; in any order.
    async fn people_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Person>>;
    /// What these players are called, of those who have a name.
    async fn riot_ids_of(&self, players: &[i64]) -> StoreResult<Vec<(i64, String)>>;
    /// How far the player was ahead of the opponent, minute by minute, where there are minutes of both; in any order.
    /// Half of them are read on one connection, half on another.
    async fn leads_of(&self, pairs: &[Pair]) -> StoreResult<Vec<(String, Lead)>>;
    /// What the player killed, and who killed the player, in these matches, in the order in which they were played; and
    /// of how many of them there are events.
    async fn kills_of(&self, player_id: i64, matches: &[&str]) -> StoreResult<(u64, Vec<Kill>)>;
    /// Ranks that were first seen in a calendar year (UTC), the last ones, in the order in which they were seen.
    async fn ranks_of(&self, player_id: i64, year: i16, limit: usize)
    -> StoreResult<Vec<SeenRank>>;
    /// Names that a player had, the last one first.
    async fn former_names(&self, player_id: i64, limit: usize) -> StoreResult<Vec<String>>;
}

pub(super) mod sql {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};

    use super::people::PersonRow;
    use super::{GameRow, KillRow, SeenRow};
    use crate::store::statement::{List, shared_statement};

    shared_statement! {
        Games<'a> { player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text> } -> GameRow =
        "SELECT p.match_id, m.platform, m.game_start, m.game_duration_s, m.queue_id, m.patch, m.is_remake,
        p.team_id, p.win, p.champion_name, p.team_position,
        p.kills, p.deaths, p.assists, p.total_minions_killed + p.neutral_minions_killed, p.gold_earned, p.damage_to_champions,
        p.vision_score,
        t.champion_first, t.tower_first, t.dragon_first, t.herald_first, t.grub_first, t.baron_first, t.inhibitor_first,
        CAST(c.double_kills AS INTEGER), CAST(c.triple_kills AS INTEGER), CAST(c.quadra_kills AS INTEGER),
        CAST(c.penta_kills AS INTEGER),
        m.map_id, p.champion_id,
        CAST(c.max_kill_deficit AS INTEGER),
        EXISTS (SELECT 1 FROM match_timelines mt WHERE mt.match_id = p.match_id)
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     LEFT JOIN match_teams t ON t.match_id = p.match_id AND t.team_id = p.team_id
     LEFT JOIN participant_combat c ON c.match_id = p.match_id AND c.participant_id = p.participant_id
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform)
     ORDER BY m.game_start, p.match_id";
    }

    shared_statement! {
        /// Everybody is looked at once, for all that is asked of them: the team's damage, the opponent and the company.
        /// Asked one by one, and grouped by the database, it takes two to three times as long.
        People<'a> { player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text> } -> PersonRow =
        "SELECT p.match_id, q.participant_id,
        CASE WHEN q.participant_id = p.participant_id THEN 0
             WHEN q.team_id = p.team_id AND coalesce(q.subteam_id, 0) = coalesce(p.subteam_id, 0) THEN 1
             WHEN q.team_id = p.team_id THEN 2
             WHEN q.team_position = p.team_position AND p.team_position <> '' THEN 4 ELSE 3 END,
        q.player_id, q.damage_to_champions, q.champion_id,
        CASE WHEN q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '' THEN q.champion_name END
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     JOIN match_participants q ON q.match_id = p.match_id
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform)";
    }

    shared_statement! {
        RiotIds<'a> { players: &'a [i64] => List<BigInt> } -> (BigInt, Text, Text) =
        "SELECT id, game_name, tag_line FROM players WHERE id {in ?} AND game_name IS NOT NULL AND tag_line IS NOT NULL";
    }

    shared_statement! {
        /// The first event of each match comes along, whatever it is: it tells that there are events.
        Kills<'a> { player: i64 => BigInt, matches: &'a [&'a str] => List<Text> } -> KillRow =
        "SELECT e.event = 0,
         CASE WHEN e.type = 'CHAMPION_KILL' AND (e.participant_id = p.participant_id OR e.victim_id = p.participant_id) THEN 1 ELSE 0 END,
         CASE WHEN e.victim_id = p.participant_id THEN 1 ELSE 0 END, p.team_id, e.at_ms, e.x, e.y
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     JOIN match_events e ON e.match_id = p.match_id
          AND (e.event = 0 OR (e.type = 'CHAMPION_KILL' AND (e.participant_id = p.participant_id OR e.victim_id = p.participant_id)))
     WHERE p.player_id = ? AND p.match_id {in ?}
     ORDER BY m.game_start, p.match_id, e.event";
    }

    shared_statement! {
        Ranks { player: i64 => BigInt, year: i32 => Integer, limit: i64 => BigInt } -> SeenRow =
        "SELECT queue, seen_at, tier, division, league_points, CAST(points AS INTEGER), wins, losses
     FROM v_ranks WHERE player_id = ? AND year = ? ORDER BY seen_at DESC LIMIT ?";
    }
}

type Opt<T> = Nullable<T>;

pub(super) type GameRow = (
    (Text, Text, BigInt, BigInt, Integer, Opt<Text>, Bool),
    (Integer, Bool, Text, Text),
    (
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
    ),
    (
        Opt<Bool>,
        Opt<Bool>,
        Opt<Bool>,
        Opt<Bool>,
        Opt<Bool>,
        Opt<Bool>,
        Opt<Bool>,
    ),
    (Opt<Integer>, Opt<Integer>, Opt<Integer>, Opt<Integer>),
    (Integer, Integer, Opt<Integer>, Bool),
);

type First = Option<bool>;

pub(super) type GameTuple = (
    (String, String, i64, i64, i32, Option<String>, bool),
    (i32, bool, String, String),
    (i32, i32, i32, i32, i32, i32, i32),
    (First, First, First, First, First, First, First),
    (Option<i32>, Option<i32>, Option<i32>, Option<i32>),
    (i32, i32, Option<i32>, bool),
);

pub(super) fn game_from(row: GameTuple) -> Game {
    let (of_match, of_player, figures, firsts, (double, triple, quadra, penta), more) = row;
    let (map_id, champion_id, kills_behind, has_timeline) = more;
    let (match_id, platform, started_ms, seconds, queue_id, patch, is_remake) = of_match;
    let (team_id, win, champion, position) = of_player;
    let (kills, deaths, assists, cs, gold, damage, vision) = figures;
    Game {
        match_id,
        platform,
        started_ms,
        seconds,
        queue_id,
        patch,
        is_remake,
        team_id,
        win,
        champion,
        position,
        kills,
        deaths,
        assists,
        cs,
        gold,
        damage,
        vision,
        firsts: firsts.into(),
        multikills: [double, triple, quadra, penta],
        map_id,
        champion_id,
        kills_behind,
        has_timeline,
        ..Game::default()
    }
}

pub(super) fn riot_id_from((player, name, tag): (i64, String, String)) -> (i64, String) {
    (player, format!("{name}#{tag}"))
}

pub(super) type LeadRow = (Text, Text, Text);
pub(super) type LeadTuple = (String, Minutes, Minutes);

/// A participant's minutes, read row by row: as texts, those of a year are megabytes. None: it is not to be read.
#[derive(Debug, FromSqlRow)]
pub(super) struct Minutes(Option<Vec<GoldAndXp>>);

impl FromSql<Text, Sqlite> for Minutes {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(minutes(value.read_text().as_bytes())))
    }
}

impl FromSql<Text, Pg> for Minutes {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(minutes(value.as_bytes())))
    }
}

/// Gold and experience at a minute.
type GoldAndXp = (Option<i32>, Option<i32>);

/// The first two numbers of each list of a list, as `model::timeline_details` writes it; none: it is something else.
/// What else a minute has is passed over.
fn minutes(text: &[u8]) -> Option<Vec<GoldAndXp>> {
    let mut rest = text.strip_prefix(b"[")?.strip_suffix(b"]")?;
    // A minute has some 40 bytes.
    let mut minutes = Vec::with_capacity(rest.len() / 32);
    while !rest.is_empty() {
        let (gold, after) = number(rest.strip_prefix(b"[")?)?;
        let (xp, after) = match after.strip_prefix(b",") {
            Some(after) => number(after)?,
            None => (None, after),
        };
        let end = memchr::memchr(b']', after)?;
        minutes.push((gold, xp));
        let after = &after[end + 1..];
        rest = after.strip_prefix(b",").unwrap_or(after);
    }
    Some(minutes)
}

/// The number that a text begins with, or that none is told there, and what comes after it.
fn number(text: &[u8]) -> Option<(Option<i32>, &[u8])> {
    let negative = text.first() == Some(&b'-');
    let digits = &text[usize::from(negative)..];
    // Below zero there is room for one more.
    let (mut below, mut at) = (0_i32, 0);
    while let Some(digit @ b'0'..=b'9') = digits.get(at) {
        let digit = i32::from(digit - b'0');
        below = below.checked_mul(10)?.checked_sub(digit)?;
        at += 1;
    }
    let (number, after) = match (at, negative) {
        (0, true) => return None,
        (0, false) => (None, digits.strip_prefix(b"null").unwrap_or(digits)),
        (_, true) => (Some(below), &digits[at..]),
        (_, false) => (Some(below.checked_neg()?), &digits[at..]),
    };
    matches!(after.first(), Some(b',' | b']')).then_some((number, after))
}

/// What is not to be read is left out.
pub(super) fn lead_from((match_id, own, others): LeadTuple) -> Option<(String, Lead)> {
    let (own, others) = (own.0?, others.0?);
    // The last one is when the game ended, and at no full minute.
    let whole = own.len().saturating_sub(1);
    let pairs = || own.iter().take(whole).zip(&others);
    let ahead = |one: Option<i32>, other: Option<i32>| one?.checked_sub(other?);
    let lead = Lead {
        gold: pairs().map(|(one, other)| ahead(one.0, other.0)).collect(),
        xp: pairs().map(|(one, other)| ahead(one.1, other.1)).collect(),
    };
    Some((match_id, lead))
}

pub(super) type KillRow = (
    Bool,
    Integer,
    Integer,
    Integer,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
);
pub(super) type KillTuple = (bool, i32, i32, i32, Option<i32>, Option<i32>, Option<i32>);

pub(super) fn kills_from(rows: Vec<KillTuple>) -> (u64, Vec<Kill>) {
    let games = rows.iter().filter(|row| row.0).count() as u64;
    let kill = |(_, is_kill, is_death, team_id, at_ms, x, y): KillTuple| {
        let kill = Kill {
            at_ms: at_ms?.into(),
            x: x?,
            y: y?,
            team_id,
            is_death: is_death == 1,
        };
        (is_kill == 1).then_some(kill)
    };
    (games, rows.into_iter().filter_map(kill).collect())
}

pub(super) type SeenRow = (
    Text,
    BigInt,
    Opt<Text>,
    Opt<Text>,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
);
pub(super) type SeenTuple = (
    String,
    i64,
    Option<String>,
    Option<String>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
);

pub(super) fn seen_from(rows: Vec<SeenTuple>) -> Vec<SeenRank> {
    let rank =
        |(queue, seen_ms, tier, division, league_points, points, wins, losses): SeenTuple| {
            SeenRank {
                queue,
                seen_ms,
                tier,
                division,
                league_points,
                points,
                wins,
                losses,
            }
        };
    rows.into_iter().rev().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timeline_details::Lists;

    #[test]
    fn minutes_are_read_as_they_are_written_and_what_is_something_else_is_none() {
        let mut lists = Lists::default();
        lists.push(&[Some(500), Some(0), Some(7), None]);
        lists.push(&[Some(-30), None]);
        lists.push(&[None]);
        lists.push(&[Some(i32::MAX), Some(i32::MIN), None]);
        let told = [
            (Some(500), Some(0)),
            (Some(-30), None),
            (None, None),
            (Some(i32::MAX), Some(i32::MIN)),
        ];
        assert_eq!(minutes(lists.finish().as_bytes()), Some(told.to_vec()));
        assert_eq!(minutes(b"[]"), Some(Vec::new()));
        for other in [
            "",
            "[",
            "null",
            "{}",
            "[1]",
            "[[1,2",
            "[[1,2],3]",
            "[[1.5,2]]",
            "[[\"1\"]]",
            "[[nullx]]",
            "[[1,nullx]]",
            "[[-]]",
            "[[-null]]",
            "[[+1]]",
            "[[2147483648]]",
            "[[-2147483649]]",
            "[[99999999999]]",
        ] {
            assert_eq!(minutes(other.as_bytes()), None, "{other}");
        }
    }
}

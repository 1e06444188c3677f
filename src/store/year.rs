//! A player's year as a report reads it: its games, one narrow row each, and who was in them.

use std::cmp::Reverse;
use std::collections::HashMap;

use async_trait::async_trait;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::StoreResult;
use crate::report::{Companion, Game, Kill, Lead, SeenRank};

/// Whose games.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearOf<'a> {
    pub player_id: i64,
    /// The calendar year (UTC).
    pub year: i16,
    /// Only games there.
    pub platform: Option<&'a str>,
}

/// With whom the games were, and against whom; each with the most games first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Company {
    pub duos: Vec<Companion>,
    pub rivals: Vec<Companion>,
}

#[async_trait]
pub trait YearStore {
    /// All matches of the year that are stored and that the player was in, in the order in which they were played.
    async fn games_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Game>>;
    /// Players of at least two of the games that count, so many of the player's team and as many of those against it.
    async fn company_of(&self, of: YearOf<'_>, limit: usize) -> StoreResult<Company>;
    /// How far the player was ahead of the opponent, minute by minute, in those of the games that count of which there
    /// are minutes of both; in any order.
    async fn leads_of(&self, of: YearOf<'_>) -> StoreResult<Vec<(String, Lead)>>;
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

    use super::{GameRow, KillRow, LeadRow, SeenRow};
    use crate::store::statement::{List, shared_statement};

    shared_statement! {
        /// What of a game is in them, and whom it was with.
        Games<'a> { player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text> } -> GameRow =
        "SELECT p.match_id, m.platform, m.game_start, m.game_duration_s, m.queue_id, m.patch, m.is_remake,
        p.team_id, p.win, p.champion_name, p.team_position,
        o.champion_name,
        p.kills, p.deaths, p.assists, p.total_minions_killed + p.neutral_minions_killed, p.gold_earned, p.damage_to_champions,
        p.vision_score,
        (SELECT sum(t.damage_to_champions) FROM match_participants t WHERE t.match_id = p.match_id AND t.team_id = p.team_id),
        t.champion_first, t.tower_first, t.dragon_first, t.herald_first, t.grub_first, t.baron_first, t.inhibitor_first,
        CAST(c.double_kills AS INTEGER), CAST(c.triple_kills AS INTEGER), CAST(c.quadra_kills AS INTEGER),
        CAST(c.penta_kills AS INTEGER),
        m.map_id, p.champion_id,
        o.champion_id,
        CAST(c.max_kill_deficit AS INTEGER),
        EXISTS (SELECT 1 FROM match_timelines mt WHERE mt.match_id = p.match_id)
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     LEFT JOIN match_participants o ON o.match_id = p.match_id AND o.participant_id =
         (SELECT min(q.participant_id) FROM match_participants q
          WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '')
     LEFT JOIN match_teams t ON t.match_id = p.match_id AND t.team_id = p.team_id
     LEFT JOIN participant_combat c ON c.match_id = p.match_id AND c.participant_id = p.participant_id
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform)
     ORDER BY m.game_start, p.match_id";
    }

    shared_statement! {
        /// As the view `lane_leads` pairs them.
        Leads<'a> { player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text> } -> LeadRow =
        "SELECT p.match_id, t.minutes, u.minutes
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     JOIN participant_timelines t ON t.match_id = p.match_id AND t.participant_id = p.participant_id
     JOIN participant_timelines u ON u.match_id = p.match_id AND u.participant_id =
         (SELECT min(q.participant_id) FROM match_participants q
          WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '')
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform) AND NOT m.is_remake AND m.game_duration_s > 0";
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
    (Integer, Bool, Text, Text, Opt<Text>),
    (
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Opt<BigInt>,
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
    (Integer, Integer, Opt<Integer>, Opt<Integer>, Bool),
);

type First = Option<bool>;

pub(super) type GameTuple = (
    (String, String, i64, i64, i32, Option<String>, bool),
    (i32, bool, String, String, Option<String>),
    (i32, i32, i32, i32, i32, i32, i32, Option<i64>),
    (First, First, First, First, First, First, First),
    (Option<i32>, Option<i32>, Option<i32>, Option<i32>),
    (i32, i32, Option<i32>, Option<i32>, bool),
);

pub(super) type CompanyRow = (Bool, Opt<Text>, Opt<Text>, BigInt, BigInt);
pub(super) type CompanyTuple = (bool, Option<String>, Option<String>, i64, i64);

pub(super) fn game_from(row: GameTuple) -> Game {
    let (of_match, of_player, figures, firsts, (double, triple, quadra, penta), more) = row;
    let (map_id, champion_id, opponent_champion_id, kills_behind, has_timeline) = more;
    let (match_id, platform, started_ms, seconds, queue_id, patch, is_remake) = of_match;
    let (team_id, win, champion, position, opponent) = of_player;
    let (kills, deaths, assists, cs, gold, damage, vision, team_damage) = figures;
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
        opponent,
        kills,
        deaths,
        assists,
        cs,
        gold,
        damage,
        vision,
        team_damage: team_damage.unwrap_or(0),
        firsts: firsts.into(),
        multikills: [double, triple, quadra, penta],
        map_id,
        champion_id,
        opponent_champion_id,
        kills_behind,
        has_timeline,
        lead: None,
    }
}

pub(super) fn company_from(rows: Vec<CompanyTuple>) -> Company {
    let mut company = Company::default();
    for (same_team, name, tag, games, wins) in rows {
        let list = if same_team {
            &mut company.duos
        } else {
            &mut company.rivals
        };
        list.push(Companion {
            riot_id: name.zip(tag).map(|(name, tag)| format!("{name}#{tag}")),
            games: u64::try_from(games).unwrap_or(0),
            wins: u64::try_from(wins).unwrap_or(0),
        });
    }
    company
}

/// Of a row for each time that somebody was met in a game (the player, in the same team, the game was won): those who
/// were met most often, so many of the same team and as many of others, each with the games and those won.
pub(super) fn most_met(met: Vec<(i64, bool, bool)>, limit: usize) -> Vec<(i64, bool, i64, i64)> {
    let mut sums: HashMap<(i64, bool), (i64, i64)> = HashMap::new();
    for (player, same_team, win) in met {
        let (games, wins) = sums.entry((player, same_team)).or_default();
        *games += 1;
        *wins += i64::from(win);
    }
    let often = sums.into_iter().filter(|(_, (games, _))| *games > 1);
    let mut often: Vec<_> = often
        .map(|((player, same_team), (games, wins))| (player, same_team, games, wins))
        .collect();
    often.sort_unstable_by_key(|(player, _, games, wins)| {
        (Reverse(*games), Reverse(*wins), *player)
    });
    let (duos, rivals): (Vec<_>, Vec<_>) = often.into_iter().partition(|one| one.1);
    let first = |list: Vec<_>| list.into_iter().take(limit);
    first(duos).chain(first(rivals)).collect()
}

pub(super) type LeadRow = (Text, Text, Text);
pub(super) type LeadTuple = (String, Minutes, Minutes);

/// A participant's minutes, read row by row: as texts, those of a year are megabytes. None: it is not to be read.
#[derive(Debug, FromSqlRow)]
pub(super) struct Minutes(Option<Vec<GoldAndXp>>);

impl<DB: Backend> FromSql<Text, DB> for Minutes
where
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let text: String = FromSql::<Text, DB>::from_sql(bytes)?;
        Ok(Self(minutes(&text)))
    }
}

/// Gold and experience at a minute.
type GoldAndXp = (Option<i32>, Option<i32>);

/// The first two numbers of each list of a list, as `model::timeline_details` writes it; none: it is something else.
/// What else a minute has is passed over.
fn minutes(text: &str) -> Option<Vec<GoldAndXp>> {
    let mut rest = text.strip_prefix('[')?.strip_suffix(']')?;
    let mut minutes = Vec::new();
    while !rest.is_empty() {
        let (minute, after) = rest.strip_prefix('[')?.split_once(']')?;
        let mut cells = minute.split(',');
        let mut number = || number(cells.next()).ok();
        minutes.push((number()?, number()?));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some(minutes)
}

/// None: none is told.
fn number(cell: Option<&str>) -> Result<Option<i32>, std::num::ParseIntError> {
    match cell {
        None | Some("" | "null") => Ok(None),
        Some(digits) => digits.parse().map(Some),
    }
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
    fn who_was_met_most_often_comes_first_and_who_was_met_once_not_at_all() {
        let met = [
            (1, true, true),
            (2, true, false),
            (2, true, true),
            (2, false, true),
            (3, true, true),
            (3, true, true),
            (4, true, true),
            (4, true, true),
            (5, false, false),
            (5, false, false),
        ];
        let wanted = [(3, true, 2, 2), (4, true, 2, 2), (5, false, 2, 0)];
        assert_eq!(most_met(met.to_vec(), 2), wanted);
    }

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
        assert_eq!(minutes(&lists.finish()), Some(told.to_vec()));
        assert_eq!(minutes("[]"), Some(Vec::new()));
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
        ] {
            assert_eq!(minutes(other), None, "{other}");
        }
    }
}

//! A player's year as a report reads it: its games, one narrow row each, and who was in them.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};

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

/// When games began, in milliseconds since 1970: from and to, both with that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    pub from_ms: i64,
    pub to_ms: i64,
}

#[async_trait]
pub trait YearStore {
    /// All matches of the year that are stored and that the player was in, in the order in which they were played.
    async fn games_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Game>>;
    /// Players of at least two of the games that count, with the most games first: in the player's team, or against it.
    async fn company_of(
        &self,
        of: YearOf<'_>,
        same_team: bool,
        limit: usize,
    ) -> StoreResult<Vec<Companion>>;
    /// How far the player was ahead of the opponent, minute by minute, in those of these games of which there are
    /// minutes of both.
    async fn leads_of(&self, of: YearOf<'_>, played: Played) -> StoreResult<Vec<(String, Lead)>>;
    /// What the player killed, and who killed the player, in these games on Summoner's Rift; and of how many of them
    /// there are events.
    async fn kills_of(&self, of: YearOf<'_>, played: Played) -> StoreResult<(u64, Vec<Kill>)>;
    /// Ranks that were first seen in a calendar year (UTC), the last ones, in the order in which they were seen.
    async fn ranks_of(&self, player_id: i64, year: i16, limit: usize)
    -> StoreResult<Vec<SeenRank>>;
    /// Names that a player had, the last one first.
    async fn former_names(&self, player_id: i64, limit: usize) -> StoreResult<Vec<String>>;
}

pub(super) mod sql {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

    use super::{CompanyRow, GameRow, KillRow, LeadRow, SeenRow};
    use crate::store::statement::shared_statement;

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
        Company<'a> {
            player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text>, same_team: bool => Bool,
            limit: i64 => BigInt,
        } -> CompanyRow =
        "SELECT pl.game_name, pl.tag_line, d.games, d.wins
     FROM (SELECT q.player_id AS player_id, count(*) AS games, sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS wins
           FROM match_participants p
           JOIN matches m ON m.match_id = p.match_id
           JOIN match_participants q ON q.match_id = p.match_id AND q.player_id <> p.player_id
           WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform) AND NOT m.is_remake
                 AND m.game_duration_s > 0
                 AND (q.team_id = p.team_id AND coalesce(q.subteam_id, 0) = coalesce(p.subteam_id, 0)) = ?
           GROUP BY q.player_id HAVING count(*) > 1) d
     JOIN players pl ON pl.id = d.player_id
     ORDER BY d.games DESC, d.wins DESC, d.player_id LIMIT ?";
    }

    shared_statement! {
        /// As the view `lane_leads` pairs them.
        Leads<'a> {
            player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text>, from: i64 => BigInt,
            to: i64 => BigInt,
        } -> LeadRow =
        "SELECT p.match_id, t.minutes, u.minutes
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     JOIN participant_timelines t ON t.match_id = p.match_id AND t.participant_id = p.participant_id
     JOIN participant_timelines u ON u.match_id = p.match_id AND u.participant_id =
         (SELECT min(q.participant_id) FROM match_participants q
          WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '')
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform) AND m.game_start >= ? AND m.game_start <= ?
           AND NOT m.is_remake AND m.game_duration_s > 0";
    }

    shared_statement! {
        /// The first event of each match comes along, whatever it is: it tells that there are events.
        Kills<'a> {
            player: i64 => BigInt, year: i32 => Integer, platform: Option<&'a str> => Nullable<Text>, from: i64 => BigInt,
            to: i64 => BigInt,
        } -> KillRow =
        "SELECT e.event = 0,
         CASE WHEN e.type = 'CHAMPION_KILL' AND (e.participant_id = p.participant_id OR e.victim_id = p.participant_id) THEN 1 ELSE 0 END,
         CASE WHEN e.victim_id = p.participant_id THEN 1 ELSE 0 END, p.team_id, e.at_ms, e.x, e.y
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     JOIN match_events e ON e.match_id = p.match_id
          AND (e.event = 0 OR (e.type = 'CHAMPION_KILL' AND (e.participant_id = p.participant_id OR e.victim_id = p.participant_id)))
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform) AND m.game_start >= ? AND m.game_start <= ?
           AND NOT m.is_remake AND m.game_duration_s > 0 AND m.map_id = 11
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

pub(super) type CompanyRow = (Opt<Text>, Opt<Text>, BigInt, BigInt);
pub(super) type CompanyTuple = (Option<String>, Option<String>, i64, i64);

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

pub(super) fn companion_from((name, tag, games, wins): CompanyTuple) -> Companion {
    Companion {
        riot_id: name.zip(tag).map(|(name, tag)| format!("{name}#{tag}")),
        games: u64::try_from(games).unwrap_or(0),
        wins: u64::try_from(wins).unwrap_or(0),
    }
}

pub(super) type LeadRow = (Text, Text, Text);
pub(super) type LeadTuple = (String, String, String);

/// Gold and experience at a minute; what else the row has is left.
#[derive(Debug, Clone, Copy)]
struct GoldAndXp(Option<i32>, Option<i32>);

impl<'de> Deserialize<'de> for GoldAndXp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Cells;
        impl<'de> Visitor<'de> for Cells {
            type Value = GoldAndXp;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("the numbers of a minute")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<GoldAndXp, A::Error> {
                let gold = cells.next_element()?.flatten();
                let xp = cells.next_element()?.flatten();
                while cells.next_element::<IgnoredAny>()?.is_some() {}
                Ok(GoldAndXp(gold, xp))
            }
        }
        from.deserialize_seq(Cells)
    }
}

/// Parses on a thread of its own: a year's minutes are megabytes. What is not to be read is left out.
pub(super) async fn leads_from(rows: Vec<LeadTuple>) -> Vec<(String, Lead)> {
    let parse = move || rows.into_iter().filter_map(lead_from).collect();
    tokio::task::spawn_blocking(parse).await.unwrap_or_default()
}

fn lead_from((match_id, own, others): LeadTuple) -> Option<(String, Lead)> {
    let minutes = |text: &str| serde_json::from_str::<Vec<GoldAndXp>>(text).ok();
    let (own, others) = (minutes(&own)?, minutes(&others)?);
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

//! A player's year as a report reads it: its games, one narrow row each, and who was in them.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::StoreResult;
use crate::report::{Companion, Game};

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
    /// All matches of the year that are stored and that the player was in, in the order in which they were played.
    async fn games_of(&self, of: YearOf<'_>) -> StoreResult<Vec<Game>>;
    /// Players of at least two of the games that count, with the most games first: in the player's team, or against it.
    async fn company_of(
        &self,
        of: YearOf<'_>,
        same_team: bool,
        limit: usize,
    ) -> StoreResult<Vec<Companion>>;
    /// Names that a player had, the last one first.
    async fn former_names(&self, player_id: i64, limit: usize) -> StoreResult<Vec<String>>;
}

/// The same on both databases: what of a game is in them, and whom it was with.
pub(super) const GAMES: &str = "SELECT p.match_id, m.platform, m.game_start, m.game_duration_s, m.queue_id, m.patch, m.is_remake,
        p.team_id, p.win, p.champion_name, p.team_position,
        (SELECT o.champion_name FROM match_participants o
         WHERE o.match_id = p.match_id AND o.team_id <> p.team_id AND o.team_position = p.team_position AND p.team_position <> ''
         ORDER BY o.participant_id LIMIT 1),
        p.kills, p.deaths, p.assists, p.total_minions_killed + p.neutral_minions_killed, p.gold_earned, p.damage_to_champions,
        p.vision_score,
        (SELECT sum(t.damage_to_champions) FROM match_participants t WHERE t.match_id = p.match_id AND t.team_id = p.team_id),
        t.champion_first, t.tower_first, t.dragon_first, t.herald_first, t.grub_first, t.baron_first, t.inhibitor_first,
        CAST(c.double_kills AS INTEGER), CAST(c.triple_kills AS INTEGER), CAST(c.quadra_kills AS INTEGER),
        CAST(c.penta_kills AS INTEGER)
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     LEFT JOIN match_teams t ON t.match_id = p.match_id AND t.team_id = p.team_id
     LEFT JOIN participant_combat c ON c.match_id = p.match_id AND c.participant_id = p.participant_id
     WHERE p.player_id = ? AND m.year = ? AND m.platform = coalesce(?, m.platform)
     ORDER BY m.game_start, p.match_id";

pub(super) const COMPANY: &str = "SELECT pl.game_name, pl.tag_line, d.games, d.wins
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

pub(super) const FORMER: &str = "SELECT game_name, tag_line FROM former_names WHERE player_id = ? ORDER BY valid_to DESC, name_folded LIMIT ?";

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
);

type First = Option<bool>;

pub(super) type GameTuple = (
    (String, String, i64, i64, i32, Option<String>, bool),
    (i32, bool, String, String, Option<String>),
    (i32, i32, i32, i32, i32, i32, i32, Option<i64>),
    (First, First, First, First, First, First, First),
    (Option<i32>, Option<i32>, Option<i32>, Option<i32>),
);

pub(super) type CompanyRow = (Opt<Text>, Opt<Text>, BigInt, BigInt);
pub(super) type CompanyTuple = (Option<String>, Option<String>, i64, i64);

pub(super) fn game_from(row: GameTuple) -> Game {
    let (of_match, of_player, figures, firsts, (double, triple, quadra, penta)) = row;
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
    }
}

pub(super) fn companion_from((name, tag, games, wins): CompanyTuple) -> Companion {
    Companion {
        riot_id: name.zip(tag).map(|(name, tag)| format!("{name}#{tag}")),
        games: u64::try_from(games).unwrap_or(0),
        wins: u64::try_from(wins).unwrap_or(0),
    }
}

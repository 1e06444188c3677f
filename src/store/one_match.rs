//! A match as its page tells it.

use async_trait::async_trait;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use super::StoreResult;
use crate::model::MatchId;
use crate::report::{Event, OneMatch, Participant, Team};

#[async_trait]
pub trait OneMatchStore {
    /// A match that is stored; champions are called as the match itself calls them, and items are numbers.
    async fn one_match(&self, match_id: MatchId) -> StoreResult<Option<OneMatch>>;
}

pub(super) mod sql {
    use diesel::sql_types::Text;

    use super::{EventRow, HeadRow, ParticipantRow, TeamRow};
    use crate::store::statement::shared_statement;

    shared_statement! {
        Head<'a> { id: &'a str => Text } -> HeadRow =
        "SELECT m.match_id, m.platform, m.queue_id, m.patch, m.map_id, m.year, m.game_start, m.game_duration_s, m.is_remake,
        EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = m.match_id)
     FROM matches m WHERE m.match_id = ?";
    }

    shared_statement! {
        Participants<'a> { id: &'a str => Text } -> ParticipantRow =
        "SELECT p.participant_id, p.player_id, pl.game_name, pl.tag_line, p.team_id, p.subteam_id, p.placement, p.win,
        p.champion_name, p.champion_id, p.team_position, p.champ_level,
        p.kills, p.deaths, p.assists, p.total_minions_killed + p.neutral_minions_killed, p.gold_earned, p.vision_score,
        p.damage_to_champions, d.to_champions_physical, d.to_champions_magic, d.to_champions_true, d.taken,
        p.item0, p.item1, p.item2, p.item3, p.item4, p.item5, p.item6, t.minutes, t.purchases
     FROM match_participants p LEFT JOIN players pl ON pl.id = p.player_id
     LEFT JOIN participant_damage d ON d.match_id = p.match_id AND d.participant_id = p.participant_id
     LEFT JOIN participant_timelines t ON t.match_id = p.match_id AND t.participant_id = p.participant_id
     WHERE p.match_id = ? ORDER BY p.participant_id";
    }

    shared_statement! {
        Teams<'a> { id: &'a str => Text } -> TeamRow =
        "SELECT team_id, CAST(tower_kills AS INTEGER), CAST(inhibitor_kills AS INTEGER), CAST(dragon_kills AS INTEGER),
        CAST(herald_kills AS INTEGER), CAST(grub_kills AS INTEGER), CAST(baron_kills AS INTEGER)
     FROM match_teams WHERE match_id = ? ORDER BY team_id";
    }

    shared_statement! {
        /// Riot's longest games have some hundred of them; a document of somebody else may have more.
        Events<'a> { id: &'a str => Text } -> EventRow =
        "SELECT coalesce(at_ms, 0), type, participant_id, victim_id, team_id, coalesce(assists, ''), x, y, coalesce(about, ''),
        coalesce(about_more, ''), coalesce(lane, '')
     FROM match_events
     WHERE match_id = ? AND type IN ('CHAMPION_KILL', 'ELITE_MONSTER_KILL', 'BUILDING_KILL', 'DRAGON_SOUL_GIVEN') ORDER BY event LIMIT 1000";
    }
}

type Opt<T> = Nullable<T>;

pub(super) type HeadRow = (
    Text,
    Text,
    Integer,
    Opt<Text>,
    Integer,
    Integer,
    BigInt,
    BigInt,
    Bool,
    Bool,
);
pub(super) type HeadTuple = (
    String,
    String,
    i32,
    Option<String>,
    i32,
    i32,
    i64,
    i64,
    bool,
    bool,
);

pub(super) type ParticipantRow = (
    (
        Integer,
        Opt<BigInt>,
        Opt<Text>,
        Opt<Text>,
        Integer,
        Opt<Integer>,
        Opt<Integer>,
        Bool,
    ),
    (Text, Integer, Text, Integer),
    (Integer, Integer, Integer, Integer, Integer, Integer),
    (
        Integer,
        Opt<Integer>,
        Opt<Integer>,
        Opt<Integer>,
        Opt<Integer>,
    ),
    (
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
        Integer,
    ),
    (Opt<Text>, Opt<Text>),
);
pub(super) type ParticipantTuple = (
    (
        i32,
        Option<i64>,
        Option<String>,
        Option<String>,
        i32,
        Option<i32>,
        Option<i32>,
        bool,
    ),
    (String, i32, String, i32),
    (i32, i32, i32, i32, i32, i32),
    (i32, Option<i32>, Option<i32>, Option<i32>, Option<i32>),
    (i32, i32, i32, i32, i32, i32, i32),
    (Option<String>, Option<String>),
);

pub(super) type TeamRow = (
    Integer,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
);
pub(super) type TeamTuple = (
    i32,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
);

pub(super) type EventRow = (
    Integer,
    Text,
    Opt<Integer>,
    Opt<Integer>,
    Opt<Integer>,
    Text,
    Opt<Integer>,
    Opt<Integer>,
    Text,
    Text,
    Text,
);
pub(super) type EventTuple = (
    i32,
    String,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    String,
    Option<i32>,
    Option<i32>,
    String,
    String,
    String,
);

/// All that was read of a match.
#[derive(Debug)]
pub(super) struct MatchRows {
    pub head: HeadTuple,
    pub participants: Vec<ParticipantTuple>,
    pub teams: Vec<TeamTuple>,
    pub events: Vec<EventTuple>,
}

pub(super) fn match_from(rows: MatchRows) -> OneMatch {
    let (
        match_id,
        platform,
        queue_id,
        patch,
        map_id,
        year,
        started_ms,
        seconds,
        is_remake,
        has_timeline,
    ) = rows.head;
    OneMatch {
        match_id,
        platform,
        queue_id,
        patch,
        map_id,
        year: i16::try_from(year).unwrap_or_default(),
        started_ms,
        seconds: u64::try_from(seconds).unwrap_or(0),
        is_remake,
        has_timeline,
        participants: rows
            .participants
            .into_iter()
            .map(participant_from)
            .collect(),
        teams: rows.teams.into_iter().map(team_from).collect(),
        events: rows.events.into_iter().map(event_from).collect(),
        ..OneMatch::default()
    }
}

fn participant_from(row: ParticipantTuple) -> Participant {
    let (who, champion, sums, damages, items, (minutes, purchases)) = row;
    let (id, player, name, tag, team_id, subteam_id, placement, win) = who;
    let (champion, champion_id, position, level) = champion;
    let (kills, deaths, assists, cs, gold, vision) = sums;
    let (damage, physical, magic, pure, taken) = damages;
    Participant {
        id,
        riot_id: name.zip(tag).map(|(name, tag)| format!("{name}#{tag}")),
        is_bot: player.is_none(),
        team_id,
        subteam_id,
        placement,
        win,
        champion,
        champion_id,
        position,
        level,
        kills,
        deaths,
        assists,
        cs,
        gold,
        vision,
        damage,
        damage_kinds: [physical, magic, pure],
        taken,
        items: <[i32; 7]>::from(items).into(),
        gold_by_minute: read_minutes(minutes.as_deref()),
        purchases: read_purchases(purchases.as_deref()),
    }
}

/// Empty: there are none, or they are not to be read.
fn read_minutes(text: Option<&str>) -> Vec<Option<i32>> {
    let minutes = text.and_then(|text| serde_json::from_str::<Vec<Vec<Option<i32>>>>(text).ok());
    let minutes = minutes.unwrap_or_default().into_iter();
    minutes
        .map(|cells| cells.first().copied().flatten())
        .collect()
}

fn read_purchases(text: Option<&str>) -> Vec<(i32, Option<i64>)> {
    let pairs =
        text.and_then(|text| serde_json::from_str::<Vec<(Option<i32>, Option<i64>)>>(text).ok());
    let pairs = pairs.unwrap_or_default().into_iter();
    pairs
        .filter_map(|(item, at_ms)| Some((item?, at_ms)))
        .collect()
}

fn team_from((team_id, towers, inhibitors, dragons, heralds, grubs, barons): TeamTuple) -> Team {
    Team {
        team_id,
        towers,
        inhibitors,
        dragons,
        heralds,
        grubs,
        barons,
    }
}

fn event_from(row: EventTuple) -> Event {
    let (at_ms, kind, participant_id, victim_id, team_id, assists, x, y, about, about_more, lane) =
        row;
    Event {
        at_ms: at_ms.into(),
        kind,
        participant_id,
        victim_id,
        team_id,
        assists,
        x,
        y,
        about,
        about_more,
        lane,
    }
}

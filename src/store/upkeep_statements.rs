//! The SQL of upkeep that is the same on both databases.

use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use super::rows::PlayerRow;
use super::statement::{List, shared_statement};
use super::upkeep::{DocumentRow, PlayersGameRow, StatsRow, YearRow};

/// A column as JSON has it: a flag is a number.
macro_rules! told {
    (flag $column:ident) => {
        concat!(", CAST(", stringify!($column), " AS INTEGER)")
    };
    ($kind:ident $column:ident) => {
        concat!(", ", stringify!($column))
    };
}

/// Rows of the tables of a list, numbered as the list says.
macro_rules! details {
    ($($table:ident $name:ident $number:literal $id:ident { $($column:ident: $kind:ident = $key:literal,)* })*) => {
        concat!($(
            " UNION ALL SELECT CAST(", stringify!($number), " AS SMALLINT), match_id, CAST({json array}(", stringify!($id), $(told!($kind $column),)*
            ") AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA) FROM ", stringify!($table), " WHERE match_id {in ?}",
        )*)
    };
}

shared_statement! {
    /// All of some matches in one statement: at one moment.
    Documents<'a> { matches: &'a [String] => List<Text>, participants: &'a [String] => List<Text>, timelines: &'a [String] => List<Text>, payloads: &'a [String] => List<Text>, dictionaries: &'a [String] => List<Text>, unread: &'a [String] => List<Text>,
        damage: &'a [String] => List<Text>, combat: &'a [String] => List<Text>, vision: &'a [String] => List<Text>, loadout: &'a [String] => List<Text>, teams: &'a [String] => List<Text>, bans: &'a [String] => List<Text>, minutes: &'a [String] => List<Text>, events: &'a [String] => List<Text> } -> DocumentRow =
    concat!("SELECT CAST(0 AS SMALLINT), m.match_id, CAST({json array}(m.platform, data_version, game_creation, game_start, game_end, game_duration_s, queue_id, map_id,
        game_mode, game_type, game_version, end_of_game_result, year, CAST(is_remake AS INTEGER), patch) AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA)
     FROM matches m WHERE m.match_id {in ?}
     UNION ALL
     SELECT CAST(1 AS SMALLINT), p.match_id, CAST({json array}({json array}(participant_id, player_id, puuid, team_id, champion_id, champion_name, team_position, role, lane),
        {json array}(kills, deaths, assists, CAST(win AS INTEGER), gold_earned, total_minions_killed, neutral_minions_killed,
            damage_to_champions, vision_score, champ_level, placement, subteam_id),
        {json array}({json array}(item0, item1, item2, item3, item4, item5, item6), {json array}(spell1, spell2), perk_primary_style, perk_sub_style)) AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA)
     FROM match_participants p LEFT JOIN players ON players.id = p.player_id WHERE p.match_id {in ?}
     UNION ALL
     SELECT CAST(2 AS SMALLINT), t.match_id, CAST({json array}(data_version, frame_interval_ms, frame_count, event_count) AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA)
     FROM match_timelines t WHERE t.match_id {in ?}
     UNION ALL
     SELECT CAST(3 AS SMALLINT), match_id, kind, codec, dictionary, body FROM payloads WHERE match_id {in ?}
     UNION ALL
     SELECT CAST(4 AS SMALLINT), '', '', id, CAST(NULL AS INTEGER), body FROM payload_dictionaries
     WHERE id IN (SELECT dictionary FROM payloads WHERE codec = 2 AND match_id {in ?})
     UNION ALL
     SELECT CAST(5 AS SMALLINT), match_id, CAST({json array}(kind, reason, version, key_fingerprint) AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA)
     FROM unread_payloads WHERE match_id {in ?}",
     crate::model::participant_sheets!(details), crate::model::team_sheet!(details),
     " UNION ALL SELECT CAST(15 AS SMALLINT), match_id, CAST({json array}(ban, team_id, turn, champion_id) AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA)
     FROM match_bans WHERE match_id {in ?}
     UNION ALL SELECT CAST(16 AS SMALLINT), match_id, CAST({json array}(participant_id, minutes, purchases) AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA)
     FROM participant_timelines WHERE match_id {in ?}
     UNION ALL SELECT CAST(17 AS SMALLINT), match_id, CAST({json array}(event, at_ms, type, participant_id, victim_id, team_id, assists, x, y, item_id, value, bounty, about, about_more, lane) AS TEXT), 0, CAST(NULL AS INTEGER), CAST(NULL AS BYTEA)
     FROM match_events WHERE match_id {in ?}");
}

shared_statement! {
    MatchesOf { player: i64 => BigInt, year: i32 => Integer } -> Text =
    "SELECT m.match_id FROM match_participants p JOIN matches m ON m.match_id = p.match_id WHERE p.player_id = ? AND m.year = ?";
}

shared_statement! {
    MatchesAfter<'a> {
        stored_after: &'a str => Text, stored_max: i64 => BigInt, packed_after: &'a str => Text, packed_max: i64 => BigInt,
        max: i64 => BigInt,
    } -> Text =
    "SELECT match_id FROM (SELECT match_id FROM (SELECT match_id FROM matches WHERE match_id > ? ORDER BY match_id LIMIT ?) AS stored
     UNION SELECT match_id FROM (SELECT DISTINCT match_id FROM payloads WHERE match_id > ? ORDER BY match_id LIMIT ?) AS packed) AS ids
     ORDER BY match_id LIMIT ?";
}

shared_statement! {
    GamesOfPlayers<'a> { players: &'a [i64] => List<BigInt> } -> PlayersGameRow =
    "SELECT p.player_id, m.year, m.platform, m.is_remake, m.game_duration_s, p.win, p.kills, p.deaths, p.assists,
            p.gold_earned, p.total_minions_killed, p.neutral_minions_killed, p.damage_to_champions, p.champion_id,
            p.champion_name, p.role, p.lane
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id WHERE p.player_id {in ?}";
}

shared_statement! {
    CleanedOfPlayers<'a> { players: &'a [i64] => List<BigInt> } -> YearRow =
    "SELECT player_id, year, platform, wins, losses, remakes, total_kills, total_deaths, total_assists, total_gold_earned, total_minions_killed,
            total_neutral_minions_killed, total_damage_to_champions, counts
     FROM cleaned_stats WHERE player_id {in ?} ORDER BY player_id, year, platform";
}

shared_statement! {
    StatsOfPlayers<'a> { players: &'a [i64] => List<BigInt> } -> StatsRow =
    "SELECT player_id, year, platform, wins, losses, remakes, total_kills, total_deaths, total_assists, total_gold_earned, total_minions_killed,
            total_neutral_minions_killed, total_damage_to_champions, counts,
            total_matches, unique_champions_played, most_played_champion, most_played_champion_count, unique_roles_played,
            unique_lanes_played, win_rate, kda_ratio, average_kills, average_deaths, average_assists, average_gold_per_match,
            average_cs_per_match
     FROM player_yearly_stats WHERE player_id {in ?}";
}

shared_statement! {
    KnownPuuids<'a> { puuids: &'a [&'a str] => List<Text> } -> Text = "SELECT puuid FROM players WHERE puuid {in ?}";
}

shared_statement! {
    TrackedPlayers {} -> PlayerRow =
    "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level
     FROM players WHERE tracked = {true} ORDER BY updated_at, id";
}

shared_statement! {
    /// The keys of jobs are ids, with or without what follows a slash.
    DiscardedJobs<'a> { ids: &'a [String] => List<Text> } -> BigInt =
    "SELECT count(*) FROM jobs WHERE state = 'discarded' AND kind IN ('sync_match_data', 'sync_match_timeline') AND key {in ?}
        AND NOT EXISTS (SELECT 1 FROM missing_payloads d WHERE d.id = jobs.key
            AND d.kind = CASE jobs.kind WHEN 'sync_match_data' THEN 'match' ELSE 'timeline' END)";
}

shared_statement! {
    /// Keys as above. With the jobs that ended their engines as often as that.
    GivenUp<'a> { ids: &'a [String] => List<Text>, deaths: i32 => Integer } -> (Text, Text, BigInt) =
    "SELECT kind, key, max(id) FROM jobs WHERE state = 'discarded' AND kind IN ('sync_match_data', 'sync_match_timeline')
        AND key {in ?} AND lone_deaths >= ? GROUP BY kind, key ORDER BY kind, key";
}

shared_statement! {
    IsCleaned<'a> { id: &'a str => Text } -> Text = "SELECT match_id FROM cleaned_matches WHERE match_id = ?";
}

shared_statement! {
    CleanedOf<'a> { ids: &'a [String] => List<Text> } -> Text = "SELECT match_id FROM cleaned_matches WHERE match_id {in ?}";
}

shared_statement! {
    /// Who the participants of a match are; a player who is not there is nobody.
    ParticipantsOf<'a> { id: &'a str => Text } -> (Integer, BigInt, Nullable<BigInt>) =
    "SELECT p.participant_id, p.player_id, players.id FROM match_participants p LEFT JOIN players ON players.id = p.player_id
     WHERE p.match_id = ? AND p.player_id IS NOT NULL";
}

shared_statement! {
    DropMatches<'a> { ids: &'a [String] => List<Text> } -> () = "DELETE FROM matches WHERE match_id {in ?}";
}

shared_statement! {
    DropParticipants<'a> { ids: &'a [String] => List<Text> } -> () = "DELETE FROM match_participants WHERE match_id {in ?}";
}

shared_statement! {
    DropTimelines<'a> { ids: &'a [String] => List<Text> } -> () = "DELETE FROM match_timelines WHERE match_id {in ?}";
}

shared_statement! {
    DropPayloads<'a> { ids: &'a [String] => List<Text> } -> () = "DELETE FROM payloads WHERE match_id {in ?}";
}

shared_statement! {
    DropUnread<'a> { ids: &'a [String] => List<Text> } -> () = "DELETE FROM unread_payloads WHERE match_id {in ?}";
}

shared_statement! {
    /// Unread timelines of no match: all others go with theirs.
    DropUnreadTimelines { before: i64 => BigInt, limit: i64 => BigInt } -> () =
    "DELETE FROM unread_payloads WHERE kind = 'timeline' AND match_id IN (SELECT u.match_id FROM unread_payloads u
        WHERE u.kind = 'timeline' AND u.stored_at < ?
          AND NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = u.match_id)
          AND NOT EXISTS (SELECT 1 FROM unread_payloads o WHERE o.match_id = u.match_id AND o.kind = 'match') LIMIT ?)";
}

shared_statement! {
    /// Matches with rows and without.
    OldMatches { before: i64 => BigInt, unread_before: i64 => BigInt, limit: i64 => BigInt } -> Text =
    "SELECT match_id FROM (SELECT match_id, stored_at FROM matches WHERE stored_at < ?
        UNION SELECT u.match_id, u.stored_at FROM unread_payloads u WHERE u.kind = 'match' AND u.stored_at < ?
            AND NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = u.match_id)) AS old
     ORDER BY stored_at, match_id LIMIT ?";
}

shared_statement! {
    /// What the participants of some matches count for.
    GamesOfMatches<'a> { ids: &'a [String] => List<Text> } -> PlayersGameRow =
    "SELECT p.player_id, m.year, m.platform, m.is_remake, m.game_duration_s, p.win, p.kills, p.deaths, p.assists,
            p.gold_earned, p.total_minions_killed, p.neutral_minions_killed, p.damage_to_champions, p.champion_id,
            p.champion_name, p.role, p.lane
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id WHERE p.player_id IS NOT NULL AND p.match_id {in ?}";
}

shared_statement! {
    MarkCleaned<'a> { at: i64 => BigInt, ids: &'a [String] => List<Text> } -> () =
    "INSERT INTO cleaned_matches (match_id, cleaned_at) SELECT listed.value, ? FROM {rows of ?} WHERE true ON CONFLICT DO NOTHING";
}

shared_statement! {
    PutCleaned<'a> {
        player: i64 => BigInt, year: i32 => Integer, platform: &'a str => Text, wins: i64 => BigInt, losses: i64 => BigInt,
        remakes: i64 => BigInt, kills: i64 => BigInt, deaths: i64 => BigInt, assists: i64 => BigInt, gold: i64 => BigInt,
        minions: i64 => BigInt, neutral: i64 => BigInt, damage: i64 => BigInt, counts: &'a str => Text,
    } -> () =
    "INSERT INTO cleaned_stats (player_id, year, platform, wins, losses, remakes, total_kills, total_deaths, total_assists, total_gold_earned, total_minions_killed,
            total_neutral_minions_killed, total_damage_to_champions, counts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (player_id, year, platform) DO UPDATE SET wins = excluded.wins, losses = excluded.losses,
        remakes = excluded.remakes, total_kills = excluded.total_kills, total_deaths = excluded.total_deaths,
        total_assists = excluded.total_assists, total_gold_earned = excluded.total_gold_earned,
        total_minions_killed = excluded.total_minions_killed,
        total_neutral_minions_killed = excluded.total_neutral_minions_killed,
        total_damage_to_champions = excluded.total_damage_to_champions, counts = excluded.counts";
}

shared_statement! {
    Leftovers {
        matches: i64 => BigInt, participants: i64 => BigInt, timelines: i64 => BigInt, payloads: i64 => BigInt, bytes: i64 => BigInt,
        unread: i64 => BigInt, jobs: i64 => BigInt, engines: i64 => BigInt,
    } -> (BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM matches WHERE stored_at < ?),
        (SELECT count(*) FROM matches m JOIN match_participants p ON p.match_id = m.match_id WHERE m.stored_at < ?),
        (SELECT count(*) FROM matches m JOIN match_timelines t ON t.match_id = m.match_id WHERE m.stored_at < ?),
        (SELECT count(*) FROM matches m JOIN payloads p ON p.match_id = m.match_id WHERE m.stored_at < ?),
        (SELECT CAST(coalesce(sum(length(p.body)), 0) AS BIGINT) FROM matches m JOIN payloads p ON p.match_id = m.match_id WHERE m.stored_at < ?),
        o.n, o.bytes,
        (SELECT count(*) FROM unread_payloads u WHERE u.stored_at < ?
            AND NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = u.match_id)),
        (SELECT count(*) FROM jobs WHERE finished_at < ?),
        (SELECT count(*) FROM engines WHERE coalesce(stopped_at, heartbeat_at) < ?
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.engine_id = engines.id AND jobs.state = 'running'))
     FROM (SELECT count(*) AS n, CAST(coalesce(sum(length(body)), 0) AS BIGINT) AS bytes FROM payloads p
        WHERE NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = p.match_id)
          AND NOT EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)
          AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.match_id = p.match_id)) AS o";
}

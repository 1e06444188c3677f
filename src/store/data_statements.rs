//! The SQL of players, matches and what is told of them that is the same on both databases.
//!
//! What is written with every match (players, matches, participants, documents, statistics) stands in each store's own
//! `data_statements`: SQLite writes a row after the other, and PostgreSQL a batch in one statement of arrays.

use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use super::rows::{CoverageRow, StoredRow};
use super::statement::{List, shared_statement};

type Opt<T> = Nullable<T>;

shared_statement! {
    /// With when the name was seen.
    PlayerByPuuid<'a> { puuid: &'a str => Text } -> (BigInt, BigInt) =
    "SELECT id, name_seen_at FROM players WHERE puuid = ?";
}

shared_statement! {
    /// Puts the games of some rows of a person under another.
    MoveGames<'a> { to: i64 => BigInt, from: &'a [i64] => List<BigInt> } -> () =
    "UPDATE match_participants SET player_id = ? WHERE player_id {in ?}";
}

shared_statement! {
    DropStats<'a> { players: &'a [i64] => List<BigInt> } -> () = "DELETE FROM player_yearly_stats WHERE player_id {in ?}";
}

shared_statement! {
    /// Tracking outlives the rows that had it.
    TrackAlso<'a> { to: i64 => BigInt, from: &'a [i64] => List<BigInt> } -> () =
    "UPDATE players SET tracked = {true} WHERE id = ? AND EXISTS (SELECT 1 FROM players WHERE id {in ?} AND tracked)";
}

shared_statement! {
    DropPlayers<'a> { ids: &'a [i64] => List<BigInt> } -> () = "DELETE FROM players WHERE id {in ?}";
}

shared_statement! {
    PlayersThere<'a> { ids: &'a [i64] => List<BigInt> } -> BigInt = "SELECT id FROM players WHERE id {in ?} ORDER BY id";
}

shared_statement! {
    /// What was listed last of each year stands.
    MoveYears { to: i64 => BigInt, from: i64 => BigInt } -> () =
    "INSERT INTO player_years (player_id, year, platform, listed_at, listed_matches, list_ends_at)
     SELECT ?, year, platform, listed_at, listed_matches, list_ends_at FROM player_years WHERE player_id = ?
     ON CONFLICT (player_id, year, platform) DO UPDATE SET listed_at = excluded.listed_at,
        listed_matches = excluded.listed_matches, list_ends_at = excluded.list_ends_at
     WHERE excluded.listed_at > player_years.listed_at";
}

shared_statement! {
    MoveListed { to: i64 => BigInt, from: i64 => BigInt } -> () =
    "INSERT INTO listed_matches (player_id, year, platform, match_id)
     SELECT ?, year, platform, match_id FROM listed_matches WHERE player_id = ? ON CONFLICT DO NOTHING";
}

shared_statement! {
    /// The names that a row of a person had, and its own unless that is the present one, or the row that stays has it.
    MoveNames<'a> { to: i64 => BigInt, from: i64 => BigInt, stays: i64 => BigInt, own: i64 => BigInt,
        present: Option<&'a str> => Opt<Text>, other: i64 => BigInt } -> () =
    "INSERT INTO former_names (player_id, game_name, tag_line, name_folded, valid_from, valid_to)
     SELECT ?, game_name, tag_line, name_folded, valid_from, valid_to FROM former_names WHERE player_id = ?
     UNION ALL
     SELECT ?, game_name, tag_line, name_folded, {least}(name_seen_at, created_at), name_seen_at FROM players
     WHERE id = ? AND game_name IS NOT NULL AND tag_line IS NOT NULL
       AND name_folded IS DISTINCT FROM ? AND name_folded IS DISTINCT FROM (SELECT name_folded FROM players WHERE id = ?)
     ON CONFLICT DO NOTHING";
}

shared_statement! {
    /// Of the matches that were stored last; how many are looked at is bounded.
    WitnessMatch<'a> { platforms: &'a [&'a str] => List<Text>, since: i64 => BigInt } -> Text =
    "SELECT match_id FROM (SELECT match_id, platform, game_start FROM matches ORDER BY stored_at DESC LIMIT 5000) AS newest
     WHERE platform {in ?} AND game_start > ? LIMIT 1";
}

shared_statement! {
    Census {} -> (BigInt, BigInt, BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM players), (SELECT count(*) FROM matches), (SELECT count(*) FROM match_timelines),
            (SELECT count(*) FROM jobs WHERE finished_at IS NULL)";
}

shared_statement! {
    /// Matches, timelines.
    CountUnread {} -> (BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM unread_payloads WHERE kind = 'match'), (SELECT count(*) FROM unread_payloads WHERE kind = 'timeline')";
}

shared_statement! {
    PutPlayerYear<'a> {
        year: i32 => Integer, platform: &'a str => Text, at: i64 => BigInt, matches: i64 => BigInt, ends: Option<&'a str> => Opt<Text>,
        puuid: &'a str => Text,
    } -> () =
    "INSERT INTO player_years (player_id, year, platform, listed_at, listed_matches, list_ends_at)
     SELECT id, ?, ?, ?, ?, ? FROM players WHERE puuid = ?
     ON CONFLICT (player_id, year, platform) DO UPDATE SET listed_at = excluded.listed_at,
        listed_matches = excluded.listed_matches, list_ends_at = excluded.list_ends_at";
}

shared_statement! {
    ForgetListed<'a> { puuid: &'a str => Text, year: i32 => Integer, platform: &'a str => Text } -> () =
    "DELETE FROM listed_matches WHERE player_id = (SELECT id FROM players WHERE puuid = ?) AND year = ? AND platform = ?";
}

shared_statement! {
    PutListed<'a> { year: i32 => Integer, platform: &'a str => Text, ids: &'a [String] => List<Text>, puuid: &'a str => Text } -> () =
    "INSERT INTO listed_matches (player_id, year, platform, match_id)
     SELECT p.id, ?, ?, listed.value FROM {rows of ?}, players AS p WHERE p.puuid = ? ORDER BY listed.value
     ON CONFLICT DO NOTHING";
}

shared_statement! {
    /// (what, year, platform, reason or end of the list, count or size of the list, when it was listed, when it ends).
    Coverage { years: i64 => BigInt, matches: i64 => BigInt, timelines: i64 => BigInt, old: i64 => BigInt, gone: i64 => BigInt, unread: i64 => BigInt, pending: i64 => BigInt, unread_timelines: i64 => BigInt, pending_timelines: i64 => BigInt,
        since: i64 => BigInt }
        -> CoverageRow =
    "SELECT CAST(0 AS SMALLINT), y.year, y.platform, y.list_ends_at, y.listed_matches, y.listed_at, m.game_start
     FROM player_years y LEFT JOIN matches m ON m.match_id = y.list_ends_at WHERE y.player_id = ?
     UNION ALL
     SELECT CAST(1 AS SMALLINT), l.year, l.platform, d.reason, count(*), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
     FROM listed_matches l JOIN missing_payloads d ON d.kind = 'match' AND d.id = l.match_id
     WHERE l.player_id = ? GROUP BY l.year, l.platform, d.reason
     UNION ALL
     SELECT CAST(2 AS SMALLINT), m.year, m.platform, d.reason, count(*), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
        JOIN missing_payloads d ON d.kind = 'timeline' AND d.id = p.match_id
     WHERE p.player_id = ? GROUP BY m.year, m.platform, d.reason
     UNION ALL
     SELECT CAST(2 AS SMALLINT), m.year, m.platform, 'too_old', count(*), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     WHERE p.player_id = ? AND m.game_start < ?
        AND NOT EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM missing_payloads d WHERE d.kind = 'timeline' AND d.id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.kind = 'timeline' AND u.match_id = p.match_id)
     GROUP BY m.year, m.platform
     UNION ALL
     SELECT CAST(3 AS SMALLINT), l.year, l.platform, CAST(NULL AS TEXT), count(*), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
     FROM listed_matches l JOIN unread_payloads u ON u.kind = 'match' AND u.match_id = l.match_id
     WHERE l.player_id = ? GROUP BY l.year, l.platform
     UNION ALL
     SELECT CAST(4 AS SMALLINT), l.year, l.platform, CAST(NULL AS TEXT), count(*), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
     FROM listed_matches l WHERE l.player_id = ?
        AND NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = l.match_id)
        AND NOT EXISTS (SELECT 1 FROM missing_payloads d WHERE d.kind = 'match' AND d.id = l.match_id)
        AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.kind = 'match' AND u.match_id = l.match_id)
        AND NOT EXISTS (SELECT 1 FROM cleaned_matches c WHERE c.match_id = l.match_id)
     GROUP BY l.year, l.platform
     UNION ALL
     SELECT CAST(5 AS SMALLINT), m.year, m.platform, CAST(NULL AS TEXT), count(*), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
        JOIN unread_payloads u ON u.kind = 'timeline' AND u.match_id = p.match_id
     WHERE p.player_id = ? GROUP BY m.year, m.platform
     UNION ALL
     SELECT CAST(6 AS SMALLINT), m.year, m.platform, CAST(NULL AS TEXT), count(*), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     WHERE p.player_id = ? AND m.game_start >= ?
        AND NOT EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM missing_payloads d WHERE d.kind = 'timeline' AND d.id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.kind = 'timeline' AND u.match_id = p.match_id)
     GROUP BY m.year, m.platform";
}

shared_statement! {
    /// As the statement `Stored` tells what is missing.
    DueDocuments { now: i64 => BigInt, limit: i64 => BigInt } -> StoredRow =
    "SELECT CAST(2 AS SMALLINT), kind, id, first_seen, tries, reason, next_try, expires_at FROM missing_payloads
     WHERE next_try IS NOT NULL AND next_try <= ? ORDER BY next_try, kind, id LIMIT ?";
}

/// Rows of some matches, of each table beside the first ones.
macro_rules! drops {
    ($($name:ident $table:literal)*) => {
        $(
            shared_statement! {
                $name<'a> { ids: &'a [String] => List<Text> } -> () =
                concat!("DELETE FROM ", $table, " WHERE match_id {in ?}");
            }
        )*
    };
}

drops! {
    DropDamage "participant_damage"
    DropCombat "participant_combat"
    DropVision "participant_vision"
    DropLoadout "participant_loadout"
    DropTeams "match_teams"
    DropBans "match_bans"
    DropParticipantTimelines "participant_timelines"
    DropEvents "match_events"
}

shared_statement! {
    /// Ids of a list that are in one of the tables of documents.
    Stored<'a> { matches: &'a [String] => List<Text>, timelines: &'a [String] => List<Text>, missing: &'a [String] => List<Text>, cleaned: &'a [String] => List<Text>, unread: &'a [String] => List<Text> } -> StoredRow =
    "SELECT CAST(0 AS SMALLINT), '', match_id, game_start, year, '', CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM matches WHERE match_id {in ?}
     UNION ALL
     SELECT CAST(1 AS SMALLINT), '', match_id, CAST(0 AS BIGINT), 0, '', CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM match_timelines WHERE match_id {in ?}
     UNION ALL
     SELECT CAST(2 AS SMALLINT), kind, id, first_seen, tries, reason, next_try, expires_at FROM missing_payloads WHERE id {in ?}
     UNION ALL
     SELECT CAST(3 AS SMALLINT), '', match_id, CAST(0 AS BIGINT), 0, '', CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM cleaned_matches WHERE match_id {in ?}
     UNION ALL
     SELECT CAST(4 AS SMALLINT), kind, match_id, CAST(0 AS BIGINT), 0, '', CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM unread_payloads WHERE match_id {in ?}";
}

//! The SQL of players, matches, timelines and statistics.

use diesel::sql_types::{BigInt, Binary, Bool, Double, Integer, Nullable, Text};

use crate::store::rows::{CoverageRow, StoredRow, TallyRow};
use crate::store::statement::statement;

type Opt<T> = Nullable<T>;

statement! {
    PlayerByPuuid<'a> { puuid: &'a str => Text } -> (BigInt, BigInt) =
    "SELECT id, name_seen_at FROM players WHERE puuid = ?";
}

statement! {
    PlayersByName<'a> { name: &'a str => Text } -> (BigInt, Text, Text, Opt<Text>, Opt<Text>, Text, Opt<Integer>, Opt<BigInt>) =
    "SELECT id, puuid, puuid_key_fingerprint, game_name, tag_line, platform, profile_icon_id, summoner_level
     FROM players WHERE name_folded = ? ORDER BY name_seen_at DESC, id LIMIT 10";
}

statement! {
    /// Puts the games of one row of a person under another.
    MoveGames { to: i64 => BigInt, from: i64 => BigInt } -> () =
    "UPDATE match_participants SET player_id = ? WHERE player_id = ?";
}

statement! { DropStats { player: i64 => BigInt } -> () = "DELETE FROM player_yearly_stats WHERE player_id = ?"; }

statement! {
    /// Tracking outlives the row that had it.
    TrackAlso { to: i64 => BigInt, from: i64 => BigInt } -> () =
    "UPDATE players SET tracked = 1 WHERE id = ? AND EXISTS (SELECT 1 FROM players WHERE id = ? AND tracked = 1)";
}

statement! { DropPlayer { id: i64 => BigInt } -> () = "DELETE FROM players WHERE id = ?"; }

statement! {
    SetPuuid<'a> { puuid: &'a str => Text, fingerprint: &'a str => Text, id: i64 => BigInt } -> () =
    "UPDATE players SET puuid = ?, puuid_key_fingerprint = ? WHERE id = ?";
}

statement! {
    PlayersThere<'a> { ids: &'a str => Text } -> BigInt =
    "SELECT id FROM players WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id";
}

statement! {
    /// What was listed last of each year stands.
    MoveYears { to: i64 => BigInt, from: i64 => BigInt } -> () =
    "INSERT INTO player_years (player_id, year, platform, listed_at, listed_matches, list_ends_at)
     SELECT ?, year, platform, listed_at, listed_matches, list_ends_at FROM player_years WHERE player_id = ?
     ON CONFLICT (player_id, year, platform) DO UPDATE SET listed_at = excluded.listed_at,
        listed_matches = excluded.listed_matches, list_ends_at = excluded.list_ends_at
     WHERE excluded.listed_at > player_years.listed_at";
}

statement! { DropYears { player: i64 => BigInt } -> () = "DELETE FROM player_years WHERE player_id = ?"; }

statement! {
    MoveListed { to: i64 => BigInt, from: i64 => BigInt } -> () =
    "INSERT INTO listed_matches (player_id, year, platform, match_id)
     SELECT ?, year, platform, match_id FROM listed_matches WHERE player_id = ? ON CONFLICT DO NOTHING";
}

statement! { DropListed { player: i64 => BigInt } -> () = "DELETE FROM listed_matches WHERE player_id = ?"; }

statement! {
    /// The names that a row of a person had, and its own unless that is the present one, or the row that stays has it.
    MoveNames<'a> { to: i64 => BigInt, from: i64 => BigInt, stays: i64 => BigInt, own: i64 => BigInt,
        present: Option<&'a str> => Opt<Text>, other: i64 => BigInt } -> () =
    "INSERT INTO former_names (player_id, game_name, tag_line, name_folded, valid_from, valid_to)
     SELECT ?, game_name, tag_line, name_folded, valid_from, valid_to FROM former_names WHERE player_id = ?
     UNION ALL
     SELECT ?, game_name, tag_line, name_folded, min(name_seen_at, created_at), name_seen_at FROM players
     WHERE id = ? AND game_name IS NOT NULL AND tag_line IS NOT NULL
       AND name_folded IS NOT ? AND name_folded IS NOT (SELECT name_folded FROM players WHERE id = ?)
     ON CONFLICT DO NOTHING";
}

statement! { DropNames { player: i64 => BigInt } -> () = "DELETE FROM former_names WHERE player_id = ?"; }

statement! {
    InsertPlayer<'a> {
        puuid: &'a str => Text, fingerprint: &'a str => Text, game_name: Option<&'a str> => Opt<Text>,
        tag_line: Option<&'a str> => Opt<Text>, folded: Option<&'a str> => Opt<Text>, seen_at: i64 => BigInt,
        platform: &'a str => Text, created_at: i64 => BigInt, updated_at: i64 => BigInt,
    } -> BigInt =
    "INSERT INTO players (puuid, puuid_key_fingerprint, game_name, tag_line, name_folded, name_seen_at, platform, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id";
}

statement! {
    /// A newer document's name and platform.
    RenamePlayer<'a> {
        game_name: &'a str => Text, tag_line: &'a str => Text, folded: &'a str => Text, seen_at: i64 => BigInt,
        platform: &'a str => Text, fingerprint: &'a str => Text, now: i64 => BigInt, id: i64 => BigInt,
    } -> () =
    "UPDATE players SET game_name = ?, tag_line = ?, name_folded = ?, name_seen_at = ?, platform = ?,
            puuid_key_fingerprint = ?, updated_at = ?
     WHERE id = ?";
}

statement! {
    UpdateSummoner {
        icon: Option<i32> => Opt<Integer>, level: Option<i64> => Opt<BigInt>, tracked: bool => Bool, now: i64 => BigInt,
        id: i64 => BigInt,
    } -> () =
    "UPDATE players SET profile_icon_id = coalesce(?, profile_icon_id), summoner_level = coalesce(?, summoner_level),
            tracked = max(tracked, ?), lost_since = NULL, lost_why = NULL, updated_at = ?
     WHERE id = ?";
}

statement! {
    InsertMatch<'a> {
        id: &'a str => Text, platform: &'a str => Text, data_version: &'a str => Text, creation: i64 => BigInt,
        start: i64 => BigInt, end: i64 => BigInt, duration: i64 => BigInt, queue_id: i32 => Integer, map_id: i32 => Integer,
        mode: &'a str => Text, game_type: &'a str => Text, version: &'a str => Text, result: Option<&'a str> => Opt<Text>,
        year: i32 => Integer, is_remake: bool => Bool, stored_at: i64 => BigInt, patch: Option<&'a str> => Opt<Text>,
    } -> () =
    "INSERT INTO matches (match_id, platform, data_version, game_creation, game_start, game_end, game_duration_s, queue_id,
                          map_id, game_mode, game_type, game_version, end_of_game_result, year, is_remake, stored_at,
                          patch)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
}

statement! {
    InsertParticipant<'a> {
        match_id: &'a str => Text, participant_id: i32 => Integer, player_id: Option<i64> => Opt<BigInt>, team_id: i32 => Integer,
        champion_id: i32 => Integer, champion_name: &'a str => Text, team_position: &'a str => Text, role: &'a str => Text,
        lane: &'a str => Text, kills: i32 => Integer, deaths: i32 => Integer, assists: i32 => Integer, win: bool => Bool,
        gold: i32 => Integer, minions: i32 => Integer, neutral: i32 => Integer, damage: i32 => Integer, vision: i32 => Integer,
        level: i32 => Integer, placement: Option<i32> => Opt<Integer>, subteam: Option<i32> => Opt<Integer>,
        item0: i32 => Integer, item1: i32 => Integer, item2: i32 => Integer, item3: i32 => Integer, item4: i32 => Integer,
        item5: i32 => Integer, item6: i32 => Integer, spell1: i32 => Integer, spell2: i32 => Integer,
        primary: i32 => Integer, sub: i32 => Integer,
    } -> () =
    "INSERT INTO match_participants (match_id, participant_id, player_id, team_id, champion_id, champion_name, team_position,
        role, lane, kills, deaths, assists, win, gold_earned, total_minions_killed, neutral_minions_killed, damage_to_champions,
        vision_score, champ_level, placement, subteam_id, item0, item1, item2, item3, item4, item5, item6, spell1, spell2,
        perk_primary_style, perk_sub_style)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
}

statement! {
    InsertTimeline<'a> {
        id: &'a str => Text, data_version: &'a str => Text, interval: i64 => BigInt, frames: i32 => Integer,
        events: i32 => Integer, stored_at: i64 => BigInt,
    } -> () =
    "INSERT INTO match_timelines (match_id, data_version, frame_interval_ms, frame_count, event_count, stored_at)
     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
}

statement! {
    InsertPayload<'a> { kind: &'a str => Text, id: &'a str => Text, codec: i32 => Integer, dictionary: Option<i32> => Nullable<Integer>, body: &'a [u8] => Binary } -> () =
    "INSERT INTO payloads (kind, match_id, codec, dictionary, body) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (match_id, kind) DO UPDATE SET codec = excluded.codec, dictionary = excluded.dictionary, body = excluded.body";
}

statement! {
    PayloadOf<'a> { kind: &'a str => Text, id: &'a str => Text } -> (Integer, Nullable<Integer>, Binary) =
    "SELECT codec, dictionary, body FROM payloads WHERE kind = ? AND match_id = ?";
}

statement! {
    InsertMissing<'a> {
        kind: &'a str => Text, id: &'a str => Text, reason: &'a str => Text, tries: i32 => Integer, first: i64 => BigInt, last: i64 => BigInt,
        next: Option<i64> => Opt<BigInt>, expires: Option<i64> => Opt<BigInt>,
    } -> () =
    "INSERT INTO missing_payloads (kind, id, reason, tries, first_seen, last_seen, next_try, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET reason = excluded.reason, tries = excluded.tries, last_seen = excluded.last_seen,
        next_try = excluded.next_try, expires_at = excluded.expires_at";
}

statement! {
    ForgetMissing<'a> { kind: &'a str => Text, id: &'a str => Text } -> () =
    "DELETE FROM missing_payloads WHERE kind = ? AND id = ?";
}

statement! {
    PutUnread<'a> { kind: &'a str => Text, id: &'a str => Text, reason: &'a str => Text, version: &'a str => Text, fingerprint: &'a str => Text, at: i64 => BigInt } -> () =
    "INSERT INTO unread_payloads (kind, match_id, reason, version, key_fingerprint, stored_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (match_id, kind) DO UPDATE SET reason = excluded.reason, version = excluded.version";
}

statement! {
    /// A document that has rows now.
    ForgetUnread<'a> { kind: &'a str => Text, id: &'a str => Text } -> () =
    "DELETE FROM unread_payloads WHERE kind = ? AND match_id = ?";
}

statement! {
    Tally<'a> { player: i64 => BigInt, year: i32 => Integer, platform: &'a str => Text } -> TallyRow =
    "SELECT wins, losses, remakes, total_kills, total_deaths, total_assists, total_gold_earned, total_minions_killed,
            total_neutral_minions_killed, total_damage_to_champions, counts
     FROM player_yearly_stats WHERE player_id = ? AND year = ? AND platform = ?";
}

statement! {
    TalliesOfPlayer { player: i64 => BigInt } -> (Integer, Text, TallyRow) =
    "SELECT year, platform, wins, losses, remakes, total_kills, total_deaths, total_assists, total_gold_earned,
            total_minions_killed, total_neutral_minions_killed, total_damage_to_champions, counts
     FROM player_yearly_stats WHERE player_id = ? ORDER BY year, platform";
}

statement! {
    PutStats<'a> {
        player: i64 => BigInt, year: i32 => Integer, platform: &'a str => Text, matches: i64 => BigInt, wins: i64 => BigInt,
        losses: i64 => BigInt, remakes: i64 => BigInt, kills: i64 => BigInt, deaths: i64 => BigInt, assists: i64 => BigInt,
        gold: i64 => BigInt, minions: i64 => BigInt, neutral: i64 => BigInt, damage: i64 => BigInt, champions: i64 => BigInt,
        most_played: Option<&'a str> => Opt<Text>, most_played_count: i64 => BigInt, roles: i64 => BigInt, lanes: i64 => BigInt,
        win_rate: f64 => Double, kda: f64 => Double, avg_kills: f64 => Double, avg_deaths: f64 => Double,
        avg_assists: f64 => Double, avg_gold: f64 => Double, avg_cs: f64 => Double, counts: &'a str => Text,
    } -> () =
    "INSERT OR REPLACE INTO player_yearly_stats (player_id, year, platform, total_matches, wins, losses, remakes, total_kills,
        total_deaths, total_assists, total_gold_earned, total_minions_killed, total_neutral_minions_killed,
        total_damage_to_champions, unique_champions_played, most_played_champion, most_played_champion_count,
        unique_roles_played, unique_lanes_played, win_rate, kda_ratio, average_kills, average_deaths, average_assists,
        average_gold_per_match, average_cs_per_match, counts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
}

statement! {
    /// Of the matches that were stored last; how many are looked at is bounded.
    WitnessMatch<'a> { platforms: &'a str => Text, since: i64 => BigInt } -> Text =
    "SELECT match_id FROM (SELECT match_id, platform, game_start FROM matches ORDER BY stored_at DESC LIMIT 5000)
     WHERE platform IN (SELECT value FROM json_each(?)) AND game_start > ? LIMIT 1";
}

statement! {
    Census {} -> (BigInt, BigInt, BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM players), (SELECT count(*) FROM matches), (SELECT count(*) FROM match_timelines),
            (SELECT count(*) FROM jobs WHERE finished_at IS NULL)";
}

statement! {
    /// Matches, timelines.
    CountUnread {} -> (BigInt, BigInt) =
    "SELECT (SELECT count(*) FROM unread_payloads WHERE kind = 'match'), (SELECT count(*) FROM unread_payloads WHERE kind = 'timeline')";
}

statement! {
    PutPlayerYear<'a> {
        year: i32 => Integer, platform: &'a str => Text, at: i64 => BigInt, matches: i64 => BigInt, ends: Option<&'a str> => Opt<Text>,
        puuid: &'a str => Text,
    } -> () =
    "INSERT OR REPLACE INTO player_years (player_id, year, platform, listed_at, listed_matches, list_ends_at)
     SELECT id, ?, ?, ?, ?, ? FROM players WHERE puuid = ?";
}

statement! {
    ForgetListed<'a> { puuid: &'a str => Text, year: i32 => Integer, platform: &'a str => Text } -> () =
    "DELETE FROM listed_matches WHERE player_id = (SELECT id FROM players WHERE puuid = ?) AND year = ? AND platform = ?";
}

statement! {
    PutListed<'a> { year: i32 => Integer, platform: &'a str => Text, ids: &'a str => Text, puuid: &'a str => Text } -> () =
    "INSERT OR IGNORE INTO listed_matches (player_id, year, platform, match_id)
     SELECT p.id, ?, ?, ids.value FROM json_each(?) AS ids, players AS p WHERE p.puuid = ?";
}

statement! {
    /// (what, year, platform, reason or end of the list, count or size of the list, when it was listed, when it ends).
    Coverage { years: i64 => BigInt, matches: i64 => BigInt, timelines: i64 => BigInt, old: i64 => BigInt, gone: i64 => BigInt, unread: i64 => BigInt, pending: i64 => BigInt, unread_timelines: i64 => BigInt, pending_timelines: i64 => BigInt,
        since: i64 => BigInt }
        -> CoverageRow =
    "SELECT 0, y.year, y.platform, y.list_ends_at, y.listed_matches, y.listed_at, m.game_start
     FROM player_years y LEFT JOIN matches m ON m.match_id = y.list_ends_at WHERE y.player_id = ?
     UNION ALL
     SELECT 1, l.year, l.platform, d.reason, count(*), NULL, NULL
     FROM listed_matches l JOIN missing_payloads d ON d.kind = 'match' AND d.id = l.match_id
     WHERE l.player_id = ? GROUP BY l.year, l.platform, d.reason
     UNION ALL
     SELECT 2, m.year, m.platform, d.reason, count(*), NULL, NULL
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
        JOIN missing_payloads d ON d.kind = 'timeline' AND d.id = p.match_id
     WHERE p.player_id = ? GROUP BY m.year, m.platform, d.reason
     UNION ALL
     SELECT 2, m.year, m.platform, 'too_old', count(*), NULL, NULL
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     WHERE p.player_id = ? AND m.game_start < ?
        AND NOT EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM missing_payloads d WHERE d.kind = 'timeline' AND d.id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.kind = 'timeline' AND u.match_id = p.match_id)
     GROUP BY m.year, m.platform
     UNION ALL
     SELECT 3, l.year, l.platform, NULL, count(*), NULL, NULL
     FROM listed_matches l JOIN unread_payloads u ON u.kind = 'match' AND u.match_id = l.match_id
     WHERE l.player_id = ? GROUP BY l.year, l.platform
     UNION ALL
     SELECT 4, l.year, l.platform, NULL, count(*), NULL, NULL
     FROM listed_matches l WHERE l.player_id = ?
        AND NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = l.match_id)
        AND NOT EXISTS (SELECT 1 FROM missing_payloads d WHERE d.kind = 'match' AND d.id = l.match_id)
        AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.kind = 'match' AND u.match_id = l.match_id)
        AND NOT EXISTS (SELECT 1 FROM cleaned_matches c WHERE c.match_id = l.match_id)
     GROUP BY l.year, l.platform
     UNION ALL
     SELECT 5, m.year, m.platform, NULL, count(*), NULL, NULL
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
        JOIN unread_payloads u ON u.kind = 'timeline' AND u.match_id = p.match_id
     WHERE p.player_id = ? GROUP BY m.year, m.platform
     UNION ALL
     SELECT 6, m.year, m.platform, NULL, count(*), NULL, NULL
     FROM match_participants p JOIN matches m ON m.match_id = p.match_id
     WHERE p.player_id = ? AND m.game_start >= ?
        AND NOT EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM missing_payloads d WHERE d.kind = 'timeline' AND d.id = p.match_id)
        AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.kind = 'timeline' AND u.match_id = p.match_id)
     GROUP BY m.year, m.platform";
}

statement! {
    /// As the statement `Stored` tells what is missing.
    DueDocuments { now: i64 => BigInt, limit: i64 => BigInt } -> StoredRow =
    "SELECT 2, kind, id, first_seen, tries, reason, next_try, expires_at FROM missing_payloads
     WHERE next_try IS NOT NULL AND next_try <= ? ORDER BY next_try, kind, id LIMIT ?";
}

statement! {
    /// Ids of a JSON list that are in one of the tables of documents.
    Stored<'a> { matches: &'a str => Text, timelines: &'a str => Text, missing: &'a str => Text, cleaned: &'a str => Text, unread: &'a str => Text } -> StoredRow =
    "SELECT 0, '', match_id, game_start, year, '', NULL, NULL FROM matches WHERE match_id IN (SELECT value FROM json_each(?))
     UNION ALL
     SELECT 1, '', match_id, 0, 0, '', NULL, NULL FROM match_timelines WHERE match_id IN (SELECT value FROM json_each(?))
     UNION ALL
     SELECT 2, kind, id, first_seen, tries, reason, next_try, expires_at FROM missing_payloads WHERE id IN (SELECT value FROM json_each(?))
     UNION ALL
     SELECT 3, '', match_id, 0, 0, '', NULL, NULL FROM cleaned_matches WHERE match_id IN (SELECT value FROM json_each(?))
     UNION ALL
     SELECT 4, kind, match_id, 0, 0, '', NULL, NULL FROM unread_payloads WHERE match_id IN (SELECT value FROM json_each(?))";
}

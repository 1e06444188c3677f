//! The SQL of what comes with matches, players and statistics, a row at a time: to send a statement to a file costs
//! nothing but the statement, and each is prepared once. What is the same on both databases is in
//! `store::data_statements`.

use diesel::sql_types::{BigInt, Binary, Bool, Double, Integer, Nullable, Text};

use crate::store::rows::TallyRow;
use crate::store::statement::statement;

type Opt<T> = Nullable<T>;

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

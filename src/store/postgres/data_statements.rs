//! The SQL of what comes with matches, players and statistics: one statement for a batch, its rows as arrays, for each
//! statement is a message to a server. What is the same on both databases is in `store::data_statements`.
//!
//! Rows are written in the order of their keys, so that two transactions that bring the same matches or
//! players wait for each other, and never in a circle.

use diesel::sql_types::{Array, BigInt, Binary, Bool, Double, Integer, Nullable, Text};

use crate::store::rows::TallyRow;
use crate::store::statement::statement;

type Opt<T> = Nullable<T>;

statement! {
    KnownPlayers<'a> { puuids: Vec<&'a str> => Array<Text> } -> (Text, BigInt, BigInt) =
    "SELECT puuid, id, name_seen_at FROM players WHERE puuid = ANY(?)";
}

/// The columns of players as arrays: the two statements that write them differ in nothing else.
macro_rules! players_statement {
    ($(#[$meta:meta])* $name:ident = $($end:literal),+) => {
        statement! {
            $(#[$meta])*
            $name<'a> {
                puuids: Vec<&'a str> => Array<Text>, fingerprints: Vec<&'a str> => Array<Text>,
                game_names: Vec<Option<&'a str>> => Array<Opt<Text>>, tag_lines: Vec<Option<&'a str>> => Array<Opt<Text>>,
                folded: Vec<Option<&'a str>> => Array<Opt<Text>>, seen_at: Vec<i64> => Array<BigInt>, platforms: Vec<&'a str> => Array<Text>,
                icons: Vec<Option<i32>> => Array<Opt<Integer>>, levels: Vec<Option<i64>> => Array<Opt<BigInt>>,
                tracked: Vec<bool> => Array<Bool>, at: Vec<i64> => Array<BigInt>,
            } -> (Text, BigInt) = concat!(
                "INSERT INTO players AS known (puuid, puuid_key_fingerprint, game_name, tag_line, name_folded, name_seen_at, platform,
                                               profile_icon_id, summoner_level, tracked, created_at, updated_at)
                 SELECT puuid, fingerprint, game_name, tag_line, folded, seen_at, platform, icon, level, tracked, at, at
                 FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                   AS seen (puuid, fingerprint, game_name, tag_line, folded, seen_at, platform, icon, level, tracked, at)
                 ORDER BY puuid", $($end),+);
        }
    };
}

players_statement! {
    /// Players that are not there. Those that another transaction brings just now are waited for, and do not come back.
    AddPlayers = " ON CONFLICT (puuid) DO NOTHING RETURNING puuid, id"
}

players_statement! {
    /// What is newer of known players. Of several names the newest stands, whoever writes last.
    PutPlayers = "
     ON CONFLICT (puuid) DO UPDATE SET
        game_name = CASE WHEN excluded.game_name IS NOT NULL AND known.name_seen_at < excluded.name_seen_at
            THEN excluded.game_name ELSE known.game_name END,
        tag_line = CASE WHEN excluded.game_name IS NOT NULL AND known.name_seen_at < excluded.name_seen_at
            THEN excluded.tag_line ELSE known.tag_line END,
        name_folded = CASE WHEN excluded.game_name IS NOT NULL AND known.name_seen_at < excluded.name_seen_at
            THEN excluded.name_folded ELSE known.name_folded END,
        platform = CASE WHEN excluded.game_name IS NOT NULL AND known.name_seen_at < excluded.name_seen_at
            THEN excluded.platform ELSE known.platform END,
        puuid_key_fingerprint = CASE WHEN excluded.game_name IS NOT NULL AND known.name_seen_at < excluded.name_seen_at
            THEN excluded.puuid_key_fingerprint ELSE known.puuid_key_fingerprint END,
        name_seen_at = greatest(known.name_seen_at, excluded.name_seen_at),
        profile_icon_id = coalesce(excluded.profile_icon_id, known.profile_icon_id),
        summoner_level = coalesce(excluded.summoner_level, known.summoner_level),
        tracked = known.tracked OR excluded.tracked,
        updated_at = excluded.updated_at
     RETURNING puuid, id"
}

statement! {
    /// Held by those who write rows that name a player, until their commit.
    KeepPlayers {} -> Integer = "SELECT 1 FROM pg_advisory_xact_lock_shared(7523094288207667812)";
}

statement! {
    /// Held by one that makes one row of several of a player: nobody may write rows that name those that go.
    UnitePlayers {} -> Integer = "SELECT 1 FROM pg_advisory_xact_lock(7523094288207667812)";
}

statement! {
    /// Those whom a sync found are lost no more. Their rows are locked by then.
    Found<'a> { puuids: Vec<&'a str> => Array<Text> } -> () =
    "UPDATE players SET lost_since = NULL, lost_why = NULL WHERE puuid = ANY(?) AND lost_since IS NOT NULL";
}

statement! {
    /// Those that are new come back. One that another transaction stores just now is waited for.
    InsertMatches<'a> {
        ids: Vec<&'a str> => Array<Text>, platforms: Vec<&'a str> => Array<Text>, data_versions: Vec<&'a str> => Array<Text>,
        creations: Vec<i64> => Array<BigInt>, starts: Vec<i64> => Array<BigInt>, ends: Vec<i64> => Array<BigInt>,
        durations: Vec<i64> => Array<BigInt>, queue_ids: Vec<i32> => Array<Integer>, map_ids: Vec<i32> => Array<Integer>,
        modes: Vec<&'a str> => Array<Text>, types: Vec<&'a str> => Array<Text>, versions: Vec<&'a str> => Array<Text>,
        results: Vec<Option<&'a str>> => Array<Opt<Text>>, years: Vec<i32> => Array<Integer>, remakes: Vec<bool> => Array<Bool>,
        stored_at: Vec<i64> => Array<BigInt>, patches: Vec<Option<&'a str>> => Array<Opt<Text>>,
    } -> Text =
    "INSERT INTO matches (match_id, platform, data_version, game_creation, game_start, game_end, game_duration_s, queue_id,
                          map_id, game_mode, game_type, game_version, end_of_game_result, year, is_remake, stored_at,
                          patch)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AS new (id) ORDER BY id
     ON CONFLICT DO NOTHING RETURNING match_id";
}

statement! {
    InsertParticipants<'a> {
        match_ids: Vec<&'a str> => Array<Text>, participant_ids: Vec<i32> => Array<Integer>, player_ids: Vec<Option<i64>> => Array<Opt<BigInt>>,
        team_ids: Vec<i32> => Array<Integer>, champion_ids: Vec<i32> => Array<Integer>, champion_names: Vec<&'a str> => Array<Text>,
        team_positions: Vec<&'a str> => Array<Text>, roles: Vec<&'a str> => Array<Text>, lanes: Vec<&'a str> => Array<Text>,
        kills: Vec<i32> => Array<Integer>, deaths: Vec<i32> => Array<Integer>, assists: Vec<i32> => Array<Integer>,
        wins: Vec<bool> => Array<Bool>, gold: Vec<i32> => Array<Integer>, minions: Vec<i32> => Array<Integer>,
        neutral: Vec<i32> => Array<Integer>, damage: Vec<i32> => Array<Integer>, vision: Vec<i32> => Array<Integer>,
        levels: Vec<i32> => Array<Integer>, placements: Vec<Option<i32>> => Array<Opt<Integer>>, subteams: Vec<Option<i32>> => Array<Opt<Integer>>,
        item0: Vec<i32> => Array<Integer>, item1: Vec<i32> => Array<Integer>, item2: Vec<i32> => Array<Integer>,
        item3: Vec<i32> => Array<Integer>, item4: Vec<i32> => Array<Integer>, item5: Vec<i32> => Array<Integer>,
        item6: Vec<i32> => Array<Integer>, spell1: Vec<i32> => Array<Integer>, spell2: Vec<i32> => Array<Integer>,
        primary: Vec<i32> => Array<Integer>, sub: Vec<i32> => Array<Integer>,
    } -> () =
    "INSERT INTO match_participants (match_id, participant_id, player_id, team_id, champion_id, champion_name, team_position,
        role, lane, kills, deaths, assists, win, gold_earned, total_minions_killed, neutral_minions_killed, damage_to_champions,
        vision_score, champ_level, placement, subteam_id, item0, item1, item2, item3, item4, item5, item6, spell1, spell2,
        perk_primary_style, perk_sub_style)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
}

statement! {
    InsertTimelines<'a> {
        ids: Vec<&'a str> => Array<Text>, data_versions: Vec<&'a str> => Array<Text>, intervals: Vec<i64> => Array<BigInt>,
        frames: Vec<i32> => Array<Integer>, events: Vec<i32> => Array<Integer>, stored_at: Vec<i64> => Array<BigInt>,
    } -> Text =
    "INSERT INTO match_timelines (match_id, data_version, frame_interval_ms, frame_count, event_count, stored_at)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?) AS new (id) ORDER BY id
     ON CONFLICT DO NOTHING RETURNING match_id";
}

statement! {
    PutPayloads<'a> {
        kinds: Vec<&'a str> => Array<Text>, ids: Vec<&'a str> => Array<Text>, codecs: Vec<i32> => Array<Integer>,
        dictionaries: Vec<Option<i32>> => Array<Nullable<Integer>>, bodies: Vec<&'a [u8]> => Array<Binary>,
    } -> () =
    "INSERT INTO payloads (kind, match_id, codec, dictionary, body) SELECT * FROM unnest(?, ?, ?, ?, ?) AS new (kind, id) ORDER BY id, kind
     ON CONFLICT (match_id, kind) DO UPDATE SET codec = excluded.codec, dictionary = excluded.dictionary, body = excluded.body";
}

statement! {
    PutMissing<'a> {
        kinds: Vec<&'a str> => Array<Text>, ids: Vec<&'a str> => Array<Text>, reasons: Vec<&'a str> => Array<Text>,
        tries: Vec<i32> => Array<Integer>, first: Vec<i64> => Array<BigInt>, last: Vec<i64> => Array<BigInt>,
        next: Vec<Option<i64>> => Array<Nullable<BigInt>>, expires: Vec<Option<i64>> => Array<Nullable<BigInt>>,
    } -> () =
    "INSERT INTO missing_payloads (kind, id, reason, tries, first_seen, last_seen, next_try, expires_at)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?) AS new (kind, id) ORDER BY kind, id
     ON CONFLICT (kind, id) DO UPDATE SET reason = excluded.reason, tries = excluded.tries, last_seen = excluded.last_seen,
        next_try = excluded.next_try, expires_at = excluded.expires_at";
}

statement! {
    /// What is said of documents, locked in the order of the arrays; of those that came it is forgotten.
    ForgetNotes<'a> { ids: Vec<&'a str> => Array<Text>, kinds: Vec<&'a str> => Array<Text>, came: Vec<bool> => Array<Bool> } -> () =
    "WITH noted AS MATERIALIZED (SELECT * FROM unnest(?, ?, ?) AS noted (id, kind, came)),
        missing AS MATERIALIZED (SELECT row.* FROM noted, LATERAL (SELECT kind, id, noted.came FROM missing_payloads
            WHERE kind = noted.kind AND id = noted.id LIMIT 1 FOR UPDATE) AS row),
        unread AS MATERIALIZED (SELECT row.* FROM noted, LATERAL (SELECT kind, match_id, noted.came FROM unread_payloads
            WHERE match_id = noted.id AND kind = noted.kind LIMIT 1 FOR UPDATE) AS row),
        read AS (DELETE FROM unread_payloads USING unread
            WHERE unread.came AND unread_payloads.kind = unread.kind AND unread_payloads.match_id = unread.match_id)
     DELETE FROM missing_payloads USING missing
     WHERE missing.came AND missing_payloads.kind = missing.kind AND missing_payloads.id = missing.id";
}

statement! {
    /// Documents of which there are rows.
    HaveRows<'a> { kinds: Vec<&'a str> => Array<Text>, ids: Vec<&'a str> => Array<Text> } -> (Text, Text) =
    "SELECT kind, id FROM unnest(?, ?) AS found (kind, id)
     WHERE CASE kind WHEN 'match' THEN EXISTS (SELECT 1 FROM matches m WHERE m.match_id = found.id)
                     ELSE EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = found.id) END";
}

statement! {
    PutUnread<'a> {
        kinds: Vec<&'a str> => Array<Text>, ids: Vec<&'a str> => Array<Text>, reasons: Vec<&'a str> => Array<Text>,
        fingerprints: Vec<&'a str> => Array<Text>, at: Vec<i64> => Array<BigInt>, version: &'a str => Text,
    } -> () =
    "INSERT INTO unread_payloads (kind, match_id, reason, version, key_fingerprint, stored_at)
     SELECT kind, id, reason, version, fingerprint, at
     FROM unnest(?, ?, ?, ?, ?) AS new (kind, id, reason, fingerprint, at), (SELECT ?::text AS version) AS reader ORDER BY id, kind
     ON CONFLICT (match_id, kind) DO UPDATE SET reason = excluded.reason, version = excluded.version";
}

statement! {
    /// Documents that have rows now.
    ForgetUnread<'a> { kinds: Vec<&'a str> => Array<Text>, ids: Vec<&'a str> => Array<Text> } -> () =
    "DELETE FROM unread_payloads USING unnest(?, ?) AS found (kind, id)
     WHERE unread_payloads.kind = found.kind AND unread_payloads.match_id = found.id";
}

statement! {
    /// Rows that are there, locked in the order of the arrays: a year is added to in one transaction at a time. Each is
    /// looked up: a join in the order of the keys walks over the years of everybody once there are many.
    Tallies<'a> { players: Vec<i64> => Array<BigInt>, years: Vec<i32> => Array<Integer>, platforms: Vec<&'a str> => Array<Text> }
        -> (BigInt, Integer, Text, TallyRow) =
    "SELECT stats.player_id, stats.year, stats.platform, wins, losses, remakes, total_kills, total_deaths, total_assists,
            total_gold_earned, total_minions_killed, total_neutral_minions_killed, total_damage_to_champions, counts
     FROM unnest(?, ?, ?) AS wanted (player_id, year, platform),
         LATERAL (SELECT * FROM player_yearly_stats
                  WHERE player_id = wanted.player_id AND year = wanted.year AND platform = wanted.platform
                  LIMIT 1 FOR UPDATE) AS stats";
}

/// The columns of statistics as arrays: the two statements that write them differ in nothing else.
macro_rules! stats_statement {
    ($(#[$meta:meta])* $name:ident $row:ty = $text:expr) => {
        statement! {
            $(#[$meta])*
            $name<'a> {
                players: Vec<i64> => Array<BigInt>, years: Vec<i32> => Array<Integer>, platforms: Vec<&'a str> => Array<Text>,
                matches: Vec<i64> => Array<BigInt>, wins: Vec<i64> => Array<BigInt>, losses: Vec<i64> => Array<BigInt>,
                remakes: Vec<i64> => Array<BigInt>, kills: Vec<i64> => Array<BigInt>, deaths: Vec<i64> => Array<BigInt>,
                assists: Vec<i64> => Array<BigInt>, gold: Vec<i64> => Array<BigInt>, minions: Vec<i64> => Array<BigInt>,
                neutral: Vec<i64> => Array<BigInt>, damage: Vec<i64> => Array<BigInt>, champions: Vec<i64> => Array<BigInt>,
                most_played: Vec<Option<&'a str>> => Array<Opt<Text>>, most_played_count: Vec<i64> => Array<BigInt>,
                roles: Vec<i64> => Array<BigInt>, lanes: Vec<i64> => Array<BigInt>, win_rates: Vec<f64> => Array<Double>,
                kda: Vec<f64> => Array<Double>, avg_kills: Vec<f64> => Array<Double>, avg_deaths: Vec<f64> => Array<Double>,
                avg_assists: Vec<f64> => Array<Double>, avg_gold: Vec<f64> => Array<Double>, avg_cs: Vec<f64> => Array<Double>,
                counts: Vec<String> => Array<Text>,
            } -> $row = $text;
        }
    };
}

stats_statement! {
    /// Those that are not there, and are told. One that another transaction makes just now is waited for.
    InsertStats (BigInt, Integer, Text) =
    "INSERT INTO player_yearly_stats (player_id, year, platform, total_matches, wins, losses, remakes, total_kills,
        total_deaths, total_assists, total_gold_earned, total_minions_killed, total_neutral_minions_killed,
        total_damage_to_champions, unique_champions_played, most_played_champion, most_played_champion_count,
        unique_roles_played, unique_lanes_played, win_rate, kda_ratio, average_kills, average_deaths, average_assists,
        average_gold_per_match, average_cs_per_match, counts)
     SELECT * FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AS new (player, year, platform)
     WHERE NOT EXISTS (SELECT 1 FROM player_yearly_stats AS there
                       WHERE there.player_id = new.player AND there.year = new.year AND there.platform = new.platform)
     ORDER BY new.player, new.year, new.platform ON CONFLICT DO NOTHING RETURNING player_id, year, platform"
}

stats_statement! {
    UpdateStats () =
    "UPDATE player_yearly_stats SET (total_matches, wins, losses, remakes, total_kills,
        total_deaths, total_assists, total_gold_earned, total_minions_killed, total_neutral_minions_killed,
        total_damage_to_champions, unique_champions_played, most_played_champion, most_played_champion_count,
        unique_roles_played, unique_lanes_played, win_rate, kda_ratio, average_kills, average_deaths, average_assists,
        average_gold_per_match, average_cs_per_match, counts) = ROW (
        new.matches, new.wins, new.losses, new.remakes, new.kills, new.deaths, new.assists, new.gold, new.minions,
        new.neutral, new.damage, new.champions, new.most_played, new.most_played_count, new.roles, new.lanes, new.win_rate,
        new.kda, new.avg_kills, new.avg_deaths, new.avg_assists, new.avg_gold, new.avg_cs, new.counts)
     FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       AS new (player_id, year, platform, matches, wins, losses, remakes, kills, deaths, assists, gold, minions, neutral,
               damage, champions, most_played, most_played_count, roles, lanes, win_rate, kda, avg_kills, avg_deaths,
               avg_assists, avg_gold, avg_cs, counts)
     WHERE player_yearly_stats.player_id = new.player_id AND player_yearly_stats.year = new.year
           AND player_yearly_stats.platform = new.platform"
}

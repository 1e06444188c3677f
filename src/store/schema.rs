//! The tables that plain statements are of, as the migrations make them. A test writes them from a migrated database
//! and compares; a table comes in with the first statement that needs it.

diesel::table! {
    cleaned_stats (player_id, year, platform) {
        player_id -> BigInt,
        year -> Integer,
        platform -> Text,
        wins -> BigInt,
        losses -> BigInt,
        remakes -> BigInt,
        total_kills -> BigInt,
        total_deaths -> BigInt,
        total_assists -> BigInt,
        total_gold_earned -> BigInt,
        total_minions_killed -> BigInt,
        total_neutral_minions_killed -> BigInt,
        total_damage_to_champions -> BigInt,
        counts -> Text,
    }
}

diesel::table! {
    former_names (player_id, valid_to, name_folded) {
        player_id -> BigInt,
        game_name -> Text,
        tag_line -> Text,
        name_folded -> Text,
        valid_from -> BigInt,
        valid_to -> BigInt,
    }
}

diesel::table! {
    listed_matches (player_id, year, platform, match_id) {
        player_id -> BigInt,
        year -> Integer,
        platform -> Text,
        match_id -> Text,
    }
}

diesel::table! {
    match_timelines (match_id) {
        match_id -> Text,
        data_version -> Text,
        frame_interval_ms -> BigInt,
        frame_count -> Integer,
        event_count -> Integer,
        stored_at -> BigInt,
    }
}

diesel::table! {
    matches (match_id) {
        match_id -> Text,
        platform -> Text,
        data_version -> Text,
        game_creation -> BigInt,
        game_start -> BigInt,
        game_end -> BigInt,
        game_duration_s -> BigInt,
        queue_id -> Integer,
        map_id -> Integer,
        game_mode -> Text,
        game_type -> Text,
        game_version -> Text,
        end_of_game_result -> Nullable<Text>,
        year -> Integer,
        is_remake -> Bool,
        stored_at -> BigInt,
        patch -> Nullable<Text>,
    }
}

diesel::table! {
    payload_dictionaries (id) {
        id -> Integer,
        kind -> Text,
        trained_at -> BigInt,
        samples -> Integer,
        body -> Binary,
    }
}

diesel::table! {
    player_yearly_stats (player_id, year, platform) {
        player_id -> BigInt,
        year -> Integer,
        platform -> Text,
        total_matches -> BigInt,
        wins -> BigInt,
        losses -> BigInt,
        remakes -> BigInt,
        total_kills -> BigInt,
        total_deaths -> BigInt,
        total_assists -> BigInt,
        total_gold_earned -> BigInt,
        total_minions_killed -> BigInt,
        total_neutral_minions_killed -> BigInt,
        total_damage_to_champions -> BigInt,
        unique_champions_played -> BigInt,
        most_played_champion -> Nullable<Text>,
        most_played_champion_count -> BigInt,
        unique_roles_played -> BigInt,
        unique_lanes_played -> BigInt,
        win_rate -> Double,
        kda_ratio -> Double,
        average_kills -> Double,
        average_deaths -> Double,
        average_assists -> Double,
        average_gold_per_match -> Double,
        average_cs_per_match -> Double,
        counts -> Text,
    }
}

diesel::table! {
    player_years (player_id, year, platform) {
        player_id -> BigInt,
        year -> Integer,
        platform -> Text,
        listed_at -> BigInt,
        listed_matches -> BigInt,
        list_ends_at -> Nullable<Text>,
    }
}

diesel::table! {
    players (id) {
        id -> BigInt,
        puuid -> Text,
        puuid_key_fingerprint -> Text,
        game_name -> Nullable<Text>,
        tag_line -> Nullable<Text>,
        name_folded -> Nullable<Text>,
        name_seen_at -> BigInt,
        platform -> Text,
        profile_icon_id -> Nullable<Integer>,
        summoner_level -> Nullable<BigInt>,
        tracked -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        lost_since -> Nullable<BigInt>,
        lost_why -> Nullable<Text>,
        ranks_at -> Nullable<BigInt>,
        mastery_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    static_files (file) {
        file -> Text,
        url -> Text,
        etag -> Nullable<Text>,
        version -> Text,
        checked_at -> BigInt,
    }
}

diesel::table! {
    static_names (kind, id, patch, language) {
        kind -> Text,
        id -> Text,
        patch -> Text,
        language -> Text,
        name -> Text,
        image -> Nullable<Text>,
        stored_at -> BigInt,
    }
}

diesel::table! {
    unread_payloads (match_id, kind) {
        kind -> Text,
        match_id -> Text,
        reason -> Text,
        version -> Text,
        key_fingerprint -> Text,
        stored_at -> BigInt,
    }
}

#[cfg(test)]
mod tests;

//! Plain statements, once for both databases and in diesel's own words: the compiler holds them to [`schema`].
//!
//! Here is what is of one table, and by its key or by a column. Written as text stay (`shared_statement!`): lists of
//! ids, for diesel would write a `?` for each and SQLite would prepare a statement for each length; what has `tracked =
//! 1` in it, for SQLite does not use the index of that condition for a parameter; joins and views, whose text is the
//! shorter one; rows that replace others; and what is on the way of every document, whose cost is known.
//!
//! [`schema`]: super::schema

#![allow(
    clippy::needless_lifetimes,
    clippy::type_complexity,
    reason = "`auto_type` needs the lifetimes by name, and writes the types that are returned"
)]

use diesel::dsl::{auto_type, count_star, delete, insert_into, update};
use diesel::prelude::*;

use super::schema::{
    cleaned_stats, former_names, listed_matches, match_timelines, matches, payload_dictionaries,
    player_yearly_stats, player_years, players, static_files, static_names, unread_payloads,
};

/// The columns of a player, in the order of `PlayerTuple`.
type Player = (
    players::id,
    players::puuid,
    players::puuid_key_fingerprint,
    players::game_name,
    players::tag_line,
    players::platform,
    players::profile_icon_id,
    players::summoner_level,
);

const PLAYER: Player = (
    players::id,
    players::puuid,
    players::puuid_key_fingerprint,
    players::game_name,
    players::tag_line,
    players::platform,
    players::profile_icon_id,
    players::summoner_level,
);

/// Who has a name, the last one to have been seen first.
#[auto_type(no_type_alias)]
pub(super) fn players_by_name<'a>(folded: &'a str) -> _ {
    let columns: Player = PLAYER;
    let order = (players::name_seen_at.desc(), players::id);
    players::table
        .filter(players::name_folded.eq(folded))
        .order_by(order)
        .limit(10_i64)
        .select(columns)
}

#[auto_type(no_type_alias)]
pub(super) fn set_puuid<'a>(id: i64, puuid: &'a str, fingerprint: &'a str) -> _ {
    let row = players::table.find(id);
    update(row).set((
        players::puuid.eq(puuid),
        players::puuid_key_fingerprint.eq(fingerprint),
    ))
}

/// Whether a player is tracked, and when Riot told the ranks and the mastery.
#[auto_type(no_type_alias)]
pub(super) fn asked(player: i64) -> _ {
    let columns = (players::tracked, players::ranks_at, players::mastery_at);
    players::table.find(player).select(columns)
}

#[auto_type(no_type_alias)]
pub(super) fn drop_years(player: i64) -> _ {
    delete(player_years::table.filter(player_years::player_id.eq(player)))
}

#[auto_type(no_type_alias)]
pub(super) fn drop_listed(player: i64) -> _ {
    delete(listed_matches::table.filter(listed_matches::player_id.eq(player)))
}

#[auto_type(no_type_alias)]
pub(super) fn drop_names(player: i64) -> _ {
    delete(former_names::table.filter(former_names::player_id.eq(player)))
}

#[auto_type(no_type_alias)]
pub(super) fn drop_cleaned(player: i64) -> _ {
    delete(cleaned_stats::table.filter(cleaned_stats::player_id.eq(player)))
}

/// Names that a player had, the last one first.
#[auto_type(no_type_alias)]
pub(super) fn names_before(player: i64, limit: i64) -> _ {
    let order = (former_names::valid_to.desc(), former_names::name_folded);
    former_names::table
        .filter(former_names::player_id.eq(player))
        .order_by(order)
        .limit(limit)
        .select((former_names::game_name, former_names::tag_line))
}

/// The rows of a player in the order of `TallyTuple`, with their year and platform.
#[auto_type(no_type_alias)]
pub(super) fn tallies_of_player(player: i64) -> _ {
    let tally = (
        player_yearly_stats::wins,
        player_yearly_stats::losses,
        player_yearly_stats::remakes,
        player_yearly_stats::total_kills,
        player_yearly_stats::total_deaths,
        player_yearly_stats::total_assists,
        player_yearly_stats::total_gold_earned,
        player_yearly_stats::total_minions_killed,
        player_yearly_stats::total_neutral_minions_killed,
        player_yearly_stats::total_damage_to_champions,
        player_yearly_stats::counts,
    );
    player_yearly_stats::table
        .filter(player_yearly_stats::player_id.eq(player))
        .order_by((player_yearly_stats::year, player_yearly_stats::platform))
        .select((
            player_yearly_stats::year,
            player_yearly_stats::platform,
            tally,
        ))
}

/// Since when there are rows of a match.
#[auto_type(no_type_alias)]
pub(super) fn stored_at<'a>(id: &'a str) -> _ {
    matches::table.find(id).select(matches::stored_at)
}

#[auto_type(no_type_alias)]
pub(super) fn timeline_stored_at<'a>(id: &'a str) -> _ {
    match_timelines::table
        .find(id)
        .select(match_timelines::stored_at)
}

/// Since when a document is kept unread.
#[auto_type(no_type_alias)]
pub(super) fn unread_since<'a>(kind: &'a str, id: &'a str) -> _ {
    unread_payloads::table
        .filter(unread_payloads::kind.eq(kind))
        .filter(unread_payloads::match_id.eq(id))
        .select(unread_payloads::stored_at)
}

#[auto_type(no_type_alias)]
pub(super) fn set_patch<'a>(match_id: &'a str, patch: Option<&'a str>) -> _ {
    let row = matches::table.find(match_id);
    update(row).set(matches::patch.eq(patch))
}

#[auto_type(no_type_alias)]
pub(super) fn dictionary(id: i32) -> _ {
    payload_dictionaries::table
        .find(id)
        .select(payload_dictionaries::body)
}

/// The one of this kind with the highest number.
#[auto_type(no_type_alias)]
pub(super) fn newest_dictionary<'a>(kind: &'a str) -> _ {
    let columns = (
        payload_dictionaries::id,
        payload_dictionaries::trained_at,
        payload_dictionaries::samples,
    );
    payload_dictionaries::table
        .filter(payload_dictionaries::kind.eq(kind))
        .order_by(payload_dictionaries::id.desc())
        .limit(1_i64)
        .select(columns)
}

/// The first one that has these bytes.
#[auto_type(no_type_alias)]
pub(super) fn same_dictionary<'a>(kind: &'a str, body: &'a [u8]) -> _ {
    payload_dictionaries::table
        .filter(payload_dictionaries::kind.eq(kind))
        .filter(payload_dictionaries::body.eq(body))
        .order_by(payload_dictionaries::id)
        .limit(1_i64)
        .select(payload_dictionaries::id)
}

#[auto_type(no_type_alias)]
pub(super) fn insert_dictionary<'a>(kind: &'a str, at: i64, samples: i32, body: &'a [u8]) -> _ {
    let row = (
        payload_dictionaries::kind.eq(kind),
        payload_dictionaries::trained_at.eq(at),
        payload_dictionaries::samples.eq(samples),
        payload_dictionaries::body.eq(body),
    );
    insert_into(payload_dictionaries::table)
        .values(row)
        .returning(payload_dictionaries::id)
}

/// The published files as they were last seen.
#[auto_type(no_type_alias)]
pub(super) fn files() -> _ {
    let columns = (
        static_files::file,
        static_files::url,
        static_files::etag,
        static_files::version,
        static_files::checked_at,
    );
    static_files::table
        .order_by(static_files::file)
        .select(columns)
}

/// How many names there are of each kind.
#[auto_type(no_type_alias)]
pub(super) fn count_names() -> _ {
    static_names::table
        .group_by(static_names::kind)
        .order_by(static_names::kind)
        .select((static_names::kind, count_star()))
}

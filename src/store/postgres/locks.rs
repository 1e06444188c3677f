//! The order of locks of riftsync's rows, in that of the engine (`engine::postgres::Locks`): they come before all jobs.
//!
//! | | what | by | who |
//! |---|---|---|---|
//! | | the limits of a key on a route, a place of their own | key, route | engines that share them |
//! | 1 | the lock of players: shared, or exclusive | | who writes documents; upkeep, and who unites players |
//! | 2 | `missing_payloads`, `unread_payloads` that are there | id, kind | documents that came, or did not |
//! | 3 | new `missing_payloads` | kind, id | |
//! | 4 | new `matches` | id | |
//! | 5 | new `match_timelines` | id | |
//! | 6 | `payloads` | id, kind | |
//! | 7 | new `unread_payloads` | id, kind | |
//! | 8 | new `players` | puuid | |
//! | 9 | new `player_yearly_stats` | player, year, platform | |
//! | 10 | `players` that are there | puuid | documents with a newer name; who tracks |
//! | 11 | `player_yearly_stats` that are there | player, year, platform | |
//! | 12 | `player_years`, with `listed_matches` | puuid, year, platform | |
//! | | `rank_history`, `mastery_history` | | who has the player's row (8, 10) |
//! | | `static_names`, `static_files` | file, id | the one job that fetches them |
//!
//! Documents are in when the rows of players and statistics are locked that all matches of a player share. Who has the
//! lock of players exclusively writes 2 to 12 as he likes.

use crate::engine::postgres::{self, RowClass};

/// Rows that are locked together, in the order of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    PlayersLock = 1,
    Notes,
    NewMissing,
    NewMatches,
    NewTimelines,
    Payloads,
    NewUnread,
    NewPlayers,
    NewStatistics,
    Players,
    Statistics,
    Years,
}

impl From<Class> for postgres::Class {
    fn from(class: Class) -> Self {
        let name = match class {
            Class::PlayersLock => "PlayersLock",
            Class::Notes => "Notes",
            Class::NewMissing => "NewMissing",
            Class::NewMatches => "NewMatches",
            Class::NewTimelines => "NewTimelines",
            Class::Payloads => "Payloads",
            Class::NewUnread => "NewUnread",
            Class::NewPlayers => "NewPlayers",
            Class::NewStatistics => "NewStatistics",
            Class::Players => "Players",
            Class::Statistics => "Statistics",
            Class::Years => "Years",
        };
        Self::Rows(RowClass {
            number: class as u8,
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::Locks;

    #[test]
    #[should_panic(expected = "the order of locks: NewMatches after Some(Jobs)")]
    fn documents_after_jobs_are_out_of_order() {
        let mut locks = Locks::default();
        locks.locked([1]);
        locks.pass(Class::NewMatches, &["a"]);
    }

    #[test]
    #[should_panic(expected = "the order of locks: NewMatches after Some(Payloads)")]
    fn documents_after_what_was_read_of_them_are_out_of_order() {
        let mut locks = Locks::default();
        locks.pass(Class::Payloads, &["a"]);
        locks.pass(Class::NewMatches, &["a"]);
    }

    #[test]
    #[should_panic(expected = "the order of locks: Players not by their keys")]
    fn keys_in_another_order_are_out_of_order() {
        Locks::default().pass(Class::Players, &["b", "a"]);
    }

    #[test]
    fn who_alone_writes_documents_writes_them_as_he_likes() {
        let mut locks = Locks::default();
        locks.exclusive(Class::PlayersLock);
        locks.pass(Class::Statistics, &[1]);
        locks.pass(Class::NewMatches, &[1]);
        locks.locked([1]);
    }
}

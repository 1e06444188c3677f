//! The SQL of upkeep that is SQLite's own.
//!
//! Rows are named by their own numbers: the table has no shorter key.

use diesel::sql_types::BigInt;

use crate::store::statement::statement;

statement! {
    DropOrphans { limit: i64 => BigInt } -> () =
    "DELETE FROM payloads WHERE rowid IN (SELECT rowid FROM payloads p
        WHERE NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = p.match_id)
          AND NOT EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)
          AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.match_id = p.match_id) LIMIT ?)";
}

statement! {
    DropEngines { before: i64 => BigInt } -> () =
    "DELETE FROM engines WHERE coalesce(stopped_at, heartbeat_at) < ?
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.engine_id = engines.id AND jobs.state = 'running')";
}

statement! {
    FreePages {} -> BigInt = "SELECT freelist_count FROM pragma_freelist_count";
}

//! The SQL of upkeep that is PostgreSQL's own.
//!
//! Rows are named by their places, and those of engines that another session holds are passed over.

use diesel::sql_types::BigInt;

use crate::store::statement::statement;

statement! {
    DropOrphans { limit: i64 => BigInt } -> () =
    "DELETE FROM payloads WHERE ctid = ANY(ARRAY(SELECT ctid FROM payloads p
        WHERE NOT EXISTS (SELECT 1 FROM matches m WHERE m.match_id = p.match_id)
          AND NOT EXISTS (SELECT 1 FROM match_timelines t WHERE t.match_id = p.match_id)
          AND NOT EXISTS (SELECT 1 FROM unread_payloads u WHERE u.match_id = p.match_id) LIMIT ?))";
}

statement! {
    DropEngines { before: i64 => BigInt } -> () =
    "DELETE FROM engines WHERE id IN (
        SELECT id FROM engines WHERE coalesce(stopped_at, heartbeat_at) < ?
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.engine_id = engines.id AND jobs.state = 'running')
        ORDER BY id FOR UPDATE SKIP LOCKED)";
}

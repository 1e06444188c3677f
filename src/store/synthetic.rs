//! A made-up database for measurements: many matches in a few statements, without the engine and its documents.
//!
//! The rows are of the shape and size of real ones; their values follow from the match's number. One player
//! sits in every so many matches, and of these some are not there, some have no timeline, and some failed.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel_async::SimpleAsyncConnection;

use super::postgres::{Settings, first};
use super::sqlite::open;
use super::{Location, StoreError, StoreResult};
use crate::model::{MatchId, Platform, Puuid, Timestamp};

/// Numbers of matches begin here, so that all ids are of one length, as they are on a server.
pub(super) const FIRST_GAME: u64 = 7_000_000_000;

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synthetic {
    pub matches: u32,
    /// Matches of the one player, at most all.
    pub of_player: u32,
    /// Finished jobs beside those of the matches.
    pub finished_jobs: u32,
}

/// What stands in both databases' SQL. `numbers` are those of the matches; of the player's, one in ten is not there,
/// one in ten has no timeline, and of one in ten the API has none.
const FILL: &str = "
INSERT INTO players (id, puuid, puuid_key_fingerprint, game_name, tag_line, name_folded, platform, summoner_level, tracked, created_at, updated_at)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {players})
SELECT n, substr('{zeros}' || n, length(CAST(n AS TEXT)) + 1, 78), 'bench', 'Bench ' || n, 'SIM', 'bench' || n || '#sim', 'euw1', 100, n = 1, {now}, {now}
FROM numbers;

INSERT INTO matches (match_id, platform, data_version, game_creation, game_start, game_end, game_duration_s, queue_id, map_id, game_mode,
    game_type, game_version, end_of_game_result, year, is_remake, stored_at, patch)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {matches})
SELECT {id}, 'euw1', '2', {start}, {start}, {start} + 1800000, 1800 + n % 600, 420, 11, 'CLASSIC', 'MATCHED_GAME',
    '15.' || (n % 24 + 1) || '.701.8888', 'GameComplete', 2025, n % 50 = 0, {now}, '15.' || (n % 24 + 1)
FROM numbers WHERE {there} ORDER BY 1;

INSERT INTO match_participants
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {matches}),
    seats(s) AS (SELECT 1 UNION ALL SELECT s + 1 FROM seats WHERE s < 10)
SELECT {id}, s, CASE WHEN s = 1 AND {players_own} THEN 1 ELSE 2 + (n * 7 + s * {stride}) % ({players} - 1) END,
    CASE WHEN s > 5 THEN 200 ELSE 100 END, (n * 13 + s * 7) % 160 + 1, 'Champion' || ((n * 13 + s * 7) % 160 + 1),
    CASE s % 5 WHEN 0 THEN 'TOP' WHEN 1 THEN 'JUNGLE' WHEN 2 THEN 'MIDDLE' WHEN 3 THEN 'BOTTOM' ELSE 'UTILITY' END,
    CASE s % 3 WHEN 0 THEN 'SOLO' WHEN 1 THEN 'CARRY' ELSE 'SUPPORT' END,
    CASE s % 4 WHEN 0 THEN 'TOP' WHEN 1 THEN 'JUNGLE' WHEN 2 THEN 'MIDDLE' ELSE 'BOTTOM' END,
    (n + s) % 20, (n + s) % 11, (n + s) % 30, (n + CASE WHEN s > 5 THEN 1 ELSE 0 END) % 2 = 0,
    9000 + (n * s) % 9000, (n * s) % 300, (n + s) % 100, 8000 + (n * s) % 60000, (n + s) % 90, 18 - s % 5, NULL, NULL,
    1001 + (n + s) % 3000, 1001 + n % 3000, 3000 + s, 3100 + s, 3200 + n % 100, 0, 3340, 4, 14, 8000, 8100
FROM numbers, seats WHERE {there} ORDER BY 1, 2;

INSERT INTO match_timelines
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {matches})
SELECT {id}, '2', 60000, 30 + n % 10, 1500 + n % 500, {now} FROM numbers WHERE {there} AND NOT {no_timeline} ORDER BY 1;

INSERT INTO payloads (kind, match_id, codec, body)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {matches})
SELECT 'match', {id}, 1, {body} FROM numbers WHERE {there} ORDER BY 2;

INSERT INTO missing_payloads (kind, id, reason, first_seen, last_seen)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {matches})
SELECT 'timeline', {id}, '404', {now}, {now} FROM numbers WHERE {players_own} AND n / {step} % 10 = 2;

INSERT INTO jobs (kind, queue, key, args, state, priority, attempt, max_attempts, run_at, percent, enqueued_at, started_at, finished_at)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {matches})
SELECT 'sync_match_data', 'match_processing', {id}, '{\"match_id\":\"' || {id} || '\"}', CASE WHEN {there} THEN 'completed' ELSE 'discarded' END,
    3, 1, 6, {now}, 100, {now}, {now}, {just_now}
FROM numbers;

INSERT INTO jobs (kind, queue, args, state, priority, attempt, max_attempts, run_at, percent, result, worked_at, enqueued_at, started_at, finished_at)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {finished_jobs})
SELECT 'bench', 'default', '{}', 'completed', 5, 1, 1, {now}, 100, 'null', {now}, {now}, {now}, {just_now}
FROM numbers WHERE n <= {finished_jobs};
";

impl Synthetic {
    /// Every so many matches are the player's.
    fn step(self) -> u32 {
        (self.matches / self.of_player.clamp(1, self.matches.max(1))).max(1)
    }

    /// All matches of the player, those that are not there too.
    pub fn players_matches(self) -> Vec<MatchId> {
        let numbers = (1..=self.of_player).map(|n| n * self.step());
        numbers
            .filter(|n| *n <= self.matches)
            .map(|n| MatchId::new(Platform::Euw1, FIRST_GAME + u64::from(n)))
            .collect()
    }

    pub fn player(self) -> Puuid {
        let puuid = format!("{:078}", 1);
        puuid.parse().expect("78 digits are a puuid")
    }

    fn statements(self, body: &str) -> String {
        // Everybody has some two hundred participants, and nobody two in one match.
        let players = (self.matches / 20).max(100);
        let step = self.step();
        let own = format!("(n % {step} = 0 AND n / {step} <= {})", self.of_player);
        let nth = |rest: u32| format!("({own} AND n / {step} % 10 = {rest})");
        let words = [
            ("{there}", format!("NOT {}", nth(0))),
            ("{no_timeline}", format!("({} OR {})", nth(1), nth(2))),
            ("{players_own}", own.clone()),
            ("{id}", format!("'EUW1_' || ({FIRST_GAME} + n)")),
            (
                "{start}",
                "(1735689600000 + CAST(n AS BIGINT) % 31000000 * 1000)".to_owned(),
            ),
            ("{now}", "1767225600000".to_owned()),
            // No pruner finds them old.
            ("{just_now}", Timestamp::now().as_millis().to_string()),
            ("{finished_jobs}", self.finished_jobs.to_string()),
            ("{matches}", self.matches.to_string()),
            ("{players}", players.to_string()),
            ("{stride}", (players / 11).to_string()),
            ("{step}", step.to_string()),
            ("{zeros}", "0".repeat(78)),
            ("{body}", body.to_owned()),
        ];
        words
            .iter()
            .fold(FILL.to_owned(), |text, (word, is)| text.replace(word, is))
    }

    /// Fills a database that was made for a measurement and that nobody has open. One that holds a match is refused.
    pub async fn fill(self, location: &Location) -> StoreResult<()> {
        let store = location.open().await?;
        let census = store.census().await?;
        store.close().await?;
        // Its lock keeps others off the file.
        drop(store);
        if census.matches + census.players > 0 {
            return Err(StoreError::Refused(format!(
                "{location} is not empty; made-up matches go into a database of their own only"
            )));
        }
        match location {
            Location::Sqlite(path) => {
                let path = path.clone();
                let filled = tokio::task::spawn_blocking(move || self.fill_file(&path)).await;
                filled.map_err(|error| StoreError::Unexpected(error.to_string()))?
            }
            Location::Postgres(settings) => self.fill_server(settings).await,
        }
    }

    fn fill_file(self, path: &Path) -> StoreResult<()> {
        let _lock = open::lock(path)?;
        let mut conn = open::FORMAT.open_writer(path)?;
        let body = hex(&crate::riot::as_gzip(DOCUMENT));
        let statements = self.statements(&format!("x'{body}'"));
        // It is worth nothing if the machine stops.
        let fast = "PRAGMA synchronous = OFF; PRAGMA cache_size = -32768; PRAGMA temp_store = FILE; BEGIN;";
        conn.batch_execute(&format!("{fast}{statements}COMMIT; ANALYZE"))?;
        Ok(())
    }

    async fn fill_server(self, settings: &Settings) -> StoreResult<()> {
        let mut link = first(settings).await?;
        let body = hex(&crate::riot::as_gzip(DOCUMENT));
        let statements = self.statements(&format!("'\\x{body}'::bytea"));
        let begin = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL work_mem = '64MB';";
        link.conn
            .batch_execute(&format!("{begin}{statements}COMMIT"))
            .await?;
        // Players came with their ids; those to come get the next. Then as autovacuum leaves it.
        let next_player =
            "SELECT setval(pg_get_serial_sequence('players', 'id'), max(id)) FROM players";
        for statement in [next_player, "SET statement_timeout = 0", "VACUUM ANALYZE"] {
            link.conn.batch_execute(statement).await?;
        }
        Ok(())
    }
}

/// No measurement reads it.
const DOCUMENT: &[u8] = br#"{"metadata":{},"info":{}}"#;

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

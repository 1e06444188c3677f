//! The SQL of jobs.

use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use crate::statement;

type Opt<T> = Nullable<T>;

// Transactions and savepoints as statements of their own, so that they too are prepared once.
statement! { Begin {} -> () = "BEGIN IMMEDIATE"; }
statement! { Commit {} -> () = "COMMIT"; }
statement! { Rollback {} -> () = "ROLLBACK"; }
statement! { Savepoint {} -> () = "SAVEPOINT command"; }
statement! { Release {} -> () = "RELEASE command"; }
statement! { RollbackTo {} -> () = "ROLLBACK TO command"; }

statement! {
    InsertJob<'a> {
        kind: &'a str => Text, queue: &'a str => Text, key: Option<&'a str> => Opt<Text>, args: &'a str => Text,
        state: &'a str => Text, priority: i32 => Integer, max_attempts: i32 => Integer, run_at: i64 => BigInt,
        flow: i64 => BigInt, turn: i64 => BigInt, submitted: i32 => Integer, waits_for: i32 => Integer,
        finished_at: Option<i64> => Opt<BigInt>, enqueued_at: i64 => BigInt, lane: &'a str => Text,
    } -> () =
    "INSERT INTO jobs (kind, queue, key, args, state, priority, max_attempts, run_at, flow, turn, submitted, waits_for,
                       finished_at, enqueued_at, lane)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, key) WHERE key IS NOT NULL AND finished_at IS NULL DO NOTHING";
}

// RETURNING makes SQLite keep a copy of every page the statement touches; this does not.
statement! { LastInserted {} -> BigInt = "SELECT last_insert_rowid()"; }

statement! {
    /// A job without work of its own, that waits for its children from the start.
    InsertBatch<'a> { kind: &'a str => Text, at: i64 => BigInt } -> BigInt =
    "INSERT INTO jobs (kind, queue, args, state, priority, max_attempts, run_at, worked_at, started_at, enqueued_at)
     SELECT ?, 'default', '{}', 'blocked', 5, 1, at, at, at, at FROM (SELECT ? AS at)
     RETURNING id";
}

statement! {
    /// The turn of the first job that waits in a queue at a priority.
    NextTurn<'a> { queue: &'a str => Text, priority: i32 => Integer } -> BigInt =
    "SELECT turn FROM jobs WHERE queue = ? AND priority = ? AND state = 'available' AND crash_count = 0 ORDER BY turn LIMIT 1";
}

statement! { StateOf { id: i64 => BigInt } -> Text = "SELECT state FROM jobs WHERE id = ?"; }

statement! {
    SetErrors<'a> { errors: &'a str => Text, id: i64 => BigInt } -> () = "UPDATE jobs SET errors = ? WHERE id = ?";
}

statement! {
    /// The open job that a new one joins: if somebody asks for it now (`hurry`), it no longer waits for its time.
    JoinJob<'a> {
        submitted: i32 => Integer, hurry: bool => Bool, kind: &'a str => Text, key: Option<&'a str> => Opt<Text>,
    } -> (BigInt, Opt<BigInt>, Text) =
    "UPDATE jobs SET submitted = max(submitted, ?),
            state = iif(? AND state IN ('scheduled', 'retryable'), 'available', state)
     WHERE kind = ? AND key = ? AND finished_at IS NULL
     RETURNING id, worked_at, state";
}

statement! {
    /// Some jobs (a JSON list) become as urgent as this, if they are less, and with them all open ones below them.
    RaiseBelow<'a> { priority: i32 => Integer, ids: &'a str => Text } -> (Text, Text) =
    "WITH RECURSIVE wanted (priority) AS (VALUES (?)),
     below (id) AS (
         SELECT jobs.id FROM json_each(?) JOIN jobs ON jobs.id = value
             WHERE jobs.priority > (SELECT priority FROM wanted)
         UNION SELECT child_id FROM below JOIN job_links ON parent_id = below.id WHERE relation = 'child')
     UPDATE jobs SET priority = (SELECT priority FROM wanted)
     WHERE id IN (SELECT id FROM below) AND priority > (SELECT priority FROM wanted) AND finished_at IS NULL
     RETURNING queue, state";
}

statement! {
    /// Links a child once; a link that is there already changes nothing.
    Link<'a> { child: i64 => BigInt, parent: i64 => BigInt, relation: &'a str => Text } -> () =
    "INSERT INTO job_links (child_id, parent_id, relation) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
}

macro_rules! claim {
    ($open:literal) => {
        concat!(
            "UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_token = random() & 9223372036854775807,
                    engine_id = ?, started_at = coalesce(started_at, ?)
             WHERE id IN (
                 SELECT id FROM (
                     SELECT id, crash_count, row_number() OVER (ORDER BY crash_count, priority, turn, id) AS place
                     FROM jobs WHERE queue = ? AND state = 'available' AND crash_count > 0 AND priority >= ? AND priority < ? ",
            $open,
            "        ) AS waiting, (
                     SELECT count(*) AS suspects, coalesce(max(crash_count), 0) AS worst
                     FROM jobs WHERE state = 'running' AND crash_count > 0 AND engine_id = ?) AS here
                 WHERE suspects + place <= CASE max(worst, crash_count) WHEN 1 THEN 64 WHEN 2 THEN 8 ELSE 1 END
                 UNION ALL SELECT id FROM (
                     SELECT id FROM jobs WHERE queue = ? AND state = 'available' AND crash_count = 0
                         AND priority >= ? AND priority < ? ",
            $open,
            "        ORDER BY priority, turn, id LIMIT ?)
                 LIMIT ?)
             RETURNING id, lease_token, iif(flow = 0, id, flow), turn, kind, lane, key, args, priority, attempt,
                       max_attempts, crash_count"
        )
    };
}

type Claimed = (
    (BigInt, BigInt, BigInt, BigInt),
    (
        Text,
        Text,
        Opt<Text>,
        Text,
        Integer,
        Integer,
        Integer,
        Integer,
    ),
);

statement! {
    Claim<'a> {
        engine: &'a str => Text, now: i64 => BigInt, suspect_queue: &'a str => Text, suspects_from: i32 => Integer,
        suspects_before: i32 => Integer, here: &'a str => Text, queue: &'a str => Text, from: i32 => Integer, before: i32 => Integer, limit: i64 => BigInt, limit_all: i64 => BigInt,
    } -> Claimed = claim!("");
}

statement! {
    /// Passes over the jobs of some lanes, a JSON list.
    ClaimPast<'a> {
        engine: &'a str => Text, now: i64 => BigInt, suspect_queue: &'a str => Text,
        suspects_from: i32 => Integer, suspects_before: i32 => Integer, suspect_lanes: &'a str => Text, here: &'a str => Text,
        queue: &'a str => Text, from: i32 => Integer, before: i32 => Integer, lanes: &'a str => Text, limit: i64 => BigInt, limit_all: i64 => BigInt,
    } -> Claimed = claim!(" AND lane NOT IN (SELECT value FROM json_each(?)) ");
}

statement! {
    Progress<'a> {
        step: &'a str => Text, percent: i32 => Integer, progress: &'a str => Text, id: i64 => BigInt, token: i64 => BigInt,
    } -> () =
    "UPDATE jobs SET step = ?, percent = ?, progress = ? WHERE id = ? AND lease_token = ? AND state = 'running'";
}

statement! {
    /// The fence: a row only if the attempt still holds the job.
    Fence { id: i64 => BigInt, token: i64 => BigInt }
        -> (Text, Opt<Text>, Text, Text, Integer, BigInt, Opt<BigInt>, Integer, Integer) =
    "SELECT kind, key, queue, errors, attempt, iif(flow = 0, id, flow), cancel_requested_at, crash_count, priority FROM jobs WHERE id = ? AND lease_token = ? AND state = 'running'";
}

statement! {
    /// The end of an attempt that needs no look at its job first. The fence is in the statement: it changes a
    /// row only if the attempt still holds the job, and nobody asked to cancel it or suspects it.
    Complete<'a> {
        attempt: i32 => Integer, run_at: i64 => BigInt, result: Option<&'a str> => Opt<Text>, worked_at: i64 => BigInt,
        finished_at: i64 => BigInt, id: i64 => BigInt, token: i64 => BigInt,
    } -> () =
    "UPDATE jobs SET state = 'completed', attempt = ?, run_at = ?, result = ?, worked_at = ?, finished_at = ?,
            lease_token = NULL, engine_id = NULL
     WHERE id = ? AND lease_token = ? AND state = 'running' AND cancel_requested_at IS NULL AND crash_count = 0";
}

statement! {
    /// What a job's parents count it by.
    NameOf { id: i64 => BigInt } -> (Text, Opt<Text>) = "SELECT kind, key FROM jobs WHERE id = ?";
}

statement! {
    Settle<'a> {
        state: &'a str => Text, attempt: i32 => Integer, run_at: i64 => BigInt, errors: &'a str => Text,
        result: Option<&'a str> => Opt<Text>, worked_at: Option<i64> => Opt<BigInt>, finished_at: Option<i64> => Opt<BigInt>,
        crash_count: i32 => Integer, id: i64 => BigInt,
    } -> () =
    "UPDATE jobs SET state = ?, attempt = ?, run_at = ?, errors = ?, result = ?, worked_at = ?, finished_at = ?,
            crash_count = ?, lease_token = NULL, engine_id = NULL
     WHERE id = ?";
}

statement! {
    Parents { child: i64 => BigInt } -> BigInt =
    "SELECT parent_id FROM job_links WHERE child_id = ? AND relation = 'child'";
}

statement! {
    /// Who waits for a job: its parents and its successors.
    WaitingFor { child: i64 => BigInt } -> (BigInt, Text) =
    "SELECT parent_id, relation FROM job_links WHERE child_id = ?";
}

statement! { DropLinksOf { child: i64 => BigInt } -> () = "DELETE FROM job_links WHERE child_id = ?"; }

statement! {
    /// Is `job` among all that wait for `other`, itself included?
    WaitsFor { other: i64 => BigInt, job: i64 => BigInt } -> BigInt =
    "WITH RECURSIVE waiting (id) AS (
         VALUES (?) UNION SELECT parent_id FROM job_links JOIN waiting ON child_id = waiting.id)
     SELECT count(*) FROM waiting WHERE id = ?";
}

statement! {
    OpenParent { id: i64 => BigInt } -> (Text, Text, Text, Integer, Opt<BigInt>) =
    "SELECT kind, state, rollup, children_pending, worked_at FROM jobs WHERE id = ? AND finished_at IS NULL";
}

statement! {
    UpdateParent<'a> {
        state: &'a str => Text, rollup: &'a str => Text, pending: i32 => Integer, finished_at: Option<i64> => Opt<BigInt>,
        id: i64 => BigInt,
    } -> () =
    "UPDATE jobs SET state = ?, rollup = ?, children_pending = ?, finished_at = ? WHERE id = ?";
}

statement! {
    Stage { now: i64 => BigInt } -> Text =
    "UPDATE jobs SET state = 'available' WHERE state IN ('scheduled', 'retryable') AND run_at <= ? RETURNING queue";
}

statement! {
    RunningOfOthers<'a> { engine: &'a str => Text }
        -> ((BigInt, BigInt, Integer), (Integer, Integer, Integer), (Text, Integer, Integer)) =
    "SELECT jobs.id, coalesce(lease_token, 0), attempt, crash_count, lone_deaths, quiet_deaths, coalesce(engine_id, ''),
            coalesce(lone_lease = lease_token, 0), coalesce(death, 0)
     FROM jobs LEFT JOIN engines ON engines.id = jobs.engine_id
     WHERE state = 'running' AND (engine_id IS NULL OR engine_id <> ?) ORDER BY engine_id, jobs.id";
}

statement! {
    /// What is known against a job.
    Suspect { level: i32 => Integer, lone: i32 => Integer, quiet: i32 => Integer, id: i64 => BigInt } -> () =
    "UPDATE jobs SET crash_count = ?, lone_deaths = ?, quiet_deaths = ? WHERE id = ?";
}

statement! {
    HandBack<'a> { now: i64 => BigInt, engine: &'a str => Text, queue: Option<&'a str> => Opt<Text>, keep: &'a str => Text } -> Text =
    "UPDATE jobs SET state = 'available', attempt = max(attempt - 1, 0), run_at = ?, lease_token = NULL, engine_id = NULL
     WHERE state = 'running' AND engine_id = ? AND queue = coalesce(?, queue)
           AND lease_token NOT IN (SELECT value FROM json_each(?))
     RETURNING queue";
}

statement! {
    EngineStarted<'a> {
        id: &'a str => Text, pid: i64 => BigInt, host: &'a str => Text, version: &'a str => Text, started: i64 => BigInt, beat: i64 => BigInt,
    } -> () =
    "INSERT INTO engines (id, pid, host, version, started_at, heartbeat_at) VALUES (?, ?, ?, ?, ?, ?)";
}

statement! {
    EngineStopped<'a> { at: i64 => BigInt, id: &'a str => Text } -> () = "UPDATE engines SET stopped_at = ? WHERE id = ?";
}

statement! {
    /// The last that started is the one that may live: whoever asks knows by the file's lock.
    Engines { since: i64 => BigInt } -> ((Text, BigInt, Text, Text), (BigInt, BigInt, Text, Bool, BigInt)) =
    "SELECT id, pid, host, version, started_at, 0,
            CASE WHEN stopped_at IS NOT NULL THEN 'stopped' WHEN rn > 1 THEN 'dead' ELSE 'alive' END,
            stopped_at IS NULL AND rn = 1,
            (SELECT count(*) FROM jobs WHERE state = 'running' AND engine_id = engines.id)
     FROM (SELECT *, row_number() OVER (ORDER BY started_at DESC, id) AS rn FROM engines) AS engines
     WHERE coalesce(stopped_at, heartbeat_at) > ? OR rn = 1 ORDER BY started_at, id";
}

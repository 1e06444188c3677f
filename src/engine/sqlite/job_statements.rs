//! The SQL of jobs in a file, mostly a row at a time: to send a statement to a file costs nothing but the statement,
//! and each is prepared once. Nobody else writes meanwhile, so no row is locked. Each says how PostgreSQL does the
//! same; what is the same on both databases is in `crate::sql`.

use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};

use crate::statement;
use crate::store::attempts::{ClaimedColumns, LostColumns};

type Opt<T> = Nullable<T>;

// Transactions and savepoints as statements of their own, so that they too are prepared once. PostgreSQL's go with
// other statements in one message.
statement! { Begin {} -> () = "BEGIN IMMEDIATE"; }
statement! { Commit {} -> () = "COMMIT"; }
statement! { Rollback {} -> () = "ROLLBACK"; }
statement! { Savepoint {} -> () = "SAVEPOINT command"; }
statement! { Release {} -> () = "RELEASE command"; }
statement! { RollbackTo {} -> () = "ROLLBACK TO command"; }

statement! {
    /// One job at a time, for each may join the one before it. PostgreSQL looks up the keys of a batch first, and
    /// writes its rows at once (`InsertJobs`).
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

statement! {
    /// RETURNING makes SQLite keep a copy of every page the statement touches; this does not. PostgreSQL's ids are
    /// taken before the rows are written (`NewIds`).
    LastInserted {} -> BigInt = "SELECT last_insert_rowid()";
}

statement! {
    /// A job without work of its own, that waits for its children from the start. In PostgreSQL it is one more row of
    /// `InsertJobs`.
    InsertBatch<'a> { kind: &'a str => Text, at: i64 => BigInt } -> BigInt =
    "INSERT INTO jobs (kind, queue, args, state, priority, max_attempts, run_at, worked_at, started_at, enqueued_at)
     SELECT ?, 'default', '{}', 'blocked', 5, 1, at, at, at, at FROM (SELECT ? AS at)
     RETURNING id";
}

statement! {
    /// The turn of the first job that waits in a queue at a priority. PostgreSQL asks for all places of a batch, from
    /// where claims have come to (`NextTurns`).
    NextTurn<'a> { queue: &'a str => Text, priority: i32 => Integer } -> BigInt =
    "SELECT turn FROM jobs WHERE queue = ? AND priority = ? AND state = 'available' AND crash_count = 0 ORDER BY turn LIMIT 1";
}

statement! {
    /// PostgreSQL locks those of a batch, and asks at once (`StatesOf`).
    StateOf { id: i64 => BigInt } -> Text = "SELECT state FROM jobs WHERE id = ?";
}

statement! {
    /// Few jobs come in with an error: the others are written without. In PostgreSQL it is a column of `InsertJobs`.
    SetErrors<'a> { errors: &'a str => Text, id: i64 => BigInt } -> () = "UPDATE jobs SET errors = ? WHERE id = ?";
}

statement! {
    /// The open job that a new one joins: if somebody asks for it now (`hurry`), it no longer waits for its time.
    /// PostgreSQL has locked the open jobs of a batch, decides in memory and writes those that change (`OpenByKeys`,
    /// `JoinJobs`).
    JoinJob<'a> {
        submitted: i32 => Integer, hurry: bool => Bool, kind: &'a str => Text, key: Option<&'a str> => Opt<Text>,
    } -> (BigInt, Opt<BigInt>, Text) =
    "UPDATE jobs SET submitted = max(submitted, ?),
            state = iif(? AND state IN ('scheduled', 'retryable'), 'available', state)
     WHERE kind = ? AND key = ? AND finished_at IS NULL
     RETURNING id, worked_at, state";
}

statement! {
    /// Some jobs (a JSON list) become as urgent as this, if they are less, and with them all open ones below them. One
    /// statement, for nobody else writes. PostgreSQL locks them, in their order, between a look and the change
    /// (`LessUrgentBelow`, `Raise`).
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
    /// Links a child once; a link that is there already changes nothing. PostgreSQL links those of a batch
    /// (`LinkAll`).
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

/// With what is known against each.
type Claimed = (ClaimedColumns, Integer);

statement! {
    /// Suspects and others in one statement, for nobody else claims meanwhile. In PostgreSQL other engines do: it
    /// passes over their rows, begins where the last claim ended, and claims suspects under a lock (`ClaimJobs`,
    /// `ClaimSuspects`).
    Claim<'a> {
        engine: &'a str => Text, now: i64 => BigInt, suspect_queue: &'a str => Text, suspects_from: i32 => Integer,
        suspects_before: i32 => Integer, here: &'a str => Text, queue: &'a str => Text, from: i32 => Integer, before: i32 => Integer, limit: i64 => BigInt, limit_all: i64 => BigInt,
    } -> Claimed = claim!("");
}

statement! {
    /// Passes over the jobs of some lanes, a JSON list. Apart from PostgreSQL's as `Claim` is.
    ClaimPast<'a> {
        engine: &'a str => Text, now: i64 => BigInt, suspect_queue: &'a str => Text,
        suspects_from: i32 => Integer, suspects_before: i32 => Integer, suspect_lanes: &'a str => Text, here: &'a str => Text,
        queue: &'a str => Text, from: i32 => Integer, before: i32 => Integer, lanes: &'a str => Text, limit: i64 => BigInt, limit_all: i64 => BigInt,
    } -> Claimed = claim!(" AND lane NOT IN (SELECT value FROM json_each(?)) ");
}

statement! {
    /// PostgreSQL writes the reports of a batch (`ProgressAll`).
    Progress<'a> {
        step: &'a str => Text, percent: i32 => Integer, progress: &'a str => Text, id: i64 => BigInt, token: i64 => BigInt,
    } -> () =
    "UPDATE jobs SET step = ?, percent = ?, progress = ? WHERE id = ? AND lease_token = ? AND state = 'running'";
}

statement! {
    /// The fence: a row only if the attempt still holds the job. PostgreSQL asks for those of a batch, and locks them.
    Fence { id: i64 => BigInt, token: i64 => BigInt }
        -> (Text, Opt<Text>, Text, Text, Integer, BigInt, Opt<BigInt>, Integer, Integer) =
    "SELECT kind, key, queue, errors, attempt, iif(flow = 0, id, flow), cancel_requested_at, crash_count, priority FROM jobs WHERE id = ? AND lease_token = ? AND state = 'running'";
}

statement! {
    /// The end of an attempt that needs no look at its job first. The fence is in the statement: it changes a row only
    /// if the attempt still holds the job, and nobody asked to cancel it or suspects it. PostgreSQL writes a batch of
    /// such ends (`SettleQuick`).
    Complete<'a> {
        attempt: i32 => Integer, run_at: i64 => BigInt, result: Option<&'a str> => Opt<Text>, worked_at: i64 => BigInt,
        finished_at: i64 => BigInt, id: i64 => BigInt, token: i64 => BigInt,
    } -> () =
    "UPDATE jobs SET state = 'completed', attempt = ?, run_at = ?, result = ?, worked_at = ?, finished_at = ?,
            lease_token = NULL, engine_id = NULL
     WHERE id = ? AND lease_token = ? AND state = 'running' AND cancel_requested_at IS NULL AND crash_count = 0";
}

statement! {
    /// What a job's parents count it by. Asked for if a job has parents, as few have: RETURNING in `Complete` would
    /// cost more. PostgreSQL returns it with the end (`SettleQuick`).
    NameOf { id: i64 => BigInt } -> (Text, Opt<Text>) = "SELECT kind, key FROM jobs WHERE id = ?";
}

statement! {
    /// PostgreSQL writes a batch of ends (`SettleAll`).
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
    /// PostgreSQL asks for those of a batch (`ParentsOf`).
    Parents { child: i64 => BigInt } -> BigInt =
    "SELECT parent_id FROM job_links WHERE child_id = ? AND relation = 'child'";
}

statement! {
    /// Who waits for a job: its parents and its successors. Looked at first, for most jobs have nobody, and then
    /// nothing is to be deleted. PostgreSQL saves the second message: it deletes and returns them (`TakeLinksOf`).
    WaitingFor { child: i64 => BigInt } -> (BigInt, Text) =
    "SELECT parent_id, relation FROM job_links WHERE child_id = ?";
}

statement! {
    /// Those that `WaitingFor` has found.
    DropLinksOf { child: i64 => BigInt } -> () = "DELETE FROM job_links WHERE child_id = ?";
}

statement! {
    /// Is `job` among all that wait for `other`, itself included? A child may wait by the link that was made for the
    /// one before it. PostgreSQL asks for those of a batch (`WaitingAmong`).
    WaitsFor { other: i64 => BigInt, job: i64 => BigInt } -> BigInt =
    "WITH RECURSIVE waiting (id) AS (
         VALUES (?) UNION SELECT parent_id FROM job_links JOIN waiting ON child_id = waiting.id)
     SELECT count(*) FROM waiting WHERE id = ?";
}

statement! {
    /// PostgreSQL reads those of a group, and all above them, at once (`OpenParents`).
    OpenParent { id: i64 => BigInt } -> (Text, Text, Text, Integer, Opt<BigInt>) =
    "SELECT kind, state, rollup, children_pending, worked_at FROM jobs WHERE id = ? AND finished_at IS NULL";
}

statement! {
    /// PostgreSQL writes those of a group at once (`UpdateParents`).
    UpdateParent<'a> {
        state: &'a str => Text, rollup: &'a str => Text, pending: i32 => Integer, finished_at: Option<i64> => Opt<BigInt>,
        id: i64 => BigInt,
    } -> () =
    "UPDATE jobs SET state = ?, rollup = ?, children_pending = ?, finished_at = ? WHERE id = ?";
}

statement! {
    /// All that are due. PostgreSQL moves a bounded number, and passes over what others lock.
    Stage { now: i64 => BigInt } -> Text =
    "UPDATE jobs SET state = 'available' WHERE state IN ('scheduled', 'retryable') AND run_at <= ? RETURNING queue";
}

statement! {
    /// Whoever has the file's lock is alone: all other engines are dead. In PostgreSQL others live, and a row tells
    /// which (`JobsOfDead`, `RunningOfDead`).
    RunningOfOthers<'a> { engine: &'a str => Text }
        -> (LostColumns, Integer) =
    "SELECT jobs.id, coalesce(lease_token, 0), attempt, crash_count, lone_deaths, quiet_deaths, coalesce(engine_id, ''),
            coalesce(lone_lease = lease_token, 0), coalesce(death, 0)
     FROM jobs LEFT JOIN engines ON engines.id = jobs.engine_id
     WHERE state = 'running' AND (engine_id IS NULL OR engine_id <> ?) ORDER BY engine_id, jobs.id";
}

statement! {
    /// What is known against a job. PostgreSQL writes it for all jobs of a rescue.
    Suspect { level: i32 => Integer, lone: i32 => Integer, quiet: i32 => Integer, id: i64 => BigInt } -> () =
    "UPDATE jobs SET crash_count = ?, lone_deaths = ?, quiet_deaths = ? WHERE id = ?";
}

statement! {
    /// PostgreSQL hands back those that it has locked, in their order (`RunningOf`).
    HandBack<'a> { now: i64 => BigInt, engine: &'a str => Text, queue: Option<&'a str> => Opt<Text>, keep: &'a str => Text } -> Text =
    "UPDATE jobs SET state = 'available', attempt = max(attempt - 1, 0), run_at = ?, lease_token = NULL, engine_id = NULL
     WHERE state = 'running' AND engine_id = ? AND queue = coalesce(?, queue)
           AND lease_token NOT IN (SELECT value FROM json_each(?))
     RETURNING queue";
}

statement! {
    /// By the clock of the engine, which is the file's only one. PostgreSQL has a clock for all engines.
    EngineStarted<'a> {
        id: &'a str => Text, pid: i64 => BigInt, host: &'a str => Text, version: &'a str => Text, started: i64 => BigInt, beat: i64 => BigInt,
    } -> () =
    "INSERT INTO engines (id, pid, host, version, started_at, heartbeat_at) VALUES (?, ?, ?, ?, ?, ?)";
}

statement! {
    /// By the clock of the engine, as `EngineStarted`.
    EngineStopped<'a> { at: i64 => BigInt, id: &'a str => Text } -> () = "UPDATE engines SET stopped_at = ? WHERE id = ?";
}

statement! {
    /// The last that started is the one that may live: whoever asks knows by the file's lock. In PostgreSQL they live
    /// if they were heard, by the clock of the database.
    Engines { since: i64 => BigInt } -> ((Text, BigInt, Text, Text), (BigInt, BigInt, Text, Bool, BigInt)) =
    "SELECT id, pid, host, version, started_at, 0,
            CASE WHEN stopped_at IS NOT NULL THEN 'stopped' WHEN rn > 1 THEN 'dead' ELSE 'alive' END,
            stopped_at IS NULL AND rn = 1,
            (SELECT count(*) FROM jobs WHERE state = 'running' AND engine_id = engines.id)
     FROM (SELECT *, row_number() OVER (ORDER BY started_at DESC, id) AS rn FROM engines) AS engines
     WHERE coalesce(stopped_at, heartbeat_at) > ? OR rn = 1 ORDER BY started_at, id";
}

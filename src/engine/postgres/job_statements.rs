//! The SQL of jobs on a server: one statement for a batch, its rows as arrays, for each is a message; and what several
//! engines need that share a database. Each says how SQLite does the same; what is the same on both databases is in
//! `crate::sql`.
//!
//! Rows are locked in the order of their ids wherever a statement locks more than one. See `locks` for the order of all.
//!
//! Jobs that are named by their ids are asked for `state || ''`: no partial index fits that. When statistics were
//! taken while nothing ran, the planner took an index of all running jobs for the shortest way to each of them.

use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};

use crate::statement;
use crate::store::attempts::{ClaimedColumns, LostColumns};

type Opt<T> = Nullable<T>;

statement! {
    /// Takes the place of a mark that is not there, so that it never will be. Only here: a commit in a file has an
    /// answer.
    Forestall { id: i64 => BigInt, at: i64 => BigInt } -> () =
    "INSERT INTO store_commits (id, made, at) VALUES (?, FALSE, ?) ON CONFLICT DO NOTHING";
}

statement! {
    /// Only here: a commit in a file has an answer.
    WasMade { id: i64 => BigInt } -> Bool = "SELECT made FROM store_commits WHERE id = ?";
}

statement! {
    /// An engine takes its own marks away. Only here, as marks are.
    DropMarks { first: i64 => BigInt, end: i64 => BigInt } -> () =
    "DELETE FROM store_commits WHERE id >= ? AND id < ?";
}

statement! {
    /// Marks of engines that were killed; an engine that lives takes its own away. Only here, as marks are.
    DropOldMarks { before: i64 => BigInt } -> () =
    "DELETE FROM store_commits WHERE id IN (SELECT id FROM store_commits WHERE at < ? FOR UPDATE SKIP LOCKED)";
}

statement! {
    /// Before rows are written, for their links go with them in one message. SQLite gives each row its id.
    NewIds { count: i64 => BigInt } -> BigInt = "SELECT nextval('jobs_id_seq') FROM generate_series(1, ?)";
}

statement! {
    /// The jobs of a group of calls in one message. SQLite writes one at a time (`InsertJob`).
    InsertJobs<'a> {
        ids: Vec<i64> => Array<BigInt>, kinds: Vec<&'a str> => Array<Text>, queues: Vec<&'a str> => Array<Text>,
        keys: Vec<Option<&'a str>> => Array<Opt<Text>>, args: Vec<&'a str> => Array<Text>, states: Vec<&'a str> => Array<Text>,
        priorities: Vec<i32> => Array<Integer>, max_attempts: Vec<i32> => Array<Integer>, run_at: Vec<i64> => Array<BigInt>,
        flows: Vec<i64> => Array<BigInt>, turns: Vec<i64> => Array<BigInt>, submitted: Vec<i32> => Array<Integer>,
        waits_for: Vec<i32> => Array<Integer>, errors: Vec<&'a str> => Array<Text>,
        worked_at: Vec<Option<i64>> => Array<Opt<BigInt>>, finished_at: Vec<Option<i64>> => Array<Opt<BigInt>>,
        enqueued_at: Vec<i64> => Array<BigInt>, lanes: Vec<&'a str> => Array<Text>,
    } -> () =
    "INSERT INTO jobs (id, kind, queue, key, args, state, priority, max_attempts, run_at, flow, turn, submitted, waits_for,
                       errors, worked_at, started_at, finished_at, enqueued_at, lane)
     SELECT id, kind, queue, key, args, state, priority, max_attempts, run_at, flow, turn, submitted, waits_for,
            errors, worked_at, worked_at, finished_at, enqueued_at, lane
     FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       AS new (id, kind, queue, key, args, state, priority, max_attempts, run_at, flow, turn, submitted, waits_for,
               errors, worked_at, finished_at, enqueued_at, lane)";
}

statement! {
    /// The turns of the first jobs that wait in queues at priorities, none of them before a place. SQLite asks for one
    /// place at a time, and begins at the first job (`NextTurn`): its index has no dead rows to walk over.
    NextTurns<'a> {
        queues: Vec<&'a str> => Array<Text>, priorities: Vec<i32> => Array<Integer>, turns: Vec<i64> => Array<BigInt>,
        ids: Vec<i64> => Array<BigInt>,
    } -> (Text, Integer, Opt<BigInt>) =
    "SELECT place.queue, place.priority,
            (SELECT jobs.turn FROM jobs WHERE jobs.queue = place.queue AND jobs.priority = place.priority
                 AND (jobs.turn, jobs.id) >= (place.turn, place.id)
                 AND state = 'available' AND crash_count = 0 ORDER BY jobs.turn, jobs.id LIMIT 1)
     FROM unnest(?, ?, ?, ?) AS place (queue, priority, turn, id)";
}

statement! {
    /// The states of jobs, which are locked: a job that ends later must find the links of those that come after it.
    /// SQLite asks for one (`StateOf`).
    StatesOf { ids: Vec<i64> => Array<BigInt> } -> (BigInt, Text) =
    "SELECT id, state FROM jobs WHERE id = ANY(?)";
}

statement! {
    /// How many there are of them. Only here: a file has one writer.
    LockJobs { ids: Vec<i64> => Array<BigInt> } -> BigInt =
    "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE id = ANY(?) ORDER BY id FOR UPDATE) AS locked";
}

statement! {
    /// All that wait for some jobs, as parents or because they come after them, and who waits for those. To lock them.
    /// Only here: a file has one writer.
    Above { ids: Vec<i64> => Array<BigInt> } -> BigInt =
    "WITH RECURSIVE above (id) AS (
         SELECT parent_id FROM job_links WHERE child_id = ANY(?)
         UNION SELECT parent_id FROM above JOIN job_links ON child_id = above.id)
     SELECT id FROM above";
}

statement! {
    /// The same, and the open jobs with some keys. To lock them. Only here: a file has one writer.
    Related<'a> { ids: Vec<i64> => Array<BigInt>, kinds: Vec<&'a str> => Array<Text>, keys: Vec<&'a str> => Array<Text> } -> BigInt =
    "WITH RECURSIVE above (id) AS (
         SELECT parent_id FROM job_links WHERE child_id = ANY(?)
         UNION SELECT parent_id FROM above JOIN job_links ON child_id = above.id)
     SELECT id FROM above
     UNION ALL
     SELECT job.id FROM unnest(?, ?) AS wanted (kind, key),
         LATERAL (SELECT id FROM jobs WHERE kind = wanted.kind AND key = wanted.key AND key IS NOT NULL
                      AND finished_at IS NULL LIMIT 1) AS job";
}

statement! {
    /// A job, all below it, and all above any of them. To lock them. Only here: a file has one writer.
    Around { id: i64 => BigInt } -> BigInt =
    "WITH RECURSIVE below (id) AS (
         VALUES (?) UNION SELECT child_id FROM below JOIN job_links ON parent_id = below.id WHERE relation = 'child'),
     above (id) AS (
         SELECT id FROM below UNION SELECT parent_id FROM above JOIN job_links ON child_id = above.id)
     SELECT id FROM above";
}

statement! {
    /// Attempts that hold their jobs, as far as is known without a lock. What they wrote is written before they are
    /// locked. Only here: in a file nothing comes between.
    StillHeld { ids: Vec<i64> => Array<BigInt>, tokens: Vec<i64> => Array<BigInt> } -> (BigInt, BigInt) =
    "SELECT held.id, held.token FROM unnest(?, ?) AS held (id, token),
         LATERAL (SELECT 1 FROM jobs WHERE jobs.id = held.id AND jobs.lease_token = held.token AND jobs.state || '' = 'running'
                  LIMIT 1) AS job";
}

statement! {
    /// Open jobs by their keys, locked: they may not end before what joins them is linked. Looked up first and locked
    /// then: a join in the order of the ids walks over all jobs. Only those behind a place or locked already: one that
    /// came in meanwhile before it is found when its key is taken. SQLite inserts, and joins if that is refused
    /// (`JoinJob`).
    OpenByKeys<'a> { kinds: Vec<&'a str> => Array<Text>, keys: Vec<&'a str> => Array<Text>, behind: i64 => BigInt, locked: Vec<i64> => Array<BigInt> }
        -> (BigInt, Text, Text, Text, Text, Integer, Integer, Opt<BigInt>) =
    "SELECT id, kind, key, state, queue, priority, submitted, worked_at FROM jobs
     WHERE finished_at IS NULL AND id = ANY(ARRAY(
         SELECT job.id FROM unnest(?, ?) AS wanted (kind, key),
             LATERAL (SELECT id FROM jobs WHERE kind = wanted.kind AND key = wanted.key AND key IS NOT NULL
                          AND finished_at IS NULL LIMIT 1) AS job)) AND (id > ? OR id = ANY(?))
     ORDER BY id FOR UPDATE";
}

statement! {
    /// What was decided in memory for all that `OpenByKeys` found. SQLite decides in the statement (`JoinJob`).
    JoinJobs<'a> {
        ids: Vec<i64> => Array<BigInt>, states: Vec<&'a str> => Array<Text>, priorities: Vec<i32> => Array<Integer>,
        submitted: Vec<i32> => Array<Integer>,
    } -> () =
    "UPDATE jobs SET state = joined.state, priority = joined.priority, submitted = joined.submitted
     FROM unnest(?, ?, ?, ?) AS joined (id, state, priority, submitted) WHERE jobs.id = joined.id";
}

statement! {
    /// Some jobs, and open ones below them, that are less urgent than this. They are locked before `Raise` changes
    /// them. In SQLite that is one statement (`RaiseBelow`).
    LessUrgentBelow { ids: Vec<i64> => Array<BigInt>, priority: i32 => Integer } -> BigInt =
    "WITH RECURSIVE below (id) AS (
         SELECT unnest(?) UNION SELECT child_id FROM below JOIN job_links ON parent_id = below.id WHERE relation = 'child')
     SELECT jobs.id FROM below, LATERAL (SELECT id FROM jobs WHERE jobs.id = below.id AND priority > ? AND finished_at IS NULL LIMIT 1) AS jobs";
}

statement! {
    /// Those that `LessUrgentBelow` has found, if they are still so.
    Raise { priority: i32 => Integer, ids: Vec<i64> => Array<BigInt>, before: i32 => Integer } -> (BigInt, Text, Text) =
    "UPDATE jobs SET priority = ? WHERE id = ANY(?) AND priority > ? AND finished_at IS NULL RETURNING id, queue, state";
}

statement! {
    /// Links that were not there before. SQLite makes one at a time (`Link`).
    LinkAll<'a> { children: Vec<i64> => Array<BigInt>, parents: Vec<i64> => Array<BigInt>, relations: Vec<&'a str> => Array<Text> }
        -> (BigInt, BigInt) =
    "INSERT INTO job_links (child_id, parent_id, relation) SELECT * FROM unnest(?, ?, ?)
     ON CONFLICT DO NOTHING RETURNING child_id, parent_id";
}

statement! {
    /// One at a time may link a job to one that waits itself: two circles' halves must see each other. Only here: a
    /// file has one writer.
    LockCircles {} -> Integer = "SELECT 1 FROM pg_advisory_xact_lock(7523094288207667810)";
}

statement! {
    /// Which of `jobs` are among all that wait for `other`, itself included? SQLite asks for one job (`WaitsFor`).
    WaitingAmong { other: i64 => BigInt, jobs: Vec<i64> => Array<BigInt> } -> BigInt =
    "WITH RECURSIVE waiting (id) AS (
         VALUES (?) UNION SELECT parent_id FROM job_links JOIN waiting ON child_id = waiting.id)
     SELECT id FROM waiting WHERE id = ANY(?)";
}

statement! {
    /// Which of these queues have jobs that ran when an engine died. A look at each of the queues that are claimed,
    /// before the claims. SQLite claims suspects with the others (`Claim`).
    SuspectsIn { queues: Vec<String> => Array<Text> } -> Text =
    "SELECT queue FROM unnest(?) AS wanted (queue)
     WHERE EXISTS (SELECT 1 FROM jobs WHERE jobs.queue = wanted.queue AND state = 'available' AND crash_count > 0)";
}

statement! {
    /// An engine claims suspects in one transaction at a time, so that it counts them right; the others try later.
    /// Only here: a file has one writer.
    LockSuspects<'a> { engine: &'a str => Text } -> Bool = "SELECT pg_try_advisory_xact_lock(1751520113, hashtext(?))";
}

/// The two claims differ in whom they pick. What others claim just now is passed over, not waited for. The
/// token of a claim is random; with the job's id in it, no two leases share one.
macro_rules! claim {
    ($picked:literal) => {
        concat!(
            "WITH picked AS MATERIALIZED (",
            $picked,
            ") UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_token = ? # picked.id, engine_id = ?,
                    started_at = coalesce(started_at, ?)
             FROM picked WHERE jobs.id = picked.id
             RETURNING jobs.id, lease_token, CASE WHEN flow = 0 THEN jobs.id ELSE flow END, turn,
                       kind, lane, key, args, priority, attempt, max_attempts"
        )
    };
}

statement! {
    /// As many as their group has room for in this engine, the least suspected first. In SQLite they are claimed with
    /// the others (`Claim`).
    ClaimSuspects<'a> {
        queue: &'a str => Text, from: i32 => Integer, before: i32 => Integer, closed: &'a [String] => Array<Text>, here: &'a str => Text,
        limit: i64 => BigInt, token: i64 => BigInt, engine: &'a str => Text, now: i64 => BigInt,
    } -> ClaimedColumns = claim!(
        "SELECT id FROM (
             SELECT id, crash_count, row_number() OVER (ORDER BY crash_count, priority, turn, id) AS place FROM (
                 SELECT id, crash_count, priority, turn FROM jobs
                 WHERE queue = ? AND state = 'available' AND priority >= ? AND priority < ? AND lane <> ALL (?) AND crash_count > 0
                 ORDER BY crash_count, priority, turn, id LIMIT 64 FOR UPDATE SKIP LOCKED) AS waiting) AS placed, (
             SELECT count(*) AS suspects, coalesce(max(crash_count), 0) AS worst
             FROM jobs WHERE state = 'running' AND crash_count > 0 AND engine_id = ?) AS here
         WHERE suspects + place <= CASE greatest(worst, crash_count) WHEN 1 THEN 64 WHEN 2 THEN 8 ELSE 1 END
         ORDER BY place LIMIT ?");
}

statement! {
    /// Those of these jobs that run alone. In SQLite a claim returns it.
    RunAlone { ids: Vec<i64> => Array<BigInt>, from: i32 => Integer } -> BigInt =
    "SELECT id FROM jobs WHERE id = ANY(?) AND crash_count >= ?";
}

statement! {
    /// From a place on in each priority, the most urgent first; it ends as soon as there are enough. SQLite begins at
    /// the first job (`Claim`).
    ClaimJobs<'a> {
        priorities: Vec<i32> => Array<Integer>, turns: Vec<i64> => Array<BigInt>, ids: Vec<i64> => Array<BigInt>,
        queue: &'a str => Text, closed: &'a [String] => Array<Text>, limit: i64 => BigInt, of_all: i64 => BigInt,
        token: i64 => BigInt, engine: &'a str => Text, now: i64 => BigInt,
    } -> ClaimedColumns = claim!(
        "SELECT job.id FROM unnest(?, ?, ?) AS start (priority, turn, id),
             LATERAL (SELECT jobs.id FROM jobs
                      WHERE queue = ? AND jobs.priority = start.priority AND (jobs.turn, jobs.id) >= (start.turn, start.id)
                            AND state = 'available' AND crash_count = 0 AND lane <> ALL (?)
                      ORDER BY jobs.turn, jobs.id LIMIT ? FOR UPDATE SKIP LOCKED) AS job
         LIMIT ?");
}

statement! {
    /// The reports of a group. SQLite writes one (`Progress`).
    ProgressAll<'a> {
        ids: Vec<i64> => Array<BigInt>, tokens: Vec<i64> => Array<BigInt>, steps: Vec<&'a str> => Array<Text>,
        percents: Vec<i32> => Array<Integer>, progress: Vec<&'a str> => Array<Text>,
    } -> (BigInt, BigInt) =
    "UPDATE jobs SET step = told.step, percent = told.percent, progress = told.progress
     FROM unnest(?, ?, ?, ?, ?) AS told (id, token, step, percent, progress)
     WHERE jobs.id = told.id AND jobs.lease_token = told.token AND jobs.state || '' = 'running'
     RETURNING jobs.id, jobs.lease_token";
}

statement! {
    /// Ends of attempts that need no look at their jobs first. The fence is in the statement: only those that still
    /// hold their jobs, and nobody asked to cancel, come back. SQLite ends one (`Complete`).
    SettleQuick<'a> {
        ids: Vec<i64> => Array<BigInt>, tokens: Vec<i64> => Array<BigInt>, states: Vec<&'a str> => Array<Text>,
        attempts: Vec<i32> => Array<Integer>, run_at: Vec<i64> => Array<BigInt>, results: Vec<Option<String>> => Array<Opt<Text>>,
        worked_at: Vec<Option<i64>> => Array<Opt<BigInt>>, finished_at: Vec<Option<i64>> => Array<Opt<BigInt>>,
    } -> (BigInt, Text, Opt<Text>, Text) =
    "UPDATE jobs SET state = ended.state, attempt = ended.attempt, run_at = ended.run_at, result = ended.result,
            worked_at = ended.worked_at, finished_at = ended.finished_at, lease_token = NULL, engine_id = NULL
     FROM unnest(?, ?, ?, ?, ?, ?, ?, ?) AS ended (id, token, state, attempt, run_at, result, worked_at, finished_at)
     WHERE jobs.id = ended.id AND jobs.lease_token = ended.token AND jobs.state || '' = 'running'
           AND jobs.cancel_requested_at IS NULL AND jobs.crash_count = 0
     RETURNING jobs.id, kind, key, queue";
}

statement! {
    /// The fence: rows only of attempts that still hold their jobs, locked in the order of the ids until the end. Each
    /// is looked up: a join in the order of the ids, planned while jobs were few, would walk over all there ever were.
    /// SQLite asks for one.
    Fence { ids: Vec<i64> => Array<BigInt>, tokens: Vec<i64> => Array<BigInt> }
        -> ((BigInt, Text, Opt<Text>, Text, Text, Text), (Integer, BigInt, Opt<BigInt>, Integer, Integer)) =
    "SELECT job.id, kind, key, queue, errors, rollup, attempt, CASE WHEN flow = 0 THEN job.id ELSE flow END, cancel_requested_at, crash_count,
            priority
     FROM unnest(?, ?) AS held (id, token),
         LATERAL (SELECT * FROM jobs WHERE jobs.id = held.id AND jobs.lease_token = held.token AND jobs.state || '' = 'running'
                  LIMIT 1 FOR UPDATE) AS job";
}

statement! {
    /// What was decided of all ends of a group. SQLite writes one (`Settle`).
    SettleAll<'a> {
        ids: Vec<i64> => Array<BigInt>, states: Vec<&'a str> => Array<Text>, attempts: Vec<i32> => Array<Integer>,
        run_at: Vec<i64> => Array<BigInt>, errors: Vec<String> => Array<Text>, results: Vec<Option<String>> => Array<Opt<Text>>,
        worked_at: Vec<Option<i64>> => Array<Opt<BigInt>>, finished_at: Vec<Option<i64>> => Array<Opt<BigInt>>,
        crashes: Vec<i32> => Array<Integer>, rollups: Vec<String> => Array<Text>, pending: Vec<i32> => Array<Integer>,
    } -> () =
    "UPDATE jobs SET state = ended.state, attempt = ended.attempt, run_at = ended.run_at, errors = ended.errors,
            result = ended.result, worked_at = ended.worked_at, finished_at = ended.finished_at,
            crash_count = ended.crashes, rollup = ended.rollup, children_pending = children_pending + ended.pending,
            lease_token = NULL, engine_id = NULL
     FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       AS ended (id, state, attempt, run_at, errors, result, worked_at, finished_at, crashes, rollup, pending)
     WHERE jobs.id = ended.id";
}

statement! {
    /// SQLite asks for those of one (`Parents`).
    ParentsOf { children: Vec<i64> => Array<BigInt> } -> (BigInt, BigInt) =
    "SELECT child_id, parent_id FROM job_links WHERE child_id = ANY(?) AND relation = 'child'";
}

statement! {
    /// Who waited for jobs that are final: parents and successors. A statement of its own, after the one that ended
    /// the jobs: a link can come in until their rows are locked, and must be seen. SQLite looks first, and mostly
    /// finds none (`WaitingFor`).
    TakeLinksOf { children: Vec<i64> => Array<BigInt> } -> (BigInt, BigInt, Text) =
    "DELETE FROM job_links WHERE child_id = ANY(?) RETURNING child_id, parent_id, relation";
}

statement! {
    /// The same, of those that turned out to be final: it may follow the statement that ends them at once. Only here:
    /// in a file nothing is gained by sending both at once.
    TakeLinksOfFinal { children: Vec<i64> => Array<BigInt> } -> (BigInt, BigInt, Text) =
    "DELETE FROM job_links USING jobs
     WHERE job_links.child_id = ANY(?) AND jobs.id = job_links.child_id AND jobs.finished_at IS NOT NULL
     RETURNING job_links.child_id, job_links.parent_id, job_links.relation";
}

statement! {
    /// Parents that are not final; they are locked. SQLite reads one (`OpenParent`).
    OpenParents { ids: Vec<i64> => Array<BigInt> } -> (BigInt, (Text, Text, Text, Integer, Opt<BigInt>)) =
    "SELECT id, kind, state, rollup, children_pending, worked_at FROM jobs
     WHERE id = ANY(?) AND finished_at IS NULL";
}

statement! {
    /// Every link on the ways from jobs up to those that nobody waits for: (child, parent). So that all parents are
    /// worked out in memory and written at once, the deepest first. SQLite goes up by one at a time.
    LinksAbove { ids: Vec<i64> => Array<BigInt> } -> (BigInt, BigInt) =
    "WITH RECURSIVE above (child_id, parent_id) AS (
         SELECT child_id, parent_id FROM job_links WHERE child_id = ANY(?) AND relation = 'child'
         UNION
         SELECT job_links.child_id, job_links.parent_id FROM above JOIN job_links ON job_links.child_id = above.parent_id
         WHERE relation = 'child')
     SELECT child_id, parent_id FROM above";
}

statement! {
    /// SQLite writes one (`UpdateParent`).
    UpdateParents<'a> {
        ids: Vec<i64> => Array<BigInt>, states: Vec<&'a str> => Array<Text>, rollups: Vec<String> => Array<Text>,
        pending: Vec<i32> => Array<Integer>, finished_at: Vec<Option<i64>> => Array<Opt<BigInt>>,
    } -> () =
    "UPDATE jobs SET state = told.state, rollup = told.rollup, children_pending = told.pending, finished_at = told.finished_at
     FROM unnest(?, ?, ?, ?, ?) AS told (id, state, rollup, pending, finished_at) WHERE jobs.id = told.id";
}

statement! {
    /// Bounded, and what others lock is passed over. SQLite moves all.
    Stage { now: i64 => BigInt, limit: i64 => BigInt } -> Text =
    "UPDATE jobs SET state = 'available' WHERE id IN (
         SELECT id FROM jobs WHERE state IN ('scheduled', 'retryable') AND run_at <= ?
         ORDER BY run_at LIMIT ? FOR UPDATE SKIP LOCKED)
     RETURNING queue";
}

/// Whether nobody holds the session lock of an engine of this database.
macro_rules! is_gone {
    () => {
        "NOT EXISTS (SELECT 1 FROM pg_locks
             WHERE locktype = 'advisory' AND classid = 1751520112 AND objsubid = 2 AND granted
                 AND objid::bigint = hashtext(engines.id)::bigint & 4294967295
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    };
}

statement! {
    /// Engines that may be buried, locked in one pass. Only here: whoever has a file's lock is alone.
    LockEngines<'a> { alive: &'a str => Text, silence_ms: i64 => BigInt, gone: Vec<&'a str> => Array<Text> } -> Text =
    "SELECT id FROM engines, (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock
     WHERE stopped_at IS NULL AND rescued_at IS NULL AND id <> ? AND (heartbeat_at <= now_ms - ? OR id = ANY(?))
     ORDER BY id FOR UPDATE OF engines";
}

statement! {
    /// Engines that were silent too long, by the clock of the database. One that is heard at this moment waits, and
    /// hears that it was dead. Only here: whoever has a file's lock is alone.
    BuryEngines<'a> { alive: &'a str => Text, silence_ms: i64 => BigInt } -> Text =
    "WITH silent AS MATERIALIZED (
         SELECT id, now_ms FROM engines, (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock
         WHERE stopped_at IS NULL AND rescued_at IS NULL AND id <> ? AND heartbeat_at <= now_ms - ? ORDER BY id FOR UPDATE OF engines)
     UPDATE engines SET rescued_at = now_ms FROM silent WHERE engines.id = silent.id RETURNING engines.id";
}

statement! {
    /// Running jobs whose engine is not known to be alive. Without a lock, to lock them in their order. SQLite takes
    /// those of all others (`RunningOfOthers`).
    JobsOfDead<'a> { alive: &'a str => Text } -> BigInt =
    "SELECT id FROM jobs WHERE state = 'running' AND engine_id IS DISTINCT FROM ?
           AND NOT EXISTS (SELECT 1 FROM engines WHERE engines.id = jobs.engine_id AND stopped_at IS NULL AND rescued_at IS NULL)";
}

statement! {
    /// Engines whose sessions are gone: those that have not come back until now. Only here: an engine of a file has no
    /// session.
    BuryGone { ids: Vec<String> => Array<Text> } -> Text =
    concat!(
        "UPDATE engines SET rescued_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
         WHERE id = ANY(?) AND stopped_at IS NULL AND rescued_at IS NULL AND session = 1 AND ",
        is_gone!(), " RETURNING id"
    );
}

statement! {
    /// The lead is free. Only here: whoever has a file's lock leads.
    EndLead { engines: Vec<String> => Array<Text> } -> () = "UPDATE leadership SET expires_at = 0 WHERE engine_id = ANY(?)";
}

statement! {
    /// Other engines that should hold a session and do not; by the clock of the database, which has been up so long
    /// (ms). Only here: an engine of a file has no session.
    Gone<'a> { me: &'a str => Text, up_ms: i64 => BigInt } -> (Text, BigInt) =
    concat!(
        "SELECT id, now_ms FROM engines, (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock
         WHERE stopped_at IS NULL AND rescued_at IS NULL AND session = 1 AND id <> ?
             AND now_ms - (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint > ? AND ",
        is_gone!()
    );
}

statement! {
    /// Held by the session until it ends. Only here: an engine of a file has no session.
    HoldSession<'a> { id: &'a str => Text } -> Bool = "SELECT pg_try_advisory_lock(1751520112, hashtext(?))";
}

statement! {
    /// Only here: an engine of a file has no session.
    TellSession<'a> { id: &'a str => Text } -> () = "UPDATE engines SET session = 1 WHERE id = ? AND session = 0";
}

statement! {
    /// How engines died, as they or those who started them told. SQLite reads it with their jobs (`RunningOfOthers`).
    Deaths { ids: Vec<String> => Array<Text> } -> (Text, Integer) = "SELECT id, death FROM engines WHERE id = ANY(?)";
}

statement! {
    /// Those of these jobs, which are locked, that run and whose engine is not known to be alive. SQLite takes those
    /// of all others (`RunningOfOthers`).
    RunningOfDead<'a> { ids: Vec<i64> => Array<BigInt>, alive: &'a str => Text }
        -> LostColumns =
    "SELECT id, coalesce(lease_token, 0), attempt, crash_count, lone_deaths, quiet_deaths, coalesce(engine_id, ''),
            coalesce(lone_lease = lease_token, FALSE) FROM jobs
     WHERE id = ANY(?) AND state = 'running' AND engine_id IS DISTINCT FROM ?
           AND NOT EXISTS (SELECT 1 FROM engines WHERE engines.id = jobs.engine_id AND stopped_at IS NULL AND rescued_at IS NULL)
     ORDER BY id";
}

statement! {
    /// One round trip, and no other transaction is in its way but those that bury engines. Only here: whoever has a
    /// file's lock lives, and leads.
    Heartbeat<'a> {
        id: &'a str => Text, pid: i64 => BigInt, host: &'a str => Text, version: &'a str => Text, leads_ms: i64 => BigInt,
        silence_ms: i64 => BigInt,
    } -> (Opt<BigInt>, Bool, BigInt) =
    "WITH me AS (SELECT ?::text AS id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms),
          before AS (SELECT rescued_at FROM engines WHERE id = (SELECT id FROM me) FOR UPDATE),
          heard AS (INSERT INTO engines (id, pid, host, version, started_at, heartbeat_at)
                    SELECT id, ?, ?, ?, now_ms, now_ms FROM me
                    ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at, rescued_at = NULL),
          lead AS (INSERT INTO leadership (role, engine_id, term, expires_at)
                   SELECT 'leader', id, 1, now_ms + ? FROM me
                   ON CONFLICT (role) DO UPDATE SET
                       engine_id = excluded.engine_id, expires_at = excluded.expires_at,
                       term = leadership.term + CASE WHEN leadership.engine_id = excluded.engine_id THEN 0 ELSE 1 END
                   WHERE leadership.engine_id = excluded.engine_id OR leadership.expires_at < (SELECT now_ms FROM me)
                   RETURNING term)
     SELECT (SELECT term FROM lead),
            NOT EXISTS (SELECT 1 FROM before WHERE rescued_at IS NULL),
            (SELECT count(*) FROM engines, me
             WHERE stopped_at IS NULL AND rescued_at IS NULL AND heartbeat_at > now_ms - ? AND engines.id <> me.id)";
}

statement! {
    /// Only here: nobody else writes to a file.
    Ring<'a> { channel: &'a str => Text, words: &'a str => Text } -> () = "SELECT pg_notify(?, ?)";
}

statement! {
    /// By the clock of the database. In SQLite the last that started is the one that may live.
    Engines { silence_ms: i64 => BigInt } -> ((Text, BigInt, Text, Text), (BigInt, BigInt, Text, Bool, BigInt)) =
    "SELECT id, pid, host, version, started_at, greatest(now_ms - heartbeat_at, 0),
            CASE WHEN stopped_at IS NOT NULL THEN 'stopped'
                 WHEN rescued_at IS NOT NULL OR heartbeat_at <= now_ms - ? THEN 'dead' ELSE 'alive' END,
            EXISTS (SELECT 1 FROM leadership WHERE engine_id = engines.id AND expires_at >= now_ms),
            (SELECT count(*) FROM jobs WHERE state = 'running' AND engine_id = engines.id)
     FROM engines, (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock
     WHERE coalesce(stopped_at, heartbeat_at) > now_ms - 86400000 ORDER BY started_at, id";
}

statement! {
    /// What is known against jobs. SQLite writes one at a time.
    Suspect {
        ids: Vec<i64> => Array<BigInt>, levels: Vec<i32> => Array<Integer>, lone: Vec<i32> => Array<Integer>,
        quiet: Vec<i32> => Array<Integer>,
    } -> () =
    "UPDATE jobs SET crash_count = lost.level, lone_deaths = lost.lone, quiet_deaths = lost.quiet
     FROM unnest(?, ?, ?, ?) AS lost (id, level, lone, quiet) WHERE jobs.id = lost.id";
}

statement! {
    /// Those that are locked (`RunningOf`), in their order. SQLite takes all of the engine.
    HandBack<'a> { now: i64 => BigInt, engine: &'a str => Text, queue: Option<&'a str> => Opt<Text>, keep: Vec<i64> => Array<BigInt>,
        locked: Vec<i64> => Array<BigInt> } -> Text =
    "UPDATE jobs SET state = 'available', attempt = greatest(attempt - 1, 0), run_at = ?, lease_token = NULL, engine_id = NULL
     WHERE id IN (
         SELECT id FROM jobs WHERE state = 'running' AND engine_id = ? AND queue = coalesce(?, queue)
             AND NOT (lease_token = ANY(?)) AND id = ANY(?) ORDER BY id FOR UPDATE)
     RETURNING queue";
}

statement! {
    /// Without a lock, to lock them with those above them. Only here: a file has one writer.
    RunningOf<'a> { engine: &'a str => Text, queue: Option<&'a str> => Opt<Text> } -> BigInt =
    "SELECT id FROM jobs WHERE state = 'running' AND engine_id = ? AND queue = coalesce(?, queue)";
}

statement! {
    /// By the clock of the database, which is the same for all engines. In SQLite by the clock of the engine.
    EngineStarted<'a> { id: &'a str => Text, pid: i64 => BigInt, host: &'a str => Text, version: &'a str => Text } -> () =
    "INSERT INTO engines (id, pid, host, version, started_at, heartbeat_at)
     SELECT ?, ?, ?, ?, now_ms, now_ms FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms) AS clock";
}

statement! {
    /// By the clock of the database. In SQLite by that of the engine.
    EngineStopped<'a> { id: &'a str => Text } -> () =
    "UPDATE engines SET stopped_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE id = ?";
}

statement! {
    /// The next engine need not wait for the lease to run out. Only here: whoever has a file's lock leads.
    StepDown<'a> { id: &'a str => Text } -> () = "UPDATE leadership SET expires_at = 0 WHERE engine_id = ?";
}

statement! {
    /// SQLite's is that of its files.
    Size {} -> BigInt = "SELECT pg_database_size(current_database())";
}

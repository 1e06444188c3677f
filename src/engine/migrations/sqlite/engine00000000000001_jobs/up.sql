-- Jobs, engines and schedules. Times are milliseconds since 1970, UTC.

CREATE TABLE jobs (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind                TEXT NOT NULL,
    queue               TEXT NOT NULL,
    key                 TEXT,                       -- two open jobs of a kind never share a key
    lane                TEXT NOT NULL DEFAULT '',   -- what it needs that may be scarce; empty: nothing
    args                TEXT NOT NULL,
    state               TEXT NOT NULL CHECK (state IN
        ('available','scheduled','blocked','running','retryable','completed','cancelled','discarded')),
    priority            INTEGER NOT NULL,
    turn                INTEGER NOT NULL DEFAULT 0, -- its place among the jobs of its queue and priority
    attempt             INTEGER NOT NULL DEFAULT 0,
    max_attempts        INTEGER NOT NULL,
    run_at              INTEGER NOT NULL,
    lease_token         INTEGER,                    -- of the attempt that runs
    engine_id           TEXT,                       -- that runs it
    cancel_requested_at INTEGER,
    flow                INTEGER NOT NULL DEFAULT 0, -- the submitted job that it descends from; 0: it is one
    submitted           INTEGER NOT NULL DEFAULT 1, -- somebody asked for it by itself
    waits_for           INTEGER NOT NULL DEFAULT 0, -- how many of the jobs it comes after are not final
    children_pending    INTEGER NOT NULL DEFAULT 0,
    step                TEXT,
    percent             INTEGER NOT NULL DEFAULT 0,
    progress            TEXT NOT NULL DEFAULT '{}',
    rollup              TEXT NOT NULL DEFAULT '{}', -- what its children came to, by kind
    result              TEXT,
    errors              TEXT NOT NULL DEFAULT '[]', -- of its last attempts, newest last
    crash_count         INTEGER NOT NULL DEFAULT 0, -- how much it is suspected of killing engines; 0: not at all
    lone_deaths         INTEGER NOT NULL DEFAULT 0, -- engines that died by themselves while only it ran
    quiet_deaths        INTEGER NOT NULL DEFAULT 0, -- that were killed while it ran; 8 for one of which nobody knows
    lone_lease          INTEGER,                    -- the attempt that runs, or ran, alone
    enqueued_at         INTEGER NOT NULL,
    started_at          INTEGER,
    worked_at           INTEGER,                    -- its own work was done; it may still wait for children
    finished_at         INTEGER
) STRICT;
-- Claims that pass closed lanes over read them in the index.
CREATE INDEX jobs_ready ON jobs (queue, priority, turn, id, lane) WHERE state = 'available' AND crash_count = 0;
CREATE INDEX jobs_suspect ON jobs (queue, priority, turn, id, lane) WHERE state = 'available' AND crash_count > 0;
CREATE INDEX jobs_suspect_running ON jobs (id) WHERE state = 'running' AND crash_count > 0;
CREATE INDEX jobs_held_back ON jobs (queue) WHERE state = 'scheduled' AND crash_count > 0;
CREATE INDEX jobs_due ON jobs (run_at) WHERE state IN ('scheduled', 'retryable');
CREATE INDEX jobs_running ON jobs (engine_id, queue) WHERE state = 'running';
CREATE INDEX jobs_cancelling ON jobs (engine_id) WHERE state = 'running' AND cancel_requested_at IS NOT NULL;
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_ended_badly ON jobs (id) WHERE state IN ('cancelled', 'discarded');
CREATE UNIQUE INDEX jobs_open_key ON jobs (kind, key)
    WHERE key IS NOT NULL AND finished_at IS NULL;

-- Who waits for whom. A link goes when its child is final: the parent's row has counted it.
CREATE TABLE job_links (
    child_id    INTEGER NOT NULL,
    parent_id   INTEGER NOT NULL,
    relation    TEXT NOT NULL DEFAULT 'child' CHECK (relation IN ('child', 'after_cancel', 'after_run')),
    PRIMARY KEY (child_id, parent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_links_by_parent ON job_links (parent_id);

-- A row for each life of an engine. What only a shared database needs (session, rescued_at) stays empty here.
CREATE TABLE engines (
    id              TEXT PRIMARY KEY,
    pid             INTEGER NOT NULL,
    host            TEXT NOT NULL,
    version         TEXT NOT NULL,
    started_at      INTEGER NOT NULL,
    heartbeat_at    INTEGER NOT NULL,
    stopped_at      INTEGER,
    rescued_at      INTEGER,
    session         INTEGER NOT NULL DEFAULT 0,
    death           INTEGER NOT NULL DEFAULT 0      -- how it died: 0 unknown, 1 by itself, 2 from outside
) STRICT, WITHOUT ROWID;

-- A tick is dealt with by whoever moves last_tick_at on, in the transaction that enqueues its job.
CREATE TABLE schedules (
    name            TEXT PRIMARY KEY,
    expression      TEXT NOT NULL,                  -- cron, every 6h, at 2026-12-01T03:00, or off
    zone            TEXT NOT NULL,                  -- IANA name of the time zone of cron and at
    catch_up        TEXT NOT NULL,                  -- skip | once
    kind            TEXT NOT NULL,
    args            TEXT NOT NULL,
    origin          TEXT NOT NULL,                  -- config | added
    last_tick_at    INTEGER,                        -- the last tick that was dealt with
    last_job_id     INTEGER,                        -- the job it enqueued; NULL if it was missed
    created_at      INTEGER NOT NULL                -- when it was made or its times were changed
) STRICT, WITHOUT ROWID;

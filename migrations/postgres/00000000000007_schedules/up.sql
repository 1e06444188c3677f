-- Never filled before this. A tick is dealt with by whoever moves last_tick_at on, in the transaction that
-- enqueues its job.
DROP TABLE schedules;
CREATE TABLE schedules (
    name            TEXT COLLATE "C" PRIMARY KEY,
    expression      TEXT NOT NULL,                  -- cron, every 6h, at 2026-12-01T03:00, or off
    zone            TEXT NOT NULL,                  -- IANA name of the time zone of cron and at
    catch_up        TEXT NOT NULL,                  -- skip | once
    kind            TEXT NOT NULL,
    args            TEXT NOT NULL,
    origin          TEXT NOT NULL,                  -- config | added
    last_tick_at    BIGINT,                         -- the last tick that was dealt with
    last_job_id     BIGINT,                         -- the job it enqueued; NULL if it was missed
    created_at      BIGINT NOT NULL                 -- when it was made or its times were changed
);

CREATE INDEX players_tracked ON players (id) WHERE tracked;

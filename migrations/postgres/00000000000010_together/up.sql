-- ---------------------------------------------------------------- lists

-- Jobs that ended badly are few among those that ended: a list of them looks at no others.
CREATE INDEX jobs_ended_badly ON jobs (id) WHERE state IN ('cancelled', 'discarded');

-- ---------------------------------------------------------------- whose death it was

-- crash_count is how much a job is suspected of killing engines: 0 not at all; the higher, the fewer others run
-- beside it; from 3 on it runs alone. It is 0 again when the job survives.
ALTER TABLE jobs ADD COLUMN lone_deaths INTEGER NOT NULL DEFAULT 0;     -- engines that died by themselves while only it ran
ALTER TABLE jobs ADD COLUMN quiet_deaths INTEGER NOT NULL DEFAULT 0;    -- that were killed while it ran; 8 for one of which nobody knows
ALTER TABLE jobs ADD COLUMN lone_lease BIGINT;                          -- the attempt that runs, or ran, alone
-- How it died: 0 nobody knows; 1 by itself, of an abort or for want of memory; 2 it was killed.
ALTER TABLE engines ADD COLUMN death INTEGER NOT NULL DEFAULT 0;
-- Its session holds a lock for as long as it lives. When that is free, it has ended.
ALTER TABLE engines ADD COLUMN session INTEGER NOT NULL DEFAULT 0;
-- The engine whose calls these are.
ALTER TABLE rate_budgets ADD COLUMN holder TEXT;
CREATE INDEX jobs_held_back ON jobs (queue) WHERE state = 'scheduled' AND crash_count > 0;
-- Before this any death of an engine made suspects of all that ran in it.
UPDATE jobs SET crash_count = 0 WHERE state = 'available' AND crash_count > 0;
UPDATE jobs SET crash_count = 0 WHERE state = 'running' AND crash_count > 0;

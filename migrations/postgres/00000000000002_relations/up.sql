-- Flows, turns, dependencies and cancellation of jobs.

-- The submitted job whose descendant this one is; 0: it has no parent.
ALTER TABLE jobs ADD COLUMN flow BIGINT NOT NULL DEFAULT 0;
-- Its place among the jobs of its queue and priority: the lowest is first, so that a flow of 3,000
-- jobs takes turns with one of 30.
ALTER TABLE jobs ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
-- Somebody asked for it by itself: it is not cancelled with its parents.
ALTER TABLE jobs ADD COLUMN submitted INTEGER NOT NULL DEFAULT 1;
-- How many of the jobs it comes after are not final.
ALTER TABLE jobs ADD COLUMN waits_for INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN cancel_requested_at BIGINT;

-- child: the parent counts it. after_cancel, after_run: the "parent" comes after it, and is
-- cancelled, or runs anyway, when it fails.
ALTER TABLE job_links ADD COLUMN relation TEXT COLLATE "C" NOT NULL DEFAULT 'child'
    CHECK (relation IN ('child', 'after_cancel', 'after_run'));

DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (queue, priority, turn, id) WHERE state = 'available' AND crash_count = 0;
-- Jobs that ran when an engine died: one at a time, so that a culprit is told from the crowd.
CREATE INDEX jobs_suspect ON jobs (queue, priority, turn, id) WHERE state = 'available' AND crash_count > 0;
CREATE INDEX jobs_suspect_running ON jobs (id) WHERE state = 'running' AND crash_count > 0;
CREATE INDEX jobs_cancelling ON jobs (engine_id) WHERE state = 'running' AND cancel_requested_at IS NOT NULL;

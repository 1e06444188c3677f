-- What a job needs that may be scarce, such as one host of an API; empty: nothing. Jobs of one lane
-- leave room for those of others in their queue, and a lane can be closed.
ALTER TABLE jobs ADD COLUMN lane TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Claims that pass closed lanes over read them in the index.
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (queue, priority, turn, id, lane) WHERE state = 'available' AND crash_count = 0;
DROP INDEX jobs_suspect;
CREATE INDEX jobs_suspect ON jobs (queue, priority, turn, id, lane) WHERE state = 'available' AND crash_count > 0;

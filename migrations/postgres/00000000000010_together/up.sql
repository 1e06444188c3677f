-- ---------------------------------------------------------------- lists

-- Jobs that ended badly are few among those that ended: a list of them looks at no others.
CREATE INDEX jobs_ended_badly ON jobs (id) WHERE state IN ('cancelled', 'discarded');

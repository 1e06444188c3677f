-- What each engine has used of a key's limits on a route and may still use, so that engines of one key
-- share it, and one that starts anew knows what went before. Never filled before this.
DROP TABLE rate_budgets;
CREATE TABLE rate_budgets (
    key_fingerprint TEXT COLLATE "C" NOT NULL,
    route           TEXT COLLATE "C" NOT NULL,
    engine_id       TEXT COLLATE "C" NOT NULL,
    windows         TEXT NOT NULL,                  -- JSON: for each window its limit, places in use and cap
    reported_at     BIGINT NOT NULL,
    ended_at        BIGINT,                        -- the engine is known to have ended then
    PRIMARY KEY (key_fingerprint, route, engine_id)
);
ALTER TABLE rate_budgets SET (fillfactor = 50);

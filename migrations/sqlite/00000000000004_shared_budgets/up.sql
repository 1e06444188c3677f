-- What each engine has used of a key's limits on a route and may still use, so that engines of one key
-- share it, and one that starts anew knows what went before. Never filled before this.
DROP TABLE rate_budgets;
CREATE TABLE rate_budgets (
    key_fingerprint TEXT NOT NULL,
    route           TEXT NOT NULL,
    engine_id       TEXT NOT NULL,
    windows         TEXT NOT NULL,                  -- JSON: for each window its limit, places in use and cap
    reported_at     INTEGER NOT NULL,
    ended_at        INTEGER,                        -- the engine is known to have ended then
    PRIMARY KEY (key_fingerprint, route, engine_id)
) STRICT, WITHOUT ROWID;

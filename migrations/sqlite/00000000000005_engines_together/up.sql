-- Engines of one database: who was taken for dead, and who leads. One database file has one engine at a
-- time, which leads; the names are those of the other database.
ALTER TABLE engines ADD COLUMN rescued_at INTEGER;      -- its jobs were returned then; gone when it is heard again
CREATE TABLE leadership (
    role        TEXT PRIMARY KEY,                       -- leader
    engine_id   TEXT NOT NULL,
    term        INTEGER NOT NULL,                       -- of this engine; every other one that leads has another
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

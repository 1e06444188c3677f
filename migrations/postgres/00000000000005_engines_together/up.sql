-- Engines of one database: who was taken for dead, and who leads.
ALTER TABLE engines ADD COLUMN rescued_at BIGINT;       -- its jobs were returned then; gone when it is heard again
CREATE TABLE leadership (
    role        TEXT COLLATE "C" PRIMARY KEY,           -- leader
    engine_id   TEXT COLLATE "C" NOT NULL,
    term        BIGINT NOT NULL,                        -- of this engine; every other one that leads has another
    expires_at  BIGINT NOT NULL
);
ALTER TABLE leadership SET (fillfactor = 50);

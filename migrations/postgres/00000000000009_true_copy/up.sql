-- ---------------------------------------------------------------- what the API does not give

-- A document that is missing is asked for again with growing pauses, for as long as Riot can have it.
ALTER TABLE missing_payloads ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;
ALTER TABLE missing_payloads ADD COLUMN next_try BIGINT;        -- NULL: not by itself any more
ALTER TABLE missing_payloads ADD COLUMN expires_at BIGINT;      -- Riot has deleted it by then; NULL: not known
UPDATE missing_payloads SET
    expires_at = CASE kind
        WHEN 'timeline' THEN coalesce((SELECT m.game_start FROM matches m WHERE m.match_id = id), first_seen) + 31536000000
        ELSE first_seen + 63072000000 END;
UPDATE missing_payloads SET next_try = last_seen + 3600000 WHERE last_seen + 3600000 < expires_at;
CREATE INDEX missing_payloads_due ON missing_payloads (next_try) WHERE next_try IS NOT NULL;

-- A player's year as Riot listed it the last time it was asked.
CREATE TABLE player_years (
    player_id       BIGINT NOT NULL,
    year            INTEGER NOT NULL,
    platform        TEXT COLLATE "C" NOT NULL,
    listed_at       BIGINT NOT NULL,
    listed_matches  BIGINT NOT NULL,                -- of that year alone
    list_ends_at    TEXT COLLATE "C",               -- the oldest match of it, where the list ends before the year begins; empty: none
    PRIMARY KEY (player_id, year, platform)
);

-- What that list had that was not stored then. With missing_payloads it tells what a player's year lacks, and why.
CREATE TABLE listed_matches (
    player_id       BIGINT NOT NULL,
    year            INTEGER NOT NULL,
    platform        TEXT COLLATE "C" NOT NULL,
    match_id        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (player_id, year, platform, match_id)
);

-- ---------------------------------------------------------------- documents that could not be read

-- Documents that are stored in payloads and could not be made into rows, and why. `riftsync replay` of a
-- version that can read them makes their rows, and this one goes.
CREATE TABLE unread_payloads (
    kind        TEXT COLLATE "C" NOT NULL,          -- match | timeline
    match_id    TEXT COLLATE "C" NOT NULL,
    reason      TEXT NOT NULL,
    version     TEXT NOT NULL,                      -- of riftsync, that could not read it
    key_fingerprint TEXT NOT NULL,                  -- of the key that its puuids belong to; empty: not known
    stored_at   BIGINT NOT NULL,
    PRIMARY KEY (match_id, kind)
);

-- ---------------------------------------------------------------- names

-- A player is a puuid; a name is a look that changes. Asked for in vain since then, and why; NULL: found the last time.
ALTER TABLE players ADD COLUMN lost_since BIGINT;
ALTER TABLE players ADD COLUMN lost_why TEXT;

-- What a player was called before, with the time for which that is known. The present name is in players.
CREATE TABLE former_names (
    player_id   BIGINT NOT NULL,
    game_name   TEXT NOT NULL,
    tag_line    TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,          -- name#tag as Riot compares it
    valid_from  BIGINT NOT NULL,
    valid_to    BIGINT NOT NULL,
    PRIMARY KEY (player_id, valid_to, name_folded)
);
CREATE INDEX former_names_by_name ON former_names (name_folded);

-- Every name that a player is known to have had; valid_to is NULL for the present one.
CREATE VIEW player_names (player_id, game_name, tag_line, name_folded, valid_from, valid_to) AS
SELECT player_id, game_name, tag_line, name_folded, valid_from, valid_to FROM former_names
UNION ALL
SELECT p.id, p.game_name, p.tag_line, p.name_folded,
       coalesce((SELECT max(f.valid_to) FROM former_names f WHERE f.player_id = p.id), least(p.name_seen_at, p.created_at)), NULL
FROM players p WHERE p.game_name IS NOT NULL AND p.tag_line IS NOT NULL;

-- A name that another takes the place of is kept, whoever writes it. Another way to write the same name is none.
CREATE FUNCTION keep_former_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO former_names (player_id, game_name, tag_line, name_folded, valid_from, valid_to)
    VALUES (OLD.id, OLD.game_name, OLD.tag_line, OLD.name_folded,
            coalesce((SELECT max(valid_to) FROM former_names WHERE player_id = OLD.id), least(OLD.name_seen_at, OLD.created_at)),
            NEW.name_seen_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER players_renamed AFTER UPDATE OF name_folded ON players FOR EACH ROW
WHEN (OLD.name_folded <> NEW.name_folded AND OLD.game_name IS NOT NULL AND OLD.tag_line IS NOT NULL)
EXECUTE FUNCTION keep_former_name();

-- Matches that were cleaned away on purpose: they are not fetched, stored or counted again.
CREATE TABLE cleaned_matches (
    match_id    TEXT PRIMARY KEY,
    cleaned_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What matches that were cleaned away still count for in player_yearly_stats: a row there is this one and
-- the games of match_participants together.
CREATE TABLE cleaned_stats (
    player_id                   INTEGER NOT NULL,
    year                        INTEGER NOT NULL,
    platform                    TEXT NOT NULL,
    wins                        INTEGER NOT NULL,
    losses                      INTEGER NOT NULL,
    remakes                     INTEGER NOT NULL,
    total_kills                 INTEGER NOT NULL,
    total_deaths                INTEGER NOT NULL,
    total_assists               INTEGER NOT NULL,
    total_gold_earned           INTEGER NOT NULL,
    total_minions_killed        INTEGER NOT NULL,
    total_neutral_minions_killed INTEGER NOT NULL,
    total_damage_to_champions   INTEGER NOT NULL,
    counts                      TEXT NOT NULL,      -- JSON: games by champion, role and lane
    PRIMARY KEY (player_id, year, platform)
) STRICT, WITHOUT ROWID;

-- The oldest matches, and the failed jobs of a match.
CREATE INDEX matches_by_age ON matches (stored_at);
CREATE INDEX jobs_failed ON jobs (kind, key) WHERE state = 'discarded';

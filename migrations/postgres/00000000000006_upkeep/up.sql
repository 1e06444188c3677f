-- Matches that were cleaned away on purpose: they are not fetched, stored or counted again.
CREATE TABLE cleaned_matches (
    match_id    TEXT COLLATE "C" PRIMARY KEY,
    cleaned_at  BIGINT NOT NULL
);

-- What matches that were cleaned away still count for in player_yearly_stats: a row there is this one and
-- the games of match_participants together.
CREATE TABLE cleaned_stats (
    player_id                   BIGINT NOT NULL,
    year                        INTEGER NOT NULL,
    platform                    TEXT COLLATE "C" NOT NULL,
    wins                        BIGINT NOT NULL,
    losses                      BIGINT NOT NULL,
    remakes                     BIGINT NOT NULL,
    total_kills                 BIGINT NOT NULL,
    total_deaths                BIGINT NOT NULL,
    total_assists               BIGINT NOT NULL,
    total_gold_earned           BIGINT NOT NULL,
    total_minions_killed        BIGINT NOT NULL,
    total_neutral_minions_killed BIGINT NOT NULL,
    total_damage_to_champions   BIGINT NOT NULL,
    counts                      TEXT NOT NULL,      -- JSON: games by champion, role and lane
    PRIMARY KEY (player_id, year, platform)
);

-- The oldest matches, and the failed jobs of a match.
CREATE INDEX matches_by_age ON matches (stored_at);
CREATE INDEX jobs_failed ON jobs (kind, key) WHERE state = 'discarded';

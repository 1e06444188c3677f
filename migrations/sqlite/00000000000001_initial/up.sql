-- Times are milliseconds since 1970-01-01T00:00:00Z, in UTC. Table and column names are a contract.

-- ---------------------------------------------------------------- the data

CREATE TABLE players (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    puuid                   TEXT NOT NULL UNIQUE,
    puuid_key_fingerprint   TEXT NOT NULL,          -- of the API key the puuid belongs to; not the key
    game_name               TEXT,
    tag_line                TEXT,
    name_folded             TEXT,                   -- name#tag as Riot compares it: no case, no blanks
    name_seen_at            INTEGER NOT NULL DEFAULT 0, -- of several names the newest stands
    platform                TEXT NOT NULL,
    profile_icon_id         INTEGER,
    summoner_level          INTEGER,
    tracked                 INTEGER NOT NULL DEFAULT 0,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL
) STRICT;
CREATE INDEX players_by_name ON players (name_folded) WHERE name_folded IS NOT NULL;

CREATE TABLE matches (
    match_id            TEXT PRIMARY KEY,
    platform            TEXT NOT NULL,
    data_version        TEXT NOT NULL,
    game_creation       INTEGER NOT NULL,
    game_start          INTEGER NOT NULL,
    game_end            INTEGER NOT NULL,
    game_duration_s     INTEGER NOT NULL,
    queue_id            INTEGER NOT NULL,
    map_id              INTEGER NOT NULL,
    game_mode           TEXT NOT NULL,
    game_type           TEXT NOT NULL,
    game_version        TEXT NOT NULL,
    end_of_game_result  TEXT,
    year                INTEGER NOT NULL,           -- calendar year (UTC) of game_start
    is_remake           INTEGER NOT NULL,
    stored_at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE match_participants (
    match_id                TEXT NOT NULL,
    participant_id          INTEGER NOT NULL,
    player_id               INTEGER,                -- NULL: a bot
    team_id                 INTEGER NOT NULL,
    champion_id             INTEGER NOT NULL,
    champion_name           TEXT NOT NULL,
    team_position           TEXT NOT NULL,
    role                    TEXT NOT NULL,
    lane                    TEXT NOT NULL,
    kills                   INTEGER NOT NULL,
    deaths                  INTEGER NOT NULL,
    assists                 INTEGER NOT NULL,
    win                     INTEGER NOT NULL,
    gold_earned             INTEGER NOT NULL,
    total_minions_killed    INTEGER NOT NULL,
    neutral_minions_killed  INTEGER NOT NULL,
    damage_to_champions     INTEGER NOT NULL,
    vision_score            INTEGER NOT NULL,
    champ_level             INTEGER NOT NULL,
    placement               INTEGER,
    subteam_id              INTEGER,
    item0                   INTEGER NOT NULL,
    item1                   INTEGER NOT NULL,
    item2                   INTEGER NOT NULL,
    item3                   INTEGER NOT NULL,
    item4                   INTEGER NOT NULL,
    item5                   INTEGER NOT NULL,
    item6                   INTEGER NOT NULL,
    spell1                  INTEGER NOT NULL,
    spell2                  INTEGER NOT NULL,
    perk_primary_style      INTEGER NOT NULL,
    perk_sub_style          INTEGER NOT NULL,
    PRIMARY KEY (match_id, participant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX match_participants_by_player ON match_participants (player_id, match_id) WHERE player_id IS NOT NULL;

CREATE TABLE match_timelines (
    match_id            TEXT PRIMARY KEY,
    data_version        TEXT NOT NULL,
    frame_interval_ms   INTEGER NOT NULL,
    frame_count         INTEGER NOT NULL,
    event_count         INTEGER NOT NULL,
    stored_at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per player, year and platform: exact at every commit.
CREATE TABLE player_yearly_stats (
    player_id                   INTEGER NOT NULL,
    year                        INTEGER NOT NULL,
    platform                    TEXT NOT NULL,
    total_matches               INTEGER NOT NULL,
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
    unique_champions_played     INTEGER NOT NULL,
    most_played_champion        TEXT,
    most_played_champion_count  INTEGER NOT NULL,
    unique_roles_played         INTEGER NOT NULL,
    unique_lanes_played         INTEGER NOT NULL,
    win_rate                    REAL NOT NULL,      -- percent
    kda_ratio                   REAL NOT NULL,
    average_kills               REAL NOT NULL,
    average_deaths              REAL NOT NULL,
    average_assists             REAL NOT NULL,
    average_gold_per_match      REAL NOT NULL,
    average_cs_per_match        REAL NOT NULL,
    counts                      TEXT NOT NULL,      -- JSON: games by champion, role and lane
    PRIMARY KEY (player_id, year, platform)
) STRICT, WITHOUT ROWID;

-- What the API does not have, so that it is not asked for again.
CREATE TABLE missing_payloads (
    kind        TEXT NOT NULL,
    id          TEXT NOT NULL,
    reason      TEXT NOT NULL,
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Every document as it was received. A rowid table: bodies are larger than a page.
CREATE TABLE payloads (
    kind        TEXT NOT NULL,                      -- match | timeline
    match_id    TEXT NOT NULL,
    codec       INTEGER NOT NULL,                   -- 1: gzip as received; 2: zstd
    dictionary  INTEGER,
    body        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX payloads_by_match ON payloads (match_id, kind);

-- ---------------------------------------------------------------- the engine

CREATE TABLE jobs (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind                TEXT NOT NULL,
    queue               TEXT NOT NULL,
    key                 TEXT,                       -- two open jobs of a kind never share a key
    args                TEXT NOT NULL,
    state               TEXT NOT NULL CHECK (state IN
        ('available','scheduled','blocked','running','retryable','completed','cancelled','discarded')),
    priority            INTEGER NOT NULL,
    attempt             INTEGER NOT NULL DEFAULT 0,
    max_attempts        INTEGER NOT NULL,
    crash_count         INTEGER NOT NULL DEFAULT 0, -- engines that died while it ran
    run_at              INTEGER NOT NULL,
    lease_token         INTEGER,
    engine_id           TEXT,
    step                TEXT,
    percent             INTEGER NOT NULL DEFAULT 0,
    progress            TEXT NOT NULL DEFAULT '{}',
    children_pending    INTEGER NOT NULL DEFAULT 0,
    rollup              TEXT NOT NULL DEFAULT '{}', -- what its children came to, by kind
    worked_at           INTEGER,                    -- its own work was done; it may still wait for children
    result              TEXT,
    errors              TEXT NOT NULL DEFAULT '[]', -- of its last attempts, newest last
    enqueued_at         INTEGER NOT NULL,
    started_at          INTEGER,
    finished_at         INTEGER
) STRICT;
CREATE INDEX jobs_ready ON jobs (queue, priority, id) WHERE state = 'available';
CREATE INDEX jobs_due ON jobs (run_at) WHERE state IN ('scheduled', 'retryable');
CREATE INDEX jobs_running ON jobs (engine_id, queue) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_open_key ON jobs (kind, key)
    WHERE key IS NOT NULL AND finished_at IS NULL;

-- Who waits for whom. A link goes when its child is final: the parent's row has counted it.
CREATE TABLE job_links (
    child_id    INTEGER NOT NULL,
    parent_id   INTEGER NOT NULL,
    PRIMARY KEY (child_id, parent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_links_by_parent ON job_links (parent_id);

CREATE TABLE engines (
    id              TEXT PRIMARY KEY,
    pid             INTEGER NOT NULL,
    host            TEXT NOT NULL,
    version         TEXT NOT NULL,
    started_at      INTEGER NOT NULL,
    heartbeat_at    INTEGER NOT NULL,
    stopped_at      INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
    name            TEXT PRIMARY KEY,
    expression      TEXT NOT NULL,
    kind            TEXT NOT NULL,
    args            TEXT NOT NULL,
    last_tick_at    INTEGER,
    created_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rate_budgets (
    key_fingerprint TEXT NOT NULL,
    route           TEXT NOT NULL,
    scope           TEXT NOT NULL,
    span_s          INTEGER NOT NULL,
    quota           INTEGER NOT NULL,
    used            INTEGER NOT NULL,
    window_start    INTEGER NOT NULL,
    PRIMARY KEY (key_fingerprint, route, scope, span_s)
) STRICT, WITHOUT ROWID;

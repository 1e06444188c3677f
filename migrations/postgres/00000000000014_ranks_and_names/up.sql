-- ---------------------------------------------------------------- where players stand

-- Only changes are kept, and none can be fetched later. A sync of a tracked player asks.
CREATE TABLE rank_history (
    player_id       BIGINT NOT NULL,
    queue           TEXT COLLATE "C" NOT NULL,            -- RANKED_SOLO_5x5, RANKED_FLEX_SR
    seen_at         BIGINT NOT NULL,                      -- when it was first seen so
    tier            TEXT COLLATE "C",                     -- NULL: in no league of the queue any more
    division        TEXT COLLATE "C",                     -- I to IV; tiers without divisions have I
    league_points   INTEGER,
    wins            INTEGER,
    losses          INTEGER,
    hot_streak      BOOLEAN,
    PRIMARY KEY (player_id, queue, seen_at)
);

CREATE TABLE mastery_history (
    player_id       BIGINT NOT NULL,
    champion_id     INTEGER NOT NULL,
    seen_at         BIGINT NOT NULL,
    level           INTEGER,
    points          BIGINT,
    last_played     BIGINT,
    PRIMARY KEY (player_id, champion_id, seen_at)
);

-- When Riot last told them; NULL: it never did.
ALTER TABLE players ADD COLUMN ranks_at BIGINT;
ALTER TABLE players ADD COLUMN mastery_at BIGINT;

-- Points make all tiers one ladder: 100 a division, 0 is the foot of Iron IV, and the tiers without divisions begin at 2800.
CREATE VIEW v_ranks (player_id, puuid, game_name, tag_line, platform, queue, year, seen_at, tier, division, league_points, points, wins,
                     losses, hot_streak) AS
SELECT r.player_id, p.puuid, p.game_name, p.tag_line, p.platform, r.queue,
       CAST(extract(year FROM to_timestamp(r.seen_at / 1000.0) AT TIME ZONE 'UTC') AS INTEGER), r.seen_at, r.tier, r.division, r.league_points,
       CASE r.tier WHEN 'IRON' THEN 0 WHEN 'BRONZE' THEN 400 WHEN 'SILVER' THEN 800 WHEN 'GOLD' THEN 1200 WHEN 'PLATINUM' THEN 1600
           WHEN 'EMERALD' THEN 2000 WHEN 'DIAMOND' THEN 2400 WHEN 'MASTER' THEN 2800 WHEN 'GRANDMASTER' THEN 2800
           WHEN 'CHALLENGER' THEN 2800 END
       + CASE WHEN r.tier IN ('MASTER', 'GRANDMASTER', 'CHALLENGER') THEN 0
           ELSE CASE r.division WHEN 'IV' THEN 0 WHEN 'III' THEN 100 WHEN 'II' THEN 200 WHEN 'I' THEN 300 END END
       + r.league_points,
       r.wins, r.losses, r.hot_streak
FROM rank_history r JOIN players p ON p.id = r.player_id;

-- ---------------------------------------------------------------- names

-- What Riot's published files call champions, items, runes, spells, queues, maps and modes, as of each patch.
CREATE TABLE static_names (
    kind            TEXT COLLATE "C" NOT NULL,            -- champion, item, rune, spell, queue, map, mode
    id              TEXT COLLATE "C" NOT NULL,            -- Riot's number, or the word of a mode
    patch           TEXT COLLATE "C" NOT NULL,
    language        TEXT COLLATE "C" NOT NULL,
    name            TEXT NOT NULL,
    image           TEXT,                                 -- its file in Data Dragon
    stored_at       BIGINT NOT NULL,
    PRIMARY KEY (kind, id, patch, language)
);

-- The published files as they were last seen: what did not change is not sent again.
CREATE TABLE static_files (
    file            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    url             TEXT NOT NULL,
    etag            TEXT,
    version         TEXT NOT NULL,                        -- the newest version of the game then
    checked_at      BIGINT NOT NULL
);

-- One name of each thing: the newest that is stored, else that of riftsync.
CREATE VIEW v_names (kind, id, number, name, image, patch, language) AS
WITH own (kind, id, name) AS (VALUES
    ('queue', '0', 'custom'), ('queue', '400', 'normal draft'), ('queue', '420', 'ranked solo/duo'), ('queue', '430', 'normal blind'),
    ('queue', '440', 'ranked flex'), ('queue', '450', 'ARAM'), ('queue', '480', 'swiftplay'), ('queue', '490', 'quickplay'),
    ('queue', '700', 'clash'), ('queue', '720', 'ARAM clash'), ('queue', '850', 'bots'), ('queue', '870', 'bots, intro'),
    ('queue', '880', 'bots, beginner'), ('queue', '890', 'bots, intermediate'), ('queue', '900', 'ARURF'),
    ('queue', '1020', 'one for all'), ('queue', '1300', 'nexus blitz'), ('queue', '1400', 'ultimate spellbook'),
    ('queue', '1700', 'arena'), ('queue', '1710', 'arena'), ('queue', '1740', 'arena, teams of three'),
    ('queue', '1750', 'arena, teams of three'), ('queue', '1810', 'swarm'), ('queue', '1820', 'swarm'), ('queue', '1830', 'swarm'),
    ('queue', '1840', 'swarm'), ('queue', '1900', 'URF'), ('queue', '2000', 'tutorial 1'), ('queue', '2010', 'tutorial 2'),
    ('queue', '2020', 'tutorial 3'), ('queue', '2400', 'ARAM mayhem'), ('map', '11', 'Summoner''s Rift'), ('map', '12', 'Howling Abyss'),
    ('map', '21', 'Nexus Blitz'), ('map', '30', 'Arena'), ('map', '33', 'Swarm'), ('mode', 'CLASSIC', 'Summoner''s Rift'),
    ('mode', 'ARAM', 'ARAM'), ('mode', 'CHERRY', 'arena'), ('mode', 'URF', 'URF'), ('mode', 'ARURF', 'ARURF'),
    ('mode', 'ONEFORALL', 'one for all'), ('mode', 'ULTBOOK', 'ultimate spellbook'), ('mode', 'NEXUSBLITZ', 'nexus blitz'),
    ('mode', 'STRAWBERRY', 'swarm'), ('mode', 'SWIFTPLAY', 'swiftplay'), ('mode', 'KIWI', 'ARAM mayhem'), ('mode', 'TUTORIAL', 'tutorial'),
    ('mode', 'PRACTICETOOL', 'practice tool')),
every AS (
    SELECT kind, id, name, image, patch, language, stored_at FROM static_names
    UNION ALL
    SELECT kind COLLATE "C", id COLLATE "C", name, NULL, NULL, 'en', -1 FROM own)
SELECT kind, id, CASE WHEN kind <> 'mode' THEN CAST(id AS INTEGER) END, name, image, patch, language
FROM (SELECT every.*, row_number() OVER (PARTITION BY kind, id ORDER BY stored_at DESC, patch DESC, language) AS place FROM every) named
WHERE place = 1;

CREATE VIEW v_mastery (player_id, puuid, game_name, tag_line, platform, champion_id, champion, year, seen_at, level, points, last_played) AS
SELECT m.player_id, p.puuid, p.game_name, p.tag_line, p.platform, m.champion_id, c.name,
       CAST(extract(year FROM to_timestamp(m.seen_at / 1000.0) AT TIME ZONE 'UTC') AS INTEGER), m.seen_at, m.level, m.points, m.last_played
FROM mastery_history m JOIN players p ON p.id = m.player_id
LEFT JOIN (SELECT number, name FROM v_names WHERE kind = 'champion') c ON c.number = m.champion_id;

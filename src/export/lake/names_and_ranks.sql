CREATE VIEW v_names AS
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
    SELECT kind, id, name, NULL, NULL, 'en', -1 FROM own)
SELECT kind, id, CASE WHEN kind <> 'mode' THEN TRY_CAST(id AS INTEGER) END AS number, name, image, patch, language
FROM (SELECT every.*, row_number() OVER (PARTITION BY kind, id ORDER BY stored_at DESC, patch DESC, language) AS place FROM every) named
WHERE place = 1;
CREATE VIEW v_ranks AS
SELECT r.player_id, p.puuid, p.game_name, p.tag_line, p.platform, r.queue,
       CAST(year(make_timestamp(r.seen_at * 1000)) AS INTEGER) AS year, r.seen_at, r.tier, r.division, r.league_points,
       CASE r.tier WHEN 'IRON' THEN 0 WHEN 'BRONZE' THEN 400 WHEN 'SILVER' THEN 800 WHEN 'GOLD' THEN 1200 WHEN 'PLATINUM' THEN 1600
           WHEN 'EMERALD' THEN 2000 WHEN 'DIAMOND' THEN 2400 WHEN 'MASTER' THEN 2800 WHEN 'GRANDMASTER' THEN 2800
           WHEN 'CHALLENGER' THEN 2800 END
       + CASE WHEN r.tier IN ('MASTER', 'GRANDMASTER', 'CHALLENGER') THEN 0
           ELSE CASE r.division WHEN 'IV' THEN 0 WHEN 'III' THEN 100 WHEN 'II' THEN 200 WHEN 'I' THEN 300 END END
       + r.league_points AS points,
       r.wins, r.losses, r.hot_streak
FROM rank_history r JOIN players p ON p.id = r.player_id;
CREATE VIEW v_mastery AS
SELECT m.player_id, p.puuid, p.game_name, p.tag_line, p.platform, m.champion_id, c.name AS champion,
       CAST(year(make_timestamp(m.seen_at * 1000)) AS INTEGER) AS year, m.seen_at, m.level, m.points, m.last_played
FROM mastery_history m JOIN players p ON p.id = m.player_id
LEFT JOIN (SELECT number, name FROM v_names WHERE kind = 'champion') c ON c.number = m.champion_id;

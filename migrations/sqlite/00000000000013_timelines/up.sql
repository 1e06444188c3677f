-- ---------------------------------------------------------------- what timelines tell, as rows

-- Rows of timelines that were stored before come from `riftsync replay`, without a call.

-- A participant through a match, if data.timeline_rows asks for minutes: all in one row, for a row of each minute would
-- cost three times as much to write. participant_minutes and participant_purchases take it apart.
-- With a rowid: its rows are as large as a quarter of a page, and would have a page of their own each without.
CREATE TABLE participant_timelines (
    match_id            TEXT NOT NULL,
    participant_id      INTEGER NOT NULL,
    -- A JSON list of minutes, each a list: gold, xp, cs, jungle cs, level, x, y, damage to champions, damage taken.
    minutes             TEXT NOT NULL,
    -- A JSON list of pairs: item, milliseconds since the game began.
    purchases           TEXT NOT NULL,
    PRIMARY KEY (match_id, participant_id)
) STRICT;

-- An event, if data.timeline_rows asks for all; in the order of the document, from 0.
CREATE TABLE match_events (
    match_id            TEXT NOT NULL,
    event               INTEGER NOT NULL,
    at_ms               INTEGER,
    type                TEXT,
    participant_id      INTEGER,
    victim_id           INTEGER,
    team_id             INTEGER,
    assists             TEXT,
    x                   INTEGER,
    y                   INTEGER,
    item_id             INTEGER,
    value               INTEGER,
    bounty              INTEGER,
    about               TEXT,
    about_more          TEXT,
    lane                TEXT,
    PRIMARY KEY (match_id, event)
) STRICT, WITHOUT ROWID;

-- A participant at a minute. Riot's timelines have a frame each minute, and one when the game ended.
CREATE VIEW participant_minutes AS
SELECT t.match_id AS match_id, t.participant_id AS participant_id, CAST(j.key AS INTEGER) AS minute,
       CAST(json_extract(j.value, '$[0]') AS INTEGER) AS gold, CAST(json_extract(j.value, '$[1]') AS INTEGER) AS xp, CAST(json_extract(j.value, '$[2]') AS INTEGER) AS cs, CAST(json_extract(j.value, '$[3]') AS INTEGER) AS jungle_cs, CAST(json_extract(j.value, '$[4]') AS INTEGER) AS level, CAST(json_extract(j.value, '$[5]') AS INTEGER) AS x, CAST(json_extract(j.value, '$[6]') AS INTEGER) AS y, CAST(json_extract(j.value, '$[7]') AS INTEGER) AS damage, CAST(json_extract(j.value, '$[8]') AS INTEGER) AS damage_taken,
       j.key = json_array_length(t.minutes) - 1 AS is_last
FROM participant_timelines t, json_each(t.minutes) j;

-- What a participant bought, and did not take back.
CREATE VIEW participant_purchases AS
SELECT t.match_id AS match_id, t.participant_id AS participant_id, CAST(j.key + 1 AS INTEGER) AS purchase,
       CAST(json_extract(j.value, '$[0]') AS INTEGER) AS item_id, CAST(json_extract(j.value, '$[1]') AS INTEGER) AS at_ms
FROM participant_timelines t, json_each(t.purchases) j;

-- How far a participant was ahead of who had the same position in the other team, if the game lasted so long.
CREATE VIEW lane_leads AS
SELECT p.match_id AS match_id, p.participant_id AS participant_id, o.participant_id AS opponent_id, n.minute AS minute,
       CAST(json_extract(t.minutes, '$[' || n.minute || '][0]') - json_extract(u.minutes, '$[' || n.minute || '][0]') AS INTEGER) AS gold_lead,
       CAST(json_extract(t.minutes, '$[' || n.minute || '][1]') - json_extract(u.minutes, '$[' || n.minute || '][1]') AS INTEGER) AS xp_lead,
       CAST(json_extract(t.minutes, '$[' || n.minute || '][2]') - json_extract(u.minutes, '$[' || n.minute || '][2]') AS INTEGER) AS cs_lead
FROM match_participants p
JOIN match_participants o ON o.match_id = p.match_id AND o.participant_id =
     (SELECT min(q.participant_id) FROM match_participants q
      WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '')
JOIN participant_timelines t ON t.match_id = p.match_id AND t.participant_id = p.participant_id
JOIN participant_timelines u ON u.match_id = p.match_id AND u.participant_id = o.participant_id
JOIN (SELECT 5 AS minute UNION ALL SELECT 10 UNION ALL SELECT 15 UNION ALL SELECT 20) n ON n.minute < json_array_length(t.minutes) - 1;

-- As before, and readers that look into the statement of a view find its columns' names.
DROP VIEW v_matches;
CREATE VIEW v_matches AS
SELECT m.match_id, m.platform, m.patch, m.year, m.queue_id,
       CASE m.queue_id
           WHEN 0 THEN 'custom' WHEN 400 THEN 'normal draft' WHEN 420 THEN 'ranked solo/duo' WHEN 430 THEN 'normal blind'
           WHEN 440 THEN 'ranked flex' WHEN 450 THEN 'ARAM' WHEN 480 THEN 'swiftplay' WHEN 490 THEN 'quickplay' WHEN 700 THEN 'clash'
           WHEN 720 THEN 'ARAM clash' WHEN 900 THEN 'ARURF' WHEN 1020 THEN 'one for all' WHEN 1300 THEN 'nexus blitz'
           WHEN 1400 THEN 'ultimate spellbook' WHEN 1700 THEN 'arena' WHEN 1710 THEN 'arena' WHEN 1900 THEN 'URF' END AS queue,
       m.map_id, m.game_mode, datetime(m.game_start / 1000, 'unixepoch') AS started_at, datetime(m.game_end / 1000, 'unixepoch') AS ended_at,
       m.game_duration_s / CAST(60 AS DOUBLE PRECISION) AS minutes, m.is_remake, NOT m.is_remake AND m.game_duration_s > 0 AS counts,
       (SELECT min(t.team_id) FROM match_teams t WHERE t.match_id = m.match_id AND t.win) AS winning_team
FROM matches m;

-- A participant of a match, and how far it was ahead of its opponent after 10 and 15 minutes.
DROP VIEW v_player_matches;
CREATE VIEW v_player_matches AS
SELECT p.match_id AS match_id, p.participant_id AS participant_id, p.player_id AS player_id, pl.puuid AS puuid, pl.game_name AS game_name,
       pl.tag_line AS tag_line, m.platform AS platform, m.patch AS patch, m.year AS year, m.queue_id AS queue_id, m.game_mode AS game_mode,
       datetime(m.game_start / 1000, 'unixepoch') AS started_at, m.game_duration_s / CAST(60 AS DOUBLE PRECISION) AS minutes,
       NOT m.is_remake AND m.game_duration_s > 0 AS counts, p.team_id AS team_id, p.win AS win, p.champion_id AS champion_id,
       p.champion_name AS champion, p.team_position AS position, o.participant_id AS opponent_id, o.champion_id AS opponent_champion_id,
       o.champion_name AS opponent_champion, p.kills AS kills, p.deaths AS deaths, p.assists AS assists,
       CAST(p.kills + p.assists AS DOUBLE PRECISION) / CASE WHEN p.deaths > 0 THEN p.deaths ELSE 1 END AS kda,
       CAST(100 * (p.kills + p.assists) AS DOUBLE PRECISION)
           / nullif((SELECT sum(t.kills) FROM match_participants t WHERE t.match_id = p.match_id AND t.team_id = p.team_id), 0) AS kill_share,
       p.total_minions_killed + p.neutral_minions_killed AS cs,
       CAST(60 * (p.total_minions_killed + p.neutral_minions_killed) AS DOUBLE PRECISION) / nullif(m.game_duration_s, 0) AS cs_per_minute,
       p.gold_earned AS gold, CAST(p.gold_earned AS DOUBLE PRECISION) * 60 / nullif(m.game_duration_s, 0) AS gold_per_minute,
       p.damage_to_champions AS damage,
       CAST(p.damage_to_champions AS DOUBLE PRECISION) * 60 / nullif(m.game_duration_s, 0) AS damage_per_minute,
       CAST(p.damage_to_champions AS DOUBLE PRECISION) * 100
           / nullif((SELECT sum(t.damage_to_champions) FROM match_participants t WHERE t.match_id = p.match_id AND t.team_id = p.team_id), 0)
           AS damage_share,
       p.vision_score AS vision_score,
       CASE WHEN json_array_length(mt.minutes) > 11 THEN json_extract(mt.minutes, '$[10][0]') - json_extract(ot.minutes, '$[10][0]') END AS gold_lead_10,
       CASE WHEN json_array_length(mt.minutes) > 11 THEN json_extract(mt.minutes, '$[10][1]') - json_extract(ot.minutes, '$[10][1]') END AS xp_lead_10,
       CASE WHEN json_array_length(mt.minutes) > 11 THEN json_extract(mt.minutes, '$[10][2]') - json_extract(ot.minutes, '$[10][2]') END AS cs_lead_10,
       CASE WHEN json_array_length(mt.minutes) > 16 THEN json_extract(mt.minutes, '$[15][0]') - json_extract(ot.minutes, '$[15][0]') END AS gold_lead_15,
       CASE WHEN json_array_length(mt.minutes) > 16 THEN json_extract(mt.minutes, '$[15][1]') - json_extract(ot.minutes, '$[15][1]') END AS xp_lead_15,
       CASE WHEN json_array_length(mt.minutes) > 16 THEN json_extract(mt.minutes, '$[15][2]') - json_extract(ot.minutes, '$[15][2]') END AS cs_lead_15
FROM match_participants p
JOIN matches m ON m.match_id = p.match_id
LEFT JOIN players pl ON pl.id = p.player_id
LEFT JOIN match_participants o ON o.match_id = p.match_id AND o.participant_id =
     (SELECT min(q.participant_id) FROM match_participants q
      WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '')
LEFT JOIN participant_timelines mt ON mt.match_id = p.match_id AND mt.participant_id = p.participant_id
LEFT JOIN participant_timelines ot ON ot.match_id = p.match_id AND ot.participant_id = o.participant_id;

-- What a player did on a day, by queue.
CREATE VIEW v_daily AS
SELECT p.player_id AS player_id, max(pl.game_name) AS game_name, max(pl.tag_line) AS tag_line, strftime('%Y-%m-%d', m.game_start / 1000, 'unixepoch') AS day, m.queue_id AS queue_id,
       count(*) AS games, sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS wins,
       CAST(100 * sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS DOUBLE PRECISION) / count(*) AS win_rate,
       sum(p.kills) AS kills, sum(p.deaths) AS deaths, sum(p.assists) AS assists,
       CAST(sum(m.game_duration_s) AS DOUBLE PRECISION) / 60 AS minutes
FROM match_participants p JOIN matches m ON m.match_id = p.match_id JOIN players pl ON pl.id = p.player_id
WHERE NOT m.is_remake AND m.game_duration_s > 0
GROUP BY p.player_id, strftime('%Y-%m-%d', m.game_start / 1000, 'unixepoch'), m.queue_id;

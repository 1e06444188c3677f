-- ---------------------------------------------------------------- what timelines tell, as rows

-- Rows of timelines that were stored before come from `riftsync replay`, without a call.

-- A participant through a match, if data.timeline_rows asks for minutes: all in one row, for a row of each minute would
-- cost three times as much to write. participant_minutes and participant_purchases take it apart.
CREATE TABLE participant_timelines (
    match_id            TEXT COLLATE "C" NOT NULL,
    participant_id      INTEGER NOT NULL,
    -- A JSON list of minutes, each a list: gold, xp, cs, jungle cs, level, x, y, damage to champions, damage taken.
    minutes             TEXT NOT NULL,
    -- A JSON list of pairs: item, milliseconds since the game began.
    purchases           TEXT NOT NULL,
    PRIMARY KEY (match_id, participant_id)
);

-- An event, if data.timeline_rows asks for all; in the order of the document, from 0.
CREATE TABLE match_events (
    match_id            TEXT COLLATE "C" NOT NULL,
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
);

-- A participant at a minute. Riot's timelines have a frame each minute, and one when the game ended.
CREATE VIEW participant_minutes AS
SELECT t.match_id, t.participant_id, g.minute, a.cells[g.minute + 1][1] AS gold, a.cells[g.minute + 1][2] AS xp, a.cells[g.minute + 1][3] AS cs, a.cells[g.minute + 1][4] AS jungle_cs, a.cells[g.minute + 1][5] AS level, a.cells[g.minute + 1][6] AS x, a.cells[g.minute + 1][7] AS y, a.cells[g.minute + 1][8] AS damage, a.cells[g.minute + 1][9] AS damage_taken,
       g.minute = array_length(a.cells, 1) - 1 AS is_last
FROM participant_timelines t
CROSS JOIN LATERAL (SELECT translate(t.minutes, '[]', '{}')::integer[] AS cells OFFSET 0) a
CROSS JOIN LATERAL generate_series(0, array_length(a.cells, 1) - 1) AS g (minute);

-- What a participant bought, and did not take back.
CREATE VIEW participant_purchases AS
SELECT t.match_id, t.participant_id, g.purchase, a.cells[g.purchase][1] AS item_id, a.cells[g.purchase][2] AS at_ms
FROM participant_timelines t
CROSS JOIN LATERAL (SELECT translate(t.purchases, '[]', '{}')::integer[] AS cells OFFSET 0) a
CROSS JOIN LATERAL generate_series(1, array_length(a.cells, 1)) AS g (purchase);

-- How far a participant was ahead of who had the same position in the other team, if the game lasted so long.
CREATE VIEW lane_leads AS
SELECT p.match_id AS match_id, p.participant_id AS participant_id, o.participant_id AS opponent_id, n.minute AS minute,
       a.cells[n.minute + 1][1] - b.cells[n.minute + 1][1] AS gold_lead,
       a.cells[n.minute + 1][2] - b.cells[n.minute + 1][2] AS xp_lead,
       a.cells[n.minute + 1][3] - b.cells[n.minute + 1][3] AS cs_lead
FROM match_participants p
JOIN match_participants o ON o.match_id = p.match_id AND o.participant_id =
     (SELECT min(q.participant_id) FROM match_participants q
      WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '')
JOIN participant_timelines t ON t.match_id = p.match_id AND t.participant_id = p.participant_id
JOIN participant_timelines u ON u.match_id = p.match_id AND u.participant_id = o.participant_id
CROSS JOIN LATERAL (SELECT translate(t.minutes, '[]', '{}')::integer[] AS cells OFFSET 0) a
CROSS JOIN LATERAL (SELECT translate(u.minutes, '[]', '{}')::integer[] AS cells OFFSET 0) b
JOIN (VALUES (5), (10), (15), (20)) AS n (minute) ON n.minute < array_length(a.cells, 1) - 1;

-- A participant of a match, and how far it was ahead of its opponent after 10 and 15 minutes.
CREATE OR REPLACE VIEW v_player_matches AS
SELECT p.match_id AS match_id, p.participant_id AS participant_id, p.player_id AS player_id, pl.puuid AS puuid, pl.game_name AS game_name,
       pl.tag_line AS tag_line, m.platform AS platform, m.patch AS patch, m.year AS year, m.queue_id AS queue_id, m.game_mode AS game_mode,
       to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC' AS started_at, m.game_duration_s / CAST(60 AS DOUBLE PRECISION) AS minutes,
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
       CASE WHEN json_array_length(mt.minutes::json) > 11 THEN (mt.minutes::json #>> '{10,0}')::integer - (ot.minutes::json #>> '{10,0}')::integer END AS gold_lead_10,
       CASE WHEN json_array_length(mt.minutes::json) > 11 THEN (mt.minutes::json #>> '{10,1}')::integer - (ot.minutes::json #>> '{10,1}')::integer END AS xp_lead_10,
       CASE WHEN json_array_length(mt.minutes::json) > 11 THEN (mt.minutes::json #>> '{10,2}')::integer - (ot.minutes::json #>> '{10,2}')::integer END AS cs_lead_10,
       CASE WHEN json_array_length(mt.minutes::json) > 16 THEN (mt.minutes::json #>> '{15,0}')::integer - (ot.minutes::json #>> '{15,0}')::integer END AS gold_lead_15,
       CASE WHEN json_array_length(mt.minutes::json) > 16 THEN (mt.minutes::json #>> '{15,1}')::integer - (ot.minutes::json #>> '{15,1}')::integer END AS xp_lead_15,
       CASE WHEN json_array_length(mt.minutes::json) > 16 THEN (mt.minutes::json #>> '{15,2}')::integer - (ot.minutes::json #>> '{15,2}')::integer END AS cs_lead_15
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
SELECT p.player_id AS player_id, max(pl.game_name) AS game_name, max(pl.tag_line) AS tag_line, (to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC')::date AS day, m.queue_id AS queue_id,
       count(*) AS games, sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS wins,
       CAST(100 * sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS DOUBLE PRECISION) / count(*) AS win_rate,
       sum(p.kills) AS kills, sum(p.deaths) AS deaths, sum(p.assists) AS assists,
       CAST(sum(m.game_duration_s) AS DOUBLE PRECISION) / 60 AS minutes
FROM match_participants p JOIN matches m ON m.match_id = p.match_id JOIN players pl ON pl.id = p.player_id
WHERE NOT m.is_remake AND m.game_duration_s > 0
GROUP BY p.player_id, (to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC')::date, m.queue_id;

-- A participant of a match, its part of what its team did, and how far it was ahead of its opponent: as before. What the
-- team did and who the opponent was are found in one look at the match. Whoever asks for neither spares that look.
CREATE OR REPLACE VIEW v_player_matches AS
SELECT p.match_id AS match_id, p.participant_id AS participant_id, p.player_id AS player_id, pl.puuid AS puuid, pl.game_name AS game_name,
       pl.tag_line AS tag_line, m.platform AS platform, m.patch AS patch, m.year AS year, m.queue_id AS queue_id, m.game_mode AS game_mode,
       to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC' AS started_at, m.game_duration_s / CAST(60 AS DOUBLE PRECISION) AS minutes,
       NOT m.is_remake AND m.game_duration_s > 0 AS counts, p.team_id AS team_id, p.win AS win, p.champion_id AS champion_id,
       p.champion_name AS champion, p.team_position AS position, o.participant_id AS opponent_id, o.champion_id AS opponent_champion_id,
       o.champion_name AS opponent_champion, p.kills AS kills, p.deaths AS deaths, p.assists AS assists,
       CAST(p.kills + p.assists AS DOUBLE PRECISION) / CASE WHEN p.deaths > 0 THEN p.deaths ELSE 1 END AS kda,
       CAST(100 * (p.kills + p.assists) AS DOUBLE PRECISION)
           / nullif(c.team_kills, 0) AS kill_share,
       p.total_minions_killed + p.neutral_minions_killed AS cs,
       CAST(60 * (p.total_minions_killed + p.neutral_minions_killed) AS DOUBLE PRECISION) / nullif(m.game_duration_s, 0) AS cs_per_minute,
       p.gold_earned AS gold, CAST(p.gold_earned AS DOUBLE PRECISION) * 60 / nullif(m.game_duration_s, 0) AS gold_per_minute,
       p.damage_to_champions AS damage,
       CAST(p.damage_to_champions AS DOUBLE PRECISION) * 60 / nullif(m.game_duration_s, 0) AS damage_per_minute,
       CAST(p.damage_to_champions AS DOUBLE PRECISION) * 100
           / nullif(c.team_damage, 0)
           AS damage_share,
       p.vision_score AS vision_score,
       CASE WHEN split_part(mt.minutes, '],[', 12) <> ''
            THEN nullif(nullif(rtrim(split_part(split_part(mt.minutes, '],[', 11), ',', 1), ']'), 'null'), '')::integer
               - nullif(nullif(rtrim(split_part(split_part(ot.minutes, '],[', 11), ',', 1), ']'), 'null'), '')::integer END AS gold_lead_10,
       CASE WHEN split_part(mt.minutes, '],[', 12) <> ''
            THEN nullif(nullif(rtrim(split_part(split_part(mt.minutes, '],[', 11), ',', 2), ']'), 'null'), '')::integer
               - nullif(nullif(rtrim(split_part(split_part(ot.minutes, '],[', 11), ',', 2), ']'), 'null'), '')::integer END AS xp_lead_10,
       CASE WHEN split_part(mt.minutes, '],[', 12) <> ''
            THEN nullif(nullif(rtrim(split_part(split_part(mt.minutes, '],[', 11), ',', 3), ']'), 'null'), '')::integer
               - nullif(nullif(rtrim(split_part(split_part(ot.minutes, '],[', 11), ',', 3), ']'), 'null'), '')::integer END AS cs_lead_10,
       CASE WHEN split_part(mt.minutes, '],[', 17) <> ''
            THEN nullif(nullif(rtrim(split_part(split_part(mt.minutes, '],[', 16), ',', 1), ']'), 'null'), '')::integer
               - nullif(nullif(rtrim(split_part(split_part(ot.minutes, '],[', 16), ',', 1), ']'), 'null'), '')::integer END AS gold_lead_15,
       CASE WHEN split_part(mt.minutes, '],[', 17) <> ''
            THEN nullif(nullif(rtrim(split_part(split_part(mt.minutes, '],[', 16), ',', 2), ']'), 'null'), '')::integer
               - nullif(nullif(rtrim(split_part(split_part(ot.minutes, '],[', 16), ',', 2), ']'), 'null'), '')::integer END AS xp_lead_15,
       CASE WHEN split_part(mt.minutes, '],[', 17) <> ''
            THEN nullif(nullif(rtrim(split_part(split_part(mt.minutes, '],[', 16), ',', 3), ']'), 'null'), '')::integer
               - nullif(nullif(rtrim(split_part(split_part(ot.minutes, '],[', 16), ',', 3), ']'), 'null'), '')::integer END AS cs_lead_15
FROM match_participants p
JOIN matches m ON m.match_id = p.match_id
LEFT JOIN players pl ON pl.id = p.player_id
LEFT JOIN LATERAL (
    SELECT sum(t.kills) FILTER (WHERE t.team_id = p.team_id) AS team_kills,
           sum(t.damage_to_champions) FILTER (WHERE t.team_id = p.team_id) AS team_damage,
           min(t.participant_id) FILTER (WHERE t.team_id <> p.team_id AND t.team_position = p.team_position AND p.team_position <> '')
               AS opponent_id
    FROM match_participants t WHERE t.match_id = p.match_id
) c ON true
LEFT JOIN match_participants o ON o.match_id = p.match_id AND o.participant_id = c.opponent_id
LEFT JOIN participant_timelines mt ON mt.match_id = p.match_id AND mt.participant_id = p.participant_id
LEFT JOIN participant_timelines ot ON ot.match_id = p.match_id AND ot.participant_id = c.opponent_id;

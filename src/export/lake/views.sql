CREATE VIEW v_champion_stats AS
SELECT m.platform, m.patch, m.queue_id, p.team_position AS position, p.champion_id, max(p.champion_name) AS champion, count(*) AS games,
       count(*) FILTER (p.win) AS wins, 100 * count(*) FILTER (p.win) / count(*) AS win_rate,
       sum(p.kills) / count(*) AS kills, sum(p.deaths) / count(*) AS deaths, sum(p.assists) / count(*) AS assists,
       60 * sum(p.total_minions_killed + p.neutral_minions_killed) / sum(m.game_duration_s) AS cs_per_minute,
       60 * sum(p.gold_earned) / sum(m.game_duration_s) AS gold_per_minute,
       60 * sum(p.damage_to_champions) / sum(m.game_duration_s) AS damage_per_minute
FROM match_participants p JOIN matches m ON m.match_id = p.match_id
WHERE NOT m.is_remake AND m.game_duration_s > 0
GROUP BY m.platform, m.patch, m.queue_id, p.team_position, p.champion_id;
CREATE VIEW v_duos AS
SELECT p.player_id, max(a.game_name) AS game_name, max(a.tag_line) AS tag_line, q.player_id AS partner_id,
       max(b.game_name) AS partner_game_name, max(b.tag_line) AS partner_tag_line, m.queue_id, count(*) AS games,
       count(*) FILTER (p.win) AS wins, 100 * count(*) FILTER (p.win) / count(*) AS win_rate
FROM match_participants p
JOIN match_participants q ON q.match_id = p.match_id AND q.team_id = p.team_id AND q.player_id <> p.player_id
     AND coalesce(q.subteam_id, 0) = coalesce(p.subteam_id, 0)
JOIN matches m ON m.match_id = p.match_id
JOIN players a ON a.id = p.player_id JOIN players b ON b.id = q.player_id
WHERE NOT m.is_remake AND m.game_duration_s > 0
GROUP BY p.player_id, q.player_id, m.queue_id;
CREATE VIEW v_matchups AS
SELECT m.platform, m.patch, m.queue_id, p.team_position AS position, p.champion_id, max(p.champion_name) AS champion,
       o.champion_id AS opponent_champion_id, max(o.champion_name) AS opponent_champion, count(*) AS games,
       count(*) FILTER (p.win) AS wins, 100 * count(*) FILTER (p.win) / count(*) AS win_rate,
       sum(p.gold_earned - o.gold_earned) / count(*) AS gold_lead
FROM match_participants p
JOIN match_participants o ON o.match_id = p.match_id AND o.team_id <> p.team_id AND o.team_position = p.team_position
JOIN matches m ON m.match_id = p.match_id
WHERE p.team_position <> '' AND NOT m.is_remake AND m.game_duration_s > 0
GROUP BY m.platform, m.patch, m.queue_id, p.team_position, p.champion_id, o.champion_id;
CREATE VIEW lane_leads AS
SELECT t.match_id, t.participant_id, o.participant_id AS opponent_id, t.minute, t.gold - u.gold AS gold_lead, t.xp - u.xp AS xp_lead,
       t.cs - u.cs AS cs_lead
FROM participant_minutes t
JOIN match_participants p ON p.match_id = t.match_id AND p.participant_id = t.participant_id
JOIN match_participants o ON o.match_id = p.match_id AND o.team_id <> p.team_id AND o.team_position = p.team_position
JOIN participant_minutes u ON u.match_id = t.match_id AND u.participant_id = o.participant_id AND u.minute = t.minute
WHERE t.minute IN (5, 10, 15, 20) AND NOT t.is_last AND p.team_position <> ''
QUALIFY row_number() OVER (PARTITION BY t.match_id, t.participant_id, t.minute ORDER BY o.participant_id) = 1;

-- ---------------------------------------------------------------- views for people who write SQL

-- The same columns on both databases. A game counts if it took place and was no remake; rates are percent.

CREATE VIEW v_matches (match_id, platform, patch, year, queue_id, queue, map_id, game_mode, started_at, ended_at, minutes, is_remake, counts,
                       winning_team) AS
SELECT m.match_id, m.platform, m.patch, m.year, m.queue_id,
       CASE m.queue_id
           WHEN 0 THEN 'custom' WHEN 400 THEN 'normal draft' WHEN 420 THEN 'ranked solo/duo' WHEN 430 THEN 'normal blind'
           WHEN 440 THEN 'ranked flex' WHEN 450 THEN 'ARAM' WHEN 480 THEN 'swiftplay' WHEN 490 THEN 'quickplay' WHEN 700 THEN 'clash'
           WHEN 720 THEN 'ARAM clash' WHEN 900 THEN 'ARURF' WHEN 1020 THEN 'one for all' WHEN 1300 THEN 'nexus blitz'
           WHEN 1400 THEN 'ultimate spellbook' WHEN 1700 THEN 'arena' WHEN 1710 THEN 'arena' WHEN 1900 THEN 'URF' END,
       m.map_id, m.game_mode, to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC', to_timestamp(m.game_end / 1000) AT TIME ZONE 'UTC',
       m.game_duration_s / CAST(60 AS DOUBLE PRECISION), m.is_remake, NOT m.is_remake AND m.game_duration_s > 0,
       (SELECT min(t.team_id) FROM match_teams t WHERE t.match_id = m.match_id AND t.win)
FROM matches m;

-- A participant of a match. The opponent is who had the same position in the other team.
CREATE VIEW v_player_matches (match_id, participant_id, player_id, puuid, game_name, tag_line, platform, patch, year, queue_id, game_mode,
                              started_at, minutes, counts, team_id, win, champion_id, champion, position, opponent_id,
                              opponent_champion_id, opponent_champion, kills, deaths, assists, kda, kill_share, cs, cs_per_minute, gold,
                              gold_per_minute, damage, damage_per_minute, damage_share, vision_score) AS
SELECT p.match_id, p.participant_id, p.player_id, pl.puuid, pl.game_name, pl.tag_line, m.platform, m.patch, m.year, m.queue_id, m.game_mode,
       to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC', m.game_duration_s / CAST(60 AS DOUBLE PRECISION), NOT m.is_remake AND m.game_duration_s > 0,
       p.team_id, p.win, p.champion_id, p.champion_name, p.team_position, o.participant_id, o.champion_id, o.champion_name,
       p.kills, p.deaths, p.assists,
       CAST(p.kills + p.assists AS DOUBLE PRECISION) / CASE WHEN p.deaths > 0 THEN p.deaths ELSE 1 END,
       CAST(100 * (p.kills + p.assists) AS DOUBLE PRECISION)
           / nullif((SELECT sum(t.kills) FROM match_participants t WHERE t.match_id = p.match_id AND t.team_id = p.team_id), 0),
       p.total_minions_killed + p.neutral_minions_killed,
       CAST(60 * (p.total_minions_killed + p.neutral_minions_killed) AS DOUBLE PRECISION) / nullif(m.game_duration_s, 0),
       p.gold_earned, CAST(p.gold_earned AS DOUBLE PRECISION) * 60 / nullif(m.game_duration_s, 0),
       p.damage_to_champions, CAST(p.damage_to_champions AS DOUBLE PRECISION) * 60 / nullif(m.game_duration_s, 0),
       CAST(p.damage_to_champions AS DOUBLE PRECISION) * 100
           / nullif((SELECT sum(t.damage_to_champions) FROM match_participants t WHERE t.match_id = p.match_id AND t.team_id = p.team_id), 0),
       p.vision_score
FROM match_participants p
JOIN matches m ON m.match_id = p.match_id
LEFT JOIN players pl ON pl.id = p.player_id
LEFT JOIN match_participants o ON o.match_id = p.match_id AND o.participant_id =
     (SELECT min(q.participant_id) FROM match_participants q
      WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position AND p.team_position <> '');

CREATE VIEW v_champion_stats (platform, patch, queue_id, position, champion_id, champion, games, wins, win_rate, kills, deaths, assists,
                              cs_per_minute, gold_per_minute, damage_per_minute) AS
SELECT m.platform, m.patch, m.queue_id, p.team_position, p.champion_id, max(p.champion_name), count(*),
       sum(CASE WHEN p.win THEN 1 ELSE 0 END), CAST(100 * sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS DOUBLE PRECISION) / count(*),
       CAST(sum(p.kills) AS DOUBLE PRECISION) / count(*), CAST(sum(p.deaths) AS DOUBLE PRECISION) / count(*),
       CAST(sum(p.assists) AS DOUBLE PRECISION) / count(*),
       CAST(60 * sum(p.total_minions_killed + p.neutral_minions_killed) AS DOUBLE PRECISION) / sum(m.game_duration_s),
       CAST(sum(p.gold_earned) AS DOUBLE PRECISION) * 60 / sum(m.game_duration_s),
       CAST(sum(p.damage_to_champions) AS DOUBLE PRECISION) * 60 / sum(m.game_duration_s)
FROM match_participants p JOIN matches m ON m.match_id = p.match_id
WHERE NOT m.is_remake AND m.game_duration_s > 0
GROUP BY m.platform, m.patch, m.queue_id, p.team_position, p.champion_id;

-- Two players of one team; each pair in both orders.
CREATE VIEW v_duos (player_id, game_name, tag_line, partner_id, partner_game_name, partner_tag_line, queue_id, games, wins, win_rate) AS
SELECT d.player_id, a.game_name, a.tag_line, d.partner_id, b.game_name, b.tag_line, d.queue_id, d.games, d.wins,
       CAST(100 * d.wins AS DOUBLE PRECISION) / d.games
FROM (SELECT p.player_id AS player_id, q.player_id AS partner_id, m.queue_id AS queue_id, count(*) AS games, sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS wins
      FROM match_participants p
      JOIN match_participants q ON q.match_id = p.match_id AND q.team_id = p.team_id AND q.player_id <> p.player_id
           AND coalesce(q.subteam_id, 0) = coalesce(p.subteam_id, 0)
      JOIN matches m ON m.match_id = p.match_id
      WHERE NOT m.is_remake AND m.game_duration_s > 0
      GROUP BY p.player_id, q.player_id, m.queue_id) d
JOIN players a ON a.id = d.player_id
JOIN players b ON b.id = d.partner_id;

-- A champion against another in the same position; each pair in both orders.
CREATE VIEW v_matchups (platform, patch, queue_id, position, champion_id, champion, opponent_champion_id, opponent_champion, games, wins,
                        win_rate, gold_lead) AS
SELECT m.platform, m.patch, m.queue_id, p.team_position, p.champion_id, max(p.champion_name), o.champion_id, max(o.champion_name), count(*),
       sum(CASE WHEN p.win THEN 1 ELSE 0 END), CAST(100 * sum(CASE WHEN p.win THEN 1 ELSE 0 END) AS DOUBLE PRECISION) / count(*),
       CAST(sum(p.gold_earned - o.gold_earned) AS DOUBLE PRECISION) / count(*)
FROM match_participants p
JOIN match_participants o ON o.match_id = p.match_id AND o.team_id <> p.team_id AND o.team_position = p.team_position
JOIN matches m ON m.match_id = p.match_id
WHERE p.team_position <> '' AND NOT m.is_remake AND m.game_duration_s > 0
GROUP BY m.platform, m.patch, m.queue_id, p.team_position, p.champion_id, o.champion_id;

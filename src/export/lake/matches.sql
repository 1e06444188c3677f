CREATE VIEW match_runes AS
SELECT l.match_id, l.participant_id, CASE WHEN l.rune.slot < 4 THEN p.perk_primary_style ELSE p.perk_sub_style END AS style,
       l.rune.slot AS slot, l.rune.perk AS perk, l.rune.var1 AS var1, l.rune.var2 AS var2, l.rune.var3 AS var3
FROM (SELECT match_id, participant_id, unnest([
          {'slot': 0, 'perk': rune0, 'var1': rune0_var1, 'var2': rune0_var2, 'var3': rune0_var3},
          {'slot': 1, 'perk': rune1, 'var1': rune1_var1, 'var2': rune1_var2, 'var3': rune1_var3},
          {'slot': 2, 'perk': rune2, 'var1': rune2_var1, 'var2': rune2_var2, 'var3': rune2_var3},
          {'slot': 3, 'perk': rune3, 'var1': rune3_var1, 'var2': rune3_var2, 'var3': rune3_var3},
          {'slot': 4, 'perk': rune4, 'var1': rune4_var1, 'var2': rune4_var2, 'var3': rune4_var3},
          {'slot': 5, 'perk': rune5, 'var1': rune5_var1, 'var2': rune5_var2, 'var3': rune5_var3}]) AS rune
      FROM participant_loadout) l
JOIN match_participants p ON p.match_id = l.match_id AND p.participant_id = l.participant_id
WHERE l.rune.perk > 0;
CREATE VIEW v_matches AS
SELECT m.match_id, m.platform, m.patch, m.year, m.queue_id,
       CASE m.queue_id
           WHEN 0 THEN 'custom' WHEN 400 THEN 'normal draft' WHEN 420 THEN 'ranked solo/duo' WHEN 430 THEN 'normal blind'
           WHEN 440 THEN 'ranked flex' WHEN 450 THEN 'ARAM' WHEN 480 THEN 'swiftplay' WHEN 490 THEN 'quickplay' WHEN 700 THEN 'clash'
           WHEN 720 THEN 'ARAM clash' WHEN 900 THEN 'ARURF' WHEN 1020 THEN 'one for all' WHEN 1300 THEN 'nexus blitz'
           WHEN 1400 THEN 'ultimate spellbook' WHEN 1700 THEN 'arena' WHEN 1710 THEN 'arena' WHEN 1900 THEN 'URF' END AS queue,
       m.map_id, m.game_mode, make_timestamp(m.game_start // 1000 * 1000000) AS started_at,
       make_timestamp(m.game_end // 1000 * 1000000) AS ended_at, m.game_duration_s / 60 AS minutes, m.is_remake,
       NOT m.is_remake AND m.game_duration_s > 0 AS counts,
       (SELECT min(t.team_id) FROM match_teams t WHERE t.match_id = m.match_id AND t.win) AS winning_team
FROM matches m;
CREATE VIEW v_player_matches AS
SELECT p.match_id, p.participant_id, p.player_id, pl.puuid, pl.game_name, pl.tag_line, m.platform, m.patch, m.year, m.queue_id,
       m.game_mode, make_timestamp(m.game_start // 1000 * 1000000) AS started_at, m.game_duration_s / 60 AS minutes,
       NOT m.is_remake AND m.game_duration_s > 0 AS counts, p.team_id, p.win, p.champion_id, p.champion_name AS champion,
       p.team_position AS position, o.participant_id AS opponent_id, o.champion_id AS opponent_champion_id,
       o.champion_name AS opponent_champion, p.kills, p.deaths, p.assists,
       (p.kills + p.assists) / CASE WHEN p.deaths > 0 THEN p.deaths ELSE 1 END AS kda,
       100::DOUBLE * (p.kills + p.assists) / nullif(p.team.kills, 0) AS kill_share,
       p.total_minions_killed + p.neutral_minions_killed AS cs,
       60::DOUBLE * (p.total_minions_killed + p.neutral_minions_killed) / nullif(m.game_duration_s, 0) AS cs_per_minute,
       p.gold_earned AS gold, 60::DOUBLE * p.gold_earned / nullif(m.game_duration_s, 0) AS gold_per_minute, p.damage_to_champions AS damage,
       60::DOUBLE * p.damage_to_champions / nullif(m.game_duration_s, 0) AS damage_per_minute,
       100::DOUBLE * p.damage_to_champions / nullif(p.team.damage, 0) AS damage_share, p.vision_score,
       p.own_10.gold - p.other_10.gold AS gold_lead_10, p.own_10.xp - p.other_10.xp AS xp_lead_10,
       p.own_10.cs - p.other_10.cs AS cs_lead_10, p.own_15.gold - p.other_15.gold AS gold_lead_15,
       p.own_15.xp - p.other_15.xp AS xp_lead_15, p.own_15.cs - p.other_15.cs AS cs_lead_15
FROM (SELECT p.*,
             (SELECT any_value({'gold': t.gold, 'xp': t.xp, 'cs': t.cs}) FROM participant_minutes t
              WHERE t.match_id = p.match_id AND t.participant_id = p.participant_id AND t.minute = 10 AND NOT t.is_last) AS own_10,
             (SELECT any_value({'gold': t.gold, 'xp': t.xp, 'cs': t.cs}) FROM participant_minutes t
              WHERE t.match_id = p.match_id AND t.participant_id = p.opponent_id AND t.minute = 10) AS other_10,
             (SELECT any_value({'gold': t.gold, 'xp': t.xp, 'cs': t.cs}) FROM participant_minutes t
              WHERE t.match_id = p.match_id AND t.participant_id = p.participant_id AND t.minute = 15 AND NOT t.is_last) AS own_15,
             (SELECT any_value({'gold': t.gold, 'xp': t.xp, 'cs': t.cs}) FROM participant_minutes t
              WHERE t.match_id = p.match_id AND t.participant_id = p.opponent_id AND t.minute = 15) AS other_15
      FROM (SELECT p.*,
                   (SELECT min(q.participant_id) FROM match_participants q
                    WHERE q.match_id = p.match_id AND q.team_id <> p.team_id AND q.team_position = p.team_position
                      AND p.team_position <> '') AS opponent_id,
                   (SELECT {'kills': sum(t.kills), 'damage': sum(t.damage_to_champions)} FROM match_participants t
                    WHERE t.match_id = p.match_id AND t.team_id = p.team_id) AS team
            FROM match_participants p) p) p
JOIN matches m ON m.match_id = p.match_id
LEFT JOIN players pl ON pl.id = p.player_id
LEFT JOIN match_participants o ON o.match_id = p.match_id AND o.participant_id = p.opponent_id;
CREATE VIEW v_daily AS
SELECT p.player_id, max(pl.game_name) AS game_name, max(pl.tag_line) AS tag_line,
       strftime(make_timestamp(m.game_start * 1000), '%Y-%m-%d') AS day, m.queue_id, count(*) AS games,
       count(*) FILTER (p.win) AS wins, 100 * count(*) FILTER (p.win) / count(*) AS win_rate,
       CAST(sum(p.kills) AS BIGINT) AS kills, CAST(sum(p.deaths) AS BIGINT) AS deaths, CAST(sum(p.assists) AS BIGINT) AS assists,
       sum(m.game_duration_s) / 60 AS minutes
FROM match_participants p JOIN matches m ON m.match_id = p.match_id JOIN players pl ON pl.id = p.player_id
WHERE NOT m.is_remake AND m.game_duration_s > 0
GROUP BY p.player_id, day, m.queue_id;

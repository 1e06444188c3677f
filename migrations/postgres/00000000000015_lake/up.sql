-- ---------------------------------------------------------------- what changed since a lake was written

-- A partition of the data, and random numbers of which one is another whenever a row of it was stored, changed or
-- deleted: the same sum means the same rows. So an export knows what to write anew by comparing with the sums that its
-- last one saw, and nobody has to keep a moment or a list for it. `database` is a number of this database alone.
-- A transaction takes a row of the partition that no other one holds, or adds one: there are as many as ever wrote at
-- once, and nobody waits. They are seen with the commit, however late it comes.
CREATE TABLE partition_stamps (
    partition   TEXT COLLATE "C" NOT NULL,                -- matches|kr|2026|11, stats|kr|2026, players|kr, ranks|2026|11, mastery|2026|11, names
    slot        BIGINT NOT NULL,
    stamp       BIGINT NOT NULL,
    PRIMARY KEY (partition, slot)
);
ALTER TABLE partition_stamps SET (
    fillfactor = 50,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0.2,
    autovacuum_vacuum_cost_delay = 0
);

-- What is there already.
INSERT INTO partition_stamps (partition, slot, stamp) VALUES ('database', 0, (random() * 1e15)::bigint);
INSERT INTO partition_stamps (partition, slot, stamp) SELECT DISTINCT 'matches|' || platform || '|' || CASE WHEN game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END, 0, 0 FROM matches;
INSERT INTO partition_stamps (partition, slot, stamp) SELECT DISTINCT 'stats|' || platform || '|' || year, 0, 0 FROM player_yearly_stats;
INSERT INTO partition_stamps (partition, slot, stamp) SELECT DISTINCT 'players|' || platform, 0, 0 FROM players;
INSERT INTO partition_stamps (partition, slot, stamp) SELECT DISTINCT 'ranks|' || CASE WHEN seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END, 0, 0 FROM rank_history;
INSERT INTO partition_stamps (partition, slot, stamp) SELECT DISTINCT 'mastery|' || CASE WHEN seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END, 0, 0 FROM mastery_history;
INSERT INTO partition_stamps (partition, slot, stamp) SELECT DISTINCT 'names', 0, 0 FROM static_names;
UPDATE partition_stamps SET stamp = (random() * 1e15)::bigint;

CREATE FUNCTION stamp_partitions(changed TEXT[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one TEXT;
BEGIN
    FOREACH one IN ARRAY coalesce(changed, '{}') LOOP
        -- This transaction has done it already.
        PERFORM 1 FROM partition_stamps s WHERE s.partition = one AND s.xmin = pg_current_xact_id()::xid;
        CONTINUE WHEN FOUND;
        UPDATE partition_stamps s SET stamp = (random() * 1e15)::bigint
        WHERE s.partition = one AND s.slot =
            (SELECT f.slot FROM partition_stamps f WHERE f.partition = one LIMIT 1 FOR UPDATE SKIP LOCKED);
        IF NOT FOUND THEN
            INSERT INTO partition_stamps (partition, slot, stamp) VALUES (one, (random() * 1e15)::bigint, (random() * 1e15)::bigint);
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION stamp_match_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'matches|' || r.platform || '|' || CASE WHEN r.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_match_new AFTER INSERT ON matches REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_match_new();

CREATE FUNCTION stamp_match_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT 'matches|' || r.platform || '|' || CASE WHEN r.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM old_rows r UNION SELECT 'matches|' || r.platform || '|' || CASE WHEN r.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_match_changed AFTER UPDATE ON matches REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_match_changed();

CREATE FUNCTION stamp_match_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'matches|' || r.platform || '|' || CASE WHEN r.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM old_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_match_gone AFTER DELETE ON matches REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_match_gone();

-- Whatever is stored of a match comes with its row, with that of its timeline, or when players turn out to be one.
CREATE FUNCTION stamp_timeline_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r JOIN matches m ON m.match_id = r.match_id));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_timeline_new AFTER INSERT ON match_timelines REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_timeline_new();

CREATE FUNCTION stamp_timeline_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r JOIN matches m ON m.match_id = r.match_id));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_timeline_changed AFTER UPDATE ON match_timelines REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_timeline_changed();

CREATE FUNCTION stamp_timeline_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM old_rows r JOIN matches m ON m.match_id = r.match_id));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_timeline_gone AFTER DELETE ON match_timelines REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_timeline_gone();

CREATE FUNCTION stamp_participant_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(m.game_start / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r JOIN matches m ON m.match_id = r.match_id));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_participant_changed AFTER UPDATE ON match_participants REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_participant_changed();

CREATE FUNCTION stamp_stats_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'stats|' || r.platform || '|' || r.year FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_stats_new AFTER INSERT ON player_yearly_stats REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_stats_new();

CREATE FUNCTION stamp_stats_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT 'stats|' || r.platform || '|' || r.year FROM old_rows r UNION SELECT 'stats|' || r.platform || '|' || r.year FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_stats_changed AFTER UPDATE ON player_yearly_stats REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_stats_changed();

CREATE FUNCTION stamp_stats_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'stats|' || r.platform || '|' || r.year FROM old_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_stats_gone AFTER DELETE ON player_yearly_stats REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_stats_gone();

CREATE FUNCTION stamp_player_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'players|' || r.platform FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_player_new AFTER INSERT ON players REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_player_new();

CREATE FUNCTION stamp_player_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT 'players|' || r.platform FROM old_rows o JOIN new_rows n ON n.id = o.id CROSS JOIN LATERAL (VALUES (o.platform), (n.platform)) r (platform)
        WHERE (o.puuid, o.game_name, o.tag_line, o.platform, o.profile_icon_id, o.summoner_level, o.tracked, o.created_at) IS DISTINCT FROM (n.puuid, n.game_name, n.tag_line, n.platform, n.profile_icon_id, n.summoner_level, n.tracked, n.created_at) GROUP BY 1));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_player_changed AFTER UPDATE ON players REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_player_changed();

CREATE FUNCTION stamp_player_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'players|' || r.platform FROM old_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_player_gone AFTER DELETE ON players REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_player_gone();

CREATE FUNCTION stamp_rank_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'ranks|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_rank_new AFTER INSERT ON rank_history REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_rank_new();

CREATE FUNCTION stamp_rank_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT 'ranks|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM old_rows r UNION SELECT 'ranks|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_rank_changed AFTER UPDATE ON rank_history REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_rank_changed();

CREATE FUNCTION stamp_rank_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'ranks|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM old_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_rank_gone AFTER DELETE ON rank_history REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_rank_gone();

CREATE FUNCTION stamp_mastery_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'mastery|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_mastery_new AFTER INSERT ON mastery_history REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_mastery_new();

CREATE FUNCTION stamp_mastery_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT 'mastery|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM old_rows r UNION SELECT 'mastery|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_mastery_changed AFTER UPDATE ON mastery_history REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_mastery_changed();

CREATE FUNCTION stamp_mastery_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'mastery|' || CASE WHEN r.seen_at BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(r.seen_at / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END FROM old_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_mastery_gone AFTER DELETE ON mastery_history REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_mastery_gone();

CREATE FUNCTION stamp_name_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'names'::text FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_name_new AFTER INSERT ON static_names REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_name_new();

CREATE FUNCTION stamp_name_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT 'names'::text FROM old_rows r UNION SELECT 'names'::text FROM new_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_name_changed AFTER UPDATE ON static_names REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_name_changed();

CREATE FUNCTION stamp_name_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stamp_partitions(ARRAY(SELECT DISTINCT 'names'::text FROM old_rows r));
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_name_gone AFTER DELETE ON static_names REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION stamp_name_gone();

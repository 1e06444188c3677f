-- ---------------------------------------------------------------- what else a lake has

-- Former names, and what is known to be missing. Partitions, beside those of before: former|2026|11 by when a name ended,
-- missing|2026|11 by when a document was missed first, years|kr|2026.
-- Matches that were listed and are not stored are written with the row of their year, and go with it.
-- A trigger for each row: most commits have none of these, and spare the look.
INSERT INTO partition_stamps (partition, slot, stamp) SELECT one, 0, (random() * 1e15)::bigint FROM (SELECT DISTINCT 'former|' || CASE WHEN valid_to BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(valid_to / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END AS one FROM former_names) had;
INSERT INTO partition_stamps (partition, slot, stamp) SELECT one, 0, (random() * 1e15)::bigint FROM (SELECT DISTINCT 'missing|' || CASE WHEN first_seen BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(first_seen / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END AS one FROM missing_payloads) had;
INSERT INTO partition_stamps (partition, slot, stamp) SELECT one, 0, (random() * 1e15)::bigint FROM (SELECT DISTINCT 'years|' || platform || '|' || year AS one FROM player_years) had;

CREATE FUNCTION stamp_former() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM stamp_partitions(ARRAY['former|' || CASE WHEN OLD.valid_to BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(OLD.valid_to / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END]);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM stamp_partitions(ARRAY['former|' || CASE WHEN NEW.valid_to BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(NEW.valid_to / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_former AFTER INSERT OR UPDATE OR DELETE ON former_names FOR EACH ROW EXECUTE FUNCTION stamp_former();

CREATE FUNCTION stamp_missing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM stamp_partitions(ARRAY['missing|' || CASE WHEN OLD.first_seen BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(OLD.first_seen / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END]);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM stamp_partitions(ARRAY['missing|' || CASE WHEN NEW.first_seen BETWEEN 0 AND 253402300799999 THEN to_char(to_timestamp(NEW.first_seen / 1000) AT TIME ZONE 'UTC', 'YYYY|MM') ELSE '0000|00' END]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_missing AFTER INSERT OR UPDATE OR DELETE ON missing_payloads FOR EACH ROW EXECUTE FUNCTION stamp_missing();

CREATE FUNCTION stamp_years() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM stamp_partitions(ARRAY['years|' || OLD.platform || '|' || OLD.year]);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM stamp_partitions(ARRAY['years|' || NEW.platform || '|' || NEW.year]);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stamp_years AFTER INSERT OR UPDATE OR DELETE ON player_years FOR EACH ROW EXECUTE FUNCTION stamp_years();

-- ---------------------------------------------------------------- what else a lake has

-- Former names, and what is known to be missing. Partitions, beside those of before: former|2026|11 by when a name ended,
-- missing|2026|11 by when a document was missed first, years|kr|2026.
-- Matches that were listed and are not stored are written with the row of their year, and go with it.
INSERT INTO partition_stamps (partition, stamp) SELECT one, random() FROM (SELECT DISTINCT 'former|' || CASE WHEN valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', valid_to / 1000, 'unixepoch') ELSE '0000|00' END AS one FROM former_names);
INSERT INTO partition_stamps (partition, stamp) SELECT one, random() FROM (SELECT DISTINCT 'missing|' || CASE WHEN first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', first_seen / 1000, 'unixepoch') ELSE '0000|00' END AS one FROM missing_payloads);
INSERT INTO partition_stamps (partition, stamp) SELECT one, random() FROM (SELECT DISTINCT 'years|' || platform || '|' || year AS one FROM player_years);

CREATE TRIGGER stamp_former_new AFTER INSERT ON former_names BEGIN
    DELETE FROM partition_stamps WHERE partition = 'former|' || CASE WHEN NEW.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.valid_to / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('former|' || CASE WHEN NEW.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.valid_to / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_former_changed AFTER UPDATE ON former_names BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'former|' || CASE WHEN OLD.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.valid_to / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_former_moved AFTER UPDATE OF valid_to ON former_names
WHEN 'former|' || CASE WHEN OLD.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.valid_to / 1000, 'unixepoch') ELSE '0000|00' END <> 'former|' || CASE WHEN NEW.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.valid_to / 1000, 'unixepoch') ELSE '0000|00' END BEGIN
    DELETE FROM partition_stamps WHERE partition = 'former|' || CASE WHEN NEW.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.valid_to / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('former|' || CASE WHEN NEW.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.valid_to / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_former_gone AFTER DELETE ON former_names BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'former|' || CASE WHEN OLD.valid_to BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.valid_to / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_missing_new AFTER INSERT ON missing_payloads BEGIN
    DELETE FROM partition_stamps WHERE partition = 'missing|' || CASE WHEN NEW.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.first_seen / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('missing|' || CASE WHEN NEW.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.first_seen / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_missing_changed AFTER UPDATE ON missing_payloads BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'missing|' || CASE WHEN OLD.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.first_seen / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_missing_moved AFTER UPDATE OF first_seen ON missing_payloads
WHEN 'missing|' || CASE WHEN OLD.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.first_seen / 1000, 'unixepoch') ELSE '0000|00' END <> 'missing|' || CASE WHEN NEW.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.first_seen / 1000, 'unixepoch') ELSE '0000|00' END BEGIN
    DELETE FROM partition_stamps WHERE partition = 'missing|' || CASE WHEN NEW.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.first_seen / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('missing|' || CASE WHEN NEW.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.first_seen / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_missing_gone AFTER DELETE ON missing_payloads BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'missing|' || CASE WHEN OLD.first_seen BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.first_seen / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_years_new AFTER INSERT ON player_years BEGIN
    DELETE FROM partition_stamps WHERE partition = 'years|' || NEW.platform || '|' || NEW.year;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('years|' || NEW.platform || '|' || NEW.year, random());
END;
CREATE TRIGGER stamp_years_changed AFTER UPDATE ON player_years BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'years|' || OLD.platform || '|' || OLD.year;
END;
CREATE TRIGGER stamp_years_moved AFTER UPDATE OF platform, year ON player_years
WHEN 'years|' || OLD.platform || '|' || OLD.year <> 'years|' || NEW.platform || '|' || NEW.year BEGIN
    DELETE FROM partition_stamps WHERE partition = 'years|' || NEW.platform || '|' || NEW.year;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('years|' || NEW.platform || '|' || NEW.year, random());
END;
CREATE TRIGGER stamp_years_gone AFTER DELETE ON player_years BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'years|' || OLD.platform || '|' || OLD.year;
END;

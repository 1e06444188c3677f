-- ---------------------------------------------------------------- what changed since a lake was written

-- A partition of the data, and a random number that is another one whenever a row of it was stored, changed or deleted:
-- the same number means the same rows. So an export knows what to write anew by comparing with the numbers that its
-- last one saw, and nobody has to keep a moment or a list for it. `database` is a number of this database alone.
CREATE TABLE partition_stamps (
    partition   TEXT NOT NULL PRIMARY KEY,                -- matches|kr|2026|11, stats|kr|2026, players|kr, ranks|2026|11, mastery|2026|11, names
    slot        INTEGER NOT NULL DEFAULT 0,               -- PostgreSQL has several rows of a partition
    stamp       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is there already.
INSERT INTO partition_stamps (partition, stamp) VALUES ('database', random());
INSERT INTO partition_stamps (partition, stamp) SELECT DISTINCT 'matches|' || platform || '|' || CASE WHEN game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', game_start / 1000, 'unixepoch') ELSE '0000|00' END, 0 FROM matches;
INSERT INTO partition_stamps (partition, stamp) SELECT DISTINCT 'stats|' || platform || '|' || year, 0 FROM player_yearly_stats;
INSERT INTO partition_stamps (partition, stamp) SELECT DISTINCT 'players|' || platform, 0 FROM players;
INSERT INTO partition_stamps (partition, stamp) SELECT DISTINCT 'ranks|' || CASE WHEN seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', seen_at / 1000, 'unixepoch') ELSE '0000|00' END, 0 FROM rank_history;
INSERT INTO partition_stamps (partition, stamp) SELECT DISTINCT 'mastery|' || CASE WHEN seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', seen_at / 1000, 'unixepoch') ELSE '0000|00' END, 0 FROM mastery_history;
INSERT INTO partition_stamps (partition, stamp) SELECT DISTINCT 'names', 0 FROM static_names;
UPDATE partition_stamps SET stamp = random();

-- A partition is there from its first row on, and stays. A new row deletes and inserts it, for an insert that ignores
-- conflicts would have one here ignored, too; what changes, of which a match has much, costs one update.
CREATE TRIGGER stamp_match_new AFTER INSERT ON matches BEGIN
    DELETE FROM partition_stamps WHERE partition = 'matches|' || NEW.platform || '|' || CASE WHEN NEW.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.game_start / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('matches|' || NEW.platform || '|' || CASE WHEN NEW.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.game_start / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_match_changed AFTER UPDATE ON matches BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'matches|' || OLD.platform || '|' || CASE WHEN OLD.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.game_start / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_match_moved AFTER UPDATE OF platform, game_start ON matches
WHEN 'matches|' || OLD.platform || '|' || CASE WHEN OLD.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.game_start / 1000, 'unixepoch') ELSE '0000|00' END <> 'matches|' || NEW.platform || '|' || CASE WHEN NEW.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.game_start / 1000, 'unixepoch') ELSE '0000|00' END BEGIN
    DELETE FROM partition_stamps WHERE partition = 'matches|' || NEW.platform || '|' || CASE WHEN NEW.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.game_start / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('matches|' || NEW.platform || '|' || CASE WHEN NEW.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.game_start / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_match_gone AFTER DELETE ON matches BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'matches|' || OLD.platform || '|' || CASE WHEN OLD.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.game_start / 1000, 'unixepoch') ELSE '0000|00' END;
END;
-- Whatever is stored of a match comes with its row, with that of its timeline, or when players turn out to be one.
CREATE TRIGGER stamp_timeline_new AFTER INSERT ON match_timelines BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = (SELECT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', m.game_start / 1000, 'unixepoch') ELSE '0000|00' END FROM matches m WHERE m.match_id = NEW.match_id);
END;
CREATE TRIGGER stamp_timeline_changed AFTER UPDATE ON match_timelines BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = (SELECT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', m.game_start / 1000, 'unixepoch') ELSE '0000|00' END FROM matches m WHERE m.match_id = NEW.match_id);
END;
CREATE TRIGGER stamp_timeline_gone AFTER DELETE ON match_timelines BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = (SELECT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', m.game_start / 1000, 'unixepoch') ELSE '0000|00' END FROM matches m WHERE m.match_id = OLD.match_id);
END;
CREATE TRIGGER stamp_participant_changed AFTER UPDATE ON match_participants BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = (SELECT 'matches|' || m.platform || '|' || CASE WHEN m.game_start BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', m.game_start / 1000, 'unixepoch') ELSE '0000|00' END FROM matches m WHERE m.match_id = NEW.match_id);
END;
CREATE TRIGGER stamp_stats_new AFTER INSERT ON player_yearly_stats BEGIN
    DELETE FROM partition_stamps WHERE partition = 'stats|' || NEW.platform || '|' || NEW.year;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('stats|' || NEW.platform || '|' || NEW.year, random());
END;
CREATE TRIGGER stamp_stats_changed AFTER UPDATE ON player_yearly_stats BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'stats|' || OLD.platform || '|' || OLD.year;
END;
CREATE TRIGGER stamp_stats_moved AFTER UPDATE OF platform, year ON player_yearly_stats
WHEN OLD.platform <> NEW.platform OR OLD.year <> NEW.year BEGIN
    DELETE FROM partition_stamps WHERE partition = 'stats|' || NEW.platform || '|' || NEW.year;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('stats|' || NEW.platform || '|' || NEW.year, random());
END;
CREATE TRIGGER stamp_stats_gone AFTER DELETE ON player_yearly_stats BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'stats|' || OLD.platform || '|' || OLD.year;
END;
CREATE TRIGGER stamp_player_new AFTER INSERT ON players BEGIN
    DELETE FROM partition_stamps WHERE partition = 'players|' || NEW.platform;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('players|' || NEW.platform, random());
END;
CREATE TRIGGER stamp_player_changed AFTER UPDATE OF puuid, game_name, tag_line, platform, profile_icon_id, summoner_level, tracked, created_at ON players
WHEN OLD.puuid IS NOT NEW.puuid OR OLD.game_name IS NOT NEW.game_name OR OLD.tag_line IS NOT NEW.tag_line OR OLD.platform IS NOT NEW.platform OR OLD.profile_icon_id IS NOT NEW.profile_icon_id OR OLD.summoner_level IS NOT NEW.summoner_level OR OLD.tracked IS NOT NEW.tracked OR OLD.created_at IS NOT NEW.created_at BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'players|' || OLD.platform;
END;
CREATE TRIGGER stamp_player_moved AFTER UPDATE OF platform ON players
WHEN OLD.platform <> NEW.platform BEGIN
    DELETE FROM partition_stamps WHERE partition = 'players|' || NEW.platform;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('players|' || NEW.platform, random());
END;
CREATE TRIGGER stamp_player_gone AFTER DELETE ON players BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'players|' || OLD.platform;
END;
CREATE TRIGGER stamp_rank_new AFTER INSERT ON rank_history BEGIN
    DELETE FROM partition_stamps WHERE partition = 'ranks|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('ranks|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_rank_changed AFTER UPDATE ON rank_history BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'ranks|' || CASE WHEN OLD.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_rank_moved AFTER UPDATE OF seen_at ON rank_history
WHEN 'ranks|' || CASE WHEN OLD.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.seen_at / 1000, 'unixepoch') ELSE '0000|00' END <> 'ranks|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END BEGIN
    DELETE FROM partition_stamps WHERE partition = 'ranks|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('ranks|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_rank_gone AFTER DELETE ON rank_history BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'ranks|' || CASE WHEN OLD.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_mastery_new AFTER INSERT ON mastery_history BEGIN
    DELETE FROM partition_stamps WHERE partition = 'mastery|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('mastery|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_mastery_changed AFTER UPDATE ON mastery_history BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'mastery|' || CASE WHEN OLD.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_mastery_moved AFTER UPDATE OF seen_at ON mastery_history
WHEN 'mastery|' || CASE WHEN OLD.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.seen_at / 1000, 'unixepoch') ELSE '0000|00' END <> 'mastery|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END BEGIN
    DELETE FROM partition_stamps WHERE partition = 'mastery|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
    INSERT INTO partition_stamps (partition, stamp) VALUES ('mastery|' || CASE WHEN NEW.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', NEW.seen_at / 1000, 'unixepoch') ELSE '0000|00' END, random());
END;
CREATE TRIGGER stamp_mastery_gone AFTER DELETE ON mastery_history BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'mastery|' || CASE WHEN OLD.seen_at BETWEEN 0 AND 253402300799999 THEN strftime('%Y|%m', OLD.seen_at / 1000, 'unixepoch') ELSE '0000|00' END;
END;
CREATE TRIGGER stamp_name_new AFTER INSERT ON static_names BEGIN
    DELETE FROM partition_stamps WHERE partition = 'names';
    INSERT INTO partition_stamps (partition, stamp) VALUES ('names', random());
END;
CREATE TRIGGER stamp_name_changed AFTER UPDATE ON static_names BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'names';
END;
CREATE TRIGGER stamp_name_gone AFTER DELETE ON static_names BEGIN
    UPDATE partition_stamps SET stamp = random() WHERE partition = 'names';
END;

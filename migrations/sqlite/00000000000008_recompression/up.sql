-- What documents of codec 2 are packed with: without its dictionary none of them can be read. Numbers are never given twice.
CREATE TABLE payload_dictionaries (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,                      -- match | timeline: the documents it was trained on
    trained_at  INTEGER NOT NULL,
    samples     INTEGER NOT NULL,                   -- how many documents that were
    body        BLOB NOT NULL
) STRICT;

-- Which documents are packed anew, and with what; those that come from the API are in no index more than before.
CREATE INDEX payloads_recompressed ON payloads (match_id, kind, dictionary) WHERE codec = 2;

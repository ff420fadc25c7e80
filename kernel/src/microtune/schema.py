"""The tables of a journal."""

from __future__ import annotations

FILE = "journal.db"
LOG = FILE + "-wal"  # what was committed since SQLite folded it into the file the last time

# Small pages, since a commit writes whole ones; 32 MB of log before it is folded into the file, with an fsync.
PRAGMAS = """
PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=32000;
"""
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE loggers (
    name TEXT PRIMARY KEY, seq INTEGER NOT NULL, active INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, trial TEXT, body TEXT NOT NULL, crc INTEGER NOT NULL
);
-- For people. The kernel reads `events` only. json_extract, not ->>, which SQLite has since 3.38 only.
CREATE VIEW results AS
    SELECT seq, at, trial, json_extract(body, '$.iteration') AS iteration,
           json_extract(body, '$.time_total_s') AS time_total_s, json_extract(body, '$.metrics') AS metrics,
           json_extract(body, '$.checkpoint') AS checkpoint
    FROM events WHERE kind = 'result' AND json_extract(body, '$.repeat') IS NULL;
CREATE VIEW trials AS
    SELECT made.trial AS id, json_extract(made.body, '$.number') AS number,
           CASE last.kind WHEN 'ended' THEN json_extract(last.body, '$.state') WHEN 'launched' THEN 'RUNNING'
                          WHEN 'decided' THEN 'PAUSED' ELSE 'PENDING' END AS state,
           json_extract(last.body, '$.reason') AS reason,
           json_extract(coalesce(again.body, made.body), '$.config') AS config
    FROM events AS made
    JOIN (SELECT trial, max(seq) AS seq FROM events
          WHERE kind IN ('created', 'resumed', 'launched', 'interrupted', 'ended')
             OR (kind = 'decided' AND json_extract(body, '$.decision') = 'pause') GROUP BY trial) AS latest USING (trial)
    JOIN events AS last ON last.seq = latest.seq
    LEFT JOIN (SELECT trial, max(seq) AS seq FROM events
               WHERE kind = 'resumed' AND json_extract(body, '$.config') IS NOT NULL GROUP BY trial) AS moved USING (trial)
    LEFT JOIN events AS again ON again.seq = moved.seq
    WHERE made.kind = 'created';
"""
INDEX = "CREATE INDEX IF NOT EXISTS events_by_trial ON events (trial, seq)"

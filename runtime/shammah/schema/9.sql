-- Schema 9: models that are fetched in the background.
CREATE TABLE pulls (
    number INTEGER PRIMARY KEY, created TEXT NOT NULL, spec TEXT NOT NULL, title TEXT NOT NULL, bytes INTEGER NOT NULL, done_bytes INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL, not_before REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, finished TEXT, error TEXT);
CREATE INDEX pulls_state ON pulls (state);

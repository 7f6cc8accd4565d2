-- Schema 15: where examples come from that somebody outside gave: of whom, in which batch, about what, and when a user accepted them.
CREATE TABLE provenance (
    example TEXT PRIMARY KEY REFERENCES examples (id) ON DELETE CASCADE, author TEXT NOT NULL, batch TEXT NOT NULL, category TEXT NOT NULL,
    difficulty TEXT NOT NULL, focus TEXT NOT NULL, received TEXT NOT NULL, accepted TEXT);
CREATE INDEX provenance_batch ON provenance (batch);

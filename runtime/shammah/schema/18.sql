-- Schema 18: when a model file's bytes, name or rights last changed: that no program can set back, as it can the time of writing.
ALTER TABLE bases ADD COLUMN ctime_ns INTEGER NOT NULL DEFAULT 0;

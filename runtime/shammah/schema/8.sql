-- Schema 8: which learner said how probably a local answer will do. Rows from before have none, and count as the default's.
ALTER TABLE questions ADD COLUMN learner TEXT;

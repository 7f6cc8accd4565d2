-- Schema 2: ratings, and which of them an example comes from.
CREATE TABLE ratings (
    id INTEGER PRIMARY KEY, created TEXT NOT NULL, answer INTEGER NOT NULL REFERENCES answers (id), rating TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX ratings_answer ON ratings (answer);
ALTER TABLE examples ADD COLUMN rating INTEGER REFERENCES ratings (id);

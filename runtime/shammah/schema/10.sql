-- Schema 10: what adapters are for: the mean direction of questions' embeddings, and from which cosine on one belongs to them.
CREATE TABLE domains (
    adapter TEXT PRIMARY KEY REFERENCES adapters (name) ON UPDATE CASCADE ON DELETE CASCADE, created TEXT NOT NULL, centroid BLOB NOT NULL,
    reach REAL NOT NULL, questions INTEGER NOT NULL);

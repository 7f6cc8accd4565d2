-- Schema 19: how often in a row a teacher was out of reach, since when, and until when it is not asked: seconds of the epoch.
CREATE TABLE outages (teacher TEXT PRIMARY KEY, failures INTEGER NOT NULL, since REAL NOT NULL, until REAL NOT NULL);

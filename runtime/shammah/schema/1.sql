-- Schema 1 of the journal.
CREATE TABLE bases (
    path TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    name TEXT NOT NULL, architecture TEXT NOT NULL, probed TEXT NOT NULL);
CREATE INDEX bases_sha256 ON bases (sha256);
CREATE TABLE adapters (
    name TEXT PRIMARY KEY, base TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL, parent TEXT, scores TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE active_adapters (
    base TEXT NOT NULL, place INTEGER NOT NULL, adapter TEXT NOT NULL REFERENCES adapters (name), scale REAL NOT NULL, PRIMARY KEY (base, place));
CREATE TABLE questions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created TEXT NOT NULL, session TEXT NOT NULL, lineage TEXT NOT NULL, text TEXT NOT NULL,
    context TEXT NOT NULL, may_go_online INTEGER NOT NULL, is_counted INTEGER NOT NULL DEFAULT 0, redactions INTEGER NOT NULL DEFAULT 0,
    features BLOB, embedding BLOB, feature_version INTEGER, router_probability REAL, propensity REAL, is_sampled INTEGER NOT NULL DEFAULT 0);
CREATE INDEX questions_lineage ON questions (lineage, is_counted);
CREATE TABLE answers (
    id INTEGER PRIMARY KEY, question INTEGER NOT NULL REFERENCES questions (number), created TEXT NOT NULL, side TEXT NOT NULL, is_shown INTEGER NOT NULL,
    text TEXT NOT NULL, reason TEXT NOT NULL, finish TEXT NOT NULL, model TEXT NOT NULL, adapters TEXT NOT NULL, is_verified INTEGER NOT NULL,
    validator_probability REAL, features BLOB, feature_version INTEGER, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    seconds TEXT NOT NULL, cost_usd REAL, divergence REAL, method TEXT);
CREATE INDEX answers_question ON answers (question);
CREATE TABLE lessons (
    id INTEGER PRIMARY KEY, created TEXT NOT NULL, head TEXT NOT NULL, lineage TEXT NOT NULL, question INTEGER NOT NULL REFERENCES questions (number),
    answer INTEGER REFERENCES answers (id), is_good INTEGER NOT NULL, weight REAL NOT NULL, source TEXT NOT NULL);
CREATE INDEX lessons_head ON lessons (head, lineage, id);
CREATE TABLE examples (
    id TEXT PRIMARY KEY, answer INTEGER UNIQUE REFERENCES answers (id), prompt TEXT NOT NULL, completion TEXT NOT NULL, rejected TEXT, weight REAL NOT NULL,
    source TEXT NOT NULL, state TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0,
    created TEXT NOT NULL, finished TEXT, error TEXT);
CREATE INDEX jobs_state ON jobs (state, not_before);
CREATE TABLE spending (
    id INTEGER PRIMARY KEY, day TEXT NOT NULL, usd REAL NOT NULL, is_settled INTEGER NOT NULL DEFAULT 0, question INTEGER REFERENCES questions (number));
CREATE INDEX spending_day ON spending (day);
CREATE TABLE notices (id INTEGER PRIMARY KEY, created TEXT NOT NULL, text TEXT NOT NULL, is_shown INTEGER NOT NULL DEFAULT 0);
CREATE TABLE flags (name TEXT PRIMARY KEY, value TEXT NOT NULL);

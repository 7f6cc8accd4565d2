-- Schema 7: what the judge said of a local answer and the teacher's, and what that cost.
CREATE TABLE judgements (
    id INTEGER PRIMARY KEY, created TEXT NOT NULL, local INTEGER NOT NULL REFERENCES answers (id), teacher INTEGER NOT NULL REFERENCES answers (id),
    seed INTEGER NOT NULL, local_is_first INTEGER NOT NULL, local_grade INTEGER NOT NULL, teacher_grade INTEGER NOT NULL, reason TEXT NOT NULL,
    model TEXT NOT NULL, cost_usd REAL);
CREATE INDEX judgements_local ON judgements (local);

-- Schema 6: which lessons a head learns from, when it was re-fitted, what a new base takes over, and checkpoints.
CREATE TABLE head_views (
    number INTEGER PRIMARY KEY, created TEXT NOT NULL, lineage TEXT NOT NULL, head TEXT NOT NULL, spans TEXT NOT NULL, inherits INTEGER NOT NULL, why TEXT NOT NULL);
CREATE INDEX head_views_head ON head_views (lineage, head, number);
CREATE TABLE refits (
    number INTEGER PRIMARY KEY, created TEXT NOT NULL, lineage TEXT NOT NULL, head TEXT NOT NULL, lessons INTEGER NOT NULL, last_lesson INTEGER NOT NULL,
    early_loss REAL, late_loss REAL);
CREATE INDEX refits_head ON refits (lineage, head, number);
CREATE TABLE adoptions (
    lineage TEXT PRIMARY KEY, created TEXT NOT NULL, until INTEGER NOT NULL, questions INTEGER NOT NULL);
CREATE TABLE checkpoints (
    number INTEGER PRIMARY KEY, created TEXT NOT NULL, lineage TEXT NOT NULL, questions INTEGER NOT NULL, why TEXT NOT NULL, folder TEXT NOT NULL);
CREATE INDEX checkpoints_lineage ON checkpoints (lineage, number);

-- Schema 3: trainings, where adapters come from, and what was active when. The newest activation of a base is its active set.
CREATE TABLE trainings (
    number INTEGER PRIMARY KEY, created TEXT NOT NULL, finished TEXT, base TEXT NOT NULL, state TEXT NOT NULL, is_automatic INTEGER NOT NULL,
    is_forced INTEGER NOT NULL, adapter TEXT, reason TEXT NOT NULL DEFAULT '');
CREATE INDEX trainings_state ON trainings (state);
CREATE TABLE trained_examples (
    training INTEGER NOT NULL REFERENCES trainings (number), example TEXT NOT NULL, is_learnt INTEGER NOT NULL,
    PRIMARY KEY (training, example)) WITHOUT ROWID;
CREATE TABLE activations (
    number INTEGER PRIMARY KEY, created TEXT NOT NULL, base TEXT NOT NULL, adapters TEXT NOT NULL, earlier INTEGER REFERENCES activations (number), why TEXT NOT NULL);
CREATE INDEX activations_base ON activations (base);
DROP TABLE active_adapters;
ALTER TABLE adapters ADD COLUMN training INTEGER REFERENCES trainings (number);

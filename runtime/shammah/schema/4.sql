-- Schema 4: a bound on a training's memory that was asked for, where 0 leaves it to the settings.
ALTER TABLE trainings ADD COLUMN most_memory_bytes INTEGER NOT NULL DEFAULT 0;

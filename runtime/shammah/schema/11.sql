-- Schema 11: the questions of the last days without a look at all of them.
CREATE INDEX questions_created ON questions (created, lineage, is_counted);

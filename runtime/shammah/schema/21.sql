-- Schema 21: why the teacher gave no answer to a question, redacted (null where it gave one, or was not asked).
ALTER TABLE questions ADD COLUMN failure TEXT;

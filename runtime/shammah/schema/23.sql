-- Schema 23: the embedding of the question that an example answers, its conversation apart (null until somebody needs it).
ALTER TABLE examples ADD COLUMN embedding BLOB;

-- Schema 12: blind comparisons of two answers to a question: who gave them, in the order in which they were shown, and which one was picked.
CREATE TABLE comparisons (
    id INTEGER PRIMARY KEY, created TEXT NOT NULL, first INTEGER NOT NULL REFERENCES answers (id), second INTEGER NOT NULL REFERENCES answers (id),
    first_name TEXT NOT NULL, second_name TEXT NOT NULL, picked TEXT NOT NULL);
CREATE INDEX comparisons_names ON comparisons (first_name, second_name);

-- Schema 20: the last answer, question and activation before something was made active, or an adapter came: a clock may jump, their numbers only grow.
ALTER TABLE activations ADD COLUMN last_answer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE activations ADD COLUMN last_question INTEGER NOT NULL DEFAULT 0;
ALTER TABLE adapters ADD COLUMN last_answer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE adapters ADD COLUMN last_activation INTEGER NOT NULL DEFAULT 0;
UPDATE activations SET
    last_answer = (SELECT coalesce(max(id), 0) FROM answers WHERE created < activations.created),
    last_question = (SELECT coalesce(max(number), 0) FROM questions WHERE created < activations.created);
UPDATE adapters SET
    last_answer = (SELECT coalesce(max(id), 0) FROM answers WHERE created < adapters.created),
    last_activation = (SELECT coalesce(max(number), 0) FROM activations WHERE created < adapters.created);

-- The id that a model keeps when it is renamed, so that what gates answered about it is not taken for an answer about a
-- later model of the same name. Not known of answers from before. Placeholders as in V1__record.sql.
ALTER TABLE gate_verdict ADD COLUMN subject {text};
CREATE INDEX gate_verdict_by_subject ON gate_verdict (subject, number, id);

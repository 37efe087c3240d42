-- What gates rest on: which models runs evaluated, which bytes versions are made of, and what documents in buckets say.
-- Placeholders as in V1__record.sql.

-- A model that a run says it evaluated: the id of a logged model, or the one that a model file gives itself. dataset is
-- what the run calls the data set that it used.
CREATE TABLE evaluated_model (
    run_id BIGINT NOT NULL REFERENCES run (id),
    model {text} NOT NULL,
    dataset {text} NOT NULL,
    PRIMARY KEY (run_id, model)
){keyed};
CREATE INDEX evaluated_model_by_model ON evaluated_model (model, run_id);

-- A file that was written through this server, by its URI. digest says which bytes it holds. replaced_at is when
-- others took the place of the first.
CREATE TABLE artifact_file (
    uri {text} NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    digest {text} NOT NULL,
    written_at BIGINT NOT NULL,
    replaced_at BIGINT
){keyed};

-- What the document at a URI says, as JSON. bytes says which bytes were read.
CREATE TABLE document_reading (
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    uri {text} NOT NULL,
    bytes {text} NOT NULL,
    reading {text} NOT NULL,
    PRIMARY KEY (workspace_id, uri)
){keyed};

-- What the files of the version were when it was evaluated.
ALTER TABLE model_evaluation ADD COLUMN artifacts {text};

CREATE INDEX idempotency_by_time ON idempotency (at);

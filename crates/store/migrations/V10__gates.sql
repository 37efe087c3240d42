-- Gates, what they ask for, and what they answered. Placeholders as in V1__record.sql.

-- Who registered the version. Before there were accounts, everybody was the local owner.
ALTER TABLE model_version ADD COLUMN author {text} NOT NULL DEFAULT 'local-owner';

-- version counts the definitions that are kept in gate_version, also across a deletion. definition is JSON.
CREATE TABLE gate (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL,
    version BIGINT NOT NULL,
    definition {text} NOT NULL,
    applied_by {text} NOT NULL,
    applied_at BIGINT NOT NULL,
    deleted_at BIGINT,
    UNIQUE (workspace_id, name)
);

CREATE TABLE gate_version (
    gate_id BIGINT NOT NULL REFERENCES gate (id),
    version BIGINT NOT NULL,
    definition {text} NOT NULL,
    applied_by {text} NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (gate_id, version)
){keyed};

-- kind is request, comment, approve, reject or withdraw. groups is a JSON list: those of the person at the time.
-- fingerprint says what the version was when it was said.
CREATE TABLE review (
    id {id},
    model_version_id BIGINT NOT NULL REFERENCES model_version (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    person {text} NOT NULL,
    groups {text} NOT NULL,
    reason {text} NOT NULL,
    fingerprint {text} NOT NULL,
    at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX review_by_version ON review (model_version_id, id);

-- How good a version is on a data set. metrics is a JSON object of numbers, slices one of such objects.
CREATE TABLE model_evaluation (
    id {id},
    model_version_id BIGINT NOT NULL REFERENCES model_version (id) ON DELETE CASCADE,
    dataset_name {text} NOT NULL,
    dataset_digest {text} NOT NULL,
    metrics {text} NOT NULL,
    slices {text} NOT NULL,
    report {text},
    recorded_by {text} NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX model_evaluation_by_version ON model_evaluation (model_version_id, id);

-- A version that may pass a target whatever its gates say, until a time.
CREATE TABLE gate_exception (
    id {id},
    model_version_id BIGINT NOT NULL REFERENCES model_version (id) ON DELETE CASCADE,
    target {text} NOT NULL,
    reason {text} NOT NULL,
    person {text} NOT NULL,
    at BIGINT NOT NULL,
    until_at BIGINT NOT NULL
);
CREATE INDEX gate_exception_by_version ON gate_exception (model_version_id, until_at);

-- What a gate answered and from what. It outlives the version: model and number are as they were. gate is the JSON of
-- the gate's definition with its version, evidence and findings are JSON.
CREATE TABLE gate_verdict (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    model {text} NOT NULL,
    number BIGINT NOT NULL,
    target {text} NOT NULL,
    outcome {text} NOT NULL,
    gate {text} NOT NULL,
    evidence {text} NOT NULL,
    verdict {text} NOT NULL,
    person {text} NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX gate_verdict_by_version ON gate_verdict (workspace_id, model, number, id);

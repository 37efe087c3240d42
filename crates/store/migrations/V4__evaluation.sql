-- Datasets of examples for evaluations, and scorers. Placeholders as in V1__record.sql.

CREATE TABLE evaluation_dataset (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL,
    digest {text} NOT NULL,
    schema {text},
    -- NULL when it never had any.
    records BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    created_by {text},
    updated_by {text}
);
CREATE INDEX evaluation_dataset_by_time ON evaluation_dataset (workspace_id, created_at DESC, public_id DESC);

CREATE TABLE evaluation_dataset_tag (
    dataset_id BIGINT NOT NULL REFERENCES evaluation_dataset (id) ON DELETE CASCADE,
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (dataset_id, key)
){keyed};

-- The experiments that a dataset is for. Clients may name one at creation that this server does not have, so that
-- there is nothing to refer to.
CREATE TABLE evaluation_dataset_experiment (
    dataset_id BIGINT NOT NULL REFERENCES evaluation_dataset (id) ON DELETE CASCADE,
    experiment {text} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (dataset_id, experiment)
){keyed};
CREATE INDEX evaluation_dataset_by_experiment ON evaluation_dataset_experiment (experiment);

-- identity is the SHA-256 of the inputs with their keys in order. The rest are JSON documents.
CREATE TABLE evaluation_record (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    dataset_id BIGINT NOT NULL REFERENCES evaluation_dataset (id) ON DELETE CASCADE,
    identity {text} NOT NULL,
    inputs {text} NOT NULL,
    outputs {text},
    expectations {text},
    tags {text} NOT NULL,
    source {text},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    created_by {text},
    updated_by {text},
    UNIQUE (dataset_id, identity)
);
CREATE INDEX evaluation_record_by_time ON evaluation_record (dataset_id, created_at, public_id);

CREATE TABLE scorer (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    name {text} NOT NULL,
    UNIQUE (experiment_id, name)
);

CREATE TABLE scorer_version (
    scorer_id BIGINT NOT NULL REFERENCES scorer (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    definition {text} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scorer_id, number)
);

-- At most one a scorer.
CREATE TABLE online_scoring (
    scorer_id BIGINT PRIMARY KEY REFERENCES scorer (id) ON DELETE CASCADE,
    public_id {text} NOT NULL UNIQUE,
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    sample_rate DOUBLE PRECISION NOT NULL,
    filter {text}
);

-- What one script keeps that the record has no entity for, and how it is joined to the record. Placeholders as in
-- V1__record.sql.

-- A named thing of a kind, such as a deployable model, a model card, a trial or a lineage action. document is what its
-- client wrote; version counts the documents that are kept in resource_version.
CREATE TABLE resource (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    kind {text} NOT NULL,
    name {text} NOT NULL,
    -- Of a trial.
    experiment_id BIGINT REFERENCES experiment (id),
    version BIGINT NOT NULL DEFAULT 1,
    document {text} NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (workspace_id, kind, name)
);
CREATE INDEX resource_by_time ON resource (workspace_id, kind, created_at, id);
CREATE INDEX resource_by_experiment ON resource (experiment_id) WHERE experiment_id IS NOT NULL;

CREATE TABLE resource_tag (
    resource_id BIGINT NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (resource_id, key)
){keyed};

CREATE TABLE resource_version (
    resource_id BIGINT NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    document {text} NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (resource_id, number)
);

-- The name under which a client made a run, where clients name runs uniquely.
CREATE TABLE run_alias (
    run_id BIGINT PRIMARY KEY REFERENCES run (id),
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL,
    UNIQUE (workspace_id, name)
);

-- Trials are groups of runs with many-to-many membership.
CREATE TABLE trial_run (
    trial_id BIGINT NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
    run_id BIGINT NOT NULL REFERENCES run (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (trial_id, run_id)
);
CREATE INDEX trial_run_by_run ON trial_run (run_id);

-- Lineage that clients draw themselves, between things that they name as kind/name, which may be of other servers.
CREATE TABLE association (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    source {text} NOT NULL,
    target {text} NOT NULL,
    type {text} NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (workspace_id, source, target)
);
CREATE INDEX association_by_target ON association (workspace_id, target);

-- What a request that may be sent again has made, by the client's own token.
CREATE TABLE idempotency (
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    operation {text} NOT NULL,
    token {text} NOT NULL,
    request {text} NOT NULL,
    made {text} NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, operation, token)
);
CREATE INDEX model_by_time ON model (workspace_id, created_at, id);
CREATE INDEX model_version_by_time ON model_version (created_at, id);

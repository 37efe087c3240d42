-- One text for both engines. Placeholders, filled in by src/migrate.rs:
--   {id}    the row id column type with its own numbering
--   {text}  text compared and sorted by code point
--   {blob}  bytes
--   {keyed} table option for tables that are stored in their primary key
--   {nulls_last} what a descending index column needs to hold NULLs last
-- Booleans are BIGINT 0 or 1, times are BIGINT milliseconds since 1970-01-01T00:00:00Z, documents are JSON as {text}.

CREATE TABLE workspace (
    id {id},
    name {text} NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

-- Tracking --------------------------------------------------------------------------------------------------

CREATE TABLE experiment (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL,
    artifact_location {text} NOT NULL,
    presence {text} NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    facets {text} NOT NULL DEFAULT '{}',
    UNIQUE (workspace_id, name)
);

CREATE TABLE experiment_tag (
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (experiment_id, key)
){keyed};

-- The run tree of all three scripts. A retry is a further attempt of the same step; a cached step points at the
-- one it reuses; groups with many-to-many membership (SageMaker trials) are edges, not parents.
CREATE TABLE run (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    kind {text} NOT NULL,
    parent_id BIGINT REFERENCES run (id),
    root_id BIGINT REFERENCES run (id),
    original_id BIGINT REFERENCES run (id),
    attempt BIGINT NOT NULL DEFAULT 1,
    name {text} NOT NULL,
    status {text} NOT NULL,
    presence {text} NOT NULL,
    user_name {text} NOT NULL,
    artifact_uri {text} NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    deleted_at BIGINT,
    created_at BIGINT NOT NULL,
    facets {text} NOT NULL DEFAULT '{}'
);
CREATE INDEX run_by_start ON run (experiment_id, presence, started_at DESC{nulls_last}, public_id);
CREATE INDEX run_by_name ON run (experiment_id, presence, substr(name, 1, 100));
CREATE INDEX run_by_parent ON run (parent_id);

CREATE TABLE run_tag (
    run_id BIGINT NOT NULL REFERENCES run (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    experiment_id BIGINT NOT NULL,
    PRIMARY KEY (run_id, key)
){keyed};
CREATE INDEX run_tag_by_value ON run_tag (experiment_id, key, substr(value, 1, 100), run_id);

-- Input values. type is how the writer meant the text: string, number or json.
CREATE TABLE run_param (
    run_id BIGINT NOT NULL REFERENCES run (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    type {text} NOT NULL DEFAULT 'string',
    experiment_id BIGINT NOT NULL,
    PRIMARY KEY (run_id, key)
){keyed};
CREATE INDEX run_param_by_value ON run_param (experiment_id, key, substr(value, 1, 100), run_id);

-- A metric of a run with its newest point, by (step, timestamp, value). is_nan is 1 and value 0 when the newest
-- value is not a number. unmerged counts the chunks that the background merger has not looked at.
CREATE TABLE series (
    id {id},
    run_id BIGINT NOT NULL REFERENCES run (id),
    key {text} NOT NULL,
    experiment_id BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    is_nan BIGINT NOT NULL,
    step BIGINT NOT NULL,
    timestamp BIGINT NOT NULL,
    points BIGINT NOT NULL,
    next_chunk BIGINT NOT NULL,
    unmerged BIGINT NOT NULL,
    UNIQUE (run_id, key)
);
CREATE INDEX series_by_value ON series (experiment_id, key, is_nan, value, run_id);
CREATE INDEX series_to_merge ON series (unmerged) WHERE unmerged > 32;

-- Points of a series as compressed columns (src/series), sorted inside a chunk. Chunks may overlap in steps until
-- the background merger orders them, but never hold the same point twice.
CREATE TABLE chunk (
    series_id BIGINT NOT NULL REFERENCES series (id),
    number BIGINT NOT NULL,
    points BIGINT NOT NULL,
    min_step BIGINT NOT NULL,
    max_step BIGINT NOT NULL,
    data {blob} NOT NULL,
    PRIMARY KEY (series_id, number)
){keyed};

-- Artifacts, datasets, logged models -------------------------------------------------------------------------

CREATE TABLE artifact (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL,
    last_number BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    UNIQUE (workspace_id, name)
);

-- A named, numbered, typed thing with producers and consumers (edges). type is model or data so far.
CREATE TABLE artifact_version (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    artifact_id BIGINT NOT NULL REFERENCES artifact (id),
    number BIGINT NOT NULL,
    type {text} NOT NULL,
    uri {text} NOT NULL,
    digest {text},
    created_at BIGINT NOT NULL,
    facets {text} NOT NULL DEFAULT '{}',
    UNIQUE (artifact_id, number)
);

-- An artifact version of type data as one experiment knows it.
CREATE TABLE dataset (
    id BIGINT PRIMARY KEY REFERENCES artifact_version (id),
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    name {text} NOT NULL,
    digest {text} NOT NULL,
    source_type {text} NOT NULL,
    source {text} NOT NULL,
    schema {text},
    profile {text},
    UNIQUE (experiment_id, name, digest)
);

-- An artifact version of type model.
CREATE TABLE logged_model (
    id BIGINT PRIMARY KEY REFERENCES artifact_version (id),
    public_id {text} NOT NULL UNIQUE,
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    name {text} NOT NULL,
    artifact_uri {text} NOT NULL,
    status {text} NOT NULL,
    status_message {text},
    model_type {text},
    source_run {text},
    presence {text} NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX logged_model_by_time ON logged_model (experiment_id, presence, created_at DESC);

CREATE TABLE logged_model_tag (
    logged_model_id BIGINT NOT NULL REFERENCES logged_model (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (logged_model_id, key)
){keyed};

CREATE TABLE logged_model_param (
    logged_model_id BIGINT NOT NULL REFERENCES logged_model (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (logged_model_id, key)
){keyed};

-- Metric values about a logged model, beside the series of the run that measured them.
CREATE TABLE logged_model_metric (
    logged_model_id BIGINT NOT NULL REFERENCES logged_model (id),
    key {text} NOT NULL,
    timestamp BIGINT NOT NULL,
    step BIGINT NOT NULL,
    run_id BIGINT NOT NULL REFERENCES run (id),
    value DOUBLE PRECISION NOT NULL,
    is_nan BIGINT NOT NULL,
    dataset_name {text},
    dataset_digest {text},
    PRIMARY KEY (logged_model_id, key, timestamp, step, run_id)
){keyed};

-- A typed edge between two things of the record, by kind and row id. kind is consumed (from what was read to the
-- run) or produced (from the run to what it made); later scripts bring more. source_kind and target_kind are run
-- or artifact_version, whose id datasets and logged models share.
CREATE TABLE edge (
    id {id},
    kind {text} NOT NULL,
    source_kind {text} NOT NULL,
    source_id BIGINT NOT NULL,
    target_kind {text} NOT NULL,
    target_id BIGINT NOT NULL,
    step BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    UNIQUE (source_kind, source_id, kind, target_kind, target_id)
);
CREATE INDEX edge_by_target ON edge (target_kind, target_id, kind);

CREATE TABLE edge_tag (
    edge_id BIGINT NOT NULL REFERENCES edge (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (edge_id, key)
){keyed};

-- A logged model that a run names as its input (consumed) or output (produced) and that this server does not have.
-- There is nothing to draw an edge to, but clients read back what they wrote.
CREATE TABLE unknown_model_link (
    run_id BIGINT NOT NULL REFERENCES run (id),
    kind {text} NOT NULL,
    model {text} NOT NULL,
    step BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, kind, model)
){keyed};

-- Registry ---------------------------------------------------------------------------------------------------

CREATE TABLE model (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    public_id {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    description {text},
    last_number BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    facets {text} NOT NULL DEFAULT '{}',
    UNIQUE (workspace_id, name)
);

CREATE TABLE model_tag (
    model_id BIGINT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (model_id, key)
){keyed};

CREATE TABLE model_version (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    model_id BIGINT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    name {text},
    description {text},
    user_name {text},
    stage {text} NOT NULL,
    approval {text} NOT NULL,
    source {text} NOT NULL,
    storage_uri {text} NOT NULL,
    run {text},
    run_link {text},
    logged_model {text},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    facets {text} NOT NULL DEFAULT '{}',
    UNIQUE (model_id, number)
);
CREATE INDEX model_version_by_run ON model_version (COALESCE(run, ''));
CREATE INDEX model_version_by_stage ON model_version (model_id, stage, number);
-- One version in production, whatever else goes wrong.
CREATE UNIQUE INDEX model_version_in_production ON model_version (model_id) WHERE stage = 'production';

CREATE TABLE model_version_tag (
    model_version_id BIGINT NOT NULL REFERENCES model_version (id) ON DELETE CASCADE,
    key {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (model_version_id, key)
){keyed};

CREATE TABLE model_alias (
    model_id BIGINT NOT NULL REFERENCES model (id) ON DELETE CASCADE,
    alias {text} NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (model_id, alias)
){keyed};

-- History ----------------------------------------------------------------------------------------------------

-- Every change and every denial, committed with the change itself. outcome is done or denied.
CREATE TABLE audit_entry (
    id {id},
    at BIGINT NOT NULL,
    workspace_id BIGINT NOT NULL,
    principal {text} NOT NULL,
    script {text} NOT NULL,
    request_id {text} NOT NULL,
    action {text} NOT NULL,
    kind {text} NOT NULL,
    object {text} NOT NULL,
    outcome {text} NOT NULL,
    before_state {text},
    after_state {text}
);
-- PostgreSQL indexes no long texts, and an object may be the URI of an artifact.
CREATE INDEX audit_entry_by_object ON audit_entry (kind, substr(object, 1, 200));

-- Events waiting for their subscribers.
CREATE TABLE outbox (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    workspace_id BIGINT NOT NULL,
    action {text} NOT NULL,
    kind {text} NOT NULL,
    object {text} NOT NULL,
    data {text} NOT NULL
);
CREATE INDEX outbox_by_time ON outbox (at);

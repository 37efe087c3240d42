-- Traces with their spans, and assessments of them. Placeholders as in V1__record.sql.

-- finalized is 1 when the maker of the trace told all of it. spans and span_bytes say how much is in trace_block.
CREATE TABLE trace (
    id {id},
    public_id {text} NOT NULL,
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    requested_at BIGINT NOT NULL,
    -- Milliseconds.
    duration BIGINT,
    state {text} NOT NULL,
    name {text},
    client_request_id {text},
    request_preview {text},
    response_preview {text},
    session {text},
    -- The public id of a run, which need not be in this record.
    source_run {text},
    finalized BIGINT NOT NULL DEFAULT 0,
    spans BIGINT NOT NULL DEFAULT 0,
    span_bytes BIGINT NOT NULL DEFAULT 0,
    input_tokens BIGINT,
    output_tokens BIGINT,
    total_tokens BIGINT,
    cache_read_tokens BIGINT,
    cache_creation_tokens BIGINT,
    input_cost DOUBLE PRECISION,
    output_cost DOUBLE PRECISION,
    total_cost DOUBLE PRECISION,
    UNIQUE (workspace_id, public_id)
);
CREATE INDEX trace_by_time ON trace (experiment_id, requested_at DESC, public_id);
CREATE INDEX trace_by_session ON trace (experiment_id, session) WHERE session IS NOT NULL;
CREATE INDEX trace_by_source_run ON trace (source_run) WHERE source_run IS NOT NULL;
CREATE INDEX trace_by_client_request ON trace (experiment_id, client_request_id) WHERE client_request_id IS NOT NULL;
{sqlite}CREATE INDEX trace_by_name ON trace (experiment_id, name) WHERE name IS NOT NULL;
{postgres}CREATE INDEX trace_by_name ON trace (experiment_id, substr(name, 1, 100)) WHERE name IS NOT NULL;

CREATE TABLE trace_tag (
    trace_id BIGINT NOT NULL REFERENCES trace (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    experiment_id BIGINT NOT NULL,
    PRIMARY KEY (trace_id, key)
){keyed};
{sqlite}CREATE INDEX trace_tag_by_value ON trace_tag (experiment_id, key, value, trace_id);
{postgres}CREATE INDEX trace_tag_by_value ON trace_tag (experiment_id, key, substr(value, 1, 100), trace_id);

CREATE TABLE trace_metadata (
    trace_id BIGINT NOT NULL REFERENCES trace (id),
    key {text} NOT NULL,
    value {text} NOT NULL,
    experiment_id BIGINT NOT NULL,
    PRIMARY KEY (trace_id, key)
){keyed};
{sqlite}CREATE INDEX trace_metadata_by_value ON trace_metadata (experiment_id, key, value, trace_id);
{postgres}CREATE INDEX trace_metadata_by_value ON trace_metadata (experiment_id, key, substr(value, 1, 100), trace_id);

-- What a trace was linked to after the fact: kind is run or prompt, target a run's public id or NAME/VERSION.
CREATE TABLE trace_link (
    trace_id BIGINT NOT NULL REFERENCES trace (id),
    kind {text} NOT NULL,
    target {text} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (trace_id, kind, target)
){keyed};
CREATE INDEX trace_link_by_target ON trace_link (kind, target, trace_id);

-- Spans that came together, as OpenTelemetry's messages, compressed. Of two spans with one id, the one in the block
-- with the greater id counts. Blocks of one level are merged into one of the next when there are many.
CREATE TABLE trace_block (
    id {id},
    trace_id BIGINT NOT NULL REFERENCES trace (id),
    level BIGINT NOT NULL,
    data {blob} NOT NULL
);
CREATE INDEX trace_block_by_trace ON trace_block (trace_id, level);

-- What searches and totals need of a span. Times are nanoseconds; tokens and costs are JSON documents; searched is a
-- JSON document with the beginnings of its texts.
CREATE TABLE span (
    id {id},
    trace_id BIGINT NOT NULL REFERENCES trace (id),
    span_id {text} NOT NULL,
    parent_id {text},
    experiment_id BIGINT NOT NULL,
    name {text} NOT NULL,
    type {text} NOT NULL,
    status {text} NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    model {text},
    provider {text},
    tokens {text},
    costs {text},
    input_cost DOUBLE PRECISION,
    output_cost DOUBLE PRECISION,
    total_cost DOUBLE PRECISION,
    searched {text} NOT NULL,
    UNIQUE (trace_id, span_id)
);
{sqlite}CREATE INDEX span_by_name ON span (experiment_id, name, trace_id);
{postgres}CREATE INDEX span_by_name ON span (experiment_id, substr(name, 1, 100), trace_id);

-- kind is feedback, expectation or issue. value is JSON; number is the value when that is a number, score what counts
-- in averages. error and metadata are JSON documents. valid is 0 when another assessment corrects this one, of_session
-- 1 when it is about the whole session of its trace.
CREATE TABLE assessment (
    id {id},
    public_id {text} NOT NULL,
    trace_id BIGINT NOT NULL REFERENCES trace (id),
    experiment_id BIGINT NOT NULL,
    kind {text} NOT NULL,
    name {text} NOT NULL,
    value {text} NOT NULL,
    number DOUBLE PRECISION,
    score DOUBLE PRECISION,
    error {text},
    source_kind {text} NOT NULL,
    source_id {text} NOT NULL,
    rationale {text},
    metadata {text} NOT NULL,
    span_id {text},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    overrides {text},
    valid BIGINT NOT NULL,
    of_session BIGINT NOT NULL,
    UNIQUE (trace_id, public_id)
);
{sqlite}CREATE INDEX assessment_by_name ON assessment (experiment_id, kind, name, trace_id);
{postgres}CREATE INDEX assessment_by_name ON assessment (experiment_id, kind, substr(name, 1, 100), trace_id);

-- Issues found in traces, questions for reviewers, and queues of traces to review. Placeholders as in V1__record.sql.

-- severity is the rank of how bad it is, from 0, and -1 when nobody said. root_causes and categories are JSON lists.
CREATE TABLE issue (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    name {text} NOT NULL,
    description {text} NOT NULL,
    status {text} NOT NULL,
    severity BIGINT NOT NULL,
    root_causes {text} NOT NULL,
    categories {text} NOT NULL,
    -- The public id of the run that found it.
    source_run {text},
    created_by {text},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX issue_by_severity ON issue (experiment_id, severity DESC, created_at DESC, public_id DESC);
CREATE INDEX issue_by_source_run ON issue (source_run) WHERE source_run IS NOT NULL;

-- input is a JSON document that says how the question is answered.
CREATE TABLE label_schema (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    name {text} NOT NULL,
    kind {text} NOT NULL,
    input {text} NOT NULL,
    instruction {text},
    has_comment BIGINT NOT NULL,
    is_default BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (experiment_id, name)
);
CREATE INDEX label_schema_by_time ON label_schema (experiment_id, created_at DESC, public_id);

-- folded_name is the name in lower case: two queues may not differ in case alone.
CREATE TABLE review_queue (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    experiment_id BIGINT NOT NULL REFERENCES experiment (id),
    name {text} NOT NULL,
    folded_name {text} NOT NULL,
    kind {text} NOT NULL,
    created_by {text},
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (experiment_id, folded_name)
);
CREATE INDEX review_queue_by_time ON review_queue (experiment_id, created_at DESC, public_id);

-- Reviewers are names, since there are none without authentication.
CREATE TABLE review_queue_user (
    queue_id BIGINT NOT NULL REFERENCES review_queue (id) ON DELETE CASCADE,
    reviewer {text} NOT NULL,
    PRIMARY KEY (queue_id, reviewer)
){keyed};
CREATE INDEX review_queue_user_by_name ON review_queue_user (reviewer, queue_id);

-- The questions of a queue, by their public ids. One that is deleted later stays in the list.
CREATE TABLE review_queue_schema (
    queue_id BIGINT NOT NULL REFERENCES review_queue (id) ON DELETE CASCADE,
    label_schema {text} NOT NULL,
    PRIMARY KEY (queue_id, label_schema)
){keyed};

CREATE TABLE review_item (
    queue_id BIGINT NOT NULL REFERENCES review_queue (id) ON DELETE CASCADE,
    trace_id BIGINT NOT NULL REFERENCES trace (id),
    status {text} NOT NULL,
    completed_by {text},
    completed_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (queue_id, trace_id)
){keyed};
CREATE INDEX review_item_by_trace ON review_item (trace_id);

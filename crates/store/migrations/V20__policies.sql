-- A team's own rules, in Cedar. Placeholders as in V1__record.sql.

-- version counts every change that is kept in policy_version, also across a deletion, which is one, so that the sum of
-- them is greater after every change. rules says how many there are in the text.
CREATE TABLE policy (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL,
    version BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    rules BIGINT NOT NULL,
    body {text} NOT NULL,
    applied_by {text} NOT NULL,
    applied_at BIGINT NOT NULL,
    deleted_at BIGINT,
    UNIQUE (workspace_id, name)
);

CREATE TABLE policy_version (
    policy_id BIGINT NOT NULL REFERENCES policy (id),
    version BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    rules BIGINT NOT NULL,
    body {text} NOT NULL,
    applied_by {text} NOT NULL,
    applied_at BIGINT NOT NULL,
    PRIMARY KEY (policy_id, version)
){keyed};

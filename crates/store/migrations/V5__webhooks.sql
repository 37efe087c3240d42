-- Who is told of events, and what became of telling. Placeholders as in V1__record.sql.

-- secret is sealed by the server's key. A server that is telling holds the webhook until claimed_until, so that one
-- webhook is told one thing at a time, whichever server does it.
CREATE TABLE webhook (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL,
    description {text},
    url {text} NOT NULL,
    secret {blob},
    status {text} NOT NULL,
    claimed_until BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX webhook_by_time ON webhook (workspace_id, created_at DESC);

-- event is the subscriber's word for it, action the record's.
CREATE TABLE webhook_subscription (
    webhook_id BIGINT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    event {text} NOT NULL,
    action {text} NOT NULL,
    PRIMARY KEY (webhook_id, event)
){keyed};
CREATE INDEX webhook_subscription_by_action ON webhook_subscription (action, webhook_id);

-- One event for one webhook, written with the change that it tells of. status is pending, sent, failed (given up) or
-- skipped (nothing that the webhook asked for, or the webhook is gone).
CREATE TABLE webhook_delivery (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    webhook_id BIGINT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    action {text} NOT NULL,
    object {text} NOT NULL,
    data {text} NOT NULL,
    at BIGINT NOT NULL,
    status {text} NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    next_at BIGINT NOT NULL,
    response_status BIGINT,
    error {text},
    finished_at BIGINT
);
CREATE INDEX webhook_delivery_pending ON webhook_delivery (webhook_id, id) WHERE status = 'pending';
CREATE INDEX webhook_delivery_log ON webhook_delivery (webhook_id, id);
CREATE INDEX webhook_delivery_by_end ON webhook_delivery (finished_at) WHERE finished_at IS NOT NULL;

-- The audit log as chains of hashes, and webhooks in more formats than MLflow's. Placeholders as in V1__record.sql.

-- An entry is the seq-th of its chain and is tied to the one before it by hash (see docs/AUDIT.md). Entries that are
-- older than this migration become the beginning of the first chain when a server starts on it. subject is the id that
-- a model keeps when it is renamed; address is where a request came from.
ALTER TABLE audit_entry ADD COLUMN chain BIGINT;
ALTER TABLE audit_entry ADD COLUMN seq BIGINT;
ALTER TABLE audit_entry ADD COLUMN hash {blob};
ALTER TABLE audit_entry ADD COLUMN address {text};
ALTER TABLE audit_entry ADD COLUMN subject {text};
CREATE UNIQUE INDEX audit_entry_by_chain ON audit_entry (chain, seq);

-- What is logged to runs is most of the log, and nobody asks for it by its object; the history of models is asked for.
DROP INDEX audit_entry_by_object;
CREATE INDEX audit_entry_by_subject ON audit_entry (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_entry_of_models ON audit_entry (substr(object, 1, 200)) WHERE subject IS NOT NULL;

-- Events wait as deliveries; nobody read them here.
DROP TABLE outbox;

-- A webhook is told in the words of its format. Deliveries of one lane, which is a model, wait for each other; a server
-- holds the delivery that it makes until claimed_until, and no longer the whole webhook.
ALTER TABLE webhook ADD COLUMN format {text} NOT NULL DEFAULT 'mlflow';
ALTER TABLE webhook_delivery ADD COLUMN lane {text} NOT NULL DEFAULT '';
ALTER TABLE webhook_delivery ADD COLUMN claimed_until BIGINT NOT NULL DEFAULT 0;
CREATE INDEX webhook_delivery_lane ON webhook_delivery (webhook_id, substr(lane, 1, 200), id) WHERE status = 'pending';
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at, id) WHERE status = 'pending';

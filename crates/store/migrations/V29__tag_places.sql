-- Where a tag stands among the tags of its thing, for clients that list them in the order in which they came.
-- Zero where nobody asked for it yet: these come first, by key. Placeholders as in V1__record.sql.
ALTER TABLE model_tag ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE model_version_tag ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE experiment_tag ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_tag ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE resource_tag ADD COLUMN place BIGINT NOT NULL DEFAULT 0;

-- The number of the version of a model that is in production or was there last; zero if none ever was. It stays when the
-- version leaves or is deleted. What was there before this was kept is not known. Placeholders as in V1__record.sql.
ALTER TABLE model ADD COLUMN last_in_production BIGINT NOT NULL DEFAULT 0;
UPDATE model SET last_in_production = COALESCE((SELECT version.number FROM model_version AS version
    WHERE version.model_id = model.id AND version.stage = 'production'), 0);

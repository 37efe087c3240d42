-- From a logged model to the versions that were registered from it.
CREATE INDEX model_version_by_logged_model ON model_version (COALESCE(logged_model, ''));

"""Makes an SQLite database with the schema of MLflow 2.9 and a few things in it: `old_database.py FILE`.

Runs on MLflow 2, whose own migrations stop at the revision that 2.9 had.
"""

from __future__ import annotations

import sqlite3
import sys

import sqlalchemy
from alembic import command
from mlflow.store.db.base_sql_model import Base  # noqa: F401
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

REVISION = "acf3f17fdcc7"

RUN = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
CHILD = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

ROWS = f"""
INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time) VALUES
    (0, 'Default', './mlruns/0', 'active', 1650000000000, 1650000000000),
    (3, 'old', 's3://bucket/old', 'active', 1650000001000, 1650000002000);
INSERT INTO experiment_tags (key, value, experiment_id) VALUES ('a', 'b', 3);
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
        deleted_time, source_version, lifecycle_stage, artifact_uri, experiment_id) VALUES
    ('{RUN}', 'first', 'LOCAL', 'train.py', 'main', 'bob', 'FINISHED', 1650000003000, 1650000004000, NULL, 'abc', 'active',
        's3://bucket/old/{RUN}/artifacts', 3),
    ('{CHILD}', 'second', 'UNKNOWN', '', '', 'bob', 'FAILED', 1650000003000, NULL, 1650000009000, '', 'deleted',
        's3://bucket/old/{CHILD}/artifacts', 3);
INSERT INTO tags (key, value, run_uuid) VALUES
    ('mlflow.runName', 'first', '{RUN}'), ('mlflow.runName', 'second', '{CHILD}'), ('mlflow.parentRunId', '{RUN}', '{CHILD}');
INSERT INTO params (key, value, run_uuid) VALUES ('lr', '0.1', '{RUN}');
INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES
    ('loss', 0.5, 10, '{RUN}', 1, 0), ('loss', 0, 11, '{RUN}', 2, 1), ('loss', 1.7976931348623157e308, 12, '{RUN}', 3, 0);
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES ('loss', 1.7976931348623157e308, 12, 3, 0, '{RUN}');
INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source) VALUES
    ('dddddddddddddddddddddddddddddddd', 3, 'rows', '08912345', 'local', '{{}}');
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id) VALUES
    ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'DATASET', 'dddddddddddddddddddddddddddddddd', 'RUN', '{RUN}');
INSERT INTO input_tags (input_uuid, name, value) VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 'mlflow.data.context', 'eval');
INSERT INTO registered_models (name, creation_time, last_updated_time, description) VALUES ('m', 1650000005000, 1650000006000, 'd');
INSERT INTO model_versions (name, version, creation_time, last_updated_time, description, user_id, current_stage, source,
        run_id, status, storage_location) VALUES
    ('m', 1, 1650000005000, 1650000006000, '', NULL, 'Production', 's3://bucket/old/{RUN}/artifacts/m', '{RUN}', 'READY', NULL),
    ('m', 2, 1650000005001, 1650000006001, '', NULL, 'Production', 's3://bucket/old/{RUN}/artifacts/m', '{RUN}', 'READY', NULL),
    ('m', 3, 1650000005002, 1650000006002, '', NULL, 'Deleted_Internal', 'REDACTED-SOURCE-PATH', 'REDACTED-RUN-ID', 'READY', NULL);
INSERT INTO registered_model_aliases (name, alias, version) VALUES ('m', 'best', 2);
"""


def main(path: str) -> None:
    uri = f"sqlite:///{path}"
    engine = sqlalchemy.create_engine(uri)
    InitialBase.metadata.create_all(engine)
    command.upgrade(_get_alembic_config(uri), REVISION)
    with sqlite3.connect(path) as connection:
        connection.executescript(ROWS)


if __name__ == "__main__":
    main(sys.argv[1])

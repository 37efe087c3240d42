"""Makes an SQLite database of MLflow 3.17 with very many runs, by SQL: `many_runs.py DATABASE RUNS`.

Most runs are in one experiment. Each has three metrics of three points, three params and two or three tags; every tenth is
nested in one that comes after it. Ids are in no order, as those that MLflow makes.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from pathlib import Path

SCHEMA = Path(__file__).parents[2] / "crates/transfer/src/export/mlflow/schema.sql"
KEYS = ("loss", "accuracy", "seconds")
POINTS = 3
EXPERIMENTS = 10
# So many of a thousand runs are in the first experiment.
IN_FIRST = 900


def main(path: str, runs: int) -> None:
    generator = random.Random(7)
    with sqlite3.connect(path) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;")
        schema = SCHEMA.read_text()
        tables, indexes = schema.split("CREATE INDEX", 1)
        connection.executescript(tables)
        connection.executemany(
            "INSERT INTO experiments VALUES (?, ?, ?, 'active', 1700000000000, 1700000000000, 'default')",
            [(number, f"experiment {number}", f"s3://bucket/{number}") for number in range(1, EXPERIMENTS + 1)],
        )
        for first in range(0, runs, 10_000):
            fill(connection, generator, range(first, min(first + 10_000, runs)))
            connection.commit()
        connection.executescript("CREATE INDEX" + indexes)


def fill(connection: sqlite3.Connection, generator: random.Random, numbers: range) -> None:
    ids = {number: f"{generator.getrandbits(128):032x}" for number in numbers}
    heads, tags, params, metrics, latest = [], [], [], [], []
    for number, run in ids.items():
        experiment = 1 if number % 1000 < IN_FIRST else 2 + number % (EXPERIMENTS - 1)
        start = 1_700_000_000_000 + number * 10
        heads.append((run, f"run {number}", start, start + 5_000, f"s3://bucket/{experiment}/{run}/artifacts", experiment))
        tags += [("mlflow.runName", f"run {number}", run), ("team", f"team {number % 17}", run)]
        parent = ids.get(number + 10)
        if number % 10 == 3 and parent and number % 1000 < IN_FIRST - 10:
            tags.append(("mlflow.parentRunId", parent, run))
        params += [("lr", f"0.{number % 1000:04}", run), ("depth", str(number % 12), run), ("optimizer", "adam", run)]
        for key in KEYS:
            values = [generator.random() for _ in range(POINTS)]
            metrics += [(key, value, start + step, run, step) for step, value in enumerate(values)]
            latest.append((key, values[-1], start + POINTS - 1, POINTS - 1, run))
    connection.executemany(
        """INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
               source_version, lifecycle_stage, artifact_uri, experiment_id)
           VALUES (?, ?, 'UNKNOWN', '', '', 'ada', 'FINISHED', ?, ?, '', 'active', ?, ?)""",
        heads,
    )
    connection.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", tags)
    connection.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", params)
    connection.executemany("INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)", metrics)
    connection.executemany("INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, 0, ?)", latest)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

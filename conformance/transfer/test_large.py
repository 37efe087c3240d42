"""Imports that are killed go on where they were, and neither way holds a long history in memory."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import rows
from conftest import Origin, Stele, environment
from servers import stele_binary

RUNS = 1_000
# More than an import sends with its run.
POINTS = 205_000
# Whatever the length of the history.
MOST_MIB = 256


def grow(database: Path) -> None:
    """Adds many runs, one of them with a long history."""
    with sqlite3.connect(database) as connection:
        many = [(f"{number:032x}", f"run {number}", 1_700_000_000_000 + number % 50) for number in range(RUNS)]
        connection.executemany(
            """INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
                   source_version, lifecycle_stage, artifact_uri, experiment_id)
               VALUES (?1, ?2, 'UNKNOWN', '', '', 'u', 'FINISHED', ?3, '', 'active', 's3://b/' || ?1 || '/artifacts', 0)""",
            many,
        )
        connection.execute("INSERT INTO tags SELECT 'mlflow.runName', name, run_uuid FROM runs WHERE user_id = 'u'")
        # Parents that start after their children, and sort after them.
        connection.execute(
            """INSERT INTO tags SELECT 'mlflow.parentRunId', (SELECT max(run_uuid) FROM runs WHERE user_id = 'u'), run_uuid
               FROM runs WHERE user_id = 'u' AND name LIKE '%7'"""
        )
        connection.execute("INSERT INTO params SELECT 'n', name, run_uuid FROM runs WHERE user_id = 'u'")
        long = f"{7:032x}"
        connection.executemany(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('long', ?, ?, ?, ?, 0)",
            ((step * 0.25, step * 10, long, step) for step in range(POINTS)),
        )
        last = POINTS - 1
        connection.execute(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES ('long', ?, ?, ?, 0, ?)",
            (last * 0.25, last * 10, last, long),
        )


def peak_mib(stele: Stele, *arguments: object) -> float:
    place = ["--data", str(stele.data), "--database", stele.database]
    process = subprocess.Popen([str(stele_binary()), *map(str, arguments), *place], env=environment(), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


def test_a_killed_import_goes_on(stele: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    source = tmp_path / "large.db"
    shutil.copy(mlflow3.folder / "mlflow.db", source)
    grow(source)
    place = ["--data", str(stele.data), "--database", stele.database]
    command = [str(stele_binary()), "import", "mlflow", str(source), "--keep-artifacts", *place]
    killed = 0
    for seconds in (0.3, 0.6, 1.0):
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed, "no kill came in time"
    assert peak_mib(stele, "import", "mlflow", source, "--keep-artifacts") < MOST_MIB
    exported = tmp_path / "out.db"
    assert peak_mib(stele, "export", "mlflow", exported) < MOST_MIB
    with sqlite3.connect(exported) as connection:
        connection.execute("ATTACH ? AS source", (str(source),))
        for table in ("runs", "tags", "params", "metrics", "latest_metrics"):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA source.table_info({table})"))
            for left, right in (("main", "source"), ("source", "main")):
                missing = f"SELECT {columns} FROM {left}.{table} EXCEPT SELECT {columns} FROM {right}.{table} LIMIT 3"
                assert connection.execute(missing).fetchall() == [], (table, left)
    assert len(rows.tables(exported)["runs"]) == RUNS + 6
    nested = stele.json("import", "mlflow", source, "--keep-artifacts")
    assert not any(nested["taken"].values()), nested

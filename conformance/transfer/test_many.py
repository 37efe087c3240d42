"""An import of many runs is killed as often as it likes and goes on, in memory that does not grow with the runs."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import psycopg2
from conftest import MLFLOW3, Stele, environment, python
from servers import stele_binary
from test_large import MOST_MIB, peak_mib

RUNS = 12_000
# It is killed when at least so many runs are there.
KILLS = (500, 4_000)
TABLES = ("experiments", "runs", "tags", "params", "metrics", "latest_metrics")


def loaded(stele: Stele) -> int:
    """How many runs have been committed."""
    query = "SELECT COUNT(*) FROM run"
    try:
        if stele.database.startswith("sqlite:"):
            with sqlite3.connect(f"file:{stele.data}/stele.db?mode=ro", uri=True) as connection:
                return connection.execute(query).fetchone()[0]
        with psycopg2.connect(stele.database) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]
    except (sqlite3.OperationalError, psycopg2.errors.UndefinedTable):
        return 0  # The tables are not there yet.


def test_a_killed_import_of_many_runs_goes_on(stele: Stele, tmp_path: Path) -> None:
    source = tmp_path / "many.db"
    python(MLFLOW3, "many_runs.py", source, RUNS)
    place = ["--data", str(stele.data), "--database", stele.database]
    command = [str(stele_binary()), "import", "mlflow", str(source), "--keep-artifacts", *place]
    for enough in KILLS:
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        while loaded(stele) < enough:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
        process.kill()
        process.wait()
    before = loaded(stele)
    assert before >= KILLS[-1]
    report = stele.json("import", "mlflow", source, "--keep-artifacts")
    assert (report["taken"]["runs"], report["known"]["runs"]) == (RUNS - before, before)
    assert peak_mib(stele, "import", "mlflow", source, "--keep-artifacts") < MOST_MIB
    exported = tmp_path / "out.db"
    assert peak_mib(stele, "export", "mlflow", exported) < MOST_MIB
    with sqlite3.connect(exported) as connection:
        connection.execute("ATTACH ? AS source", (str(source),))
        for table in TABLES:
            # Stele has a default experiment of its own.
            where = " WHERE experiment_id > 0" if table == "experiments" else ""
            columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA source.table_info({table})"))
            for left, right in (("main", "source"), ("source", "main")):
                missing = f"SELECT {columns} FROM {left}.{table}{where} EXCEPT SELECT {columns} FROM {right}.{table} LIMIT 3"
                assert connection.execute(missing).fetchall() == [], (table, left)
            count = [connection.execute(f"SELECT COUNT(*) FROM {schema}.{table}{where}").fetchone() for schema in ("main", "source")]
            assert count[0] == count[1], table

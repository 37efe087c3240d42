"""An MLflow database comes into Stele and goes out again as it was, row for row."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import rows
from conftest import MLFLOW3, Origin, Stele, describe, environment, python


def test_a_database_goes_in_and_out_row_for_row(stele: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    source = mlflow3.folder / "mlflow.db"
    report = stele.json("import", "mlflow", mlflow3.uri, "--keep-artifacts")
    taken = report["taken"]
    assert taken["runs"] == 6 and taken["points"] > 3000, report
    assert (taken["traces"], taken["spans"], taken["assessments"], taken["evaluation_records"]) == (6, 12, 9, 21), report
    assert (taken["issues"], taken["label_schemas"], taken["review_queues"], taken["review_items"]) == (3, 4, 2, 4), report
    assert [(lost["what"], lost["example"]) for lost in report["not_taken"]] == [("secrets of webhooks", "sealed")], report
    exported = tmp_path / "out.db"
    stele.run("export", "mlflow", exported)
    assert rows.differences(rows.tables(source), rows.tables(exported)) == []
    # Not one row is left out of the comparison for want of rows.
    filled = ("metrics", "inputs", "input_tags", "logged_model_metrics", "spans", "assessments", "entity_associations")
    filled += ("evaluation_dataset_tags", "scorer_versions", "online_scoring_configs", "webhook_events", "model_version_tags")
    filled += ("issues", "label_schemas", "review_queue_users", "review_queue_items", "review_queue_label_schemas")
    assert all(rows.tables(exported)[table] for table in filled)
    with sqlite3.connect(exported) as connection:
        webhooks = connection.execute("SELECT name, status, secret FROM webhooks ORDER BY name").fetchall()
    assert webhooks == [("off", "DISABLED", None), ("plain", "ACTIVE", None), ("sealed", "DISABLED", None)]

    again = stele.json("import", "mlflow", mlflow3.uri, "--keep-artifacts")
    assert not any(again["taken"].values()), again
    assert again["known"] == {
        "experiments": 4, "runs": 6, "logged_models": 2, "models": 3,
        "traces": 6, "evaluation_datasets": 2, "scorers": 2, "webhooks": 3,
        "issues": 3, "label_schemas": 4, "review_queues": 2,
    }
    second = tmp_path / "again.db"
    stele.run("export", "mlflow", second)
    assert rows.differences(rows.tables(exported, set()), rows.tables(second, set())) == []


def test_mlflow_opens_what_was_exported(stele_on_sqlite: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    stele_on_sqlite.run("import", "mlflow", mlflow3.uri, "--keep-artifacts")
    exported = tmp_path / "out.db"
    stele_on_sqlite.run("export", "mlflow", exported)
    before = rows.schema(exported)
    assert before == rows.schema(mlflow3.folder / "mlflow.db"), "the schema is the one that MLflow makes"
    upgrade = [str(MLFLOW3), "-m", "mlflow", "db", "upgrade", f"sqlite:///{exported}"]
    done = subprocess.run(upgrade, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "Running upgrade" not in done.stderr, done.stderr
    assert rows.schema(exported) == before
    assert describe(f"sqlite:///{exported}") == mlflow3.describe()
    # And goes on from there: the next version has the next number.
    number = python(MLFLOW3, "next_version.py", f"sqlite:///{exported}").split()
    assert number == ["5"], number


def test_a_database_of_mlflow_2(stele: Stele, mlflow2: Origin, tmp_path: Path) -> None:
    stele.run("import", "mlflow", mlflow2.uri, "--keep-artifacts")
    exported = tmp_path / "out.db"
    stele.run("export", "mlflow", exported)
    source, found = rows.tables(mlflow2.folder / "mlflow.db"), rows.tables(exported)
    for table in ("runs", "tags", "params", "metrics", "latest_metrics", "datasets"):
        missing = [row for row in source[table] if row not in found[table]]
        assert missing == [] and len(source[table]) == len(found[table]), (table, missing)
    with stele.serving() as server:
        assert describe(server.url, mlflow2.interpreter) == mlflow2.describe()


def test_a_database_of_mlflow_2_9(stele: Stele, old: Path, tmp_path: Path) -> None:
    report = stele.json("import", "mlflow", f"sqlite:///{old}")
    assert report["taken"]["runs"] == 2
    # Two versions in production, and one that was deleted.
    assert [lost["what"] for lost in report["not_taken"]] == ["versions in production"], report
    exported = tmp_path / "out.db"
    stele.run("export", "mlflow", exported)
    source, found = rows.tables(old, rows.OBSOLETE), rows.tables(exported, rows.OBSOLETE)
    for table in ("runs", "tags", "params", "metrics", "latest_metrics", "datasets", "experiment_tags"):
        assert source[table] == found[table], table
    with sqlite3.connect(exported) as connection:
        versions = connection.execute("SELECT version, current_stage FROM model_versions ORDER BY version").fetchall()
    assert versions == [(1, "Archived"), (2, "Production"), (3, "Deleted_Internal")]


def test_what_is_no_database_is_refused(stele_on_sqlite: Stele, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE runs (a TEXT)")
    (tmp_path / "text.db").write_text("hello " * 1000)
    for name, why in (("other.db", "no database of MLflow's"), ("text.db", "not a database"), ("none.db", "there is no")):
        failed = stele_on_sqlite.run("import", "mlflow", tmp_path / name, fails=True)
        assert why in failed.stderr and "hint:" in failed.stderr, failed.stderr

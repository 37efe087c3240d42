"""A copy taken while a server serves is the record that it serves, and what was deleted is freed with its files."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import rows
from conftest import MLFLOW3, Origin, Stele, describe, python
from raw_http import Wire

API = "/api/2.0/mlflow"


def test_a_copy_is_taken_while_a_server_serves(stele_on_sqlite: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    stele_on_sqlite.run("import", "mlflow", mlflow3.uri)
    copy = tmp_path / "copy"
    with stele_on_sqlite.serving() as server:
        wire = Wire(server.url)
        run = wire.expect("POST", f"{API}/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
        acknowledged, stop = [0], threading.Event()

        def write() -> None:
            own = Wire(server.url)
            while not stop.is_set():
                step = acknowledged[0] + 1
                own.expect("POST", f"{API}/runs/log-metric", {"run_id": run, "key": "n", "value": step, "timestamp": step, "step": step})
                acknowledged[0] = step

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while acknowledged[0] < 20:
                pass
            before = acknowledged[0]
            report = stele_on_sqlite.json("backup", copy, "--with-artifacts", "--verify")
            after = acknowledged[0] + 1
        finally:
            stop.set()
            writer.join()
        assert report["verified"]["points"] > 3000 and report["artifacts"]["files"] == 2, report
        # A server on the copy, beside the first one.
        restored = Stele(copy, f"sqlite:{copy}/stele.db")
        with restored.serving() as second:
            found, original = describe(second.url), describe(server.url)
            history = found["experiments"]["0"]["runs"].pop(run)["histories"]["n"]
            original["experiments"]["0"]["runs"].pop(run)
            assert found == original
            # All that was acknowledged before the copy began is in it, in order and without a gap.
            assert [step for step, _, _ in history] == list(range(1, len(history) + 1))
            assert before <= len(history) <= after
            default = next(iter(found["experiments"]["0"]["runs"]))
            python(MLFLOW3, "download.py", second.url, default, tmp_path / "files")
            assert (tmp_path / "files/out/notes.txt").read_text() == "hello"
    failed = stele_on_sqlite.run("backup", copy, fails=True)
    assert "is there already" in failed.stderr and "hint:" in failed.stderr


def test_a_copy_of_a_record_at_rest_exports_to_the_same_rows(stele_on_sqlite: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    stele_on_sqlite.run("import", "mlflow", mlflow3.uri, "--keep-artifacts")
    stele_on_sqlite.run("backup", tmp_path / "copy")
    restored = Stele(tmp_path / "copy", f"sqlite:{tmp_path}/copy/stele.db")
    stele_on_sqlite.run("export", "mlflow", tmp_path / "one.db")
    restored.run("export", "mlflow", tmp_path / "two.db")
    assert rows.differences(rows.tables(tmp_path / "one.db", set()), rows.tables(tmp_path / "two.db", set())) == []


def test_a_damaged_copy_is_found(stele_on_sqlite: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    """A chunk of points that is changed in place is a sound page for SQLite."""
    stele_on_sqlite.run("import", "mlflow", mlflow3.uri, "--keep-artifacts")
    database = stele_on_sqlite.data / "stele.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE chunk SET data = substr(data, 1, 8) || x'ff' || substr(data, 10) WHERE points > 1000")
        connection.execute("UPDATE chunk SET data = CAST(data AS BLOB)")
    failed = stele_on_sqlite.run("backup", tmp_path / "copy", "--verify", fails=True)
    assert "is damaged: chunk" in failed.stderr, failed.stderr


def test_postgres_is_copied_by_its_own_tools(stele_on_sqlite: Stele, tmp_path: Path) -> None:
    on_postgres = Stele(stele_on_sqlite.data, "postgres://someone:secret@127.0.0.1/record")
    failed = on_postgres.run("backup", tmp_path / "copy", fails=True)
    assert "pg_dump" in failed.stderr and "pg_restore" in failed.stderr and "secret" not in failed.stderr


def test_what_was_deleted_is_freed(stele: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    stele.run("import", "mlflow", mlflow3.uri)
    with stele.serving() as server:
        wire = Wire(server.url)
        before = describe(server.url)
        default = next(iter(before["experiments"]["0"]["runs"]))
        wire.expect("POST", f"{API}/runs/delete", {"run_id": default})
    files = stele.data / "artifacts" / "0" / default
    assert (files / "artifacts/out/notes.txt").is_file()

    due = stele.json("gc")
    assert due == {"dry_run": True, "runs": 3, "logged_models": 0, "traces": 1, "experiments": 1, "kept": {"runs": 0, "logged_models": 0}}
    assert stele.json("gc", "--older-than", "3650d")["runs"] == 0
    assert files.is_dir(), "nothing is freed without --yes"
    freed = stele.json("gc", "--yes")
    assert (freed["runs"], freed["traces"], freed["experiments"]) == (3, 1, 1), freed
    assert not files.exists() and (stele.data / "artifacts").is_dir()
    assert stele.json("gc", "--yes")["runs"] == 0

    with stele.serving() as server:
        found = describe(server.url)
    gone = {default, *before["experiments"]["3"]["runs"]}
    expected = json.loads(json.dumps(before))
    del expected["experiments"]["3"]
    for experiment in expected["experiments"].values():
        runs = experiment["runs"]
        experiment["runs"] = {id: run for id, run in runs.items() if id not in gone and run["lifecycle_stage"] == "active"}
    assert found == expected


def test_a_server_frees_what_was_deleted_long_ago(stele: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    source = tmp_path / "mlflow.db"
    shutil.copy(mlflow3.folder / "mlflow.db", source)
    with sqlite3.connect(source) as connection:
        run = "SELECT run_uuid FROM runs WHERE name = ?"
        (old,), (kept,) = (connection.execute(run, (name,)).fetchone() for name in ("child 2", "in default"))
        connection.execute("UPDATE runs SET deleted_time = 1000 WHERE run_uuid = ?", (old,))
        connection.execute("UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_uuid = ?", (time.time_ns() // 10**6, kept))
    stele.run("import", "mlflow", source, "--keep-artifacts")
    with stele.serving("STELE_TRASH_RETENTION=1d") as server:
        wire = Wire(server.url)
        until = time.monotonic() + 60
        while wire.send("GET", f"{API}/runs/get?run_id={old}").status != 404:
            assert time.monotonic() < until, "what was deleted long ago is still there"
        # What went to the trash today was looked at in the same pass.
        assert wire.expect("GET", f"{API}/runs/get?run_id={kept}")["run"]["info"]["lifecycle_stage"] == "deleted"


def test_a_server_that_serves_is_not_disturbed(stele_on_sqlite: Stele, tmp_path: Path) -> None:
    with stele_on_sqlite.serving():
        for command in (["gc"], ["export", "parquet", tmp_path / "p"], ["import", "mlflow", tmp_path]):
            failed = stele_on_sqlite.run(*command, fails=True)
            assert "a server is using the record" in failed.stderr and "hint:" in failed.stderr, failed.stderr

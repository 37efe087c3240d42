"""Folders, servers and PostgreSQL databases come in, and MLflow's client reads them in Stele as it read them there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import MLFLOW2, MLFLOW3, POSTGRES, Origin, Stele, describe, mlflow_server, python
from servers import fresh_postgres_database

FILES = {"notes.txt", "deep/100% sure.bin"}
# Of a file store, which keeps the spans of each in a file.
TRACES = 5


def without_places(description: dict) -> dict:
    """A description without the artifact locations, which copying changes."""
    places = {"artifact_uri", "artifact_location", "source"}

    def cleaned(value: object) -> object:
        if isinstance(value, dict):
            return {key: cleaned(item) for key, item in value.items() if key not in places}
        return value

    return cleaned(description)  # type: ignore[return-value]


def run_named(description: dict, name: str) -> tuple[str, dict]:
    runs = [run for experiment in description["experiments"].values() for run in experiment["runs"].items()]
    return next(run for run in runs if run[1]["run_name"] == name)


def check_files(url: str, run_id: str, folder: Path) -> None:
    """The files of a run are read through the server, byte by byte as they were."""
    python(MLFLOW3, "download.py", url, run_id, folder)
    found = {str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*") if path.is_file()}
    assert found == FILES
    assert (folder / "out/deep/100% sure.bin").read_bytes() == bytes(range(256)) * 10


def test_a_folder(stele: Stele, mlruns: Origin, tmp_path: Path) -> None:
    report = stele.json("import", "mlflow", mlruns.uri)
    assert report["taken"]["runs"] == 6 and report["artifacts"]["copied_files"] == len(FILES) + TRACES, report
    assert report["taken"]["traces"] == TRACES and report["taken"]["assessments"] == 8, report
    assert report["not_taken"] == [] and report["artifacts"]["left"] == [], report
    original = describe(f"file://{mlruns.uri}")
    with stele.serving() as server:
        found = describe(server.url)
        run_id, run = run_named(found, "in default")
        assert run["artifact_uri"] == f"mlflow-artifacts:/0/{run_id}/artifacts"
        check_files(server.url, run_id, tmp_path / "files")
        # The source of a version follows the run that it came from.
        child, _ = run_named(found, "child 0")
        assert found["models"]["classifier"]["versions"]["1"]["source"].endswith(f"/{child}/artifacts/model")
    # MLflow writes the step of a value about a dataset to its file and then reads it as zero; Stele reads what is there.
    history = run_named(original, "child 0")[1]["histories"]["auc"]
    assert history[0][0] == 0
    history[0][0] = 4
    assert without_places(found) == without_places(original)
    again = stele.json("import", "mlflow", mlruns.uri)
    assert not any(again["taken"].values()) and again["artifacts"]["copied_files"] == 0, again


def test_a_folder_of_mlflow_2(stele_on_sqlite: Stele, mlruns2: Origin, tmp_path: Path) -> None:
    report = stele_on_sqlite.json("import", "mlflow", mlruns2.uri)
    assert report["taken"]["runs"] == 6 and report["artifacts"]["copied_files"] == len(FILES), report
    assert report["not_taken"] == [] and report["artifacts"]["left"] == [], report
    original = describe(f"file://{mlruns2.uri}", MLFLOW2)
    with stele_on_sqlite.serving() as server:
        found = describe(server.url, MLFLOW2)
        check_files(server.url, run_named(found, "in default")[0], tmp_path / "files")
    assert without_places(found) == without_places(original)


def test_a_server_of_mlflow_2(stele_on_sqlite: Stele, tmp_path: Path) -> None:
    folder = tmp_path / "mlflow"
    folder.mkdir()
    with mlflow_server(folder, f"sqlite:///{folder}/mlflow.db", MLFLOW2) as url:
        python(MLFLOW2, "fill.py", url, cwd=folder)
        report = stele_on_sqlite.json("import", "mlflow", url)
        original = describe(url, MLFLOW2)
    assert report["artifacts"]["copied_files"] == len(FILES) and report["not_taken"] == [], report
    with stele_on_sqlite.serving() as server:
        found = describe(server.url, MLFLOW2)
    assert without_places(found) == without_places(original)


def test_a_server(stele_on_sqlite: Stele, mlflow3: Origin, tmp_path: Path) -> None:
    """Through its URL, with what went through it as an artifact proxy."""
    folder = tmp_path / "mlflow"
    folder.mkdir()
    database = f"sqlite:///{folder}/mlflow.db"
    with mlflow_server(folder, database) as url:
        python(MLFLOW3, "fill.py", url, cwd=folder)
        report = stele_on_sqlite.json("import", "mlflow", url)
        original = describe(url)
    assert report["artifacts"]["copied_files"] == len(FILES), report
    # Through the API nobody learns what traces were linked to, nor which webhooks are signed.
    with stele_on_sqlite.serving() as server:
        found = describe(server.url)
        check_files(server.url, run_named(found, "in default")[0], tmp_path / "files")
    assert without_places(found) == without_places(original)

    # The same record by its database: the places behind the server are known when its folder is named.
    by_database = Stele(tmp_path / "second", f"sqlite:{tmp_path}/second/stele.db")
    kept = by_database.json("import", "mlflow", database)
    assert kept["artifacts"]["copied_files"] == 0 and "--artifacts-destination" in kept["artifacts"]["left"][0]["why"]
    third = Stele(tmp_path / "third", f"sqlite:{tmp_path}/third/stele.db")
    copied = third.json("import", "mlflow", database, "--artifacts-destination", folder / "served")
    assert copied["artifacts"]["copied_files"] == len(FILES) and copied["artifacts"]["left"] == [], copied


@pytest.mark.skipif(not POSTGRES, reason="no STELE_TEST_POSTGRES")
def test_a_database_on_postgres(stele_on_sqlite: Stele, tmp_path: Path) -> None:
    with fresh_postgres_database(POSTGRES or "") as url:
        uri = url.replace("postgres://", "postgresql://")
        python(MLFLOW3, "fill.py", uri, tmp_path / "artifacts", cwd=tmp_path)
        stele_on_sqlite.run("import", "mlflow", uri.replace("postgresql:", "postgresql+psycopg2:"), "--keep-artifacts")
        exported = tmp_path / "out.db"
        stele_on_sqlite.run("export", "mlflow", exported)
        assert describe(f"sqlite:///{exported}") == describe(uri)


def test_two_records_into_one(stele_on_sqlite: Stele, mlflow3: Origin, mlruns: Origin) -> None:
    """Ids that are taken are given anew, and names that are known take what is new; nothing is mixed up."""
    stele_on_sqlite.run("import", "mlflow", mlflow3.uri, "--keep-artifacts")
    report = stele_on_sqlite.json("import", "mlflow", mlruns.uri, "--keep-artifacts")
    assert report["taken"]["runs"] == 6 and report["known"]["experiments"] == 4, json.dumps(report)
    assert report["known"]["models"] == 3
    with stele_on_sqlite.serving() as server:
        found = describe(server.url)
    vision = next(e for e in found["experiments"].values() if e["name"] == "vision")
    assert len(vision["runs"]) == 8

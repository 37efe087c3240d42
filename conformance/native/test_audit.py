"""The audit log and the registry as it was, through the native API and the command line."""

import json
import sqlite3
import uuid

import requests
from conftest import stele

import servers


def api(server, path, **query):
    answer = requests.get(f"{server.url}/api/stele/v1/{path}", params=query, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def mlflow(server, path, **fields):
    answer = requests.post(f"{server.url}/api/2.0/mlflow/{path}", json=fields, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_changes_are_entries_that_an_export_can_prove(server, tmp_path):
    name = f"m-{uuid.uuid4().hex[:12]}"
    mlflow(server, "registered-models/create", name=name)
    mlflow(server, "model-versions/create", name=name, source="s3://bucket/model")
    mlflow(server, "model-versions/transition-stage", name=name, version="1", stage="Production")
    moved = api(server, "audit", object=f"{name}/1", action="model-version.transition")["entries"]
    [entry] = moved
    assert (entry["before"], entry["after"]) == ({"stage": "none"}, {"stage": "production"})
    assert (entry["script"], entry["outcome"], entry["address"]) == ("mlflow", "done", "127.0.0.1")
    export, heads = tmp_path / "audit.jsonl", tmp_path / "heads.json"
    stele("audit", "export", export, "--server", server.url)
    heads.write_text(stele("audit", "heads", "--server", server.url))
    assert "the log is whole" in stele("audit", "verify", "--heads", heads, "--server", server.url)
    assert "the log is whole" in stele("audit", "verify", export)
    lines = export.read_text().splitlines()
    mine = next(index for index, line in enumerate(lines) if f'"{name}/1"' in line and "transition" in line)
    forged = lines.copy()
    forged[mine] = forged[mine].replace('"principal":"', '"principal":"x')
    export.write_text("\n".join(forged) + "\n")
    assert "it was changed" in stele("audit", "verify", export, code=1)
    export.write_text("\n".join(lines[:mine] + lines[mine + 1 :]) + "\n")
    stele("audit", "verify", export, "--heads", heads, code=1)


def test_the_registry_is_told_as_it_was(server):
    name = f"m-{uuid.uuid4().hex[:12]}"
    mlflow(server, "registered-models/create", name=name)
    for version in ("1", "2"):
        mlflow(server, "model-versions/create", name=name, source="s3://bucket/model")
        fields = {"version": version, "stage": "Production", "archive_existing_versions": True}
        mlflow(server, "model-versions/transition-stage", name=name, **fields)
    history = api(server, f"models/{name}/history")["entries"]
    moves = [entry for entry in history if entry["action"] == "model-version.transition"]
    first = moves[-1]
    then = api(server, f"models/{name}/at", time=first["at"], stage="production")
    assert [version["version"] for version in then["versions"]] in ([1], [2])
    now = api(server, f"models/{name}/at", time=history[0]["at"], stage="production")
    [version] = now["versions"]
    assert (version["version"], version["moved"]["by"]) == (2, "local-owner")
    shown = stele("models", "at", name, "--time", "2099-01-01", "--stage", "production", "--server", server.url)
    assert "production" in shown and "local-owner" in shown
    assert "model-version.transition" in stele("models", "history", name, "--server", server.url)


def test_what_somebody_changes_in_the_database_is_found(tmp_path):
    data = tmp_path / "data"
    with servers.running(data) as server:
        for number in range(5):
            mlflow(server, "registered-models/create", name=f"m{number}")
    database = data / "stele.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE audit_entry SET principal = 'nobody' WHERE object = 'm2'")
    report = json.loads(stele("--json", "audit", "verify", "--data", database.parent, code=1))
    assert len(report["faults"]) == 1

"""The audit log and the registry as it was, through the native API and the command line."""

import hashlib
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


def entry_hash(entry, before):
    """As docs/AUDIT.md says it."""
    said = b"stele-audit/1\n" + before
    for field in ("chain", "seq", "at", "workspace"):
        said += entry[field].to_bytes(8, "big")
    fields = "principal script address request_id action kind object subject outcome before after"
    for field in fields.split():
        # States are JSON texts, which the server writes without spaces.
        text = entry[field]
        if field in ("before", "after") and text is not None:
            text = json.dumps(text, separators=(",", ":"), ensure_ascii=False)
        said += b"\xff" * 4 if text is None else len(text.encode()).to_bytes(4, "big") + text.encode()
    return hashlib.sha256(said).digest()


def written_anew(lines, place):
    """Changes an entry and writes its chain anew from there, with the closing line, but not what checkpoints say."""
    *entries, closing = map(json.loads, lines)
    entries[place]["principal"] = "mallory"
    chain, seq = entries[place]["chain"], entries[place]["seq"]
    before = bytes(32)
    for entry in (entry for entry in entries if entry["chain"] == chain):
        if entry["seq"] >= seq:
            entry["hash"] = entry_hash(entry, before).hex()
        before = bytes.fromhex(entry["hash"])
    for end in closing["ends"]:
        if end["chain"] == chain:
            end["hash"] = before.hex()
    return [json.dumps(line, separators=(",", ":"), ensure_ascii=False) for line in (*entries, closing)]


def test_every_way_to_touch_an_export_is_found(tmp_path):
    data, export, heads = tmp_path / "data", tmp_path / "audit.jsonl", tmp_path / "heads.json"
    with servers.running(data) as server:
        for number in range(4):
            mlflow(server, "registered-models/create", name=f"a{number}")
    # It has stopped, and written a checkpoint.
    with servers.running(data) as server:
        for number in range(4):
            mlflow(server, "registered-models/create", name=f"b{number}")
        stele("audit", "export", export, "--server", server.url)
        heads.write_text(stele("audit", "heads", "--server", server.url))
    lines = export.read_text().splitlines()
    *entries, closing = map(json.loads, lines)
    before = {}
    for entry in entries:
        assert entry["hash"] == entry_hash(entry, before.get(entry["chain"], bytes(32))).hex(), entry
        before[entry["chain"]] = bytes.fromhex(entry["hash"])
    [checkpoint] = [place for place, entry in enumerate(entries) if entry["action"] == "audit.checkpoint"]
    middle = checkpoint - 1

    def verify(touched, *more, code=1):
        export.write_text("\n".join(touched) + "\n")
        return stele("audit", "verify", export, *more, code=code)

    verify(lines, "--heads", heads, code=0)
    fields = [field for field in entries[middle] if field not in ("id", "hash", "after", "before", "address", "subject")]
    for field in fields:
        other = {**entries[middle], field: 7 if isinstance(entries[middle][field], int) else "x"}
        verify([*lines[:middle], json.dumps(other), *lines[middle + 1 :]])
    for field in ("after", "before", "address", "subject", "hash", "id"):
        other = {**entries[middle], field: {"id": 1, "hash": "0" * 64}.get(field, "x")}
        verify([*lines[:middle], json.dumps(other, separators=(",", ":")), *lines[middle + 1 :]])
    for gone in (0, middle, len(entries) - 1):
        verify(lines[:gone] + lines[gone + 1 :])
    verify([lines[1], lines[0], *lines[2:]])
    verify([*lines[:middle], lines[middle], *lines[middle:]])
    verify([*lines[: middle + 2], lines[0], *lines[middle + 2 :]])
    verify(lines[:-1])
    verify(lines[:-2])
    verify([*lines, lines[-1]])
    verify([*lines, lines[0]])
    verify([*lines[:-1], lines[-1][: len(lines[-1]) // 2]])
    verify([*lines[:-2], lines[-2][: len(lines[-2]) // 2]])
    shorter = {"ends": [{**closing["ends"][0], "seq": entries[-2]["seq"], "hash": entries[-2]["hash"]}]}
    cut = [*lines[:-2], json.dumps(shorter, separators=(",", ":"))]
    # Without heads nobody can know; with them the end is missed.
    verify(cut, code=0)
    assert "gone" in verify(cut, "--heads", heads)
    assert "written anew" in verify(written_anew(lines, middle))
    # Everything that follows the last checkpoint may be written anew, unless heads were kept.
    late = written_anew(lines, checkpoint + 2)
    verify(late, code=0)
    assert "written anew" in verify(late, "--heads", heads)
    wrong = json.loads(heads.read_text())
    (wrong["ends"] if isinstance(wrong, dict) else wrong)[0]["hash"] = "0" * 64
    heads.write_text(json.dumps(wrong))
    assert "written anew" in verify(lines, "--heads", heads)
    heads.write_text("[]x")
    stele("audit", "verify", export, "--heads", heads, code=2)


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

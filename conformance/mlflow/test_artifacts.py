"""The artifact proxy and the other routes that serve files, on a local store."""

from __future__ import annotations

import hashlib
import os
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from servers import peer_is_mlflow

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
UI_LIMIT = 10 * 1024 * 1024


@pytest.fixture
def folder(base_url: str, experiment: str, run: str) -> str:
    """The URL of a fresh run's artifact folder, behind the proxy."""
    return f"{base_url}{PROXY}/{experiment}/{run}/artifacts"


def put(url: str, content: bytes, **options: object) -> None:
    answer = requests.put(url, data=content, timeout=60, **options)  # type: ignore[arg-type]
    assert (answer.status_code, answer.content) == (200, b"")


def get(api, target: str, **query: str):
    """A GET whose query may have a `path`."""
    return api.raw("GET", target, params=query)


def names(listing: dict) -> list[str]:
    return [entry["path"] for entry in listing.get("files", [])]


@pytest.mark.parametrize("prefix", (PROXY, "/ajax-api/2.0/mlflow-artifacts/artifacts"))
def test_round_trip(prefix: str, base_url: str, experiment: str, run: str) -> None:
    url = f"{base_url}{prefix}/{experiment}/{run}/artifacts/model/weights.bin"
    content = bytes(range(256)) * 100
    put(url, content)
    answer = requests.get(url, timeout=60)
    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"


def test_an_upload_replaces(folder: str) -> None:
    for content in (b"first, and longer", b"second"):
        put(f"{folder}/a.txt", content)
        assert requests.get(f"{folder}/a.txt", timeout=60).content == content


def test_an_upload_needs_no_content_type(folder: str) -> None:
    for content_type in (None, "text/plain", "application/json", "multipart/form-data"):
        put(f"{folder}/a.txt", b"{not json", headers={"Content-Type": content_type})
    assert requests.get(f"{folder}/a.txt", timeout=60).content == b"{not json"


def test_an_upload_in_chunks_of_unknown_length(folder: str) -> None:
    answer = requests.put(f"{folder}/a.bin", data=(b"x" * 1000 for _ in range(100)), timeout=60)
    assert answer.status_code == 200
    assert requests.get(f"{folder}/a.bin", timeout=60).content == b"x" * 100_000


def test_empty_file(folder: str, base_url: str, run: str) -> None:
    put(f"{folder}/empty.bin", b"")
    answer = requests.get(f"{folder}/empty.bin", timeout=60)
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    listing = requests.get(f"{base_url}{API}/artifacts/list", params={"run_id": run}, timeout=60).json()
    assert listing["files"] == [{"path": "empty.bin", "is_dir": False}]  # no size is a size of 0


CONTENT_TYPES = {
    "a.txt": "text/plain",
    "a.json": "text/plain",
    "a.csv": "text/plain",
    "a.yaml": "text/plain",
    "a.md": "text/plain",
    "a.py": "text/plain",
    "a.log": "text/plain",
    "MLmodel": "text/plain",
    "a.html": "text/html",
    "a.png": "image/png",
    "a.svg": "image/svg+xml",
    "a.pdf": "application/pdf",
    "model.pkl": "application/octet-stream",
    "no-extension": "application/octet-stream",
    "a.unknown-extension": "application/octet-stream",
}


@pytest.mark.parametrize("name", CONTENT_TYPES)
def test_content_types(name: str, folder: str, base_url: str, run: str) -> None:
    put(f"{folder}/{name}", b"x")
    for url in (f"{folder}/{name}", f"{base_url}/get-artifact?run_id={run}&path={name}"):
        answer = requests.get(url, timeout=60)
        assert answer.headers["content-type"].split(";")[0] == CONTENT_TYPES[name]
        # Whatever a browser makes of the type: it must save the file, not show it.
        assert answer.headers["content-disposition"] == f"attachment; filename={name}"
        assert answer.headers["x-content-type-options"] == "nosniff"


DISPOSITIONS = {
    "plain.txt": "attachment; filename=plain.txt",
    "two words.txt": 'attachment; filename="two words.txt"',
    "naïve 日本.txt": "attachment; filename=\"naive .txt\"; filename*=UTF-8''na%C3%AFve%20%E6%97%A5%E6%9C%AC.txt",
    "日本": "attachment; filename=download; filename*=UTF-8''%E6%97%A5%E6%9C%AC",
    "a+b,c=d.txt": 'attachment; filename="a+b,c=d.txt"',
    "it's (1).txt": 'attachment; filename="it\'s (1).txt"',
}


@pytest.mark.parametrize("name", DISPOSITIONS)
def test_file_names(name: str, folder: str, base_url: str, run: str) -> None:
    put(f"{folder}/deep/{quote(name)}", name.encode())
    proxied = requests.get(f"{folder}/deep/{quote(name)}", timeout=60)
    by_run = requests.get(f"{base_url}/get-artifact", params={"run_id": run, "path": f"deep/{name}"}, timeout=60)
    for answer in (proxied, by_run):
        assert answer.content == name.encode()
        assert answer.headers["content-disposition"] == DISPOSITIONS[name]
    listing = requests.get(f"{base_url}{API}/artifacts/list", params={"run_id": run, "path": "deep"}, timeout=60)
    assert names(listing.json()) == [f"deep/{name}"]


RANGES = {
    "bytes=0-3": (b"0123", "bytes 0-3/10"),
    "bytes=4-": (b"456789", "bytes 4-9/10"),
    "bytes=-2": (b"89", "bytes 8-9/10"),
    "bytes=8-100": (b"89", "bytes 8-9/10"),
    "bytes=0-0": (b"0", "bytes 0-0/10"),
}


@pytest.mark.parametrize("wanted", RANGES)
def test_ranges(wanted: str, folder: str, base_url: str, run: str) -> None:
    put(f"{folder}/digits", b"0123456789")
    for url in (f"{folder}/digits", f"{base_url}/get-artifact?run_id={run}&path=digits"):
        answer = requests.get(url, headers={"Range": wanted}, timeout=60)
        assert answer.status_code == 206
        assert (answer.content, answer.headers["content-range"]) == RANGES[wanted]
        assert answer.headers["content-length"] == str(len(answer.content))


def test_a_range_beyond_the_end(folder: str) -> None:
    put(f"{folder}/digits", b"0123456789")
    answer = requests.get(f"{folder}/digits", headers={"Range": "bytes=10-"}, timeout=60)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */10"


def test_entity_tags_and_times(folder: str) -> None:
    started = time.time()
    put(f"{folder}/a.txt", b"first")
    first = requests.get(f"{folder}/a.txt", timeout=60).headers
    assert first["etag"].startswith('"')
    assert abs(parsedate_to_datetime(first["last-modified"]).timestamp() - started) < 60
    assert requests.get(f"{folder}/a.txt", timeout=60).headers["etag"] == first["etag"]
    part = requests.get(f"{folder}/a.txt", headers={"Range": "bytes=0-1", "If-Range": first["etag"]}, timeout=60)
    assert part.status_code == 206
    put(f"{folder}/a.txt", b"second")
    assert requests.get(f"{folder}/a.txt", timeout=60).headers["etag"] != first["etag"]
    whole = requests.get(f"{folder}/a.txt", headers={"Range": "bytes=0-1", "If-Range": first["etag"]}, timeout=60)
    assert (whole.status_code, whole.content) == (200, b"second")


def test_head(folder: str) -> None:
    put(f"{folder}/a.txt", b"hello")
    answer = requests.head(f"{folder}/a.txt", timeout=60)
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "5")


def test_a_folder_is_no_file(folder: str, base_url: str, run: str, api) -> None:
    put(f"{folder}/d/a.txt", b"x")
    for url in (f"{folder}/d", f"{folder}/d/"):
        answer = requests.get(url, timeout=60)
        assert answer.status_code == 400
        assert "refers to a directory" in answer.text
    api.raw("GET", f"/get-artifact?run_id={run}&path=d").invalid("Artifact path refers to a directory, not a file:")
    answer = requests.put(f"{folder}/d/", data=b"x", timeout=60)
    assert answer.status_code == 400
    assert "must include a filename" in answer.text
    for below_a_file in (f"{folder}/d", f"{folder}/d/a.txt/b"):
        answer = requests.put(below_a_file, data=b"x", timeout=60)
        assert answer.status_code == 500 if peer_is_mlflow() else 400 <= answer.status_code < 500
    assert requests.get(f"{folder}/d/a.txt", timeout=60).content == b"x"


def test_missing_files(experiment: str, run: str, api) -> None:
    path = f"{experiment}/{run}/artifacts/no.txt"
    api.raw("GET", f"{PROXY}/{path}").absent(exactly=f"No such artifact: '{path}'")
    api.raw("GET", f"/get-artifact?run_id={run}&path=no.txt").absent("No such artifact:")
    api.raw("GET", "/get-artifact?run_id=nope&path=a.txt").absent(exactly="Run with id=nope not found")
    assert api.raw("GET", f"/get-artifact?run_id={run}").status == 400


@pytest.mark.parametrize("path", ("../a", "%2e%2e/a", "a/%252e%252e/b", "/etc/passwd", "a%23b"))
def test_paths_that_leave(path: str, experiment: str, run: str, base_url: str, api) -> None:
    # `requests` would tidy the path up before sending it.
    from raw_http import Wire

    wire = Wire(base_url)
    for method in ("GET", "PUT", "DELETE"):
        answer = wire.send(method, f"{PROXY}/{path}", b"x" if method == "PUT" else None)
        if peer_is_mlflow() and answer.status == 308:  # its redirect of doubled slashes comes first
            continue
        assert (answer.status, answer.error_code) == (400, "INVALID_PARAMETER_VALUE"), answer
        assert answer.json()["message"] == "Invalid path"
    api.raw("GET", f"artifacts/list?run_id={run}&path={path}").invalid(exactly="Invalid path")
    api.raw("GET", f"{PROXY}?path={path}").invalid(exactly="Invalid path")
    api.raw("GET", f"/get-artifact?run_id={run}&path={path}").invalid(exactly="Invalid path")


def test_listings(folder: str, experiment: str, run: str, api) -> None:
    for name in ("b.txt", "a/deep/c.bin", "a/b.txt", "z.txt"):
        put(f"{folder}/{name}", b"12345")
    root = f"{experiment}/{run}/artifacts"
    a_folder = {"path": "a", "is_dir": True}
    files = [{"path": name, "is_dir": False, "file_size": 5} for name in ("b.txt", "z.txt")]
    for path in (root, root + "/"):
        assert get(api, PROXY, path=path).ok == {"files": [a_folder, *files]}
    inner = [{"path": "b.txt", "is_dir": False, "file_size": 5}, {"path": "deep", "is_dir": True}]
    assert get(api, PROXY, path=f"{root}/a").ok == {"files": inner}
    assert experiment in names(get(api, PROXY).ok)

    root_uri = f"mlflow-artifacts:/{root}"
    assert get(api, "artifacts/list", run_id=run).ok == {"root_uri": root_uri, "files": [a_folder, *files]}
    assert get(api, "artifacts/list", run_uuid=run).ok["root_uri"] == root_uri
    relative = [{"path": "a/b.txt", "is_dir": False, "file_size": 5}, {"path": "a/deep", "is_dir": True}]
    for path in ("a", "a/"):
        assert get(api, "artifacts/list", run_id=run, path=path).ok == {"root_uri": root_uri, "files": relative}
    for nothing in ("missing", "b.txt"):
        assert get(api, "artifacts/list", run_id=run, path=nothing).ok == {"root_uri": root_uri}
        assert get(api, PROXY, path=f"{root}/{nothing}").ok == {}
    get(api, "artifacts/list").invalid("Missing value for required parameter 'run_id'.")
    get(api, "artifacts/list", run_id="nope").absent(exactly="Run with id=nope not found")


def test_deleting(folder: str, experiment: str, run: str, api) -> None:
    for name in ("a.txt", "d/b.txt", "d/e/c.txt", "kept.txt"):
        put(f"{folder}/{name}", b"x")
    root = f"{PROXY}/{experiment}/{run}/artifacts"
    for path in ("a.txt", "a.txt", "d", "never-there"):
        assert api.delete(f"{root}/{path}").ok == {}
    assert names(get(api, "artifacts/list", run_id=run).ok) == ["kept.txt"]
    assert requests.get(f"{folder}/d/e/c.txt", timeout=60).status_code == 404


def test_wrong_methods(base_url: str, folder: str) -> None:
    assert requests.post(f"{folder}/a.txt", data=b"x", timeout=60).status_code == 405
    assert requests.put(f"{base_url}{PROXY}", data=b"x", timeout=60).status_code == 405
    assert requests.post(f"{base_url}/get-artifact", timeout=60).status_code == 405


def test_a_big_file(folder: str, tmp_path: Path) -> None:
    """100 MB through the proxy, in both directions, without either side holding it in memory."""
    block = os.urandom(1 << 20)
    big = tmp_path / "big.bin"
    sent = hashlib.sha256()
    with big.open("wb") as file:
        for number in range(100):
            piece = number.to_bytes(4, "big") + block[4:]
            sent.update(piece)
            file.write(piece)
    with big.open("rb") as file:
        assert requests.put(f"{folder}/big.bin", data=file, timeout=300).status_code == 200
    received = hashlib.sha256()
    with requests.get(f"{folder}/big.bin", stream=True, timeout=300) as answer:
        assert answer.headers["content-length"] == str(100 << 20)
        for piece in answer.iter_content(1 << 20):
            received.update(piece)
    assert received.digest() == sent.digest()
    middle = requests.get(f"{folder}/big.bin", headers={"Range": f"bytes={50 << 20}-{(50 << 20) + 3}"}, timeout=60)
    assert middle.content == (50).to_bytes(4, "big")


def test_upload_by_the_ui(run: str, base_url: str, api) -> None:
    url = f"{base_url}/ajax-api/2.0/mlflow/upload-artifact"

    def upload(content: bytes, **query: str):
        return api.raw("POST", "/ajax-api/2.0/mlflow/upload-artifact", params=query, data=content)

    answer = upload(b"hello", run_uuid=run, path="notes/a.txt")
    assert (answer.status, answer.text) == (200, "")
    assert requests.get(f"{base_url}/get-artifact?run_id={run}&path=notes/a.txt", timeout=60).content == b"hello"
    upload(b"x", path="a").invalid(exactly="Request must specify run_uuid.")
    upload(b"x", run_id=run, path="a").invalid(exactly="Request must specify run_uuid.")
    upload(b"x", run_uuid=run).invalid(exactly="Request must specify path.")
    upload(b"", run_uuid=run, path="a").invalid(exactly="Request must specify data.")
    upload(b"x", run_uuid="nope", path="a").absent(exactly="Run with id=nope not found")
    upload(b"x", run_uuid=run, path="../a").invalid(exactly="Invalid path")
    assert upload(b"x" * UI_LIMIT, run_uuid=run, path="limit.bin").status == 200
    message = "Artifact size is too large. Max size is 10MB."
    upload(b"x" * (UI_LIMIT + 1), run_uuid=run, path="more.bin").invalid(exactly=message)
    assert requests.get(url, timeout=60).status_code == 405


def test_files_of_a_model_version(folder: str, experiment: str, run: str, model: str, new_version, api) -> None:
    put(f"{folder}/model/MLmodel", b"flavors: {}")
    source = f"mlflow-artifacts:/{experiment}/{run}/artifacts/model"
    new_version(model, source=source, run_id=run)
    route = "/model-versions/get-artifact"
    if not peer_is_mlflow():  # which tries to reach itself over HTTP, and has no address
        answer = get(api, route, name=model, version="1", path="MLmodel")
        assert (answer.status, answer.text) == (200, "flavors: {}")
        assert answer.headers["content-disposition"] == "attachment; filename=MLmodel"
        get(api, route, name=model, version="1", path="no").absent()
        assert get(api, route, name=model, path="MLmodel").status == 400
    get(api, route, name=model, version="1", path="../MLmodel").invalid(exactly="Invalid path")
    get(api, route, name=model, version="2", path="x").absent(
        exactly=f"Model Version (name={model}, version=2) not found"
    )
    get(api, route, name=model, version="x", path="x").invalid("must be an integer")


def test_files_of_a_logged_model(base_url: str, experiment: str, api) -> None:
    created = api.post("logged-models", experiment_id=experiment, name="m").ok["model"]["info"]
    model_id, root_uri = created["model_id"], created["artifact_uri"]
    assert root_uri == f"mlflow-artifacts:/{experiment}/models/{model_id}/artifacts"
    root = f"{base_url}{PROXY}/{experiment}/models/{model_id}/artifacts"
    put(f"{root}/MLmodel", b"a: 1")
    put(f"{root}/data/model.pkl", b"\x80")

    listing = f"logged-models/{model_id}/artifacts/directories"
    files = [{"path": "MLmodel", "is_dir": False, "file_size": 4}, {"path": "data", "is_dir": True}]
    assert api.get(listing).ok == {"root_uri": root_uri, "files": files}
    inner = [{"path": "data/model.pkl", "is_dir": False, "file_size": 1}]
    assert api.get(listing, artifact_directory_path="data").ok == {"root_uri": root_uri, "files": inner}
    assert api.get(listing, artifact_directory_path="no").ok == {"root_uri": root_uri}
    api.get(listing, artifact_directory_path="..").invalid(exactly="Invalid path")
    api.get("logged-models/m-none/artifacts/directories").absent()

    ui = api.under("/ajax-api/2.0/mlflow/")
    file = f"logged-models/{model_id}/artifacts/files"
    answer = ui.get(file, artifact_file_path="MLmodel")
    assert (answer.status, answer.text) == (200, "a: 1")
    ui.get(file, artifact_file_path="no").absent("No such artifact:")
    ui.get(file, artifact_file_path="data").invalid("refers to a directory")
    ui.get(file, artifact_file_path="../x").invalid(exactly="Invalid path")
    ui.get(file).refused("BAD_REQUEST", '"artifact_file_path"')
    assert api.get(file, artifact_file_path="MLmodel").status == 404


def test_a_local_store_has_no_multipart_uploads(experiment: str, run: str, api) -> None:
    where = f"{experiment}/{run}/artifacts"
    part = {"part_number": 1, "etag": "e", "url": "u"}
    for action, body in (
        ("create", {"path": "/home/me/a.bin", "num_parts": 2}),
        ("complete", {"path": "/home/me/a.bin", "upload_id": "u", "parts": [part]}),
        ("abort", {"path": "/home/me/a.bin", "upload_id": "u"}),
    ):
        answer = api.post(f"/api/2.0/mlflow-artifacts/mpu/{action}/{where}", body)
        assert (answer.status, answer.body["error_code"]) == (501, "NOT_IMPLEMENTED")
        # The client recognises the case by this sentence and uploads in one piece.
        assert answer.body["message"] == "Multipart upload is not supported for the current artifact repository"
    answer = api.get(f"/api/2.0/mlflow-artifacts/presigned/{where}/a.bin")
    assert (answer.status, answer.body["error_code"]) == (501, "NOT_IMPLEMENTED")
    create = api.post(f"/api/2.0/mlflow-artifacts/mpu/create/{where}", {})
    create.invalid("Missing value for required parameter 'path'.")
    info = api.get("/api/3.0/mlflow/server-info").ok
    assert (info["multipart_uploads_enabled"], info["multipart_downloads_enabled"]) == (False, False)


def test_presigned_addresses_of_proxied_runs(run: str, api) -> None:
    for direction in ("upload", "download"):
        answer = api.post(f"artifacts/presigned-{direction}-url", {"run_id": run, "path": "a.bin"})
        answer.invalid(f"Presigned {direction} is not supported for", "artifact URI scheme: mlflow-artifacts")


def write_tree(root: Path) -> dict[str, bytes]:
    tree = {
        "a.txt": b"a",
        "empty.bin": b"",
        "deep/er/b.json": b"{}",
        "deep/two words.txt": b"blank",
        "日本/é.txt": "ü".encode(),
        "100%.txt": b"percent",
        "plus+and&.txt": b"plus",
    }
    for name, content in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return tree


def read_tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", (None, "in/side"))
def test_the_client_uploads_and_downloads_folders(
    target: str | None, client: MlflowClient, run: str, tmp_path: Path
) -> None:
    tree = write_tree(tmp_path / "up")
    client.log_artifacts(run, str(tmp_path / "up"), artifact_path=target)
    (tmp_path / "down").mkdir()
    local = client.download_artifacts(run, target or "", str(tmp_path / "down"))
    assert read_tree(Path(local)) == tree
    listed = {item.path: (item.is_dir, item.file_size) for item in client.list_artifacts(run, target)}
    prefix = f"{target}/" if target else ""
    assert listed[prefix + "a.txt"] == (False, 1)
    assert listed[prefix + "deep"] == (True, None)
    assert client.list_artifacts(run, prefix + "a.txt") == []


def test_the_client_handles_single_files(client: MlflowClient, run: str, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("one")
    client.log_artifact(run, str(tmp_path / "one.txt"), "deep/er")
    client.log_text(run, "text", "text.txt")
    client.log_dict(run, {"a": [1, 2]}, "dict.json")
    assert Path(client.download_artifacts(run, "deep/er/one.txt")).read_text() == "one"
    assert mlflow.artifacts.load_text(f"runs:/{run}/text.txt") == "text"
    assert mlflow.artifacts.load_dict(f"runs:/{run}/dict.json") == {"a": [1, 2]}
    with pytest.raises(Exception, match="No such artifact|does not exist|404|Failed to download"):
        client.download_artifacts(run, "no.txt")


def test_the_client_deletes_artifacts(client: MlflowClient, run: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client.log_text(run, "a", "d/a.txt")
    client.log_text(run, "b", "b.txt")
    repository = get_artifact_repository(client.get_run(run).info.artifact_uri)
    repository.delete_artifacts("d")
    assert [item.path for item in client.list_artifacts(run)] == ["b.txt"]

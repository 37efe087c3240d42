"""The artifact proxy over S3: moto's server on loopback stands in for the cloud."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import mlflow
import pytest
import requests
from mlflow import MlflowClient
from raw_http import Wire
from servers import free_port, peer_is_mlflow, running

pytestmark = pytest.mark.skipif(
    peer_is_mlflow() and mlflow.__version__.startswith("2."), reason="MLflow 2's own server had less of this"
)

API = "/api/2.0/mlflow"
PROXY = "/api/2.0/mlflow-artifacts"
BUCKET = "stele-artifacts"
MEGABYTE = 1 << 20
# MLflow lets the storage's own error through.
MISSING = 500 if peer_is_mlflow() else 404
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass
class Cloud:
    endpoint: str

    @property
    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def keys(self, prefix: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def unfinished(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    endpoint = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 90
        while time.monotonic() < give_up:
            with suppress(URLError, OSError), urlopen(f"{endpoint}/moto-api/", timeout=5):
                break
            time.sleep(0.1)
        cloud = Cloud(endpoint)
        cloud.client.create_bucket(Bucket=BUCKET)
        yield cloud
    finally:
        process.terminate()
        process.wait(timeout=20)


def reaching(cloud: Cloud) -> dict[str, str]:
    return CREDENTIALS | {
        "MLFLOW_S3_ENDPOINT_URL": cloud.endpoint,
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ENDPOINT_URL_S3": cloud.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


@pytest.fixture(scope="module")
def s3_url(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose artifacts are at s3://BUCKET/some/prefix."""
    data = tmp_path_factory.mktemp("s3")
    with running(data, artifacts=f"s3://{BUCKET}/some/prefix", environment=reaching(cloud)) as server:
        yield server.url


@pytest.fixture(scope="module")
def s3_client(s3_url: str) -> Iterator[MlflowClient]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(s3_url)
    yield MlflowClient(tracking_uri=s3_url, registry_uri=s3_url)
    mlflow.set_tracking_uri(before)


@pytest.fixture
def s3_run(s3_client: MlflowClient) -> str:
    return s3_client.create_run("0").info.run_id


@pytest.fixture
def where(s3_run: str) -> str:
    """The place of a fresh run below the artifact root."""
    return f"0/{s3_run}/artifacts"


def test_the_server_says_what_it_can(s3_url: str) -> None:
    info = requests.get(f"{s3_url}/api/3.0/mlflow/server-info", timeout=60).json()
    assert (info["multipart_uploads_enabled"], info["multipart_downloads_enabled"]) == (True, True)


@pytest.mark.skipif(peer_is_mlflow(), reason="a setting of Stele")
def test_a_bucket_that_clients_do_not_reach_is_behind_the_server(
    cloud: Cloud, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environment = reaching(cloud) | {"STELE_PROXY_ARTIFACTS": "true"}
    with running(tmp_path / "server", artifacts=f"s3://{BUCKET}/behind", environment=environment) as server:
        info = requests.get(f"{server.url}/api/3.0/mlflow/server-info", timeout=60).json()
        assert (info["multipart_uploads_enabled"], info["multipart_downloads_enabled"]) == (False, False)
        # Where MLflow 2 sends artifacts to, whatever the client was given.
        before = mlflow.get_tracking_uri()
        request.addfinalizer(lambda: mlflow.set_tracking_uri(before))
        mlflow.set_tracking_uri(server.url)
        client = MlflowClient(tracking_uri=server.url)
        run = client.create_run("0").info.run_id
        file = tmp_path / "a.txt"
        file.write_text("behind")
        client.log_artifact(run, str(file))
        assert cloud.keys("behind") == [f"behind/0/{run}/artifacts/a.txt"]
        place = f"0/{run}/artifacts/a.txt"
        presigned = requests.get(f"{server.url}{PROXY}/presigned/{place}", timeout=60)
        assert presigned.status_code == 501 and "Multipart download is not supported" in presigned.text
        parts = requests.post(f"{server.url}{PROXY}/mpu/create/{place}", json={"path": "a.txt", "num_parts": 2}, timeout=60)
        assert parts.status_code == 501 and "Multipart upload is not supported" in parts.text
        assert Path(client.download_artifacts(run, "a.txt", str(tmp_path))).read_text() == "behind"


def test_files_and_folders(s3_url: str, cloud: Cloud, where: str, s3_run: str) -> None:
    base = f"{s3_url}{PROXY}/artifacts/{where}"
    for name in ("a.txt", "d/b.txt", "d/e/c.txt"):
        assert requests.put(f"{base}/{name}", data=name.encode(), timeout=60).status_code == 200
    assert f"some/prefix/{where}/d/e/c.txt" in cloud.keys()
    answer = requests.get(f"{base}/d/b.txt", timeout=60)
    assert (answer.status_code, answer.content) == (200, b"d/b.txt")
    assert answer.headers["content-disposition"] == "attachment; filename=b.txt"
    listing = requests.get(f"{s3_url}{API}/artifacts/list", params={"run_id": s3_run}, timeout=60).json()
    assert sorted(listing["files"], key=lambda entry: entry["path"]) == [
        {"path": "a.txt", "is_dir": False, "file_size": 5},
        {"path": "d", "is_dir": True},
    ]
    inner = requests.get(f"{s3_url}{PROXY}/artifacts", params={"path": f"{where}/d"}, timeout=60).json()
    assert sorted(entry["path"] for entry in inner["files"]) == ["b.txt", "e"]
    assert requests.delete(f"{base}/d", timeout=60).json() == {}
    assert cloud.keys(f"some/prefix/{where}") == [f"some/prefix/{where}/a.txt"]
    assert requests.get(f"{base}/d/b.txt", timeout=60).status_code == MISSING


def test_ranges(s3_url: str, where: str) -> None:
    url = f"{s3_url}{PROXY}/artifacts/{where}/digits"
    requests.put(url, data=b"0123456789", timeout=60)
    answer = requests.get(url, headers={"Range": "bytes=2-4"}, timeout=60)
    # MLflow streams an object of a bucket whole; a part is what was asked for.
    assert (answer.status_code, answer.content) in ((206, b"234"), (200, b"0123456789"))


def test_the_client_round_trip(s3_client: MlflowClient, s3_run: str, tmp_path: Path) -> None:
    tree = {"a.txt": b"a", "d/e/f.bin": os.urandom(300_000), "d/é.txt": b"x", "d/empty": b""}
    for name, content in tree.items():
        (tmp_path / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / name).write_bytes(content)
    s3_client.log_artifacts(s3_run, str(tmp_path / "up"))
    local = Path(s3_client.download_artifacts(s3_run, ""))
    assert {str(path.relative_to(local)): path.read_bytes() for path in local.rglob("*") if path.is_file()} == tree


def test_multipart_by_hand(s3_url: str, cloud: Cloud, where: str) -> None:
    wire = Wire(s3_url)
    parts = [os.urandom(5 * MEGABYTE), b"the end"]
    # The client sends the path on its own disk, of which only the name counts.
    request = {"path": "/home/me/files/big.bin", "num_parts": len(parts)}
    created = wire.expect("POST", f"{PROXY}/mpu/create/{where}/deep", request)
    assert [credential["part_number"] for credential in created["credentials"]] == [1, 2]
    done = []
    for credential, content in zip(created["credentials"], parts):
        answer = requests.put(credential["url"], data=content, headers=credential.get("headers"), timeout=60)
        assert answer.status_code == 200
        done.append(
            {"part_number": credential["part_number"], "etag": answer.headers["ETag"], "url": credential["url"]}
        )
    assert cloud.unfinished() == [f"some/prefix/{where}/deep/big.bin"]
    request = {"path": "/home/me/files/big.bin", "upload_id": created["upload_id"], "parts": done}
    assert wire.expect("POST", f"{PROXY}/mpu/complete/{where}/deep", request) == {}
    assert cloud.unfinished() == []
    found = requests.get(f"{s3_url}{PROXY}/artifacts/{where}/deep/big.bin", timeout=60)
    assert found.content == b"".join(parts)


def test_aborting(s3_url: str, cloud: Cloud, where: str) -> None:
    wire = Wire(s3_url)
    created = wire.expect("POST", f"{PROXY}/mpu/create/{where}", {"path": "big.bin", "num_parts": 1})
    requests.put(created["credentials"][0]["url"], data=b"x", timeout=60)
    request = {"path": "big.bin", "upload_id": created["upload_id"]}
    assert wire.expect("POST", f"{PROXY}/mpu/abort/{where}", request) == {}
    assert cloud.unfinished() == []
    assert requests.get(f"{s3_url}{PROXY}/artifacts/{where}/big.bin", timeout=60).status_code == MISSING


def test_a_presigned_address(s3_url: str, where: str) -> None:
    requests.put(f"{s3_url}{PROXY}/artifacts/{where}/a.bin", data=b"0123456789", timeout=60)
    presigned = requests.get(f"{s3_url}{PROXY}/presigned/{where}/a.bin", timeout=60).json()
    assert presigned["file_size"] == 10
    headers = presigned.get("headers") or {}
    assert requests.get(presigned["url"], headers=headers, timeout=60).content == b"0123456789"
    part = requests.get(presigned["url"], headers=headers | {"Range": "bytes=2-4"}, timeout=60)
    assert (part.status_code, part.content) == (206, b"234")


def test_paths_that_leave_the_prefix(s3_url: str, cloud: Cloud, where: str) -> None:
    cloud.client.put_object(Bucket=BUCKET, Key="some/secret.txt", Body=b"secret")
    wire = Wire(s3_url)
    for path in (
        "../secret.txt",
        "%2e%2e/secret.txt",
        "%252e%252e/secret.txt",
        "/some/secret.txt",
        f"{where}/../../../../secret.txt",
    ):
        for method, target, body in (
            ("GET", f"{PROXY}/artifacts/{path}", None),
            ("PUT", f"{PROXY}/artifacts/{path}", b"overwritten"),
            ("DELETE", f"{PROXY}/artifacts/{path}", None),
            ("GET", f"{PROXY}/presigned/{path}", None),
        ):
            answer = wire.send(method, target, body)
            assert answer.status in ((400, 308) if peer_is_mlflow() else (400,)), f"{method} {target}: {answer}"
    created = wire.call("POST", f"{PROXY}/mpu/create/{where}", {"path": "../../../../secret.txt", "num_parts": 1})
    assert "some/secret.txt" not in cloud.unfinished()
    if created.status == 200:  # only the name counts
        request = {"path": "secret.txt", "upload_id": created.json()["upload_id"]}
        wire.expect("POST", f"{PROXY}/mpu/abort/{where}", request)
    assert cloud.client.get_object(Bucket=BUCKET, Key="some/secret.txt")["Body"].read() == b"secret"


@pytest.mark.client("3.12")
def test_the_client_moves_big_files_past_the_server(
    s3_client: MlflowClient, s3_run: str, where: str, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(6 * MEGABYTE),
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * MEGABYTE),
        "MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": str(6 * MEGABYTE),
        "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": str(5 * MEGABYTE),
    }.items():
        monkeypatch.setenv(name, value)
    content = os.urandom(12 * MEGABYTE + 5)
    (tmp_path / "big.bin").write_bytes(content)
    (tmp_path / "small.bin").write_bytes(b"small")
    for name in ("big.bin", "small.bin"):
        s3_client.log_artifact(s3_run, str(tmp_path / name), "deep")
    # The entity tag of an object tells how many parts it came in.
    tag = cloud.client.head_object(Bucket=BUCKET, Key=f"some/prefix/{where}/deep/big.bin")["ETag"]
    assert tag.endswith('-3"')
    assert cloud.unfinished() == []
    assert Path(s3_client.download_artifacts(s3_run, "deep/big.bin")).read_bytes() == content
    assert Path(s3_client.download_artifacts(s3_run, "deep/small.bin")).read_bytes() == b"small"

"""What operators rely on: numbers, logs, limits, TLS, a prefix, and a stop that loses nothing."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import servers

API = "/api/2.0/mlflow"


def create_experiment(url: str, name: str) -> str:
    answer = requests.post(f"{url}{API}/experiments/create", json={"name": name}, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["experiment_id"]


def numbers(url: str) -> dict[str, float]:
    answer = requests.get(f"{url}/metrics", timeout=10)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = (line.rsplit(" ", 1) for line in answer.text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_prometheus_reads_how_much_and_how_fast(server):
    before = numbers(server.url)
    for number in range(3):
        create_experiment(server.url, f"counted-{os.getpid()}-{number}")
    requests.get(f"{server.url}{API}/runs/get", params={"run_id": "none"}, timeout=10)
    content = b"x" * 1000
    file = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/counted/{os.getpid()}.bin"
    assert requests.put(file, data=content, timeout=10).status_code == 200
    assert requests.get(file, timeout=10).content == content
    after = numbers(server.url)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    create = f'method="POST",route="{API}/experiments/create"'
    assert grown(f'stele_http_requests_total{{{create},status="200"}}') == 3
    assert grown(f"stele_http_request_seconds_count{{{create}}}") == 3
    assert grown(f'stele_http_requests_total{{method="GET",route="{API}/runs/get",status="404"}}') == 1
    assert grown('stele_artifact_bytes_total{direction="in"}') == 1000
    assert grown('stele_artifact_bytes_total{direction="out"}') == 1000
    assert grown("stele_write_seconds_count") >= 4
    if not server.database:
        assert grown("stele_write_group_size_sum") >= 4
        assert grown("stele_sync_seconds_count") >= 1
    assert after["stele_http_requests_under_way"] == 1
    assert after["stele_database_bytes"] > 100_000
    assert after["process_resident_memory_bytes"] > 1_000_000
    assert 0 < after["process_open_fds"] < after["process_max_fds"]


def test_a_path_that_nobody_has_makes_no_series_of_its_own(server):
    for number in range(5):
        requests.get(f"{server.url}/nowhere/{number}", timeout=10)
    assert not [name for name in numbers(server.url) if "nowhere" in name]


def test_a_request_has_an_id(server):
    given = requests.get(f"{server.url}/health", headers={"X-Request-Id": "proxy-1.a"}, timeout=10)
    assert given.headers["x-request-id"] == "proxy-1.a"
    made = requests.get(f"{server.url}/health", headers={"X-Request-Id": 'b"ad'}, timeout=10)
    assert re.fullmatch("[0-9a-f]{32}", made.headers["x-request-id"])
    target = {"X-Amz-Target": "SageMaker.ListModels", "X-Request-Id": "proxy-1.b"}
    listed = requests.post(server.url, data="{}", headers=target, timeout=10)
    assert (listed.headers["x-request-id"], listed.headers["x-amzn-requestid"]) == ("proxy-1.b", "proxy-1.b")


def test_a_failure_is_one_line_of_json_with_the_id_of_its_request(tmp_path):
    with servers.running(tmp_path / "server", environment={"STELE_LOG_FORMAT": "json"}) as server:
        with contextlib.closing(sqlite3.connect(server.data / "stele.db")) as database:
            database.execute("ALTER TABLE experiment RENAME TO taken_away")
        experiment = {"experiment_id": "0"}
        headers = {"X-Request-Id": "broken-1"}
        answer = requests.get(f"{server.url}{API}/experiments/get", params=experiment, headers=headers, timeout=10)
        assert answer.status_code == 500
        assert "taken_away" not in answer.text
        assert "no such table" not in answer.text
        lines = [line for line in server.log.read_text().splitlines() if "broken-1" in line]
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert (line["level"], line["request_id"], line["method"]) == ("ERROR", "broken-1", "GET")
    assert line["status"] == answer.status_code
    assert line["path"] == f"{API}/experiments/get"
    assert "no such table" in line["cause"]


def test_what_a_client_expects_as_a_failure_is_not_told_as_one(tmp_path):
    """MLflow answers 500 to the renaming of an experiment in the trash, and its clients expect that."""
    with servers.running(tmp_path / "server") as server:
        experiment = create_experiment(server.url, "thrown away")
        requests.post(f"{server.url}{API}/experiments/delete", json={"experiment_id": experiment}, timeout=10)
        renamed = requests.post(
            f"{server.url}{API}/experiments/update", json={"experiment_id": experiment, "new_name": "other"},
            headers={"X-Request-Id": "refused-1"}, timeout=10,
        )  # fmt: skip
        assert renamed.status_code == 500
        counted = numbers(server.url)
        assert counted[f'stele_http_requests_total{{method="POST",route="{API}/experiments/update",status="500"}}'] == 1
        assert not [name for name in counted if name.startswith("stele_http_failures_total")]
        assert "refused-1" not in server.log.read_text()


def test_what_prometheus_reads_is_well_formed(server):
    create_experiment(server.url, f"well-formed-{os.getpid()}")
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    kinds = dict(re.findall(r"^# TYPE (\S+) (counter|gauge|histogram)$", text, re.M))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.M))
    seen, buckets = set(), {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        sample = re.fullmatch(r'([a-z][a-z0-9_]*)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? (\S+)', line)
        assert sample, line
        name, labels, value = sample.groups()
        assert (name, labels) not in seen, f"{line} is told twice"
        seen.add((name, labels))
        labels = dict(re.findall(r'([a-z]+)="([^"]*)"', labels or ""))
        family = name if name in kinds else re.sub("_(bucket|sum|count)$", "", name)
        assert family in kinds and family in helps, f"{name} has no type or help"
        assert (kinds[family] == "counter") == name.endswith("_total"), f"{name} is a {kinds[family]}"
        # Each of these has few values, whatever clients send.
        assert set(labels) <= {"method", "route", "status", "direction", "version", "le"}, line
        if name.endswith("_bucket"):
            series = (family, *(pair for pair in sorted(labels.items()) if pair[0] != "le"))
            buckets.setdefault(series, []).append((float(labels["le"]), float(value)))
    assert {"process_cpu_seconds_total", "process_start_time_seconds", "stele_build_info"} <= set(kinds)
    assert buckets
    for series, found in buckets.items():
        assert found == sorted(found) and found[-1][0] == float("inf"), series
        assert [count for _, count in found] == sorted(count for _, count in found), series


def test_a_prefix_is_taken_away_or_was_already(tmp_path):
    with servers.running(tmp_path, environment={"STELE_STATIC_PREFIX": "/team/stele"}) as server:
        for url in (f"{server.url}/team/stele", server.url):
            assert requests.get(f"{url}/health", timeout=10).text == "OK"
            assert requests.get(f"{url}{API}/experiments/get", params={"experiment_id": "0"}, timeout=10).ok
        assert requests.get(f"{server.url}/other/health", timeout=10).status_code == 404
        assert "/team/stele" in server.log_tail()


def test_large_bodies_and_many_connections_are_refused_or_wait(tmp_path):
    limits = {"STELE_MAX_BODY": "1000", "STELE_MAX_CONNECTIONS": "2", "STELE_IDLE_TIMEOUT": "2"}
    with servers.running(tmp_path, environment=limits) as server:
        file = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/a.bin"
        assert requests.put(file, data=b"x" * 1000, timeout=10).status_code == 200
        assert requests.put(file, data=b"x" * 1001, timeout=10).status_code == 413
        in_pieces = requests.put(file, data=iter([b"x" * 600, b"x" * 600]), timeout=10)
        assert in_pieces.status_code in (400, 413)
        assert requests.get(file, timeout=10).content == b"x" * 1000

        address = ("127.0.0.1", server.port)
        idle = [socket.create_connection(address, timeout=10) for _ in range(2)]
        begun = time.monotonic()
        assert requests.get(f"{server.url}/health", timeout=20).text == "OK"
        assert time.monotonic() - begun > 1, "it waited until an idle connection was closed"
        for connection in idle:
            connection.close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, certificate


def until(holds, what: str) -> None:
    for _ in range(400):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError(what)


def test_tls(tmp_path: Path):
    key, certificate = self_signed(tmp_path)
    port = servers.free_port()
    command = [str(servers.stele_binary()), "serve", "--port", str(port), "--data", str(tmp_path / "data")]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--tls-cert", certificate, "--tls-key", key], stdout=log, stderr=log, cwd=tmp_path
        )
        try:
            url = f"https://localhost:{port}"
            answer = None
            for _ in range(200):
                try:
                    answer = requests.get(f"{url}/health", verify=str(certificate), timeout=5)
                    break
                except requests.ConnectionError:
                    time.sleep(0.05)
            assert answer is not None and answer.text == "OK"
            with pytest.raises(requests.exceptions.RequestException):
                requests.get(f"http://localhost:{port}/health", timeout=5)
            with socket.create_connection(("127.0.0.1", port)) as plain:
                context = ssl.create_default_context(cafile=certificate)
                with context.wrap_socket(plain, server_hostname="localhost") as secure:
                    assert secure.version() in ("TLSv1.3", "TLSv1.2")
            told = [str(servers.stele_binary()), "experiments", "list", "--server", url, "--json"]
            distrusted = subprocess.run(told, capture_output=True, text=True, timeout=60, cwd=tmp_path)
            assert distrusted.returncode != 0 and "does not answer" in distrusted.stderr
            trusted = subprocess.run(
                [*told, "--ca", certificate], capture_output=True, text=True, timeout=60, cwd=tmp_path
            )
            assert trusted.returncode == 0 and '"Default"' in trusted.stdout, trusted.stderr
        finally:
            process.terminate()
            process.wait(timeout=20)
    assert f"https://127.0.0.1:{port}" in (tmp_path / "log").read_text()
    half = subprocess.run([*command, "--tls-cert", certificate], capture_output=True, text=True, timeout=20)
    assert half.returncode == 2
    assert "hint:" in half.stderr


def test_a_certificate_is_renewed_while_the_server_runs_and_a_bad_one_is_not_taken(tmp_path: Path):
    key, certificate = self_signed(tmp_path)
    first = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    port = servers.free_port()
    command = [str(servers.stele_binary()), "serve", "--port", str(port), "--data", str(tmp_path / "data")]
    log_file = tmp_path / "log"

    def shown() -> bytes | None:
        try:
            return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))
        except OSError:
            return None

    with log_file.open("w") as log:
        process = subprocess.Popen(
            [*command, "--tls-cert", certificate, "--tls-key", key], stdout=log, stderr=log, cwd=tmp_path
        )
        try:
            until(lambda: shown() == first, "the server does not show its certificate")
            (tmp_path / "next").mkdir()
            next_key, next_certificate = self_signed(tmp_path / "next")
            second = ssl.PEM_cert_to_DER_cert(next_certificate.read_text())
            # A certificate whose key is not there yet.
            certificate.write_bytes(next_certificate.read_bytes())
            process.send_signal(signal.SIGHUP)
            until(lambda: "keeping the old certificate" in log_file.read_text(), "nothing was said of the bad pair")
            assert shown() == first
            key.write_bytes(next_key.read_bytes())
            process.send_signal(signal.SIGHUP)
            until(lambda: shown() == second, "the new certificate is not shown")
            answer = requests.get(f"https://localhost:{port}/health", verify=str(certificate), timeout=5)
            assert answer.text == "OK"
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0


def test_a_stop_finishes_what_is_under_way_and_keeps_what_was_acknowledged(tmp_path):
    server = servers.Server(tmp_path)
    server.start()
    run = requests.post(f"{server.url}{API}/runs/create", json={"experiment_id": "0"}, timeout=10).json()
    run_id = run["run"]["info"]["run_id"]
    acknowledged: list[int] = []
    stopping = threading.Event()

    def log(worker: int) -> None:
        with requests.Session() as session:
            for number in range(worker * 100_000, worker * 100_000 + 100_000):
                body = {"run_id": run_id, "key": f"k{number}", "value": str(number)}
                try:
                    answer = session.post(f"{server.url}{API}/runs/log-parameter", json=body, timeout=10)
                except requests.ConnectionError:
                    assert stopping.is_set(), "nobody has stopped the server yet"
                    return
                assert answer.status_code == 200, answer.text
                acknowledged.append(number)

    def upload() -> bytes:
        """Half of a file before the server is told to stop, and half after."""
        head = "PUT /api/2.0/mlflow-artifacts/artifacts/slow.bin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head.encode() + b"x" * 1000)
            stopping.wait(20)
            time.sleep(0.5)
            connection.sendall(b"y" * 1000)
            return connection.recv(1000)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(upload)
        loggers = [pool.submit(log, worker) for worker in range(4)]
        while len(acknowledged) < 50:
            time.sleep(0.01)
        process = server.process
        assert process is not None
        stopping.set()
        process.send_signal(signal.SIGTERM)
        assert slow.result().startswith(b"HTTP/1.1 200")
        for logger in loggers:
            logger.result()
        assert process.wait(timeout=20) == 0
    server.process = None
    server.start()
    try:
        found = requests.get(f"{server.url}{API}/runs/get", params={"run_id": run_id}, timeout=10).json()
        kept = {int(param["value"]) for param in found["run"]["data"]["params"]}
        assert set(acknowledged) <= kept
        file = requests.get(f"{server.url}/api/2.0/mlflow-artifacts/artifacts/slow.bin", timeout=10)
        assert file.content == b"x" * 1000 + b"y" * 1000
    finally:
        server.stop()


def test_a_stop_waits_no_longer_than_it_was_told(tmp_path):
    with servers.running(tmp_path, environment={"STELE_STOP_TIMEOUT": "1"}) as server:
        parts = urlsplit(server.url)
        head = b"PUT /api/2.0/mlflow-artifacts/artifacts/never.bin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            connection.sendall(head + b"x")
            time.sleep(0.3)
            process = server.process
            assert process is not None
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
            assert time.monotonic() - begun < 5
        assert "under way" in server.log_tail()

"""What goes wrong: exit codes, hints, and whose output it is."""

import contextlib
import signal
import socket
import sqlite3
import subprocess

import pytest
import servers


def free_port():
    return servers.free_port()


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        (["runs", "show", "nobody"], 3, "run 'nobody' does not exist"),
        (["experiments", "show", "nothing"], 3, "no experiment with the id or name 'nothing'"),
        (["experiments", "show", "4711"], 3, "no experiment with the id or name '4711'"),
        (["models", "show", "nothing"], 3, "nothing"),
        (["models", "stage", "nothing", "1", "staging"], 3, "nothing"),
        (["artifacts", "ls", "nobody"], 3, "run 'nobody' does not exist"),
        (["runs", "list", "-e", "nothing"], 3, "'nothing'"),
        (["runs", "search", "metrics.loss <"], 2, "metrics.loss"),
        (["runs", "list", "--order-by", "nothing"], 2, "nothing"),
        (["models", "stage", "churn", "x", "staging"], 2, "'x' is not the number of a version"),
        (["artifacts", "put", "no/such/file", "run"], 2, "no/such/file"),
        (["runs", "compare", "a,b", "c"], 2, "'a,b' is not the id of a run"),
        (["--server", "localhost:5000", "runs", "list"], 2, ""),
        (["runs", "list", "--server", "localhost:5000"], 2, "is not the URL of a server"),
    ],
)
def test_a_refusal_has_a_message_a_hint_and_a_code(shell, serve, line, code, message):
    serve()
    told = shell(*line, code=code)
    assert told.out == ""
    assert told.err.startswith("error: ") and message in told.err
    if message:
        assert "\nhint: " in told.err, told.err


@pytest.mark.parametrize(
    "line",
    [
        ["runs"],
        ["runs", "list", "-n", "0"],
        ["runs", "list", "--deleted", "--with-deleted"],
        ["runs", "list", "--columns", "loss"],
        ["runs", "compare", "one"],
        ["models", "alias", "churn", "champion"],
        ["models", "stage", "churn", "1", "shipped"],
        ["artifacts", "ls", "models:/churn"],
        ["completions", "tcsh"],
        ["nonsense"],
    ],
)
def test_a_line_that_means_nothing_is_a_matter_of_usage(shell, line):
    told = shell(*line, code=2)
    assert told.out == "" and told.err
    if line != ["runs"]:
        error, hint = told.err.splitlines()
        assert error.startswith("error: ") and hint.startswith("hint: ") and "--help`" in hint


def test_nothing_to_talk_to(shell, tmp_path):
    told = shell("runs", "list", "--server", f"http://127.0.0.1:{free_port()}", code=4)
    assert "does not answer" in told.err and "hint: " in told.err
    told = shell("runs", "list", "--server", "http://no-such-host.invalid", code=4)
    assert "does not answer" in told.err
    if is_free(5000):
        told = shell("runs", "list", code=4)
        assert "no server answers at http://127.0.0.1:5000" in told.err and "stele serve" in told.err
    assert not (tmp_path / "stele-data").exists(), "looking makes nothing"


def test_whoever_names_a_place_does_not_mean_a_server_elsewhere(shell, tmp_path):
    for place in (["--data", tmp_path / "none"], ["--database", f"sqlite:{tmp_path}/none.db"]):
        told = shell("runs", "list", *place, code=4)
        assert "there is no record at" in told.err and "127.0.0.1:5000" not in told.err and "hint: " in told.err


def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_another_server_is_not_taken_for_ours(shell, serve, tmp_path):
    folder = tmp_path / "web"
    folder.mkdir()
    port = free_port()
    line = ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    other = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while is_free(port):
            assert other.poll() is None
        told = shell("runs", "list", "--server", f"http://127.0.0.1:{port}", code=4)
        assert "is not a Stele server" in told.err
    finally:
        other.kill()
        other.wait()


def test_a_killed_server_leaves_a_beacon_that_misleads_nobody(shell, serve, record, tmp_path):
    server = serve()
    run = record(server).run("kept")
    server.kill()
    beacon = tmp_path / "stele-data/server.json"
    assert beacon.exists()
    # The local record is opened in its place.
    assert shell("runs", "show", run, "--json").document["name"] == "kept"
    # Another server that has got its port is not the one of this folder.
    other = servers.Server(tmp_path / "other", port=server.port).start()
    try:
        assert [r["id"] for r in shell("runs", "list", "--json").document["runs"]] == [run]
        assert shell("runs", "list", "--json", "--server", other.url).document["runs"] == []
    finally:
        other.stop()
    server.start()
    server.stop()
    assert not beacon.exists()


def test_a_record_that_is_open_elsewhere_is_left_alone(shell, serve, tmp_path):
    serve()
    (tmp_path / "stele-data/server.json").unlink()
    told = shell("runs", "list", code=4)
    assert "another server is using it" in told.err and "--server" in told.err


def test_whoever_has_read_enough_may_go(shell, serve, record):
    at = record(serve())
    for number in range(30):
        at.run(f"run {number}", tags=[("long", "x" * 4000)])
    line = [str(servers.stele_binary()), "runs", "list", "-n", "100", "--json"]
    ran = subprocess.Popen(line, cwd=shell.folder, env=shell.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert ran.stdout.read(10)
    ran.stdout.close()
    assert (ran.stderr.read(), ran.wait(timeout=60)) == (b"", 0)


def test_doctor(shell, serve, tmp_path):
    healthy = shell("doctor", "--port", free_port(), "--json").document
    assert healthy["healthy"] and not (tmp_path / "stele-data").exists(), "looking makes nothing"
    server = serve()
    checks = {f["check"]: f for f in shell("doctor", "--json", "--port", server.port).document["findings"]}
    assert all(finding["state"] == "ok" for finding in checks.values()), checks
    assert {"configuration", "server", "data folder", "database", "integrity", "migrations", "clock", "artifacts",
            "disk space", "port", "open files"} == set(checks)  # fmt: skip
    server.stop()
    with socket.create_server(("127.0.0.1", 0)) as busy:
        told = shell("doctor", "--port", busy.getsockname()[1], code=1)
    assert "✗ port" in told.out and "hint: " in told.out and "not well: 1 problem" in told.err
    database = tmp_path / "stele-data/stele.db"
    content = database.read_bytes()
    # An index: what the schema itself lies in would make it no database at all.
    with contextlib.closing(sqlite3.connect(database)) as record:
        page = record.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'experiment_tag'").fetchone()[0]
        size = record.execute("PRAGMA page_size").fetchone()[0]
    start = (page - 1) * size
    for damaged, check in (
        (content[:start] + b"\xff" * size + content[start + size :], "integrity"),
        (b"no database at all" * 1000, "database"),
    ):
        database.write_bytes(damaged)
        findings = shell("doctor", "--port", free_port(), "--json", code=1).document["findings"]
        assert [f["check"] for f in findings if f["state"] == "failed"] == [check], findings
    assert shell("doctor", "--database", f"postgres://me:hunter2@127.0.0.1:{free_port()}/db", code=1).out.count("hunter2") == 0


def test_hints_are_about_what_is_missing(shell, serve):
    serve()
    assert "`stele runs list`" in shell("artifacts", "ls", "nobody", code=3).err
    assert "`stele models list`" in shell("artifacts", "ls", "models:/nothing/1", code=3).err
    shell("experiments", "create", "iris")
    shell("experiments", "delete", "iris")
    assert "--with-deleted" in shell("experiments", "create", "iris", code=1).err, "the trash keeps the name"
    assert "conditions" not in shell("experiments", "create", "", code=2).err
    told = shell("runs", "search", "status = 'FINISHED'", code=2)
    assert "no run has the status 'FINISHED'" in told.err and "completed" in told.err and "hint: " in told.err
    assert "standard input" in shell("artifacts", "put", "-", "nobody", code=2).err
    for line in (["serve", "--tls-cert", "x.pem"], ["serve", "--static-prefix", "a b"], ["serve", "--data", "/proc/none"]):
        told = shell(*line, code=1 if line[1] == "--data" else 2)
        assert told.err.splitlines()[-1].startswith("hint: "), told.err


def test_doctor_finds_what_would_keep_a_server_from_starting(shell, serve, tmp_path):
    def failed(*line, state="failed", code=1):
        findings = shell("doctor", "--port", "0", "--json", *line, code=code).document["findings"]
        found = [finding for finding in findings if finding["state"] == state]
        assert all(finding["hint"] for finding in found)
        return {finding["check"]: finding["message"] for finding in found}

    (tmp_path / "file").write_text("no folder")
    for line, message in (
        (["--tls-cert", "none.pem", "--tls-key", "none.pem"], "none.pem"),
        (["--tls-cert", "none.pem"], "its key"),
        (["--mlflow-ui", "nowhere"], "nowhere"),
        (["--static-prefix", "a b"], "'a b'"),
        (["--otlp-endpoint", "collector"], "collector"),
        (["--secret-key", "short"], "16 characters"),
        (["--oidc-issuer", "x", "--oidc-client-id", "y"], "'x'"),
    ):
        assert message in failed(*line)["configuration"], line
    assert set(failed("--data", "file/data")) == {"data folder", "artifacts"}
    assert "is no folder" in failed("--artifacts", "file/artifacts")["artifacts"]
    assert "cannot be had" in failed("--host", "192.0.2.1", code=1)["port"]
    assert "authentication" in failed("--host", "0.0.0.0", state="warning", code=0)["configuration"]
    serve().stop()
    told = subprocess.run(
        [str(servers.stele_binary()), "auth", "init", "--password-stdin"], input="first among equals", text=True,
        cwd=shell.folder, env=shell.env(), capture_output=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    found = failed("--host", "0.0.0.0", state="warning", code=0)
    assert "configuration" not in found, "the record has authentication now"


def test_a_record_of_a_newer_version_is_left_alone(shell, serve, tmp_path):
    serve().stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "stele-data/stele.db")) as record, record:
        record.execute(
            "INSERT INTO refinery_schema_history SELECT 99999, name, applied_on, checksum FROM refinery_schema_history LIMIT 1"
        )
    told = shell("serve", "--port", "0", code=4)
    assert "a newer version of Stele has used it: it is at migration 99999" in told.err and "hint: " in told.err
    findings = shell("doctor", "--port", "0", "--json", code=1).document["findings"]
    assert [finding["check"] for finding in findings if finding["state"] == "failed"] == ["migrations"]


@pytest.mark.parametrize(
    "line",
    [
        ["gate", "apply", "FILE"],
        ["policy", "apply", "FILE.cedar"],
        ["policy", "test", "good.cedar", "--cases", "FILE"],
        ["audit", "verify", "--heads", "FILE"],
        ["webhooks", "create", "n", "https://example.org", "--secret-file", "FILE"],
    ],
)
def test_files_that_are_not_there_have_a_hint(shell, serve, tmp_path, line):
    serve()
    (tmp_path / "good.cedar").write_text('@id("a") forbid (principal, action, resource);')
    told = shell(*line, code=2)
    assert told.out == "" and "cannot read FILE" in told.err and "\nhint: " in told.err, told.err


def test_settings(shell, tmp_path):
    (tmp_path / "stele.toml").write_text("data = 'elsewhere'\nport = 'many'\n")
    told = shell("serve", code=2)
    assert "stele.toml: 'port' cannot be used" in told.err and "hint: " in told.err
    (tmp_path / "stele.toml").write_text("data = 'elsewhere'\nport = [1\n")
    told = shell("serve", code=2)
    assert "stele.toml is not a TOML file: in line 2" in told.err and len(told.err.splitlines()) == 2, told.err
    (tmp_path / "stele.toml").write_text("prot = 1\n")
    assert "there is no setting 'prot'" in shell("doctor", code=2).err
    (tmp_path / "stele.toml").write_text("data = 'elsewhere'\n")
    assert "elsewhere" in shell("doctor", "--port", free_port()).out
    shell.environment["STELE_DATA"] = "by-variable"
    assert "by-variable" in shell("doctor", "--port", free_port()).out
    assert "by-flag" in shell("doctor", "--data", "by-flag", "--port", free_port()).out
    shell.environment = {"STELE_CONFIG": "other.toml", "STELE_DATA": ""}
    assert "other.toml" in shell("doctor", code=2).err
    (tmp_path / "other.toml").write_text("data = 'by-other'\n")
    assert "by-other" in shell("doctor", "--port", free_port()).out


def test_a_server_that_is_told_to_stop_takes_its_beacon_along(shell, serve, tmp_path):
    server = serve()
    beacon = tmp_path / "stele-data/server.json"
    assert server.url in beacon.read_text()
    server._signal(signal.SIGTERM)
    assert not beacon.exists()

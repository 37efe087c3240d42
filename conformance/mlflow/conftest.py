"""Where the server under test comes from, and the fixtures every file shares.

STELE_URL   a running server
STELE_BIN   a binary to start (with STELE_DATABASE, else SQLite in a scratch folder)
PEER=mlflow MLflow's own server is the judge: of this environment, or the one at STELE_URL
"""

import os
import socket
import subprocess
import sys
import time
import uuid

import mlflow
import pytest
import requests
from mlflow import MlflowClient

from wire import Api

CLIENT_VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])
PEER = os.environ.get("PEER") == "mlflow"
START_SECONDS = 120
# The receivers of webhooks are on this machine. Both servers know these names; one that is given with STELE_URL must
# have been started with them.
WEBHOOKS = {
    "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
    "MLFLOW_WEBHOOK_CACHE_TTL": "0",
}


def pytest_configure(config):
    config.addinivalue_line("markers", "stele_only: a rule of Stele that MLflow does not have")
    config.addinivalue_line("markers", "mlflow_only: MLflow's behaviour where Stele differs on purpose")
    for category in ("DeprecationWarning", "FutureWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::{category}")
    config.addinivalue_line("markers", "client(version): needs at least this client, such as '3.0'")


def pytest_collection_modifyitems(items):
    for item in items:
        if PEER and item.get_closest_marker("stele_only"):
            item.add_marker(pytest.mark.skip(reason="a rule of Stele's own"))
        if not PEER and item.get_closest_marker("mlflow_only"):
            item.add_marker(pytest.mark.skip(reason="Stele differs here on purpose"))
        needed = item.get_closest_marker("client")
        if needed and CLIENT_VERSION < tuple(int(part) for part in needed.args[0].split(".")):
            item.add_marker(pytest.mark.skip(reason=f"needs a client of {needed.args[0]}"))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def server_command(port, folder):
    database = os.environ.get("STELE_DATABASE")
    binary = os.environ.get("STELE_BIN")
    if binary:
        return [
            binary, "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(folder),
            "--database", database or f"sqlite://{folder}/stele.db",
            "--artifacts", str(folder / "artifacts"),
        ]  # fmt: skip
    if PEER:
        return [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination", str(folder / "artifacts"),
        ]  # fmt: skip
    pytest.exit("name a server: STELE_URL, STELE_BIN or PEER=mlflow", returncode=2)


def wait_until_healthy(url, process, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if requests.get(url + "/health", timeout=2).text == "OK":
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    pytest.exit(f"the server did not come up:\n{log.read_text()[-4000:]}", returncode=2)


@pytest.fixture(scope="session")
def base_url(tmp_path_factory):
    given = os.environ.get("STELE_URL")
    if given:
        yield given.rstrip("/")
        return
    folder = tmp_path_factory.mktemp("server")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = folder / "server.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            server_command(port, folder),
            cwd=folder,
            env={**os.environ, **WEBHOOKS},
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_healthy(url, process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def api(base_url):
    """Plain HTTP below /api/2.0/mlflow/."""
    return Api(base_url)


@pytest.fixture(scope="session")
def ajax(base_url):
    """Plain HTTP below /ajax-api/2.0/mlflow/, the paths of the web UI."""
    return Api(base_url, "/ajax-api/2.0/mlflow/")


@pytest.fixture(scope="session")
def client(base_url):
    """The stock client, with the global tracking address set as well."""
    # A refused call must not be retried for minutes when a server answers 500 on purpose.
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    mlflow.set_tracking_uri(base_url)
    return MlflowClient(tracking_uri=base_url, registry_uri=base_url)


@pytest.fixture
def unique():
    """A factory of names that no other test uses."""

    def make(prefix="n"):
        return f"{prefix}-{uuid.uuid4().hex[:12]}"

    return make


@pytest.fixture
def new_experiment(api, unique):
    def make(**fields):
        return api.post("experiments/create", {"name": unique("exp"), **fields}).ok["experiment_id"]

    return make


@pytest.fixture
def experiment(new_experiment):
    """The id of a fresh experiment."""
    return new_experiment()


@pytest.fixture
def new_run(api, experiment):
    """A factory of runs in the fresh experiment; returns the run id."""

    def make(**fields):
        body = {"experiment_id": experiment, "start_time": 1, **fields}
        return api.post("runs/create", body).ok["run"]["info"]["run_id"]

    return make


@pytest.fixture
def run(new_run):
    """The id of a fresh run."""
    return new_run()


@pytest.fixture
def read_run(api):
    def read(run_id):
        return api.get("runs/get", run_id=run_id).ok["run"]

    return read


@pytest.fixture
def deleted_run(api, run):
    api.post("runs/delete", run_id=run).ok
    return run


@pytest.fixture
def new_model(api, unique):
    """A factory of registered models; returns the name."""

    def make(**fields):
        name = fields.pop("name", None) or unique("model")
        api.post("registered-models/create", {"name": name, **fields}).ok
        return name

    return make


@pytest.fixture
def model(new_model):
    return new_model()


@pytest.fixture
def new_version(api):
    """A factory of model versions; returns the version as the server prints it."""

    def make(name, **fields):
        body = {"name": name, "source": "s3://bucket/model", **fields}
        return api.post("model-versions/create", body).ok["model_version"]["version"]

    return make


@pytest.fixture
def versions(model, new_version):
    """A model with three versions: its name."""
    for _ in range(3):
        new_version(model)
    return model


@pytest.fixture
def move(api, versions):
    """Moves a version of those to a stage."""

    def transition(version, stage, **fields):
        return api.post("model-versions/transition-stage", name=versions, version=version, stage=stage, **fields)

    return transition


@pytest.fixture
def stages(api, versions):
    """Reads the stage of each of those."""

    def read():
        found = api.get("model-versions/search", filter=f"name = '{versions}'").ok["model_versions"]
        return {version["version"]: version["current_stage"] for version in found}

    return read


@pytest.fixture
def store(client):
    """What the client speaks to the server through, for calls that it has nothing else for."""
    return client._tracking_client.store


@pytest.fixture
def v3(api):
    return api.under("/api/3.0/mlflow/")

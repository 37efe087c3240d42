"""Sources for imports, each made once by MLflow itself, and a Stele to bring them into."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from servers import REPOSITORY, Server, fresh_postgres_database, stele_binary

HERE = Path(__file__).parent
POSTGRES = os.environ.get("STELE_TEST_POSTGRES")
MLFLOW3 = REPOSITORY / ".venv/mlflow3/bin/python"
MLFLOW2 = REPOSITORY / ".venv/mlflow2/bin/python"

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.skipif(not POSTGRES, reason="no STELE_TEST_POSTGRES"))]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STELE_"))}
    return kept | {"MLFLOW_ALLOW_FILE_STORE": "true", "GIT_PYTHON_REFRESH": "quiet", "PYTHONWARNINGS": "ignore"}


def python(interpreter: Path, script: str, *arguments: object, cwd: Path | None = None) -> str:
    """Runs a script beside this file with the MLflow of an environment."""
    command = [str(interpreter), str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, env=environment(), cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{script} failed:\n{done.stderr[-4000:]}"
    return done.stdout


def describe(uri: str, interpreter: Path = MLFLOW3) -> dict:
    return json.loads(python(interpreter, "describe.py", uri))


@dataclass
class Stele:
    """A record and the command over it."""

    data: Path
    database: str

    def run(self, *arguments: object, fails: bool = False) -> subprocess.CompletedProcess[str]:
        place = ["--data", str(self.data), "--database", self.database]
        command = [str(stele_binary()), *map(str, arguments), *place]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240)
        assert (done.returncode != 0) == fails, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: object) -> dict:
        return json.loads(self.run(*arguments, "--json").stdout)

    @contextmanager
    def serving(self, *options: str) -> Iterator[Server]:
        server = Server(self.data, database=self.database, environment=dict(o.split("=", 1) for o in options))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(params=ENGINES)
def stele(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stele]:
    data = tmp_path / "stele"
    if request.param == "sqlite":
        yield Stele(data, f"sqlite:{data}/stele.db")
    else:
        with fresh_postgres_database(POSTGRES or "") as url:
            yield Stele(data, url)


@pytest.fixture
def stele_on_sqlite(tmp_path: Path) -> Stele:
    return Stele(tmp_path / "stele", f"sqlite:{tmp_path}/stele/stele.db")


@dataclass
class Origin:
    """A filled MLflow record: where it is, and what its own client reads there."""

    uri: str
    interpreter: Path
    folder: Path

    def describe(self) -> dict:
        return describe(self.uri, self.interpreter)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` filled, once for all workers of a run: MLflow takes long to start."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            make(folder)
            (folder / "done").touch()
    return folder


def database_by(interpreter: Path, factory: pytest.TempPathFactory, name: str) -> Origin:
    """An SQLite database by an MLflow, with artifacts in local folders."""

    def make(folder: Path) -> None:
        python(interpreter, "fill.py", f"sqlite:///{folder}/mlflow.db", folder / "artifacts", cwd=folder)

    folder = made_once(factory, name, make)
    return Origin(f"sqlite:///{folder}/mlflow.db", interpreter, folder)


@pytest.fixture(scope="session")
def mlflow3(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return database_by(MLFLOW3, tmp_path_factory, "mlflow3")


@pytest.fixture(scope="session")
def mlflow2(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return database_by(MLFLOW2, tmp_path_factory, "mlflow2")


def folder_by(interpreter: Path, factory: pytest.TempPathFactory, name: str) -> Origin:
    """A folder by the file store of an MLflow."""

    def make(folder: Path) -> None:
        python(interpreter, "fill.py", f"file://{folder}/mlruns", cwd=folder)

    folder = made_once(factory, name, make)
    return Origin(f"{folder}/mlruns", interpreter, folder)


@pytest.fixture(scope="session")
def mlruns(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return folder_by(MLFLOW3, tmp_path_factory, "mlruns")


@pytest.fixture(scope="session")
def mlruns2(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    return folder_by(MLFLOW2, tmp_path_factory, "mlruns2")


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema of MLflow 2.9."""
    make = lambda folder: python(MLFLOW2, "old_database.py", folder / "mlflow.db")  # noqa: E731
    return made_once(tmp_path_factory, "old", make) / "mlflow.db"


@contextmanager
def mlflow_server(folder: Path, database: str, interpreter: Path = MLFLOW3) -> Iterator[str]:
    """MLflow's own server, which keeps artifacts for its clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(str(interpreter), "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", database, "--artifacts-destination", str(folder / "served")),
    ]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment(), cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(900):
            assert server.poll() is None, (folder / "server.log").read_text()[-3000:]
            try:
                with urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)

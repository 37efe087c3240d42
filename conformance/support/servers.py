"""Starts the server under test: Stele's release binary, or MLflow's own server as the oracle (`PEER=mlflow`)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 90


def peer_is_mlflow() -> bool:
    return os.environ.get("PEER") == "mlflow"


def stele_binary() -> Path:
    return Path(os.environ.get("STELE_BIN") or REPOSITORY / "target/release/stele")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """One server process over `data`. It can be killed and started again on the same data."""

    data: Path
    database: str | None = None
    artifacts: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @property
    def artifact_root(self) -> Path:
        return self.data / "artifacts"

    def command(self) -> list[str]:
        artifacts = self.artifacts or str(self.artifact_root)
        if peer_is_mlflow():
            database = self.database or f"sqlite:///{self.data}/mlflow.db"
            return [
                *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                *("--host", "127.0.0.1", "--port", str(self.port)),
                *("--backend-store-uri", database.replace("postgres://", "postgresql://")),
                *("--artifacts-destination", artifacts),
            ]
        return [
            *(str(stele_binary()), "serve", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--data", str(self.data)),
            *("--database", self.database or f"sqlite:{self.data}/stele.db"),
            *("--artifacts", artifacts),
        ]

    def start(self) -> Server:
        self.data.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STELE_"))}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=inherited | self.environment,
                cwd=self.data,
                start_new_session=True,
            )
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server stopped with {self.process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(URLError, OSError), urlopen(f"{self.url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"the server did not answer within {START_SECONDS} s:\n{self.log_tail()}")

    def log_tail(self, size: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-size:]

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Ends the server and its workers without a chance to tidy up."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


@contextlib.contextmanager
def running(data: Path, **settings: object) -> Iterator[Server]:
    """A server for the length of a `with` block."""
    server = Server(data, **settings)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def fresh_postgres_database(superuser_url: str) -> Iterator[str]:
    """An empty database in the cluster of `superuser_url`, dropped afterwards. Gives its URL."""
    import psycopg2

    name = f"stele_{uuid.uuid4().hex[:12]}"
    with contextlib.closing(psycopg2.connect(superuser_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(superuser_url)._replace(path=f"/{name}"))
        finally:
            connection.cursor().execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

"""The release binary as people run it: in a folder of its own, with and without a server over it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

import servers

COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)


@dataclass
class Shell:
    """Runs the binary in `folder`, without anything of the environment that settings could come from."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def env(self) -> dict[str, str]:
        unset = ("STELE_", "MLFLOW_", "NO_COLOR", "CLICOLOR")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        return kept | {"TERM": "xterm-256color"} | self.environment

    def __call__(self, *arguments: object, code: int = 0) -> Told:
        line = [str(servers.stele_binary()), *map(str, arguments)]
        ran = subprocess.run(line, cwd=self.folder, env=self.env(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        told = Told(ran.returncode, ran.stdout.decode(), ran.stderr.decode())
        assert told.code == code, f"{line} ended with {told.code}:\n{told.out}\n{told.err}"
        return told

    def on_terminal(self, columns: int, *arguments: object) -> str:
        """What a terminal of so many columns shows, colours and all."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        line = [str(servers.stele_binary()), *map(str, arguments)]
        ran = subprocess.Popen(line, cwd=self.folder, env=self.env(), stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        assert ran.wait(timeout=60) == 0, shown.decode()
        return shown.decode().replace("\r\n", "\n")


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def serve(tmp_path):
    """Starts servers over the data folder that commands look into when they are told nothing."""
    running = []

    def start(**settings) -> servers.Server:
        server = servers.Server(tmp_path / "stele-data", **settings).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


class Record:
    """Writes to a server as MLflow's clients do."""

    def __init__(self, url: str):
        self.url = url

    def post(self, path: str, **body):
        answer = requests.post(f"{self.url}/api/2.0/mlflow/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def run(self, name: str, experiment: str = "0", params=(), metrics=(), tags=()) -> str:
        start = 1_700_000_000_000
        run = self.post("runs/create", experiment_id=experiment, run_name=name, start_time=start)["run"]["info"]["run_id"]
        self.post(
            "runs/log-batch",
            run_id=run,
            params=[{"key": key, "value": value} for key, value in params],
            metrics=[{"key": k, "value": v, "step": s, "timestamp": start + s} for k, s, v in metrics],
            tags=[{"key": key, "value": value} for key, value in tags],
        )
        self.post("runs/update", run_id=run, status="FINISHED", end_time=start + 12_340)
        return run


@pytest.fixture
def record():
    return lambda server: Record(server.url)

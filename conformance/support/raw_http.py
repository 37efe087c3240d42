"""Plain HTTP that sends exactly the bytes it is given: nothing is normalised, retried or followed."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error_code(self) -> str | None:
        """The `error_code` of an error in MLflow's shape, None for anything else."""
        try:
            content = self.json()
        except ValueError:
            return None
        if not isinstance(content, dict) or not isinstance(content.get("message"), str):
            return None
        code = content.get("error_code")
        return code if isinstance(code, str) else None

    def __str__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"


class Wire:
    """One keep-alive connection, opened again when it was lost. Not for use by several threads at once."""

    def __init__(self, url: str, timeout: float = 60, keep_alive: bool = True):
        parts = urlsplit(url)
        self.keep_alive = keep_alive
        self.host, self.port, self.timeout = parts.hostname or "127.0.0.1", parts.port or 80, timeout
        self.connection: http.client.HTTPConnection | None = None

    def send(
        self, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Sends `target` as the request line has it. The target must be ASCII without blanks or line ends."""
        connection = self._connect()
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read()
        except Exception:
            self.close()
            raise
        found = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close or not self.keep_alive:
            self.close()
        return Answer(response.status, found, content)

    def call(self, method: str, path: str, content: Any = None) -> Answer:
        """A JSON request. `path` is relative to the server."""
        if content is None:
            return self.send(method, path)
        return self.send(method, path, json.dumps(content).encode(), JSON)

    def expect(self, method: str, path: str, content: Any = None) -> Any:
        """The same, for requests that must succeed; gives the JSON of the answer."""
        answer = self.call(method, path, content)
        if answer.status != 200:
            raise AssertionError(f"{method} {path}: {answer}")
        return answer.json()

    def _connect(self) -> http.client.HTTPConnection:
        if self.connection is None:
            self.connection = _UncheckedConnection(self.host, self.port, timeout=self.timeout)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class _UncheckedConnection(http.client.HTTPConnection):
    """http.client refuses some of the targets that the hostile tests are about."""

    def _validate_path(self, url: str) -> None:
        pass


def talk_raw(url: str, payload: bytes, timeout: float = 5) -> bytes:
    """Sends bytes that need not be HTTP and gives what came back until the server closed or fell silent."""
    parts = urlsplit(url)
    received = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=timeout) as stream:
        try:
            stream.sendall(payload)
            stream.shutdown(socket.SHUT_WR)
            while len(received) < 1_000_000 and (chunk := stream.recv(65536)):
                received += chunk
        except OSError:
            pass
    return received

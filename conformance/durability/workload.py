"""What concurrent clients wrote while the server was being killed, and what of it must be there afterwards.

Every writer owns one run (or model, or folder), so that its own bookkeeping is the whole truth about it. A write is
*acknowledged* when its answer arrived with status 200; the last write of a writer is *open* when the connection broke before an
answer came: it may have happened or not, but never by half and never twice.
"""

from __future__ import annotations

import hashlib
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from raw_http import Wire

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"

Point = tuple[str, float, int, int]


class Refused(Exception):
    """The server answered, but not with 200."""


class Writer(ABC):
    """One client: writes until the connection breaks, sends its last request again later, and checks the outcome."""

    retry_is_safe = True

    def __init__(self, wire: Wire, experiment_id: str, name: str):
        self.wire, self.experiment_id, self.name = wire, experiment_id, name
        self.run_id = ""
        self.acknowledged: list[Any] = []
        self.open: Any = None

    def prepare(self) -> None:
        self.run_id = create_run(self.wire, self.experiment_id, self.name)

    def write_until(self, stop: threading.Event) -> None:
        number = 0
        while not stop.is_set():
            self.open = self.make(number)
            try:
                self.send(self.open)
            except (OSError, HTTPException):
                return
            self.acknowledged.append(self.open)
            self.open = None
            number += 1

    def send_open_again(self) -> None:
        """What a client does that got no answer: the same request once more."""
        if self.open is not None and self.retry_is_safe:
            self.send(self.open)
            self.acknowledged.append(self.open)
            self.open = None

    def post(self, path: str, content: dict[str, Any]) -> Any:
        answer = self.wire.call("POST", API + path, content)
        if answer.status != 200:
            raise Refused(f"{self.name}: {path} answered {answer}")
        return answer.json()

    def run(self) -> dict[str, Any]:
        return self.wire.expect("GET", f"{API}/runs/get?run_id={self.run_id}")["run"]

    @abstractmethod
    def make(self, number: int) -> Any: ...

    @abstractmethod
    def send(self, write: Any) -> None: ...

    @abstractmethod
    def check(self) -> None: ...


class PointWriter(Writer):
    """Metric points, through log-metric one by one or through log-batch."""

    batch_size = 1
    keys = ("loss", "accuracy")

    def make(self, number: int) -> list[Point]:
        first = number * self.batch_size
        return [
            (self.keys[index % len(self.keys)], random.random(), 1_700_000_000_000 + index, index)
            for index in range(first, first + self.batch_size)
        ]

    def send(self, write: list[Point]) -> None:
        if self.batch_size > 1:
            metrics = [_metric(point) for point in write]
            self.post("/runs/log-batch", {"run_id": self.run_id, "metrics": metrics})
        else:
            self.post("/runs/log-metric", {"run_id": self.run_id, **_metric(write[0])})

    def check(self) -> None:
        found = [point for key in self.keys for point in self._history(key)]
        written = {point for write in self.acknowledged for point in write}
        assert len(found) == len(set(found)), f"{self.name}: {len(found) - len(set(found))} points twice"
        lost = written - set(found)
        assert not lost, f"{self.name}: {len(lost)} acknowledged points lost, such as {min(lost)}"
        extra = set(found) - written
        assert extra in (set(), set(self.open or ())), f"{self.name}: {len(extra)} points of an unfinished write"
        latest = {metric["key"]: metric["step"] for metric in self.run()["data"].get("metrics", [])}
        for key in self.keys:
            steps = [step for name, _, _, step in found if name == key]
            assert latest.get(key) == (max(steps) if steps else None), (
                f"{self.name}: latest {key} is not the last point"
            )

    def _history(self, key: str) -> Iterable[Point]:
        answer = self.wire.expect("GET", f"{API}/metrics/get-history?run_id={self.run_id}&metric_key={key}")
        return [(m["key"], m["value"], m["timestamp"], m["step"]) for m in answer.get("metrics", [])]


class BatchWriter(PointWriter):
    batch_size = 100


class ParamWriter(Writer):
    def make(self, number: int) -> tuple[str, str]:
        return f"param-{number}", f"{random.random()}"

    def send(self, write: tuple[str, str]) -> None:
        self.post("/runs/log-parameter", {"run_id": self.run_id, "key": write[0], "value": write[1]})

    def check(self) -> None:
        found = [(param["key"], param["value"]) for param in self.run()["data"].get("params", [])]
        self.check_pairs(found)

    def check_pairs(self, found: list[tuple[str, str]]) -> None:
        assert len(found) == len({key for key, _ in found}), f"{self.name}: a key twice"
        lost = set(self.acknowledged) - set(found)
        assert not lost, f"{self.name}: {len(lost)} acknowledged lost, such as {min(lost)}"
        assert set(found) - set(self.acknowledged) <= {self.open}, f"{self.name}: something nobody wrote"


class TagWriter(ParamWriter):
    """New tags, and one that is overwritten again and again."""

    def make(self, number: int) -> tuple[str, str]:
        return ("counter", str(number)) if number % 2 else (f"tag-{number}", f"{random.random()}")

    def send(self, write: tuple[str, str]) -> None:
        self.post("/runs/set-tag", {"run_id": self.run_id, "key": write[0], "value": write[1]})

    def check(self) -> None:
        tags = {tag["key"]: tag["value"] for tag in self.run()["data"].get("tags", [])}
        counts = [value for key, value in self.acknowledged if key == "counter"]
        allowed = {counts[-1] if counts else None}
        if self.open and self.open[0] == "counter":
            allowed.add(self.open[1])
        assert tags.get("counter") in allowed, f"{self.name}: the counter went back to {tags.get('counter')}"
        written = {(key, value) for key, value in self.acknowledged if key != "counter"}
        lost = written - set(tags.items())
        assert not lost, f"{self.name}: {len(lost)} acknowledged lost"


class RunWriter(Writer):
    """Creates runs with a name of their own. A second request would be a second run, so there is no retry."""

    retry_is_safe = False

    def prepare(self) -> None:
        pass

    def make(self, number: int) -> str:
        return f"{self.name}-{number}"

    def send(self, write: str) -> None:
        create_run(self.wire, self.experiment_id, write)

    def check(self) -> None:
        found = [
            run["info"]["run_name"]
            for run in pages(
                self.wire, "/runs/search", "runs", {"experiment_ids": [self.experiment_id], "max_results": 1000}
            )
            if run["info"]["run_name"].startswith(self.name + "-")
        ]
        check_exactly_once(self, found)


class VersionWriter(Writer):
    """Creates versions of one registered model, told apart by a tag."""

    retry_is_safe = False

    def prepare(self) -> None:
        super().prepare()
        self.post("/registered-models/create", {"name": self.name})
        self.source = f"{self.run()['info']['artifact_uri']}/model"

    def make(self, number: int) -> str:
        return f"version-{number}"

    def send(self, write: str) -> None:
        tags = [{"key": "mark", "value": write}]
        self.post(
            "/model-versions/create", {"name": self.name, "source": self.source, "run_id": self.run_id, "tags": tags}
        )

    def check(self) -> None:
        condition = quote(f"name='{self.name}'")
        versions = self.wire.expect("GET", f"{API}/model-versions/search?filter={condition}&max_results=10000")
        found = versions.get("model_versions", [])
        numbers = [version["version"] for version in found]
        assert len(numbers) == len(set(numbers)), f"{self.name}: a version number twice"
        check_exactly_once(self, [version["tags"][0]["value"] for version in found])


class ArtifactWriter(Writer):
    """Uploads files; each is either whole or absent."""

    def make(self, number: int) -> tuple[str, int, int]:
        return f"folder-{number % 3}/file-{number}.bin", number, random.choice((0, 100, 20_000, 300_000))

    def send(self, write: tuple[str, int, int]) -> None:
        answer = self.wire.send("PUT", self._target(write), _content(write))
        if answer.status != 200:
            raise Refused(f"{self.name}: {write[0]} answered {answer}")

    def check(self) -> None:
        for write in self.acknowledged:
            answer = self.wire.send("GET", self._target(write))
            assert answer.status == 200, f"{self.name}: {write[0]} is lost: {answer}"
            assert answer.body == _content(write), f"{self.name}: {write[0]} is not what was sent"
        if self.open is not None:
            answer = self.wire.send("GET", self._target(self.open))
            whole = answer.status == 200 and answer.body == _content(self.open)
            assert whole or answer.status == 404, f"{self.name}: {self.open[0]} is torn: {answer}"

    def _target(self, write: tuple[str, int, int]) -> str:
        return f"{ARTIFACTS}/{self.experiment_id}/{self.run_id}/artifacts/{write[0]}"


WRITERS: tuple[tuple[type[Writer], int], ...] = (
    (BatchWriter, 3),
    (PointWriter, 2),
    (ParamWriter, 1),
    (TagWriter, 1),
    (RunWriter, 1),
    (VersionWriter, 1),
    (ArtifactWriter, 2),
)


def create_run(wire: Wire, experiment_id: str, name: str) -> str:
    answer = wire.call(
        "POST",
        f"{API}/runs/create",
        {"experiment_id": experiment_id, "run_name": name, "start_time": 1_700_000_000_000},
    )
    if answer.status != 200:
        raise Refused(f"runs/create answered {answer}")
    return answer.json()["run"]["info"]["run_id"]


def pages(wire: Wire, path: str, field: str, request: dict[str, Any]) -> Iterable[dict[str, Any]]:
    token = None
    while True:
        answer = wire.expect("POST", API + path, request | ({"page_token": token} if token else {}))
        yield from answer.get(field, [])
        if not (token := answer.get("next_page_token")):
            return


def check_exactly_once(writer: Writer, found: list[str]) -> None:
    assert len(found) == len(set(found)), f"{writer.name}: something is there twice"
    lost = set(writer.acknowledged) - set(found)
    assert not lost, f"{writer.name}: {len(lost)} acknowledged lost, such as {min(lost)}"
    assert set(found) - set(writer.acknowledged) <= {writer.open}, f"{writer.name}: something nobody wrote"


def _metric(point: Point) -> dict[str, Any]:
    key, value, timestamp, step = point
    return {"key": key, "value": value, "timestamp": timestamp, "step": step}


def _content(write: tuple[str, int, int]) -> bytes:
    path, number, size = write
    seed = hashlib.sha256(f"{path}{number}".encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]

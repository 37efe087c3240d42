"""Two servers over one database: what one acknowledged, the other knows, and concurrent writers through both step on nobody's toes.

Needs Stele on PostgreSQL (STELE_TEST_POSTGRES, the URL of a superuser's database).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import pytest
from raw_http import Wire
from servers import fresh_postgres_database, peer_is_mlflow, running

API = "/api/2.0/mlflow"
POSTGRES = os.environ.get("STELE_TEST_POSTGRES")
pytestmark = [
    pytest.mark.skipif(not POSTGRES, reason="STELE_TEST_POSTGRES is not set"),
    pytest.mark.skipif(peer_is_mlflow(), reason="about Stele's own promise"),
]


@dataclass
class Pair:
    first: str
    second: str
    experiment: str = ""

    def wires(self) -> tuple[Wire, Wire]:
        return Wire(self.first), Wire(self.second)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    base = tmp_path_factory.mktemp("two")
    artifacts = str(base / "artifacts")
    with (
        fresh_postgres_database(POSTGRES or "") as database,
        running(base / "one", database=database, artifacts=artifacts) as one,
        running(base / "two", database=database, artifacts=artifacts) as two,
    ):
        made = Pair(one.url, two.url)
        made.experiment = post(Wire(one.url), "/experiments/create", name="shared")["experiment_id"]
        yield made


def post(wire: Wire, path: str, **content: object):
    return wire.expect("POST", API + path, content)


def new_run(wire: Wire, experiment: str) -> str:
    return post(wire, "/runs/create", experiment_id=experiment, start_time=1)["run"]["info"]["run_id"]


def test_they_start_at_once_on_an_empty_database(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both want to create the schema."""
    base = tmp_path_factory.mktemp("race")
    with fresh_postgres_database(POSTGRES or "") as database:

        def start_and_ask(number: int) -> str:
            with running(base / str(number), database=database) as server:
                found = Wire(server.url).expect("GET", f"{API}/experiments/get?experiment_id=0")
                return found["experiment"]["name"]

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(start_and_ask, range(4))) == ["Default"] * 4


def test_what_one_writes_the_other_reads(pair: Pair) -> None:
    one, two = pair.wires()
    run = new_run(one, pair.experiment)
    for step, (writer, reader) in zip(range(40), cycle([(one, two), (two, one)])):
        post(writer, "/runs/log-metric", run_id=run, key="m", value=step, timestamp=step, step=step)
        post(writer, "/runs/set-tag", run_id=run, key="step", value=str(step))
        found = reader.expect("GET", f"{API}/runs/get?run_id={run}")["run"]["data"]
        assert [(metric["key"], metric["value"]) for metric in found["metrics"]] == [("m", step)]
        assert {"key": "step", "value": str(step)} in found["tags"]
    history = two.expect("GET", f"{API}/metrics/get-history?run_id={run}&metric_key=m")["metrics"]
    assert [metric["step"] for metric in history] == list(range(40))


def test_one_series_through_both(pair: Pair) -> None:
    run = new_run(Wire(pair.first), pair.experiment)

    def write(number: int) -> None:
        wire = Wire(pair.first if number % 2 else pair.second)
        for batch in range(10):
            start = number * 1000 + batch * 50
            metrics = [
                {"key": "m", "value": step, "timestamp": step, "step": step} for step in range(start, start + 50)
            ]
            post(wire, "/runs/log-batch", run_id=run, metrics=metrics)
            # The same batch again, through the other server, as after an answer that was lost.
            post(Wire(pair.second if number % 2 else pair.first), "/runs/log-batch", run_id=run, metrics=metrics)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    for wire in pair.wires():
        history = wire.expect("GET", f"{API}/metrics/get-history?run_id={run}&metric_key=m")["metrics"]
        assert sorted(metric["step"] for metric in history) == sorted(
            n * 1000 + s for n in range(8) for s in range(500)
        )
        latest = wire.expect("GET", f"{API}/runs/get?run_id={run}")["run"]["data"]["metrics"]
        assert [(metric["step"], metric["value"]) for metric in latest] == [(7499, 7499)]


def test_a_param_is_written_once(pair: Pair) -> None:
    """Of many that set one param to different values at once, one wins and the others are told."""
    run = new_run(Wire(pair.first), pair.experiment)

    def write(number: int) -> tuple[int, int]:
        wire = Wire(pair.first if number % 2 else pair.second)
        request = {"run_id": run, "key": "p", "value": str(number)}
        return number, wire.call("POST", f"{API}/runs/log-parameter", request).status

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, range(16)))
    winners = [number for number, status in outcomes if status == 200]
    assert sorted({status for _, status in outcomes}) == [200, 400]
    assert len(winners) == 1
    params = Wire(pair.second).expect("GET", f"{API}/runs/get?run_id={run}")["run"]["data"]["params"]
    assert params == [{"key": "p", "value": str(winners[0])}]


def test_version_numbers_are_given_once(pair: Pair) -> None:
    one = Wire(pair.first)
    post(one, "/registered-models/create", name="shared")

    def create(number: int) -> str:
        wire = Wire(pair.first if number % 2 else pair.second)
        return post(wire, "/model-versions/create", name="shared", source="s3://b/m")["model_version"]["version"]

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(create, range(40)))
    assert sorted(map(int, versions)) == list(range(1, 41))


def test_names_are_given_once(pair: Pair) -> None:
    for path, field in (("/experiments/create", "name"), ("/registered-models/create", "name")):

        def create(number: int, path: str = path, field: str = field) -> int:
            wire = Wire(pair.first if number % 2 else pair.second)
            return wire.call("POST", API + path, {field: "wanted by all"}).status

        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(create, range(16)))
        assert sorted(statuses) == [200] + [400] * 15


def test_one_version_in_production(pair: Pair) -> None:
    """However the transitions interleave, at most one version is left in the stage."""
    one = Wire(pair.first)
    post(one, "/registered-models/create", name="promoted")
    for _ in range(8):
        post(one, "/model-versions/create", name="promoted", source="s3://b/m")

    def promote(number: int) -> int:
        wire = Wire(pair.first if number % 2 else pair.second)
        request = {
            "name": "promoted",
            "version": str(number + 1),
            "stage": "Production",
            "archive_existing_versions": True,
        }
        return wire.call("POST", f"{API}/model-versions/transition-stage", request).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(promote, range(8))) == {200}
    found = Wire(pair.second).expect("GET", f"{API}/model-versions/search?filter=name%3D%27promoted%27")[
        "model_versions"
    ]
    stages = [version["current_stage"] for version in found]
    assert (stages.count("Production"), stages.count("Archived")) == (1, 7)


def test_artifacts_through_both(pair: Pair) -> None:
    one, two = pair.wires()
    run = new_run(one, pair.experiment)
    base = f"/api/2.0/mlflow-artifacts/artifacts/{pair.experiment}/{run}/artifacts"
    assert one.send("PUT", f"{base}/a.txt", b"from one").status == 200
    assert two.send("GET", f"{base}/a.txt").body == b"from one"

"""The exact chart: what MLflow's clients log, drawn through the native API, over plain HTTP."""

import math
import random

import pytest
import requests

BATCH = 1000


@pytest.fixture(scope="session")
def mlflow_api(server):
    session = requests.Session()

    def post(path, **body):
        answer = session.post(f"{server.url}/api/2.0/mlflow/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    return post


@pytest.fixture
def run(mlflow_api):
    return mlflow_api("runs/create", experiment_id="0")["run"]["info"]["run_id"]


@pytest.fixture
def envelope(server, run):
    def get(run_id=run, **query):
        return requests.get(f"{server.url}/api/stele/v1/runs/{run_id}/metrics/envelope", params=query, timeout=60)

    return get


def number(value):
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value, value)


def triple(point):
    return None if point is None else (point["step"], point["timestamp"], point["value"])


def test_no_spike_is_missed(mlflow_api, run, envelope):
    chance = random.Random(7)
    points = [(step, 1_700_000_000_000 + 90 * step, chance.gauss(0, 1)) for step in range(-500, 9500)]
    for spike in chance.sample(range(len(points)), 40):
        step, timestamp, _ = points[spike]
        points[spike] = (step, timestamp, chance.choice([1e6, -1e6]) * chance.random())
    for step in (0, 4000, 4001):
        points[step] = (*points[step][:2], "NaN")
    shuffled = [points[start : start + BATCH] for start in range(0, len(points), BATCH)]
    chance.shuffle(shuffled)
    for batch in shuffled:
        metrics = [{"key": "val/loss", "step": s, "timestamp": t, "value": v} for s, t, v in batch]
        mlflow_api("runs/log-batch", run_id=run, metrics=metrics)

    for buckets in (1, 7, 100, 333, 10_000):
        answer = envelope(key="val/loss", buckets=buckets)
        assert answer.status_code == 200, answer.text
        drawn = answer.json()
        assert (drawn["first_step"], drawn["last_step"], drawn["points"]) == (-500, 9499, len(points))
        assert drawn["bucket_count"] == buckets
        covered = 0
        for bucket in drawn["buckets"]:
            inside = [p for p in points[bucket["first_step"] + 500 : bucket["last_step"] + 501]]
            covered += len(inside)
            numbers = [p for p in inside if p[2] != "NaN"]
            assert (bucket["points"], bucket["nan"]) == (len(inside), len(inside) - len(numbers))
            assert (triple(bucket["first"]), triple(bucket["last"])) == (inside[0], inside[-1])
            assert triple(bucket["min"]) == min(numbers, key=lambda p: p[2], default=None)
            assert triple(bucket["max"]) == max(numbers, key=lambda p: p[2], default=None)
        assert covered == len(points)


def test_a_range_of_steps(mlflow_api, run, envelope):
    metrics = [{"key": "m", "step": step, "timestamp": step, "value": step * 0.5} for step in range(100)]
    mlflow_api("runs/log-batch", run_id=run, metrics=metrics)
    drawn = envelope(key="m", buckets=4, first_step=10, last_step=29).json()
    assert [(b["first_step"], b["last_step"], b["points"]) for b in drawn["buckets"]] == [
        (10, 14, 5), (15, 19, 5), (20, 24, 5), (25, 29, 5),
    ]  # fmt: skip
    assert [number(b["max"]["value"]) for b in drawn["buckets"]] == [7.0, 9.5, 12.0, 14.5]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"key": "m", "buckets": 0}, 400, "invalid"),
        ({"key": "m", "buckets": 10_001}, 400, "invalid"),
        ({"key": "m", "bucket": 5}, 400, "invalid"),
        ({"key": "m", "first_step": 2, "last_step": 1}, 400, "invalid"),
        ({"key": "never logged"}, 404, "not_found"),
        ({"key": "m", "run_id": "nobody"}, 404, "not_found"),
    ],
)
def test_problems(envelope, query, status, code):
    answer = envelope(**query)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["code"]) == (status, code)

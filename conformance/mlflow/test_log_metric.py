"""runs/log-metric: what is accepted, refused and shown as the latest value."""

import math

import pytest
from mlflow.exceptions import MlflowException

from wire import missing, wrong_type

LARGEST = 1.7976931348623157e308


@pytest.fixture
def log(api, run):
    def send(**fields):
        return api.post("runs/log-metric", {"run_id": run, "key": "m", "value": 1, "timestamp": 10, **fields})

    return send


@pytest.fixture
def latest(read_run, run):
    return lambda: {metric["key"]: metric for metric in read_run(run)["data"].get("metrics", [])}


def test_shape(log, latest):
    assert log(value=1.5, timestamp=20, step=3).ok == {}
    assert latest() == {"m": {"key": "m", "value": 1.5, "timestamp": 20, "step": 3}}


def test_step_defaults_to_zero(log, latest):
    log().ok
    assert latest()["m"] == {"key": "m", "value": 1.0, "timestamp": 10, "step": 0}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (0, 0.0),
        (-2.5, -2.5),
        (0.1, 0.1),
        (5e-324, 5e-324),
        (1e300, 1e300),
        (123456789012345678, 1.2345678901234568e17),
        ("12.5", 12.5),
        ("NaN", "NaN"),
        ("Infinity", LARGEST),
        ("-Infinity", -LARGEST),
        (LARGEST, LARGEST),
    ],
)
def test_values(log, latest, sent, stored):
    log(value=sent).ok
    found = latest()["m"]["value"]
    assert found == stored
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("timestamp", "step"),
    [(0, 0), (1, -1), (2**63 - 1, 2**63 - 1), (5, -(2**63)), ("20", "3"), (20.0, 4.0), (7, None)],
)
def test_integers(log, latest, timestamp, step):
    log(timestamp=timestamp, step=step).ok
    assert latest()["m"]["timestamp"] == int(timestamp)
    assert latest()["m"]["step"] == int(step or 0)


@pytest.mark.parametrize("key", ["a", "a b", "a/b/c", "val-loss_1.x:y", "größe", "m" * 250])
def test_good_keys(log, latest, key):
    log(key=key).ok
    assert set(latest()) == {key}


def test_run_uuid_names_the_run(api, run, latest):
    api.post("runs/log-metric", run_uuid=run, key="m", value=1, timestamp=1).ok
    assert "m" in latest()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"run_id": None}, missing("run_id")),
        ({"run_id": ""}, missing("run_id")),
        ({"run_id": 31}, wrong_type(31, "run_id", "int")),
        ({"key": None}, missing("key")),
        ({"key": ""}, missing("key")),
        ({"key": 31}, wrong_type(31, "key", "int")),
        ({"value": None}, missing("value")),
        ({"value": ""}, missing("value")),
        ({"value": "abc"}, wrong_type("abc", "value", "str")),
        ({"timestamp": None}, missing("timestamp")),
        ({"timestamp": "foo"}, wrong_type("foo", "timestamp", "str")),
        ({"step": "foo"}, wrong_type("foo", "step", "str")),
        (
            {"timestamp": -1},
            "Invalid value -1 for parameter 'timestamp' supplied: metric 'm' (value=1.0). "
            "Timestamp must be a nonnegative long (64-bit integer) ",
        ),
        ({"key": "k" * 251}, "'Metric name' exceeds the maximum length of 250 characters"),
        (
            {"key": "a/../b"},
            "Invalid value \"a/../b\" for parameter 'name' supplied: Names may be treated as files in certain cases, "
            "and must not resolve to other names when treated as such. This name would resolve to 'b'",
        ),
        (
            {"key": "a(b)"},
            "Invalid value \"a(b)\" for parameter 'name' supplied: Names may only contain alphanumerics, "
            "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).",
        ),
    ],
)
def test_refusals(log, latest, fields, message):
    log(**fields).invalid(exactly=message)
    assert latest() == {}


def test_the_first_bad_field_is_named(api):
    api.post("runs/log-metric", {}).invalid(exactly=missing("run_id"))
    api.post("runs/log-metric", run_id="r").invalid(exactly=missing("key"))
    api.post("runs/log-metric", run_id="r", key="k").invalid(exactly=missing("value"))
    api.post("runs/log-metric", run_id="r", key="k", value=1).invalid(exactly=missing("timestamp"))


def test_the_metric_is_checked_before_the_run(api):
    bad = {"run_id": "nobody", "key": "a(b)", "value": 1, "timestamp": 1}
    api.post("runs/log-metric", bad).invalid("Names may only contain")
    api.post("runs/log-metric", bad, key="a").absent(exactly="Run with id=nobody not found")


@pytest.mark.parametrize(
    ("points", "winner"),
    [
        # (value, timestamp, step)
        ([(1, 10, 0), (2, 20, 0)], 1),
        ([(1, 20, 0), (2, 10, 0)], 0),
        ([(1, 10, 5), (2, 99, 4)], 0),
        ([(1, 99, 4), (2, 10, 5)], 1),
        ([(5, 10, 1), (3, 10, 1)], 0),
        ([(3, 10, 1), (5, 10, 1)], 1),
        ([(-1, 10, -5), (-2, 10, -7)], 0),
        ([(1, 10, 0), (1, 10, 0)], 0),
        ([(-1, 10, 0), ("NaN", 10, 0)], 1),
        ([(1, 10, 0), ("NaN", 10, 0)], 0),
        ([("NaN", 10, 0), (1, 10, 0)], 1),
        ([("NaN", 10, 0), (-1, 10, 0)], 0),
        ([("NaN", 10, 1), (9, 10, 0)], 0),
        ([("Infinity", 10, 0), (9, 10, 1)], 1),
    ],
)
def test_latest_is_the_greatest_step_then_time_then_value(log, latest, points, winner):
    for value, timestamp, step in points:
        log(value=value, timestamp=timestamp, step=step).ok
    value, timestamp, step = points[winner]
    expected = LARGEST if value == "Infinity" else value
    found = latest()["m"]
    assert (found["value"], found["timestamp"], found["step"]) == (expected, timestamp, step)


def test_the_same_point_twice_is_one_point(api, log, run):
    for _ in range(3):
        log(value="NaN").ok
        log(value=2).ok
    history = api.get("metrics/get-history", run_id=run, metric_key="m").ok["metrics"]
    assert [point["value"] for point in history] == ["NaN", 2.0]


def test_client_values(client, run):
    client.log_metric(run, "plain", 123.456, timestamp=789, step=2)
    client.log_metric(run, "nan", float("nan"))
    client.log_metric(run, "inf", math.inf)
    client.log_metric(run, "-inf", -math.inf)
    client.log_metric(run, "bool", True)
    metrics = client.get_run(run).data.metrics
    assert metrics["plain"] == 123.456
    assert math.isnan(metrics["nan"])
    assert metrics["inf"] >= LARGEST
    assert metrics["-inf"] <= -LARGEST
    assert metrics["bool"] == 1.0


def test_client_errors(client, run):
    with pytest.raises(MlflowException, match="Names may be treated as files"):
        client.log_metric(run, "../m", 1)
    with pytest.raises(MlflowException, match="Run with id=nobody not found") as caught:
        client.log_metric("nobody", "m", 1)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"

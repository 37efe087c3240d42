"""runs/log-batch: many metrics, params and tags in one call."""

import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from wire import mapping, missing, wrong_type


def points(count, **fields):
    return [{"key": f"m{i}", "value": i, "timestamp": 1, **fields} for i in range(count)]


def entries(count, prefix="k"):
    return [{"key": f"{prefix}{i}", "value": str(i)} for i in range(count)]


@pytest.fixture
def send(api, run):
    return lambda **fields: api.post("runs/log-batch", {"run_id": run, **fields})


@pytest.fixture
def data(read_run, run):
    def read():
        found = read_run(run)["data"]
        tags = mapping(found.get("tags"))
        tags.pop("mlflow.runName", None)
        metrics = {metric["key"]: metric["value"] for metric in found.get("metrics", [])}
        return metrics, mapping(found.get("params")), tags

    return read


def test_all_three_kinds(send, data):
    answer = send(
        metrics=[{"key": "m", "value": 1.5, "timestamp": 2, "step": 3}],
        params=[{"key": "p", "value": "v"}, {"key": "empty", "value": ""}, {"key": "none"}],
        tags=[{"key": "t", "value": "w"}, {"key": "empty", "value": ""}, {"key": "none"}],
    )
    assert answer.ok == {}
    assert data() == ({"m": 1.5}, {"p": "v", "empty": "", "none": ""}, {"t": "w", "empty": "", "none": ""})


def test_nothing_at_all(send, data):
    assert send().ok == {}
    assert send(metrics=[], params=[], tags=[]).ok == {}
    assert data() == ({}, {}, {})


def test_steps_default_to_zero(api, send, run):
    send(metrics=[{"key": "m", "value": 1, "timestamp": 5}]).ok
    history = api.get("metrics/get-history", run_id=run, metric_key="m").ok["metrics"]
    assert history == [{"key": "m", "value": 1.0, "timestamp": 5, "step": 0}]


def test_largest_batches(send, data):
    send(metrics=points(1000)).ok
    send(params=entries(100), tags=entries(100, "t"), metrics=points(800)).ok
    metrics, params, tags = data()
    assert (len(metrics), len(params), len(tags)) == (1000, 100, 100)
    assert metrics["m999"] == 999.0


@pytest.mark.parametrize(
    ("fields", "limit", "count", "kind"),
    [
        ({"metrics": points(1001)}, 1000, 1001, "metrics"),
        ({"params": entries(101)}, 100, 101, "params"),
        ({"tags": entries(101)}, 100, 101, "tags"),
        ({"metrics": points(950), "params": entries(51)}, 1000, 1001, "metrics, params, and tags"),
        ({"metrics": points(950), "params": entries(25), "tags": entries(26)}, 1000, 1001, "metrics, params, and tags"),
    ],
)
def test_limits(send, data, fields, limit, count, kind):
    send(**fields).invalid(
        exactly=f"A batch logging request can contain at most {limit} {kind}. Got {count} {kind}. "
        f"Please split up {kind} across multiple requests and try again."
    )
    assert data() == ({}, {}, {})


@pytest.mark.parametrize("kind", ["metrics", "params", "tags"])
def test_kinds_must_be_lists(send, kind):
    send(**{kind: "foo"}).invalid(exactly=wrong_type("foo", kind, "str"))
    send(**{kind: 5}).invalid(exactly=wrong_type(5, kind, "int"))


@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"metrics": [{"value": 1, "timestamp": 1}]}, "metrics[0].key"),
        ({"metrics": [{"key": "", "value": 1, "timestamp": 1}]}, "metrics[0].key"),
        ({"metrics": [{"key": "m", "timestamp": 1}]}, "metrics[0].value"),
        ({"metrics": [{"key": "m", "value": 2.5}]}, "metrics[0].timestamp"),
        ({"metrics": [*points(3), {"key": "m", "value": 1}]}, "metrics[3].timestamp"),
        ({"params": [{"value": "v"}]}, "params[0].key"),
        ({"params": [*entries(2), {"key": None, "value": "v"}]}, "params[2].key"),
        ({"tags": [{"key": "", "value": "v"}]}, "tags[0].key"),
        ({"tags": [*entries(1), {"value": "v"}]}, "tags[1].key"),
    ],
)
def test_items_need_their_fields(send, data, fields, parameter):
    send(**fields).invalid(exactly=missing(parameter))
    assert data() == ({}, {}, {})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"metrics": points(1) + points(1, key="a//b")}, "Invalid value \"a//b\" for parameter 'metrics[1].name' supplied: Names may be treated as files"),
        ({"metrics": points(1, key="a(b)")}, "Invalid value \"a(b)\" for parameter 'metrics[0].name' supplied: Names may only contain"),
        ({"metrics": points(1, timestamp=-5)}, "Invalid value -5 for parameter 'metrics[0].timestamp' supplied: metric 'm0' (value=0.0). Timestamp must be"),
        ({"metrics": points(1, key="k" * 251)}, "'Metric name' exceeds the maximum length of 250 characters"),
        ({"params": [{"key": "..", "value": "v"}]}, "Invalid value \"..\" for parameter 'params[0].key' supplied: Names may be treated as files"),
        ({"params": [{"key": "a#", "value": "v"}]}, "Invalid value \"a#\" for parameter 'params[0].key' supplied: Names may only contain"),
        ({"params": [{"key": "k" * 251, "value": "v"}]}, "'Param key' exceeds the maximum length of 250 characters"),
        ({"tags": [{"key": "/a", "value": "v"}]}, "Invalid value \"/a\" for parameter 'tags[0].key' supplied: Names may be treated as files"),
        ({"tags": [{"key": "k" * 251, "value": "v"}]}, "'tags[0].key' exceeds the maximum length of 250 characters"),
        (
            {"params": [{"key": "d", "value": "1"}, {"key": "e", "value": "1"}, {"key": "d", "value": "1"}]},
            "Duplicate parameter keys have been submitted: ['d']. Please ensure the request contains only one param value per param key.",
        ),
    ],
)  # fmt: skip
def test_one_bad_item_refuses_the_batch(send, data, fields, text):
    good = {"metrics": points(1), "params": entries(1), "tags": entries(1)}
    send(**{**good, **fields}).invalid(text)
    assert data() == ({}, {}, {})


def test_run_id_refusals(api):
    api.post("runs/log-batch", {}).invalid(exactly=missing("run_id"))
    api.post("runs/log-batch", run_id=31).invalid(exactly=wrong_type(31, "run_id", "int"))
    api.post("runs/log-batch", run_id="bad id!").invalid(
        exactly="Invalid value \"bad id!\" for parameter 'run_id' supplied."
    )
    api.post("runs/log-batch", run_id="nobody").absent(exactly="Run with id=nobody not found")


def test_values_are_cut(send, data):
    send(params=[{"key": "p", "value": "v" * 6001}], tags=[{"key": "t", "value": "w" * 8001}]).ok
    assert data() == ({}, {"p": "v" * 6000}, {"t": "w" * 8000})


def test_params_do_not_change_and_nothing_else_is_stored_then(send, data, run):
    send(params=[{"key": "p", "value": "1"}]).ok
    send(params=[{"key": "p", "value": "1"}, {"key": "q", "value": "2"}]).ok
    send(
        params=[{"key": "p", "value": "other"}, {"key": "r", "value": "3"}],
        metrics=points(1),
        tags=entries(1),
    ).invalid(
        exactly="Changing param values is not allowed. Params were already logged="
        f"'[{{'key': 'p', 'old_value': '1', 'new_value': 'other'}}]' for run ID='{run}'."
    )
    assert data() == ({}, {"p": "1", "q": "2"}, {})


def test_all_changed_params_are_listed(send):
    send(params=entries(3)).ok
    message = send(params=[{"key": f"k{i}", "value": "x"} for i in range(3)]).invalid("Changing param values")
    for i in range(3):
        assert f"{{'key': 'k{i}', 'old_value': '{i}', 'new_value': 'x'}}" in message


def test_last_of_equal_tags_wins(send, data):
    send(tags=[{"key": "t", "value": "old"}]).ok
    send(
        tags=[
            {"key": "t", "value": "1"},
            {"key": "u", "value": "1"},
            {"key": "t", "value": "2"},
            {"key": "u", "value": "2"},
        ]
    ).ok
    assert data()[2] == {"t": "2", "u": "2"}


def test_repeated_points_are_stored_once(api, send, run):
    one = [
        {"key": "m", "value": v, "timestamp": t, "step": s}
        for v, t, s in [(1, 5, 0), (1, 5, 0), ("NaN", 5, 0), ("NaN", 5, 0), (2, 5, 0)]
    ]
    for _ in range(2):
        send(metrics=one).ok
    send(metrics=[*one, {"key": "m", "value": 3, "timestamp": 6, "step": 0}]).ok
    history = api.get("metrics/get-history", run_id=run, metric_key="m").ok["metrics"]
    assert [point["value"] for point in history] == ["NaN", 1.0, 2.0, 3.0]


def test_repeats_among_new_points_of_many_keys(api, send, run, data):
    old = points(150)
    send(metrics=old).ok
    send(metrics=old).ok
    send(metrics=[*old, *points(150, timestamp=2, step=1)]).ok
    assert data()[0] == {f"m{i}": float(i) for i in range(150)}
    for key in ("m0", "m75", "m149"):
        history = api.get("metrics/get-history", run_id=run, metric_key=key).ok["metrics"]
        assert [(point["timestamp"], point["step"]) for point in history] == [(1, 0), (2, 1)]


def test_latest_within_one_batch(send, data):
    send(
        metrics=[{"key": "m", "value": v, "timestamp": t, "step": s} for v, t, s in [(1, 9, 2), (2, 1, 3), (3, 8, 1)]]
    ).ok
    assert data()[0] == {"m": 2.0}
    send(metrics=[{"key": "m", "value": 7, "timestamp": 99, "step": 2}]).ok
    assert data()[0] == {"m": 2.0}


def test_special_values(send, data):
    send(
        metrics=[
            {"key": k, "value": v, "timestamp": 1} for k, v in (("n", "NaN"), ("i", "Infinity"), ("j", "-Infinity"))
        ]
    ).ok
    largest = 1.7976931348623157e308
    assert data()[0] == {"n": "NaN", "i": largest, "j": -largest}


def test_client(client, run):
    client.log_batch(
        run,
        metrics=[Metric("m", 123.456, 789, 3), Metric("m", 5.0, 790, 2)],
        params=[Param("p", "v")],
        tags=[RunTag("t", "w")],
    )
    found = client.get_run(run).data
    assert (found.metrics, found.params, found.tags["t"]) == ({"m": 123.456}, {"p": "v"}, "w")
    assert [(m.value, m.timestamp, m.step) for m in client.get_metric_history(run, "m")] == [
        (123.456, 789, 3),
        (5.0, 790, 2),
    ]
    with pytest.raises(MlflowException, match="Duplicate parameter keys have been submitted"):
        client.log_batch(run, params=[Param("x", "1"), Param("x", "2")])


@pytest.mark.client("3.0")
def test_client_splits_what_is_too_much(client, run):
    client.log_batch(
        run,
        metrics=[Metric(f"m{i}", 1.0, 1, 0) for i in range(1001)],
        params=[Param(f"p{i}", "v") for i in range(101)],
        tags=[RunTag(f"t{i}", "v") for i in range(101)],
    )
    found = client.get_run(run).data
    assert (len(found.metrics), len(found.params), len(found.tags)) == (1001, 101, 102)

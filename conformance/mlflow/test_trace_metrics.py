"""What the overview pages chart of traces, spans and assessments."""

import json
import uuid

import pytest

from wire import missing

pytestmark = pytest.mark.client("3.9")


@pytest.fixture
def ask(v3, experiment):
    def question(view, metric, *aggregations, **fields):
        body = {
            "experiment_ids": [experiment],
            "view_type": view,
            "metric_name": metric,
            "aggregations": [
                {"aggregation_type": "PERCENTILE", "percentile_value": item}
                if isinstance(item, int)
                else {"aggregation_type": item}
                for item in aggregations
            ],
            **fields,
        }
        return v3.post("traces/metrics", body)

    return question


@pytest.fixture(autouse=True)
def traces(api, v3, experiment):
    """Four traces of 100, 200, 300 and 400 ms, two an hour."""
    ids = []
    for index, (name, state, model) in enumerate(
        [("a", "OK", "m1"), ("a", "ERROR", "m1"), ("b", "OK", "m2"), ("b", "OK", "m2")], start=1
    ):
        trace = uuid.uuid4().hex
        ids.append(f"tr-{trace}")
        cost = json.dumps({"input_cost": 1.0, "output_cost": index, "total_cost": 1.0 + index})
        attributes = {"mlflow.spanType": "LLM", "mlflow.llm.model": model, "mlflow.llm.cost": cost}
        span = {
            "traceId": trace,
            "spanId": "a1" * 8,
            "name": f"s{index % 2}",
            "startTimeUnixNano": str(1_767_225_600_000_000_000),
            "endTimeUnixNano": str(1_767_225_600_000_000_000 + index * 2_000_000),
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        }
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        headers = {"content-type": "application/json", "x-mlflow-experiment-id": experiment}
        assert v3.raw("POST", "/v1/traces", data=json.dumps(body), headers=headers).status == 200
        tokens = {"input_tokens": index * 10, "output_tokens": 1, "total_tokens": index * 10 + 1}
        info = {
            "trace_id": ids[-1],
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
            "request_time": f"2026-01-01T0{(index - 1) // 2}:10:00Z",
            "execution_duration": f"0.{index}00s",
            "state": state,
            "tags": {"mlflow.traceName": name, "env": "prod" if index < 4 else "dev"},
            "trace_metadata": {
                "mlflow.trace.tokenUsage": json.dumps(tokens),
                "mlflow.trace.session": f"s{index % 3}",
            },
        }
        v3.post("traces", trace={"trace_info": info}).ok
        source = {"source_type": "HUMAN", "source_id": "ann"}
        for name, value in [("good", "yes" if index > 1 else "no"), ("score", index / 10)]:
            assessment = {"assessment_name": name, "source": source, "feedback": {"value": value}, "valid": True}
            v3.post(f"traces/{ids[-1]}/assessments", assessment=assessment).ok
    return ids


def points(answer):
    """The values by dimensions."""
    return {
        tuple(value for _, value in sorted(point.get("dimensions", {}).items())): point["values"]
        for point in answer.ok.get("data_points", [])
    }


def test_counts(ask):
    assert points(ask("TRACES", "trace_count", "COUNT")) == {(): {"COUNT": 4}}
    assert points(ask("TRACES", "session_count", "COUNT")) == {(): {"COUNT": 3}}
    by_status = points(ask("TRACES", "trace_count", "COUNT", dimensions=["trace_status"]))
    assert by_status == {("OK",): {"COUNT": 3}, ("ERROR",): {"COUNT": 1}}
    assert points(ask("SPANS", "span_count", "COUNT", dimensions=["span_name", "span_type"])) == {
        ("s0", "LLM"): {"COUNT": 2},
        ("s1", "LLM"): {"COUNT": 2},
    }


def test_times(ask):
    [values] = points(ask("TRACES", "latency", "AVG", "MIN", "MAX", 50, 90)).values()
    assert values == {"AVG": 250, "MIN": 100, "MAX": 400, "P50.0": 250, "P90.0": pytest.approx(370)}
    by_name = points(ask("TRACES", "latency", "MAX", dimensions=["trace_name"]))
    assert by_name == {("a",): {"MAX": 200}, ("b",): {"MAX": 400}}
    [spans] = points(ask("SPANS", "latency", "AVG", "MAX")).values()
    assert spans == {"AVG": 5, "MAX": 8}


def test_tokens_and_costs(ask):
    [tokens] = points(ask("TRACES", "input_tokens", "SUM", "AVG")).values()
    assert tokens == {"SUM": 100, "AVG": 25}
    by_model = points(ask("SPANS", "total_cost", "SUM", dimensions=["span_model_name"]))
    assert by_model == {("m1",): {"SUM": 5}, ("m2",): {"SUM": 9}}


def test_steps_of_time(ask):
    day = {"start_time_ms": 1767225600000, "end_time_ms": 1767311999999}
    hourly = ask("TRACES", "trace_count", "COUNT", time_interval_seconds=3600, **day)
    assert points(hourly) == {
        ("2026-01-01T00:00:00+00:00",): {"COUNT": 2},
        ("2026-01-01T01:00:00+00:00",): {"COUNT": 2},
    }
    first = ask("TRACES", "trace_count", "COUNT", start_time_ms=1767225600000, end_time_ms=1767229199999)
    assert points(first) == {(): {"COUNT": 2}}
    ask("TRACES", "trace_count", "COUNT", time_interval_seconds=3600).invalid(
        exactly="start_time_ms and end_time_ms are required if time_interval_seconds is set"
    )


def test_assessments(ask):
    counts = points(ask("ASSESSMENTS", "assessment_count", "COUNT", dimensions=["assessment_name"]))
    assert counts == {("good",): {"COUNT": 4}, ("score",): {"COUNT": 4}}
    values = points(
        ask("ASSESSMENTS", "assessment_count", "COUNT", dimensions=["assessment_value"],
            filters=["assessment.name = 'good'"])
    )  # fmt: skip
    assert values == {('"no"',): {"COUNT": 1}, ('"yes"',): {"COUNT": 3}}
    averages = points(ask("ASSESSMENTS", "assessment_value", "AVG", dimensions=["assessment_name"]))
    assert averages == {("good",): {"AVG": 0.75}, ("score",): {"AVG": pytest.approx(0.25)}}


def test_filters(ask):
    for filter, count in [
        ("trace.status = 'OK'", 3),
        ("trace.tag.env = 'prod'", 3),
        ("trace.tag.`mlflow.traceName` = 'a'", 2),
        ("trace.metadata.`mlflow.trace.session` = 's1'", 2),
    ]:
        assert points(ask("TRACES", "trace_count", "COUNT", filters=[filter])) == {(): {"COUNT": count}}, filter
    both = ask("SPANS", "span_count", "COUNT", filters=["span.name = 's1'", "trace.tag.env = 'prod'"])
    assert points(both) == {(): {"COUNT": 2}}


def test_questions_that_are_refused(ask, v3):
    v3.post("traces/metrics", {}).invalid(exactly=missing("experiment_ids"))
    ask("TRACES", "x", "COUNT").invalid("metric_name must be one of")
    ask("TRACES", "latency", "COUNT").invalid("Found invalid aggregation_type(s): ['COUNT']")
    ask("TRACES", "latency", "AVG", dimensions=["trace_status"]).invalid(
        exactly="Found invalid dimension(s): ['trace_status']. Supported dimensions: ['trace_name']"
    )
    ask("TRACES", "trace_count", "COUNT", filters=["trace.foo = 'x'"]).invalid("Invalid entity 'foo'")
    ask("TRACES", "trace_count", "COUNT", filters=["trace.status != 'x'"]).invalid("only '=' operator is supported")
    ask("TRACES", "trace_count", "COUNT", filters=["span.name = 'x'"]).invalid("Filtering by span is only supported")

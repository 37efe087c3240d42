"""The second version of the API of traces, and what clients before 3.0 do with it."""

import mlflow
import pytest

from wire import mapping, missing, pairs


@pytest.fixture
def start(api, experiment):
    def make(timestamp=1_000, **fields):
        body = {"experiment_id": experiment, "timestamp_ms": timestamp, "request_metadata": [], "tags": []}
        return api.post("traces", {**body, **fields})

    return make


def test_a_trace_is_started_and_ended(api, start, experiment):
    made = start(request_metadata=pairs({"m": "1"}), tags=pairs({"mlflow.traceName": "n", "t": "1"})).ok["trace_info"]
    trace_id = made["request_id"]
    assert (made["experiment_id"], made["timestamp_ms"], made["status"]) == (experiment, 1_000, "IN_PROGRESS")
    tags = mapping(made["tags"])
    assert (tags["mlflow.traceName"], tags["t"]) == ("n", "1")
    assert tags["mlflow.artifactLocation"].endswith(f"/traces/{trace_id}/artifacts")
    ended = api.patch(
        f"traces/{trace_id}",
        timestamp_ms=1_750,
        status="OK",
        request_metadata=pairs({"m": "2", "n": "3"}),
        tags=pairs({"u": "2"}),
    ).ok["trace_info"]
    assert (ended["execution_time_ms"], ended["status"]) == (750, "OK")
    found = api.get(f"traces/{trace_id}/info").ok["trace_info"]
    assert mapping(found["request_metadata"]) == {"m": "2", "n": "3"}
    tags = mapping(found["tags"])
    assert (tags["t"], tags["u"], found["execution_time_ms"]) == ("1", "2", 750)


def test_both_versions_tell_of_one_trace(api, start):
    trace_id = start().ok["trace_info"]["request_id"]
    api.patch(f"traces/{trace_id}", timestamp_ms=3_000, status="ERROR", request_metadata=[], tags=[]).ok
    found = api.under("/api/3.0/mlflow/").get(f"traces/{trace_id}").ok["trace"]["trace_info"]
    assert (found["request_time"], found["execution_duration"], found["state"]) == ("1970-01-01T00:00:01Z", "2s", "ERROR")


def test_searches_of_the_second_version(api, start, experiment):
    ids = [start(timestamp=second * 1_000, tags=pairs({"n": str(second)})).ok["trace_info"]["request_id"] for second in range(1, 6)]
    first = api.get("traces", experiment_ids=experiment, max_results=3).ok
    assert [trace["request_id"] for trace in first["traces"]] == ids[:1:-1]
    rest = api.get("traces", experiment_ids=experiment, max_results=3, page_token=first["next_page_token"]).ok
    assert [trace["request_id"] for trace in rest["traces"]] == ids[1::-1]
    found = api.get("traces", experiment_ids=experiment, filter="tags.n = '2'", order_by="timestamp_ms ASC").ok
    assert [trace["request_id"] for trace in found["traces"]] == [ids[1]]
    api.get("traces").invalid(exactly=missing("experiment_ids"))


def test_traces_that_are_not_there(api):
    api.get("traces/tr-none/info").absent(exactly="Trace with ID 'tr-none' not found.")
    api.patch("traces/tr-none", timestamp_ms=1, status="OK", request_metadata=[], tags=[]).absent()


def test_the_client_with_its_spans_as_a_file(client, experiment):
    if not hasattr(mlflow, "trace"):
        pytest.skip("this client knows no traces")
    mlflow.set_experiment(experiment_id=experiment)
    root = client.start_trace(name="root", inputs={"x": 1}, tags={"kind": "test"})
    trace_id = getattr(root, "trace_id", None) or root.request_id
    child = client.start_span(name="child", **({"trace_id": trace_id} if hasattr(root, "trace_id") else {"request_id": trace_id}), parent_id=root.span_id)
    for span in [child, root]:
        identity = {"trace_id": trace_id} if hasattr(span, "trace_id") else {"request_id": trace_id}
        if span is root:
            client.end_trace(**identity, outputs={"y": 2})
        else:
            client.end_span(**identity, span_id=span.span_id, outputs=3)
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging()
    trace = client.get_trace(trace_id)
    assert [span.name for span in trace.data.spans] == ["root", "child"]
    assert trace.data.spans[0].outputs == {"y": 2}
    assert trace.info.tags["kind"] == "test"
    client.set_trace_tag(trace_id, "own", "1")
    [found] = client.search_traces(**search(experiment), filter_string="tags.own = '1'")
    assert found.data.spans[0].name == "root"


def search(experiment):
    """How this client says where it looks."""
    version = tuple(int(part) for part in mlflow.__version__.split(".")[:2])
    return {"locations": [experiment]} if version >= (3, 6) else {"experiment_ids": [experiment]}

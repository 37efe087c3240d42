"""Traces through the stock client: spans, what is told of a trace as a whole, tags, links and deletion."""

import gzip
import json
import os
import zlib

import mlflow
import pytest
from mlflow.entities import SpanEvent, SpanType

from wire import missing

pytestmark = pytest.mark.client("3.0")
if hasattr(mlflow, "trace"):
    # Spans are sent as they end, so that a test sees them.
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    os.environ["MLFLOW_USE_BATCH_SPAN_PROCESSOR"] = "false"


@pytest.fixture
def at(client, experiment):
    """Makes the fresh experiment the one that traces go to."""
    mlflow.set_experiment(experiment_id=experiment)
    return experiment


def answer(question):
    """An application with two spans."""

    @mlflow.trace(span_type=SpanType.LLM, name="model")
    def model(prompt):
        span = mlflow.get_current_active_span()
        span.set_attributes({"temperature": 0.5, "tools": ["a", {"b": None}], "model": "m-1"})
        span.add_event(SpanEvent("asked", attributes={"times": 2}))
        return prompt.upper()

    @mlflow.trace(name="answer")
    def root(question):
        return {"answer": model(question)}

    root(question)
    return mlflow.get_last_active_trace_id()


def otlp(spans, resource=()):
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in dict(resource).items()]
    return {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]}]}


def span(trace, span_id="a1" * 8, parent="", name="s", start=1_000_000_000, end=3_000_000_000, **fields):
    made = {
        "traceId": trace,
        "spanId": span_id,
        "name": name,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        **fields,
    }
    return {**made, "parentSpanId": parent} if parent else made


def attribute(key, **value):
    return {"key": key, "value": value}


@pytest.fixture
def send(api, experiment):
    """Posts OTLP in JSON to the fresh experiment."""

    def post(body, headers=(), **options):
        headers = {"content-type": "application/json", "x-mlflow-experiment-id": experiment, **dict(headers)}
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        return api.raw("POST", "/v1/traces", data=data, headers=headers, **options)

    return post


@pytest.fixture
def new_id(unique):
    return lambda: (unique("").strip("-") * 3)[:32]


def test_a_trace_comes_back_with_its_spans(at):
    trace = mlflow.get_trace(answer("why"))
    assert trace.info.experiment_id == at
    assert (trace.info.state, trace.info.request_preview) == ("OK", '{"question": "why"}')
    assert trace.info.response_preview == '{"answer": "WHY"}'
    root, model = trace.data.spans
    assert (root.name, root.parent_id, root.inputs, root.outputs) == (
        "answer",
        None,
        {"question": "why"},
        {"answer": "WHY"},
    )
    assert (model.name, model.parent_id, model.span_type, model.outputs) == ("model", root.span_id, "LLM", "WHY")
    assert model.get_attribute("temperature") == 0.5
    assert model.get_attribute("tools") == ["a", {"b": None}]
    assert [(event.name, event.attributes) for event in model.events] == [("asked", {"times": 2})]
    assert root.start_time_ns <= model.start_time_ns <= model.end_time_ns <= root.end_time_ns
    assert root.status.status_code == "OK"
    assert trace.info.tags["mlflow.traceName"] == "answer"
    assert trace.info.tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert trace.info.tags["mlflow.artifactLocation"].endswith(f"/traces/{trace.info.trace_id}/artifacts")
    assert trace.info.trace_metadata["mlflow.trace.infoFinalized"] == "true"


def test_an_exception_is_the_state_of_its_trace(at):
    @mlflow.trace
    def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    assert trace.info.state == "ERROR"
    assert trace.data.spans[0].status.status_code == "ERROR"
    assert "ValueError" in trace.data.spans[0].status.description
    assert trace.data.spans[0].events[0].attributes["exception.message"] == "no"


def test_tags_metadata_and_the_session_of_a_trace(client, at):
    with mlflow.start_span("root"):
        mlflow.update_current_trace(
            tags={"topic": "law"}, metadata={"mlflow.trace.session": "s-1", "own": "1"}, client_request_id="c-1"
        )
    trace_id = mlflow.get_last_active_trace_id()
    info = mlflow.get_trace(trace_id).info
    assert info.client_request_id == "c-1"
    assert (info.tags["topic"], info.trace_metadata["own"]) == ("law", "1")
    assert info.trace_metadata["mlflow.trace.session"] == "s-1"
    client.set_trace_tag(trace_id, "topic", "art")
    client.set_trace_tag(trace_id, "mlflow.traceName", "renamed")
    info = mlflow.get_trace(trace_id).info
    assert (info.tags["topic"], info.tags["mlflow.traceName"]) == ("art", "renamed")
    client.delete_trace_tag(trace_id, "topic")
    assert "topic" not in mlflow.get_trace(trace_id).info.tags


def test_tags_that_are_refused(api, at):
    trace_id = answer("x")
    path = f"traces/{trace_id}/tags"
    api.patch(path, value="x").invalid(exactly=missing("key"))
    api.patch(path, key="mlflow.trace.spansLocation", value="x").invalid("immutable")
    api.delete(path, key="absent").absent(
        exactly=f"No trace tag with key 'absent' for trace with ID '{trace_id}'"
    )
    for key in ("what?", "../", "a=b", "a//b"):
        api.patch(path, key=key, value="x").invalid(f"Invalid value \"{key}\" for parameter 'key' supplied")
    api.patch(path, key="k" * 251, value="x").invalid("'key' exceeds the maximum length of 250 characters")


@pytest.mark.stele_only
def test_a_tag_of_a_trace_that_is_not_there(api):
    api.patch("traces/tr-none/tags", key="a", value="b").absent(exactly="Trace with ID 'tr-none' not found.")


@pytest.mark.stele_only
def test_where_files_are_is_not_for_clients_to_say(v3, experiment):
    body = info("tr-" + "ab" * 16, experiment, tags={"mlflow.artifactLocation": "file:///etc", "own": "1"})
    made = v3.post("traces", body).ok["trace"]["trace_info"]
    assert made["tags"]["own"] == "1"
    assert made["tags"]["mlflow.artifactLocation"].endswith(f"{made['trace_id']}/artifacts")


def info(trace_id, experiment, **fields):
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    body = {"trace_id": trace_id, "trace_location": location, "request_time": "2026-01-02T03:04:05.678Z", "state": "OK"}
    return {"trace": {"trace_info": {**body, **fields}}}


def test_what_is_told_of_a_trace_without_spans(v3, experiment, new_id):
    trace_id = f"tr-{new_id()}"
    told = {
        "execution_duration": "1.500s",
        "client_request_id": "c",
        "request_preview": "q",
        "response_preview": "a",
        "trace_metadata": {"mlflow.trace.tokenUsage": '{"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}'},
    }
    v3.post("traces", info(trace_id, experiment, **told)).ok
    found = v3.get(f"traces/{trace_id}").ok["trace"]["trace_info"]
    assert {key: found[key] for key in told if key != "trace_metadata"} == {
        key: value for key, value in told.items() if key != "trace_metadata"
    }
    assert (found["request_time"], found["state"]) == ("2026-01-02T03:04:05.678Z", "OK")
    tokens = json.loads(found["trace_metadata"]["mlflow.trace.tokenUsage"])
    assert tokens == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def test_traces_that_cannot_be(v3, experiment, new_id):
    v3.post("traces", {}).invalid(exactly=missing("trace"))
    answer = v3.post("traces", info(f"tr-{new_id()}", "99999999"))
    answer.absent(exactly="No Experiment with id=99999999 exists")


@pytest.mark.stele_only
def test_traces_that_would_leave_their_place(v3, experiment, new_experiment, new_id):
    for odd in ["../x", "a/b", "..", "x" * 200, "a b"]:
        v3.post("traces", info(odd, experiment)).invalid("invalid trace id")
    trace_id = f"tr-{new_id()}"
    v3.post("traces", info(trace_id, experiment)).ok
    v3.post("traces", info(trace_id, new_experiment())).invalid("belongs to experiment")
    assert v3.get(f"traces/{trace_id}").ok["trace"]["trace_info"]["trace_location"]["mlflow_experiment"] == {
        "experiment_id": experiment
    }


def test_nothing_is_recorded_in_a_deleted_experiment(api, v3, send, experiment, new_id):
    api.post("experiments/delete", experiment_id=experiment).ok
    v3.post("traces", info(f"tr-{new_id()}", experiment)).invalid("must be in the 'active' state")


def test_spans_make_their_trace(v3, send, new_id):
    trace = new_id()
    child = span(trace, "b2" * 8, parent="a1" * 8, name="child", start=2_000_000_000, end=2_500_000_000)
    assert send(otlp([child], {"service.name": "shop", "telemetry.sdk.name": "x"})).status == 200
    found = v3.get(f"traces/tr-{trace}").ok["trace"]["trace_info"]
    assert (found["state"], found["request_time"]) == ("IN_PROGRESS", "1970-01-01T00:00:02Z")
    assert found["tags"]["service.name"] == "shop"
    assert "telemetry.sdk.name" not in found["tags"]
    root = span(
        trace,
        attributes=[
            attribute("mlflow.spanInputs", stringValue="hello"),
            attribute("mlflow.traceTag.kind", stringValue="test"),
            attribute("session.id", stringValue="s-7"),
        ],
    )
    assert send(otlp([root])).status == 200
    found = v3.get(f"traces/tr-{trace}").ok["trace"]["trace_info"]
    assert (found["state"], found["request_time"], found["execution_duration"]) == ("OK", "1970-01-01T00:00:01Z", "2s")
    assert found["trace_metadata"]["mlflow.trace.session"] == "s-7"
    assert found["tags"]["kind"] == "test"
    assert "hello" in found["request_preview"]
    spans = v3.get("traces/get", trace_id=f"tr-{trace}").ok["trace"]["spans"]
    assert [item["name"] for item in spans] == ["s", "child"]


def test_tokens_are_added_up_along_the_tree(v3, send, new_id):
    trace = new_id()

    def used(count):
        usage = json.dumps({"input_tokens": count, "output_tokens": 1, "total_tokens": count + 1})
        return [attribute("mlflow.chat.tokenUsage", stringValue=usage)]

    send(otlp([span(trace, "c3" * 8, parent="b2" * 8, attributes=used(5))]))
    send(otlp([span(trace, "b2" * 8, parent="a1" * 8, attributes=used(7)), span(trace, "a1" * 8)]))
    send(otlp([span(trace, "d4" * 8, parent="a1" * 8, attributes=used(1))]))
    metadata = v3.get(f"traces/tr-{trace}").ok["trace"]["trace_info"]["trace_metadata"]
    tokens = json.loads(metadata["mlflow.trace.tokenUsage"])
    assert tokens == {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10}


def test_a_span_that_comes_again_replaces_itself(v3, send, new_id):
    trace = new_id()
    for name in ["first", "second"]:
        assert send(otlp([span(trace, name=name)])).status == 200
    spans = v3.get("traces/get", trace_id=f"tr-{trace}").ok["trace"]["spans"]
    assert [item["name"] for item in spans] == ["second"]


def test_many_spans_one_by_one(v3, send, new_id):
    trace = new_id()
    for index in range(40):
        assert send(otlp([span(trace, f"{index + 1:016x}", name=f"s{index}", start=index + 1)])).status == 200
    spans = v3.get("traces/get", trace_id=f"tr-{trace}").ok["trace"]["spans"]
    assert [item["name"] for item in spans] == [f"s{index}" for index in range(40)]


def test_every_kind_of_value_of_an_attribute(v3, send, new_id):
    trace = new_id()
    given = [
        attribute("text", stringValue="é\n"),
        attribute("true", boolValue=True),
        attribute("int", intValue="9007199254740993"),
        attribute("double", doubleValue=0.1),
        attribute("list", arrayValue={"values": [{"intValue": "1"}, {"stringValue": "x"}]}),
        attribute("map", kvlistValue={"values": [attribute("k", boolValue=False)]}),
    ]
    assert send(otlp([span(trace, attributes=given)])).status == 200
    [found] = v3.get("traces/get", trace_id=f"tr-{trace}").ok["trace"]["spans"]
    values = {item["key"]: item["value"] for item in found["attributes"]}
    assert values["text"] == {"string_value": "é\n"}
    assert values["true"] == {"bool_value": True}
    assert values["int"] == {"int_value": 9007199254740993}
    assert values["double"] == {"double_value": 0.1}
    assert values["list"] == {"array_value": {"values": [{"int_value": 1}, {"string_value": "x"}]}}
    assert values["map"] == {"kvlist_value": {"values": [{"key": "k", "value": {"bool_value": False}}]}}
    assert values["mlflow.traceRequestId"] == {"string_value": f"tr-{trace}"}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_spans(v3, send, new_id, encoding):
    trace = new_id()
    body = json.dumps(otlp([span(trace)])).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    assert send(packed, {"content-encoding": encoding}).status == 200
    assert v3.get(f"traces/tr-{trace}").ok


def test_spans_that_are_refused(api, send, experiment, new_id):
    good = otlp([span(new_id())])
    assert send(b"{").status == 400
    assert send({}).status == 400
    assert send(good, {"content-type": "text/plain"}).status == 400
    assert send(good, {"content-encoding": "gzip"}).status == 400
    assert send(good, {"content-encoding": "br"}).status == 400
    assert send(good, {"content-type": "application/x-protobuf"}).status == 400
    without = api.raw("POST", "/v1/traces", json=good)
    assert without.status == 422
    assert send(good, {"x-mlflow-experiment-id": "99999999"}).status == 404
    assert send(otlp([span("")])).status == 422
    nowhere = {"x-mlflow-experiment-id": "my-experiment"}
    assert send(otlp([span("")]), nowhere).status == 422
    assert send(b"{", nowhere).status == 400
    nothing = send(otlp([]) | {"resourceSpans": []}, nowhere)
    assert (nothing.status, "no spans found" in nothing.text) == (400, True)


@pytest.mark.stele_only
def test_refusals_in_the_encoding_of_the_request(api, send, v3, experiment, new_id):
    trace = new_id()
    refused = send(otlp([span(trace), span(trace, "b2" * 3)]))
    assert (refused.status, refused.body["code"]) == (422, 3)
    assert "span id of 8 bytes" in refused.body["message"]
    v3.get(f"traces/tr-{trace}").absent()
    binary = send(b"\xff\xff", {"content-type": "application/x-protobuf"})
    assert (binary.status, binary.headers["content-type"]) == (400, "application/x-protobuf")
    assert b"Invalid OpenTelemetry format" in binary.response.content
    bomb = send(gzip.compress(b" " * (80 * 1024 * 1024)), {"content-encoding": "gzip"})
    assert bomb.status == 400
    deep = {"stringValue": "x"}
    for _ in range(28):
        deep = {"arrayValue": {"values": [deep]}}
    assert "nested" in send(otlp([span(trace, attributes=[attribute("deep", **deep)])])).body["message"]


def test_traces_belong_to_the_run_under_which_they_came(client, at):
    with mlflow.start_run() as run:
        inside = answer("in")
    outside = answer("out")
    assert mlflow.get_trace(inside).info.trace_metadata["mlflow.sourceRun"] == run.info.run_id

    def of_run():
        found = mlflow.search_traces(
            locations=[at], run_id=run.info.run_id, return_type="list", include_spans=False
        )
        return {trace.info.trace_id for trace in found}

    assert of_run() == {inside}
    client.link_traces_to_run([outside], run.info.run_id)
    client.link_traces_to_run([outside, inside], run.info.run_id)
    assert of_run() == {inside, outside}


def test_links_that_are_refused(api, at, run):
    trace_id = answer("x")
    api.post("traces/link-to-run", trace_ids=[], run_id=run).invalid(exactly=missing("trace_ids"))
    many = [trace_id] * 101
    api.post("traces/link-to-run", trace_ids=many, run_id=run).invalid(
        exactly="Cannot link more than 100 traces to a run in a single request. Provided 101 traces."
    )


@pytest.mark.stele_only
def test_a_link_to_a_run_that_is_not_there(api, at):
    api.post("traces/link-to-run", trace_ids=[answer("x")], run_id="0" * 32).absent()


def test_several_traces_at_once(v3, at):
    ids = [answer(f"q{index}") for index in range(3)]
    infos = v3.post("traces/batchGetInfos", trace_ids=[ids[2], ids[0], "tr-none"]).ok["trace_infos"]
    assert [item["trace_id"] for item in infos] == [ids[2], ids[0]]
    traces = v3.get("traces/batchGet", trace_ids=[ids[1], ids[0]]).ok["traces"]
    assert [item["trace_info"]["trace_id"] for item in traces] == [ids[1], ids[0]]
    assert all(len(item["spans"]) == 2 for item in traces)
    elsewhere = v3.post("traces/batchGetInfos", trace_ids=ids, experiment_ids=["99999999"])
    assert elsewhere.ok == {}


def test_spans_under_way_are_waited_for(v3, send, experiment, new_id):
    trace = new_id()
    send(otlp([span(trace)]))
    metadata = {"mlflow.trace.sizeStats": json.dumps({"num_spans": 2})}
    v3.post("traces", info(f"tr-{trace}", experiment, trace_metadata=metadata)).ok
    v3.get("traces/get", trace_id=f"tr-{trace}").absent("is not fully exported yet")
    assert v3.get("traces/batchGet", trace_ids=[f"tr-{trace}"]).ok == {}
    partial = v3.get("traces/get", trace_id=f"tr-{trace}", allow_partial="true").ok["trace"]
    assert len(partial["spans"]) == 1
    send(otlp([span(trace, "b2" * 8, parent="a1" * 8)]))
    assert len(v3.get("traces/get", trace_id=f"tr-{trace}").ok["trace"]["spans"]) == 2


@pytest.mark.stele_only
def test_late_spans_do_not_change_what_was_told(v3, send, experiment, new_id):
    trace = new_id()
    v3.post("traces", info(f"tr-{trace}", experiment, execution_duration="0.250s", state="ERROR")).ok
    send(otlp([span(trace)]))
    found = v3.get(f"traces/tr-{trace}").ok["trace"]["trace_info"]
    assert (found["request_time"], found["execution_duration"]) == ("2026-01-02T03:04:05.678Z", "0.250s")
    assert found["state"] == "ERROR"


def test_the_file_that_pages_show(ajax, at):
    trace_id = answer("why")
    answered = ajax.raw("GET", "get-trace-artifact", params={"request_id": trace_id})
    root, model = answered.body["spans"]
    assert json.loads(root["attributes"]["mlflow.spanInputs"]) == {"question": "why"}
    assert (root["parent_span_id"], model["parent_span_id"]) == (None, root["span_id"])
    assert model["attributes"]["mlflow.spanType"] == '"LLM"'
    assert model["events"][0]["attributes"] == {"times": 2}
    assert root["status"] == {"code": "STATUS_CODE_OK", "message": ""}
    assert ajax.raw("GET", "get-trace-artifact", params={"request_id": "tr-none"}).status == 404
    ajax.get("get-trace-artifact").refused("BAD_REQUEST")


def test_traces_are_deleted_by_id_and_by_age(client, v3, experiment, new_id, new_experiment):
    ids = [f"tr-{new_id()}" for _ in range(6)]
    for day, trace_id in enumerate(ids, start=1):
        v3.post("traces", info(trace_id, experiment, request_time=f"2026-01-0{day}T00:00:00Z")).ok
    other = new_experiment()
    assert client.delete_traces(other, trace_ids=ids) == 0
    assert client.delete_traces(experiment, trace_ids=[ids[5], "tr-none"]) == 1
    v3.get(f"traces/{ids[5]}").absent()
    third = 1767398400000
    assert client.delete_traces(experiment, max_timestamp_millis=third, max_traces=1) == 1
    v3.get(f"traces/{ids[0]}").absent()
    assert client.delete_traces(experiment, max_timestamp_millis=third) == 2
    left = v3.post("traces/batchGetInfos", trace_ids=ids).ok["trace_infos"]
    assert [item["trace_id"] for item in left] == ids[3:5]


def test_deletions_that_are_refused(api, experiment):
    for body in [{}, {"max_timestamp_millis": 1, "request_ids": ["tr-1"]}, {"request_ids": ["tr-1"], "max_traces": 1}]:
        api.post("traces/delete-traces", experiment_id=experiment, **body).invalid()
    api.post("traces/delete-traces", request_ids=["tr-1"]).invalid(exactly=missing("experiment_id"))


def test_spans_in_protobuf(v3, send, new_id):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    trace = new_id()
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "shop"
    made = resource.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(trace), span_id=b"12345678", name="checkout", start_time_unix_nano=1
    )
    made.attributes.add(key="blob").value.bytes_value = b"\x00\xff"
    made.links.add(trace_id=bytes.fromhex(trace), span_id=b"87654321")
    body = request.SerializeToString()
    answered = send(gzip.compress(body), {"content-type": "application/x-protobuf", "content-encoding": "gzip"})
    assert (answered.status, answered.response.content) == (200, b"")
    assert answered.headers["content-type"] == "application/x-protobuf"
    found = v3.get("traces/get", trace_id=f"tr-{trace}").ok["trace"]
    assert found["trace_info"]["tags"]["service.name"] == "shop"
    [found] = found["spans"]
    assert (found["name"], len(found["links"])) == ("checkout", 1)

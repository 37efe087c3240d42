"""What a collector of OpenTelemetry is told of requests, read with OpenTelemetry's own messages."""

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import servers
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.told = queue.Queue()
        self.seen = []
        self.paths = set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self, wanted):
        """Every span so far, once one that is wanted is among them."""
        while not any(wanted(span) for _, span in self.seen):
            self.seen.extend(self.told.get(timeout=60))
        return self.seen


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        export = ExportTraceServiceRequest.FromString(body)
        self.server.paths.add((self.path, self.headers["Content-Type"], self.headers["X-Team"]))
        self.server.told.put(
            [
                (of.resource, span)
                for of in export.resource_spans
                for scope in of.scope_spans
                for span in scope.spans
            ]
        )  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def told(of):
    """Attributes by name."""
    values = {}
    for attribute in of.attributes:
        kind = attribute.value.WhichOneof("value")
        values[attribute.key] = getattr(attribute.value, kind)
    return values


def test_requests_and_their_reads_and_writes_are_told(collector, tmp_path):
    environment = {
        "STELE_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_HEADERS": "X-Team=platform",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }  # fmt: skip
    with servers.running(tmp_path / "data", environment=environment) as server:
        create = f"{server.url}/api/2.0/mlflow/experiments/create"
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "asked-by-test"}
        requests.post(create, json={"name": "told"}, headers=headers, timeout=60).raise_for_status()
        requests.get(f"{server.url}/health", timeout=60).raise_for_status()
        target = {"X-Amz-Target": "SageMaker.ListModels", "Content-Type": "application/x-amz-json-1.1"}
        requests.post(server.url, data="{}", headers=target, timeout=60).raise_for_status()
        seen = collector.spans(lambda span: told(span).get("rpc.method") == "SageMaker.ListModels")
        assert requests.get(f"{server.url}/no/such/path", timeout=60).status_code == 404
    # What was not sent yet is sent when the server stops.
    seen = collector.spans(lambda span: told(span).get("url.path") == "/no/such/path")

    assert collector.paths == {("/v1/traces", "application/x-protobuf", "platform")}
    resource = told(seen[0][0])
    assert resource["service.name"] == "stele" and resource["service.version"]
    spans = [span for _, span in seen]
    (made,) = [span for span in spans if span.name.endswith("/experiments/create")]
    assert made.kind == Span.SPAN_KIND_SERVER
    assert (made.trace_id.hex(), made.parent_span_id.hex()) == (TRACE, PARENT)
    attributes = told(made)
    assert attributes["http.request.method"] == "POST" and attributes["http.response.status_code"] == 200
    assert attributes["url.path"] == "/api/2.0/mlflow/experiments/create"
    assert attributes["stele.request_id"] == "asked-by-test" and attributes["client.address"] == "127.0.0.1"
    assert made.status.code == Status.STATUS_CODE_UNSET
    inner = [span for span in spans if span.parent_span_id == made.span_id]
    assert "database write" in {span.name for span in inner}
    for span in inner:
        assert made.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= made.end_time_unix_nano
    # Probes are not told.
    assert not [span for span in spans if told(span).get("url.path") == "/health"]


def test_a_collector_that_is_away_holds_nothing_up(tmp_path):
    environment = {"STELE_OTLP_ENDPOINT": f"http://127.0.0.1:{servers.free_port()}", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with servers.running(tmp_path / "data", environment=environment) as server:
        create = f"{server.url}/api/2.0/mlflow/experiments/create"
        for name in range(20):
            requests.post(create, json={"name": f"e{name}"}, timeout=60).raise_for_status()


def test_a_trace_that_its_client_does_not_sample_is_not_told(collector, tmp_path):
    environment = {"STELE_OTLP_ENDPOINT": collector.url + "/v1/traces", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with servers.running(tmp_path / "data", environment=environment) as server:
        search = f"{server.url}/api/2.0/mlflow/experiments/search?max_results=1"
        requests.get(search, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"}, timeout=60).raise_for_status()
        requests.get(search, timeout=60).raise_for_status()
        spans = collector.spans(lambda span: span.name.endswith("/experiments/search"))
    assert TRACE not in {span.trace_id.hex() for _, span in spans}

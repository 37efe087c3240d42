"""Whatever a client sends, the server answers in MLflow's error shape, stays up, and keeps what others have stored.

STELE_FUZZ_EXAMPLES sets the number of generated requests a route (40).
"""

from __future__ import annotations

import json
import os
from contextlib import nullcontext, suppress
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from bystanders import Ids, snapshot
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from routes import API_ROUTES, FILE_ROUTES, Route
from servers import peer_is_mlflow
from raw_http import JSON, Answer, Wire, talk_raw

# 501: storage that cannot do multipart uploads; 503: a mode that is switched off. The two others are MLflow's own and documented: it
# maps every code without a status of its own to 500.
DOCUMENTED_5XX = (501, 503)
DOCUMENTED_500_CODES = ("INVALID_STATE", "FEATURE_DISABLED")
# Answers that are made before a route is chosen: unknown route or method, too much of something.
BEFORE_ROUTING = (404, 405, 413, 414, 431)

several = settings(
    max_examples=int(os.environ.get("STELE_FUZZ_EXAMPLES", "40")),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

odd_text = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            " ",
            "\x00",
            "a\x00b",
            "\ud7ff",
            "😀" * 20,
            "\u202e",
            "ﷺ",
            "null",
            "NaN",
            "-0",
            "../..",
            "'",
            "`",
            "%",
            "%00",
            "\\",
            "a" * 9000,
        ]
    ),
)
odd_number = st.one_of(
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**400, 1e308, 0.5, -0.0]),
    st.floats(),
)
odd_json = st.recursive(
    st.one_of(st.none(), st.booleans(), odd_number, odd_text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(odd_text, inner, max_size=4)),
    max_leaves=12,
)
filters = st.one_of(
    odd_text,
    st.lists(
        st.sampled_from(
            "metrics.loss params.depth tags.team attributes.run_id name = != > < LIKE ILIKE IN ( ) , 'x' \"x\" 1 1e999 AND OR NOT IS NULL ; -- `a b` `".split(
                " "
            )
        ),
        max_size=12,
    ).map(" ".join),
)


def plausible(kind: str, ids: Ids) -> st.SearchStrategy[Any]:
    """Values that get past the first checks of a handler."""
    key = st.one_of(st.sampled_from(["loss", "depth", "team", "champion", "a/b", "a b"]), odd_text)
    pairs = st.fixed_dictionaries({"key": key, "value": st.one_of(odd_text, odd_number)})
    points = st.fixed_dictionaries({"key": key, "value": odd_number, "timestamp": odd_number, "step": odd_number})
    dataset = st.fixed_dictionaries({"name": odd_text, "digest": odd_text, "source_type": odd_text, "source": odd_text})
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "experiment": st.one_of(st.just(ids.experiment), st.sampled_from(["99999999999999999999", "-1", "1.5", "x"])),
        "experiments": st.lists(st.sampled_from([ids.experiment, "x", "-1", "9" * 30]), max_size=3),
        "run": st.one_of(st.just(ids.run), st.sampled_from(["0" * 32, "x", ""])),
        "registered": st.one_of(st.just(ids.registered), odd_text),
        "model": st.one_of(st.just(ids.model), st.just("m-" + "0" * 32)),
        "version": st.sampled_from(["1", "0", "-1", "2", "1.5", "x", "9" * 25, 1]),
        "name": odd_text,
        "key": key,
        "string": odd_text,
        "strings": st.lists(
            st.one_of(odd_text, st.sampled_from(["metrics.loss DESC", "name ASC", "Production"])), max_size=4
        ),
        "token": st.one_of(odd_text, st.sampled_from(["eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAxZTk5fQ==", "AAAA"])),
        "view": st.sampled_from(["ACTIVE_ONLY", "DELETED_ONLY", "ALL", "NONE", 1, 99]),
        "status": st.sampled_from(["RUNNING", "FINISHED", "LOGGED_MODEL_READY", "NOPE", 3, 99]),
        "stage": st.sampled_from(["Production", "none", "Nope", ""]),
        "uri": st.one_of(
            st.sampled_from(["file:///etc", "s3://b/p", "http://h/#x", "runs:/x/y", "models:/victim/1", "//h", ":"]),
            odd_text,
        ),
        "path": st.one_of(st.sampled_from(["a", "a/b", "../a", "/a", "a//b", "."]), odd_text),
        "filter": filters,
        "int": odd_number,
        "double": odd_number,
        "bool": st.sampled_from([True, False, "true", "False", "maybe", 1]),
        "tags": st.lists(pairs, max_size=4),
        "metrics": st.lists(points, max_size=4),
        "datasets": st.lists(
            st.fixed_dictionaries({"dataset": dataset, "tags": st.lists(pairs, max_size=2)}), max_size=3
        ),
        "models": st.lists(st.fixed_dictionaries({"model_id": st.just(ids.model), "step": odd_number}), max_size=3),
        "object": st.dictionaries(st.sampled_from(["pass_fail", "categorical", "numeric", "text"]), odd_json, max_size=2),
        "objects": st.lists(
            st.dictionaries(st.sampled_from(["field_name", "ascending", "dataset_name", "etag"]), odd_json), max_size=3
        ),
    }
    return kinds[kind]


def requests_for(route: Route, ids: Ids) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields, each with a plausible value or with anything at all."""
    return st.fixed_dictionaries(
        {name: plausible(kind, ids) for name, kind in route.fields.items() if "{" + name + "}" in route.path},
        optional={
            name: st.one_of(plausible(kind, ids), plausible(kind, ids), odd_json)
            for name, kind in route.fields.items()
            if "{" + name + "}" not in route.path
        },
    )


def target_of(route: Route, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The path with its names filled in, and the fields that are left for the body or the query."""
    path, rest = route.path, dict(request)
    for name in route.fields:
        if "{" + name + "}" in path:
            path = path.replace("{" + name + "}", quote(_text(rest.pop(name)), safe="/"))
    return path, rest


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def check(answer: Answer, route: Route, sent: object, *, json_errors: bool = True) -> None:
    told = f"{route} with {sent!r:.500}: {answer}"
    if answer.status >= 500 and not peer_is_mlflow():
        documented = answer.status in DOCUMENTED_5XX or answer.error_code in DOCUMENTED_500_CODES
        assert documented, told
    if answer.status >= 400 and answer.status not in BEFORE_ROUTING and json_errors and not peer_is_mlflow():
        assert answer.error_code, f"not an error in MLflow's shape: {told}"
    if answer.status == 200 and route in API_ROUTES:
        assert isinstance(answer.json(), dict), told


@pytest.mark.parametrize("route", API_ROUTES, ids=str)
def test_garbage_fields(route: Route, wire: Wire, victim: Ids, witness: Ids) -> None:
    before = snapshot(wire, witness)

    @several
    @given(requests_for(route, victim))
    def garbage(request: dict[str, Any]) -> None:
        path, rest = target_of(route, request)
        if route.reads_query:
            query = urlencode({name: _text(value) for name, value in rest.items()}, errors="surrogatepass")
            answer = wire.send("GET", f"{path}?{query}"[:60_000])
        else:
            answer = wire.send(route.method, path, json.dumps(rest).encode(), JSON)
        check(answer, route, request)

    garbage()
    assert snapshot(wire, witness) == before


DEEP = 100_000
BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "not JSON": b"{",
    "half a string": b'{"run_id": "',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "a string": b'"{}"',
    "a string with an object": b'"{\\"run_id\\": \\"x\\"}"',
    "NUL": b"\x00",
    "not UTF-8": b'{"run_id": "\xff\xfe"}',
    "UTF-16": '{"run_id": "x"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"run_id": "x"}',
    "half a surrogate": b'{"run_id": "\\ud800"}',
    "NaN": b'{"value": NaN, "timestamp": Infinity}',
    "number of 100,000 digits": b'{"timestamp": ' + b"9" * 100_000 + b"}",
    "huge exponent": b'{"value": 1e999999999}',
    "the same key twice": b'{"run_id": "a", "run_id": "b"}',
    "both spellings": b'{"run_id": "a", "runId": "b"}',
    "deep list": b'{"tags": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "many keys": json.dumps({f"key{number}": number for number in range(20_000)}).encode(),
    "compressed by name only": b"\x1f\x8b\x08\x00nothing",
}
WRITE_ROUTES = [route for route in API_ROUTES if not route.reads_query]


@pytest.mark.parametrize("route", WRITE_ROUTES, ids=str)
def test_garbage_bodies(route: Route, wire: Wire, victim: Ids, witness: Ids) -> None:
    before = snapshot(wire, witness)
    # An id that is not there: the bodies are the point, and a valid one must not delete the victim.
    path = route.path.replace("{model_id}", "m-none").replace("{tag_key}", "k").replace("{where}", "a/b")
    for name, body in BODIES.items():
        check(wire.send(route.method, path, body, JSON), route, name)
    assert snapshot(wire, witness) == before


CONTENT_TYPES = (
    "text/plain",
    "application/xml",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "",
    "application/json; charset=utf-16",
    "application/json" + "x" * 2000,
    "<script>alert(1)</script>",
    "application/json\t;",
)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_content_types(content_type: str, wire: Wire, witness: Ids) -> None:
    for route in WRITE_ROUTES:
        path = route.path.replace("{model_id}", "m-none").replace("{tag_key}", "k").replace("{where}", "a/b")
        answer = wire.send(route.method, path, b"{}", {"Content-Type": content_type})
        check(answer, route, content_type)
        # CVE-2023-6568: the type was repeated in a page that a browser rendered.
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        assert not (is_page and b"<script>alert" in answer.body), f"{route}: {answer}"


@pytest.mark.parametrize("route", FILE_ROUTES, ids=str)
def test_garbage_file_requests(route: Route, wire: Wire, victim: Ids, witness: Ids) -> None:
    before = snapshot(wire, witness)

    @several
    @given(requests_for(route, victim), st.binary(max_size=200))
    def garbage(request: dict[str, Any], body: bytes) -> None:
        # To remove the witness's own folder would be no garbage.
        assume(witness.experiment not in _text(request.get("path", "")))
        path, rest = target_of(route, request)
        query = urlencode({name: _text(value) for name, value in rest.items()}, errors="surrogatepass")
        target = f"{path}?{query}" if query else path
        sent = None if route.method in ("GET", "DELETE") else body
        check(wire.send(route.method, target[:60_000], sent), route, request, json_errors=False)

    garbage()
    if not (peer_is_mlflow() and route.method == "DELETE"):  # there, `DELETE artifacts/.` removes everybody's files
        assert snapshot(wire, witness) == before


def test_oversize(wire: Wire, server_url: str, victim: Ids, witness: Ids) -> None:
    before = snapshot(wire, witness)
    tag = API_ROUTES[[str(route) for route in API_ROUTES].index("POST /api/2.0/mlflow/runs/set-tag")]
    for size in (1_000_000, 50_000_000):
        body = json.dumps({"run_id": victim.run, "key": "big", "value": "x" * size}).encode()
        # A connection that is closed before all of it was sent is as good an answer of another server.
        with suppress(BrokenPipeError, ConnectionResetError) if peer_is_mlflow() else nullcontext():
            check(Wire(server_url).send("POST", tag.path, body, JSON), tag, f"{size} bytes")
    assert snapshot(wire, witness) == before


@pytest.mark.parametrize("path", ("/api/2.0/mlflow/nope", "/api/3.0/mlflow/label-schemas/create", "/bucket/../x"))
def test_large_bodies_that_nobody_wants(path: str, server_url: str) -> None:
    """The client hears why, although it looks for the answer when it has sent everything."""
    answer = Wire(server_url).send("POST", path, b"x" * 50_000_000, {"Content-Type": "application/octet-stream"})
    if not peer_is_mlflow():
        assert 400 <= answer.status < 500 or answer.status == 501, answer


POST = b"POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
PUT = b"PUT /api/2.0/mlflow-artifacts/artifacts/0/half.bin HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
RAW = {
    "nothing": b"",
    "noise": bytes(range(256)) * 8,
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "no version": b"GET /health\r\n\r\n",
    "wrong version": b"GET /health HTTP/9.9\r\n\r\n",
    "endless line": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "many headers": GET + b"".join(b"X-%d: 1\r\n" % number for number in range(5000)) + b"\r\n",
    "endless header": GET + b"X: " + b"a" * 500_000 + b"\r\n\r\n",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "half a body": POST + b"Content-Length: 100\r\n\r\n{",
    "half an upload": PUT + b"Content-Length: 100\r\n\r\nabc",
    "half an upload in chunks": PUT + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
}


@pytest.mark.parametrize("name", RAW)
def test_broken_http(name: str, wire: Wire, server_url: str, witness: Ids) -> None:
    before = snapshot(wire, witness)
    answer = talk_raw(server_url, RAW[name])
    assert not answer.startswith(b"HTTP/1.1 5")
    if name.startswith(("half", "bad")):
        assert not answer.startswith(b"HTTP/1.1 2"), "something incomplete was taken for a request"
    assert wire.send("GET", "/health").body == b"OK"
    assert snapshot(wire, witness) == before


@pytest.mark.parametrize("name", ("half an upload", "half an upload in chunks"))
def test_half_an_upload_is_no_file(name: str, wire: Wire, server_url: str) -> None:
    talk_raw(server_url, RAW[name])
    if not peer_is_mlflow():
        assert wire.send("GET", "/api/2.0/mlflow-artifacts/artifacts/0/half.bin").status == 404


UNKNOWN = (
    "/api/2.0/mlflow/nope",
    "/api/9.0/mlflow/runs/get",
    "/api",
    "/api/2.0/mlflow/runs",
    "/%00",
    "/%ff",
    "/api/2.0/mlflow/runs/get/../get",
)


@pytest.mark.parametrize("path", UNKNOWN)
@pytest.mark.parametrize("method", ("GET", "POST", "PUT", "PATCH", "DELETE", "NOPE"))
def test_unknown_routes(method: str, path: str, wire: Wire) -> None:
    answer = wire.send(method, path, b"{}" if method in ("POST", "PUT", "PATCH") else None, JSON)
    assert 400 <= answer.status < 500 or answer.status == 501, answer
    # A client takes 200 and `{}` for a feature that is there, and never falls back.
    assert answer.body.strip() != b"{}"

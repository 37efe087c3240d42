"""The OpenAPI document is valid, and answers are what it says."""

import copy

import pytest
import requests
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

ROOT = "/api/stele/v1"


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def document(server):
    return requests.get(f"{server.url}{ROOT}/openapi.json", timeout=60).json()


def strict(schema):
    """The schema with no room for fields that it does not name, so that none is forgotten in it."""
    match schema:
        case {"properties": _}:
            schema.setdefault("additionalProperties", False)
        case {"allOf": _}:
            schema.setdefault("unevaluatedProperties", False)
    return schema


@pytest.fixture
def check(server, document):
    """Asks as a route of the document says, and holds the answer against it."""
    schemas = copy.deepcopy(document["components"]["schemas"])
    embedded = {part["$ref"].rsplit("/", 1)[1] for schema in schemas.values() for part in schema.get("allOf", []) if "$ref" in part}
    for name, schema in schemas.items():
        if name not in embedded:
            strict(schema)

    def ask(method, route, status=200, query=None, **request):
        path = route.format(**request.pop("path", {}))
        answer = requests.request(method, f"{server.url}{ROOT}/{path}", params=query, timeout=60, **request)
        assert answer.status_code == status, answer.text
        responses = document["paths"][f"{ROOT}/{route}"][method.lower()]["responses"]
        told = responses.get(str(status), responses["default"])
        for kind, content in told.get("content", {}).items():
            assert answer.headers["Content-Type"].split(";")[0] == kind
            if "schema" in content:
                schema = content["schema"] | {"components": {"schemas": schemas}}
                Draft202012Validator(schema).validate(answer.json())
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer

    return ask


def test_the_document_is_valid(document):
    OpenAPIV31SpecValidator(document).validate()
    assert len(document["paths"]) > 15


def test_answers_are_what_the_document_says(check, server, record):
    at = record(server)
    made = check("POST", "experiments", json={"name": "iris", "tags": {"a": "b"}})
    one = at.run("one", made["id"], [("lr", "1")], [("loss", 0, 0.5), ("loss", 1, "NaN"), ("inf", 0, "Infinity")], [("t", "u")])
    other = at.run("other", made["id"])
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}
    at.post("runs/log-inputs", run_id=one, datasets=[{"dataset": dataset, "tags": [{"key": "k", "value": "v"}]}])
    at.post("registered-models/create", name="churn")
    at.post("model-versions/create", name="churn", source=f"runs:/{one}/model", run_id=one)

    check("GET", "server")
    assert [e["name"] for e in check("GET", "experiments", query={"limit": 1})["experiments"]] == ["iris"]
    assert check("GET", "experiments/{experiment_id}", path={"experiment_id": made["id"]}) == made
    assert len(check("GET", "runs", query={"filter": "metrics.inf > 5"})["runs"]) == 1
    assert "next_page_token" in check("GET", "runs", query={"limit": 1})
    run = check("GET", "runs/{run_id}", path={"run_id": one})
    assert (run["metrics"]["loss"]["value"], run["metrics"]["inf"]["value"]) == ("NaN", "Infinity")
    assert check("GET", "lineage", query={"of": f"runs:/{one}"})["edges"]
    check("GET", "run-comparison", query={"runs": f"{one},{other}"})
    check("GET", "runs/{run_id}/metrics/envelope", path={"run_id": one}, query={"key": "loss"})
    check("PUT", "runs/{run_id}/artifacts/file", path={"run_id": one}, query={"path": "model/a.txt"}, data=b"hello")
    check("GET", "runs/{run_id}/artifacts", path={"run_id": one})
    check("GET", "models/{model}/versions/{version}/artifacts", path={"model": "churn", "version": 1})
    for number in ("models", "models/{model}", "models/{model}/versions", "models/{model}/versions/{version}"):
        check("GET", number, path={"model": "churn", "version": 1})
    check("PUT", "models/{model}/aliases/{alias}", path={"model": "churn", "alias": "best"}, json={"version": 1})
    check("GET", "models/{model}/aliases/{alias}", path={"model": "churn", "alias": "best"})
    check("PUT", "models/{model}/versions/{version}/stage", path={"model": "churn", "version": 1}, json={"stage": "staging"})
    check("DELETE", "models/{model}/aliases/{alias}", 204, path={"model": "churn", "alias": "best"})
    check("DELETE", "runs/{run_id}", 204, path={"run_id": one})
    check("POST", "runs/{run_id}/restore", 204, path={"run_id": one})
    check("DELETE", "experiments/{experiment_id}", 204, path={"experiment_id": made["id"]})
    check("GET", "runs/{run_id}", 404, path={"run_id": "nobody"})
    check("GET", "runs", 400, query={"nonsense": 1})


def test_pages_of_strangers_change_nothing(server):
    body = {"name": "from a stranger's page"}
    for headers in ({"Origin": "https://evil.example.org"}, {"Host": "evil.example.org"}):
        answer = requests.post(f"{server.url}{ROOT}/experiments", json=body, headers=headers, timeout=60)
        assert answer.status_code == 403
    # What a page may send without asking first.
    answer = requests.post(f"{server.url}{ROOT}/experiments", data='{"name": "x"}', headers={"Content-Type": "text/plain"}, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")

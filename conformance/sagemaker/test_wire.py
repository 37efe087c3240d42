"""Requests that no boto3 sends: refused in AWS's form, and changing nothing."""

import http.client
import json
import random
from pathlib import Path

import pytest
from raw_http import Wire

HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": "AWS4-HMAC-SHA256 Credential=k/20261125/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0",
}


@pytest.fixture
def wire(server):
    return Wire(server.url)


def send(wire, target, body, method="POST", path="/", **headers):
    headers = {**HEADERS, **({"X-Amz-Target": target} if target else {}), **headers}
    return wire.send(method, path, headers=headers, body=body)


def test_unknown_operations(wire):
    elsewhere = ("SageMaker.BatchPutMetrics", "SageMaker.BatchGetMetrics")
    for target in ("SageMaker.CreateTrainingJob", "SageMaker.Nonsense", "Other.AddTags", "", None, *elsewhere):
        answer = send(wire, target, b"{}")
        assert answer.status == 400, target
        assert answer.json()["__type"] == "UnknownOperationException"
        headers = {key.lower(): value for key, value in answer.headers.items()}
        assert headers["x-amzn-requestid"] and headers["x-amzn-errortype"] == "UnknownOperationException"


def test_bodies_that_are_no_requests(wire):
    deep = b'{"Tags":' + b"[" * 5000 + b"]" * 5000 + b"}"
    for body in (b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"ModelPackageGroupName": 1e999}', deep):
        answer = send(wire, "SageMaker.CreateModelPackageGroup", body)
        assert (answer.status, answer.json()["__type"]) == (400, "SerializationException"), body[:20]
    answer = send(wire, "SageMaker.CreateModelPackageGroup", b'{"ModelPackageGroupName": 1}')
    assert answer.json()["__type"] == "SerializationException"
    huge = json.dumps({"ModelPackageGroupName": "x" * 5_000_000}).encode()
    answer = send(wire, "SageMaker.CreateModelPackageGroup", huge)
    assert answer.status == 400 and "larger" in answer.json()["message"]


def test_pages_of_strangers_change_nothing(wire, name, sm):
    body = json.dumps({"ModelPackageGroupName": name}).encode()
    answer = send(wire, "SageMaker.CreateModelPackageGroup", body, Origin="https://evil.example.org")
    assert answer.status == 403
    connection = http.client.HTTPConnection(wire.host, wire.port, timeout=10)
    connection.putrequest("POST", "/", skip_host=True)
    headers = {"Host": "evil.example.org", "X-Amz-Target": "SageMaker.CreateModelPackageGroup"}
    for header, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(header, value)
    connection.endheaders(body)
    assert connection.getresponse().status == 403
    connection.close()
    assert sm.list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"] == []


OPERATIONS = json.loads(
    Path(__file__).parents[2].joinpath("crates/sagemaker/src/service.json").read_text()
)


def garbage(chance, depth=0):
    kinds = [
        lambda: None,
        lambda: chance.choice([True, False]),
        lambda: chance.choice([0, -1, 2**31, 2**63, 10**30, 1.5, -1e308]),
        lambda: chance.choice(["", "a", "a" * 300, "\x00", "ü\u202e", "arn:aws:sagemaker:x:123456789012:artifact/", "../..", "%00", "'\"\\"]),
    ]
    if depth < 4:
        kinds += [
            lambda: [garbage(chance, depth + 1) for _ in range(chance.randrange(3))],
            lambda: {chance.choice(["Key", "Value", "a", ""]): garbage(chance, depth + 1) for _ in range(3)},
        ]
    return chance.choice(kinds)()


@pytest.mark.parametrize("operation", sorted(OPERATIONS["operations"]))
def test_garbage_gets_an_answer_that_is_no_failure(wire, operation):
    chance = random.Random(operation)
    members = OPERATIONS["shapes"][OPERATIONS["operations"][operation]["input"]]["members"]
    paths = {"BatchPutMetrics": ("PUT", "/BatchPutMetrics"), "BatchGetMetrics": ("POST", "/BatchGetMetrics")}
    method, path = paths.get(operation, ("POST", "/"))
    for _ in range(40):
        body = {member: garbage(chance) for member in members if chance.random() < 0.7}
        # What is random is hardly ever whole: nothing is made by chance but things named by one letter.
        answer = send(wire, f"SageMaker.{operation}", json.dumps(body).encode(), method, path)
        assert answer.status in (200, 400), (body, str(answer))
        assert isinstance(answer.json(), dict)

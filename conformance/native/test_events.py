"""Events in each format, as a receiver gets them, and what can be seen of deliveries."""

import base64
import json
import time
import uuid

import pytest
import requests
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from receivers import Receiver
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()


@pytest.fixture
def api(server):
    def call(method, path, status=200, **arguments):
        answer = requests.request(method, f"{server.url}/api/stele/v1/{path}", timeout=30, **arguments)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return call


@pytest.fixture
def mlflow(server):
    def call(method, path, **fields):
        url = f"{server.url}/api/2.0/mlflow/{path}"
        answer = requests.request(method, url, json=fields, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return call


@pytest.fixture
def hook(api, receiver):
    made = []

    def make(form, events, secret=None):
        new = {"name": "hook", "url": receiver.url, "format": form, "events": events}
        new |= {"secret": secret} if secret else {}
        made.append(api("POST", "webhooks", json=new))
        return made[-1]

    yield make
    for webhook in made:
        api("DELETE", f"webhooks/{webhook['id']}", status=204)


def a_version(mlflow):
    name = f"m-{uuid.uuid4().hex[:12]}"
    mlflow("POST", "registered-models/create", name=name)
    mlflow("POST", "model-versions/create", name=name, source="s3://bucket/model")
    return name


def check_signature(headers, body):
    """As receivers do, with the library of the specification's authors."""
    told = Webhook(SECRET).verify(body, headers)
    assert told == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + " ", headers)


def test_cloudevents_are_signed_and_in_the_order_of_the_model(hook, receiver, mlflow):
    hook("cloudevents", ["version.created", "version.stage", "alias.set"], SECRET)
    name = a_version(mlflow)
    mlflow("POST", "model-versions/transition-stage", name=name, version="1", stage="Production")
    mlflow("POST", "registered-models/alias", name=name, alias="champion", version="1")
    got = receiver.about_model(name, 3)
    told = [json.loads(body) for _, body in got]
    assert [event["type"] for event in told] == ["stele.version.created", "stele.version.stage", "stele.alias.set"]
    for headers, body in got:
        check_signature(headers, body)
        assert headers["content-type"] == "application/cloudevents+json"
        event = from_structured_event(HTTPMessage(headers, body.encode()))
        assert (event.get_specversion(), event.get_id()) == ("1.0", headers["webhook-id"])
        assert event.get_datacontenttype() in (None, "application/json")
        assert event.get_time().tzinfo is not None
    moved = told[1]["data"]
    assert (moved["model"], moved["version"], moved["before"], moved["after"]) == (
        name, 1, {"stage": "none"}, {"stage": "production"})
    assert moved["state"]["stage"] == "production"


def test_slack_gets_a_sentence(hook, receiver, mlflow):
    hook("slack", ["version.stage"])
    name = a_version(mlflow)
    mlflow("POST", "model-versions/transition-stage", name=name, version="1", stage="Staging")
    [(_, body)] = receiver.about_model(name, 1)
    assert json.loads(body)["text"].startswith(f"version 1 of *{name}* moved from none to staging, by ")


def test_github_gets_a_dispatch_with_the_token(hook, receiver, mlflow):
    hook("github", ["version.created"], "ghp_token")
    name = a_version(mlflow)
    [(headers, body)] = receiver.about_model(name, 1)
    told = json.loads(body)
    assert headers["authorization"] == "Bearer ghp_token"
    assert headers["accept"] == "application/vnd.github+json"
    assert told["event_type"] == "stele.version.created"
    assert told["client_payload"]["model"] == name and len(told["client_payload"]) <= 10


def test_eventbridge_gets_the_state_of_the_package(hook, receiver, mlflow):
    hook("eventbridge", ["*"], SECRET)
    name = a_version(mlflow)
    mlflow("POST", "model-versions/transition-stage", name=name, version="1", stage="Staging")
    got = receiver.about_model(name, 2)
    check_signature(*got[0])
    created, moved = (json.loads(body) for _, body in got)
    assert created["detail-type"] == "SageMaker Model Package State Change"
    assert created["source"] == "aws.sagemaker"
    assert created["resources"][0].endswith(f":model-package/{name}/1")
    assert created["detail"]["ModelApprovalStatus"] == "PendingManualApproval"
    assert moved["detail"]["UpdatedModelPackageFields"] == ["ModelLifeCycle"]
    assert "ModelLifeCycle" not in created["detail"], "it was in no stage"
    assert moved["detail"]["ModelLifeCycle"] == {"Stage": "Staging", "StageStatus": "Active"}


def test_what_a_receiver_refuses_for_good_is_dead_and_can_be_made_again(hook, receiver, mlflow, api):
    webhook = hook("cloudevents", ["model.created"], SECRET)
    name = f"m-{uuid.uuid4().hex[:12]}"
    receiver.about, receiver.answers = name, [400]
    mlflow("POST", "registered-models/create", name=name)
    receiver.about_model(name, 1)

    def dead():
        found = api("GET", "webhook-deliveries", params={"webhook": webhook["id"], "status": "failed"})
        return [delivery for delivery in found["deliveries"] if delivery["object"] == name]

    deadline = time.monotonic() + 10
    while not dead() and time.monotonic() < deadline:
        time.sleep(0.05)
    [delivery] = dead()
    assert (delivery["response_status"], delivery["attempts"]) == (400, 1)
    api("POST", f"webhook-deliveries/{delivery['id']}/redelivery", status=204)
    again = receiver.about_model(name, 2)
    assert again[0][0]["webhook-id"] == again[1][0]["webhook-id"]


def test_webhooks_are_listed_without_secrets_and_bad_ones_are_refused(hook, api, receiver, mlflow):
    webhook = hook("cloudevents", ["*"], SECRET)
    assert webhook["secret"] is True and SECRET not in json.dumps(api("GET", "webhooks"))
    assert api("POST", f"webhooks/{webhook['id']}/test")["delivered"] is True
    off = api("PATCH", f"webhooks/{webhook['id']}", json={"status": "disabled"})
    assert off["status"] == "disabled"
    good = {"name": "w", "url": receiver.url, "format": "cloudevents", "events": ["version.stage"]}
    for wrong in (
        {"format": "smoke"}, {"events": []}, {"events": ["run.created"]}, {"secret": "short"}, {"url": "ftp://host/"},
        {"name": " "}, {"format": "github"}, {"format": "slack", "secret": "x"},
    ):
        assert api("POST", "webhooks", status=400, json=good | wrong)["code"] == "invalid", wrong
    # MLflow's clients could not read its events.
    listed = mlflow("GET", "webhooks", max_results=1000).get("webhooks", [])
    assert webhook["id"] not in [each["webhook_id"] for each in listed]

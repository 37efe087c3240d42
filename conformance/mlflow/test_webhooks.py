"""Webhooks: who is told of what, and how a receiver knows who tells it."""

import base64
import hashlib
import hmac
import http.server
import json
import re
import threading
import time

import pytest

from wire import missing, offset_token, wrong_type

CREATED = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
EVENTS = {
    "REGISTERED_MODEL": ["CREATED"],
    "MODEL_VERSION": ["CREATED"],
    "MODEL_VERSION_TAG": ["SET", "DELETED"],
    "MODEL_VERSION_ALIAS": ["CREATED", "DELETED"],
    "PROMPT": ["CREATED"],
    "PROMPT_VERSION": ["CREATED"],
    "PROMPT_TAG": ["SET", "DELETED"],
    "PROMPT_VERSION_TAG": ["SET", "DELETED"],
    "PROMPT_ALIAS": ["CREATED", "DELETED"],
}
ALL = [{"entity": entity, "action": action} for entity, actions in EVENTS.items() for action in actions]
IS_PROMPT = {"key": "mlflow.prompt.is_prompt", "value": "true"}


class Receiver:
    """Keeps what it is sent, and answers with the statuses that a test wants, then with 200.

    Other tests make models meanwhile, and a webhook hears of them too: the answers are for deliveries that name `about`.
    """

    def __init__(self):
        self.got, self.answers, self.about = [], [], ""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.got.append((time.monotonic(), dict(self.headers), body))
                wanted = receiver.answers and receiver.about in body
                status, headers = receiver.answers.pop(0) if wanted else (200, {})
                self.send_response(status)
                for name, value in {"Content-Length": "5", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def answer(self, about, *answers):
        self.about, self.answers = about, list(answers)

    def wait(self, count, about=None, seconds=30):
        """The bodies about a model or prompt, once there are so many; for none, after the time given."""
        give_up = time.monotonic() + seconds
        while True:
            bodies = [json.loads(body) for _, _, body in list(self.got)]
            mine = [body for body in bodies if about is None or body["data"]["name"] == about]
            if (count and len(mine) >= count) or time.monotonic() > give_up:
                assert len(mine) == count, mine
                return mine
            time.sleep(0.05)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def new_webhook(api, receiver, unique):
    made = []

    def make(**fields):
        body = {"name": unique("hook"), "url": receiver.url, "events": CREATED, **fields}
        made.append(api.post("webhooks", body).ok["webhook"])
        return made[-1]

    yield make
    for webhook in made:
        api.delete(f"webhooks/{webhook['webhook_id']}")


def test_create_read_and_delete(api, new_webhook, receiver, unique):
    name = unique("hook")
    made = new_webhook(name=name, description="d", secret="s3cret")
    assert made == {
        "webhook_id": made["webhook_id"],
        "name": name,
        "description": "d",
        "url": receiver.url,
        "events": CREATED,
        "status": "ACTIVE",
        "creation_timestamp": made["creation_timestamp"],
        "last_updated_timestamp": made["creation_timestamp"],
    }
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["webhook_id"])
    path = f"webhooks/{made['webhook_id']}"
    assert api.get(path).ok == {"webhook": made}
    assert "s3cret" not in api.get("webhooks").text
    assert api.delete(path).ok == {}
    text = f"Webhook with ID {made['webhook_id']} not found."
    for answer in [api.get(path), api.delete(path), api.patch(path, name="x"), api.post(f"{path}/test")]:
        answer.absent(exactly=text)


def test_lists_are_newest_first_and_paged(api, new_webhook):
    ids = []
    for _ in range(3):
        ids.append(new_webhook()["webhook_id"])
        time.sleep(0.01)
    page = api.get("webhooks", max_results=2).ok
    assert [webhook["webhook_id"] for webhook in page["webhooks"]] == [ids[2], ids[1]]
    assert page["next_page_token"] == offset_token(2)
    rest = api.get("webhooks", max_results=2, page_token=page["next_page_token"]).ok
    assert rest["webhooks"][0]["webhook_id"] == ids[0]
    api.get("webhooks", max_results=1001).invalid(exactly="max_results must be between 1 and 1000.")
    api.get("webhooks", page_token="zz").invalid("Invalid page token, could not base64-decode")


def test_updates_change_what_they_name(api, new_webhook, receiver):
    made = new_webhook(description="d")
    path = f"webhooks/{made['webhook_id']}"
    changed = api.patch(path, name="other", description="", status="DISABLED").ok["webhook"]
    assert (changed["name"], changed["status"], changed["events"]) == ("other", "DISABLED", CREATED)
    assert "description" not in changed and changed["url"] == receiver.url
    events = [{"entity": "PROMPT", "action": "CREATED"}]
    changed = api.patch(path, events=events, url=receiver.url + "/x").ok["webhook"]
    assert (changed["events"], changed["url"], changed["status"]) == (events, receiver.url + "/x", "DISABLED")
    assert changed["last_updated_timestamp"] >= made["last_updated_timestamp"]
    api.patch(path, name="-").invalid("Webhook name '-' is invalid.")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": ""}, missing("name")),
        ({"url": ""}, missing("url")),
        ({"events": None}, missing("events")),
        ({"events": "x"}, wrong_type("x", "events", "str")),
        ({"events": []}, "Webhook events must be a non-empty list of WebhookEvent objects: []."),
        ({"name": "-w"}, "Webhook name '-w' is invalid. It must start and end with a letter or digit, be less than 63"),
        ({"name": "w" * 64}, "is invalid. It must start and end with a letter or digit"),
        ({"url": "ftp://x"}, "Invalid webhook URL scheme: 'ftp'. Allowed schemes are: http, https."),
        ({"url": " "}, "Webhook URL cannot be empty or just whitespace: ' '"),
        ({"url": "http://"}, "Webhook URL must include a hostname: 'http://'"),
        ({"url": "http:///x"}, "Webhook URL must include a hostname: 'http:///x'"),
        ({"url": "no url"}, "Invalid webhook URL scheme: ''. Allowed schemes are: http, https."),
        (
            {"events": [{"entity": "REGISTERED_MODEL", "action": "SET"}]},
            "Invalid action 'set' for entity 'registered_model'. Valid actions are: ['created']",
        ),
    ],
)
def test_what_is_refused(api, receiver, fields, text):
    api.post("webhooks", {"name": "w", "url": receiver.url, "events": CREATED, **fields}).invalid(text)


def test_states_and_events_by_number(new_webhook):
    made = new_webhook(status=2, events=[{"entity": 1, "action": 1}])
    assert (made["status"], made["events"]) == ("DISABLED", CREATED)


def test_a_test_sends_an_example(api, new_webhook, receiver):
    made = new_webhook(secret="s3cret", status="DISABLED")
    path = f"webhooks/{made['webhook_id']}/test"
    result = {"success": True, "response_status": 200, "response_body": "hello"}
    assert api.post(path).ok == {"result": result}
    event = {"entity": "PROMPT_VERSION", "action": "CREATED"}
    assert api.post(path, event=event).ok == {"result": result}
    first, second = receiver.wait(2)
    assert (first["entity"], first["action"]) == ("registered_model", "created")
    assert first["data"] == {
        "name": "example_model",
        "tags": {"example_key": "example_value"},
        "description": "An example registered model",
    }
    assert (second["entity"], second["data"]["template"]) == ("prompt_version", "Hello {{name}}!")
    receiver.answer("example_model", (404, {}))
    assert api.post(path).ok["result"] == {"success": False, "response_status": 404, "response_body": "hello"}


def test_a_test_that_reaches_nobody(api, new_webhook):
    made = new_webhook(url="http://127.0.0.1:1/x")
    result = api.post(f"webhooks/{made['webhook_id']}/test").ok["result"]
    assert result["success"] is False and result["error_message"].startswith("Failed to test webhook: ")


def test_deliveries_are_signed(new_webhook, new_model, receiver):
    new_webhook(secret="s3cret")
    name = new_model(tags=[{"key": "a", "value": "b"}], description="d")
    (body,) = receiver.wait(1, name)
    assert (body["entity"], body["action"]) == ("registered_model", "created")
    assert body["data"] == {"name": name, "tags": {"a": "b"}, "description": "d"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", body["timestamp"])
    _, headers, raw = next(got for got in receiver.got if name in got[2])
    headers = {key.lower(): value for key, value in headers.items()}
    assert headers["content-type"] == "application/json"
    seconds, delivery = headers["x-mlflow-timestamp"], headers["x-mlflow-delivery-id"]
    assert abs(int(seconds) - time.time()) < 60 and delivery
    signed = hmac.new(b"s3cret", f"{delivery}.{seconds}.{raw}".encode(), hashlib.sha256).digest()
    assert headers["x-mlflow-signature"] == "v1," + base64.b64encode(signed).decode()


def test_without_a_secret_nothing_is_signed(new_webhook, new_model, receiver):
    new_webhook()
    receiver.wait(1, new_model())
    assert all("x-mlflow-signature" not in {key.lower() for key in headers} for _, headers, _ in receiver.got)


def test_what_happens_to_models_is_told(api, new_webhook, receiver, new_model):
    new_webhook(events=ALL)
    name = new_model()
    source = {"source": "s3://bucket/model", "description": "d", "tags": [{"key": "a", "value": "b"}]}
    api.post("model-versions/create", name=name, **source).ok
    api.post("registered-models/set-tag", name=name, key="k", value="v").ok
    api.post("model-versions/set-tag", name=name, version="1", key="k", value="v").ok
    api.delete("model-versions/delete-tag", name=name, version="1", key="k").ok
    api.post("registered-models/alias", name=name, version="1", alias="best").ok
    api.delete("registered-models/alias", name=name, alias="best").ok
    told = receiver.wait(6, name)
    assert sorted((body["entity"], body["action"], json.dumps(body["data"], sort_keys=True)) for body in told) == sorted(
        (entity, action, json.dumps({"name": name, **data}, sort_keys=True))
        for entity, action, data in [
            ("registered_model", "created", {"tags": {}, "description": ""}),
            (
                "model_version",
                "created",
                {
                    "version": "1",
                    "source": "s3://bucket/model",
                    "run_id": None,
                    "tags": {"a": "b"},
                    "description": "d",
                },
            ),
            ("model_version_tag", "set", {"version": "1", "key": "k", "value": "v"}),
            ("model_version_tag", "deleted", {"version": "1", "key": "k"}),
            ("model_version_alias", "created", {"alias": "best", "version": "1"}),
            ("model_version_alias", "deleted", {"alias": "best"}),
        ]
    )


def test_what_happens_to_prompts_is_told_as_such(api, new_webhook, receiver, unique):
    new_webhook(events=ALL)
    name = unique("prompt")
    api.post("registered-models/create", name=name, tags=[IS_PROMPT, {"key": "a", "value": "b"}]).ok
    api.post("registered-models/set-tag", name=name, key="k", value="v").ok
    api.delete("registered-models/delete-tag", name=name, key="k").ok
    tags = [IS_PROMPT, {"key": "mlflow.prompt.text", "value": "Hi"}, {"key": "x", "value": "y"}]
    api.post("model-versions/create", name=name, source="prompt-template", tags=tags).ok
    api.post("model-versions/set-tag", name=name, version="1", key="k", value="v").ok
    api.delete("model-versions/delete-tag", name=name, version="1", key="k").ok
    api.post("registered-models/alias", name=name, version="1", alias="best").ok
    api.delete("registered-models/alias", name=name, alias="best").ok
    told = {(body["entity"], body["action"]): body["data"] for body in receiver.wait(8, name)}
    assert told == {
        ("prompt", "created"): {"name": name, "tags": {"a": "b"}, "description": ""},
        ("prompt_tag", "set"): {"name": name, "key": "k", "value": "v"},
        ("prompt_tag", "deleted"): {"name": name, "key": "k"},
        ("prompt_version", "created"): {
            "name": name, "version": "1", "template": "Hi", "tags": {"x": "y"}, "description": None
        },
        ("prompt_version_tag", "set"): {"name": name, "version": "1", "key": "k", "value": "v"},
        ("prompt_version_tag", "deleted"): {"name": name, "version": "1", "key": "k"},
        ("prompt_alias", "created"): {"name": name, "alias": "best", "version": "1"},
        ("prompt_alias", "deleted"): {"name": name, "alias": "best"},
    }  # fmt: skip


def test_only_what_was_asked_for_is_told(api, new_webhook, receiver, new_model, unique):
    new_webhook(events=[{"entity": "PROMPT", "action": "CREATED"}])
    model, prompt = new_model(), unique("prompt")
    api.post("registered-models/create", name=prompt, tags=[IS_PROMPT]).ok
    receiver.wait(1, prompt)
    receiver.wait(0, model, seconds=1)


def test_a_disabled_webhook_is_not_told(new_webhook, new_model, receiver):
    new_webhook(status="DISABLED")
    receiver.wait(0, new_model(), seconds=2)


def test_a_busy_receiver_is_tried_again(new_webhook, new_model, receiver, unique):
    new_webhook(secret="s")
    name = unique("model")
    receiver.answer(name, (503, {}), (429, {"Retry-After": "1"}))
    new_model(name=name)
    first, second, third = receiver.wait(3, name)
    assert first == second == third
    told = [{key.lower(): value for key, value in headers.items()} for _, headers, body in receiver.got if name in body]
    assert len({headers["x-mlflow-delivery-id"] for headers in told}) == 1


def test_a_refusal_for_good_is_not_tried_again(new_webhook, new_model, receiver, unique):
    new_webhook()
    name = unique("model")
    receiver.answer(name, (400, {}))
    new_model(name=name)
    receiver.wait(1, name)
    time.sleep(3)
    receiver.wait(1, name)


@pytest.mark.stele_only
def test_one_webhook_is_told_in_order_also_after_failures(api, new_webhook, receiver, new_model, new_version, unique):
    hook = new_webhook(events=ALL)
    name = unique("model")
    receiver.answer(name, (500, {}), (500, {}))
    new_model(name=name)
    for number in range(1, 6):
        new_version(name)
        api.post("registered-models/alias", name=name, version=str(number), alias="best").ok
    told = receiver.wait(13, name)
    assert [body["entity"] for body in told[:3]] == ["registered_model"] * 3
    order = [(body["entity"], body["data"]["version"]) for body in told[3:]]
    assert order == [
        (entity, str(number)) for number in range(1, 6) for entity in ("model_version", "model_version_alias")
    ]
    for _ in range(100):
        log = api.get(f"webhooks/{hook['webhook_id']}/deliveries", max_results=1000).ok["deliveries"]
        log = [delivery for delivery in log if delivery["subject"].split("/")[0] == name]
        if log[0]["status"] != "pending":
            break
        time.sleep(0.05)
    oldest = log[-1]
    assert (oldest["event"], oldest["subject"]) == ("registered_model.created", name)
    assert (oldest["status"], oldest["attempts"], oldest["response_status"]) == ("sent", 3, 200)
    assert {delivery["status"] for delivery in log} == {"sent"} and len(log) == 11


@pytest.mark.client("3.4")
def test_the_client_makes_and_tests_webhooks(client, receiver, unique):
    made = client.create_webhook(name=unique("hook"), url=receiver.url, events=["model_version.created"], secret="s")
    assert client.get_webhook(made.webhook_id).url == receiver.url
    assert client.test_webhook(made.webhook_id).success
    changed = client.update_webhook(made.webhook_id, events=["prompt.created"], status="DISABLED")
    assert [str(event) for event in changed.events] == ["prompt.created"]
    client.delete_webhook(made.webhook_id)
    assert made.webhook_id not in [webhook.webhook_id for webhook in client.list_webhooks()]

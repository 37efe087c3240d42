"""Reviews on a server with authentication: who reviewed is who asked, and those who only read change nothing."""

import pytest
import requests

from conftest import ADMIN, PASSWORD


@pytest.fixture
def ask(server):
    def send(method, path, user=ADMIN, /, **fields):
        where = {"params": fields} if method == "GET" else {"json": fields}
        url = f"{server.url}/api/{path}"
        return requests.request(method, url, auth=(user, PASSWORD), timeout=30, **where)

    return send


@pytest.fixture
def experiment(ask, name):
    answer = ask("POST", "2.0/mlflow/experiments/create", name=f"{name}-reviews")
    assert answer.status_code == 200, answer.text
    return answer.json()["experiment_id"]


@pytest.fixture
def member(ask, cli, name, experiment):
    """A factory of users with a role on the experiment alone."""

    def make(role):
        user = f"{name}-{role}"
        cli("auth", "user", "create", user, "--password-stdin", stdin=PASSWORD)
        cli("auth", "grant", "create", role, "--account", user, "--experiment", experiment)
        return user

    return make


@pytest.fixture
def trace(ask, experiment, name):
    info = {
        "trace_id": f"tr-{name}",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}},
        "request_time": "2026-01-01T00:00:00Z",
        "state": "OK",
    }
    answer = ask("POST", "3.0/mlflow/traces", trace={"trace_info": info})
    assert answer.status_code == 200, answer.text
    return info["trace_id"]


def test_a_review_is_signed_by_who_asked(ask, member, experiment, trace):
    author = member("contributor")
    body = {"experiment_id": experiment, "name": "q", "queue_type": "CUSTOM", "created_by": "somebody else"}
    queue = ask("POST", "3.0/mlflow/review-queues/create", author, **body).json()["review_queue"]
    assert queue["created_by"] == author
    added = ask("POST", "3.0/mlflow/review-queues/items/add", author, queue_id=queue["queue_id"], item_ids=[trace])
    assert added.status_code == 200, added.text
    review = {"queue_id": queue["queue_id"], "item_id": trace, "completed_by": "somebody else"}
    done = ask("POST", "3.0/mlflow/review-queues/items/set-status", author, **review, status="COMPLETE")
    assert done.json()["item"]["completed_by"] == author.lower()
    opened = ask("POST", "3.0/mlflow/review-queues/items/set-status", author, **review, status="PENDING")
    assert opened.status_code == 200 and "completed_by" not in opened.json()["item"], opened.text


def test_who_only_reads_gets_the_default_question_and_changes_nothing(ask, member, experiment):
    viewer = member("viewer")
    listed = ask("GET", "3.0/mlflow/label-schemas/list", viewer, experiment_id=experiment)
    (default,) = listed.json()["label_schemas"]
    assert default["is_default"]
    for path, fields in {
        "issues": {"name": "n", "description": "d"},
        "label-schemas/create": {"name": "x", "type": "FEEDBACK", "input": {"text": {}}},
        "review-queues/create": {"name": "x", "queue_type": "CUSTOM"},
        "review-queues/get-or-create-user": {"user": viewer},
    }.items():
        refused = ask("POST", f"3.0/mlflow/{path}", viewer, experiment_id=experiment, **fields)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED"), path
    assert ask("GET", "3.0/mlflow/review-queues/list", viewer, experiment_id=experiment).json() == {"next_page_token": ""}


def test_what_is_in_an_experiment_is_not_there_for_strangers(ask, member, experiment, cli, name):
    author = member("contributor")
    issue = ask("POST", "3.0/mlflow/issues", author, experiment_id=experiment, name="n", description="d").json()["issue"]
    queue = ask("POST", "3.0/mlflow/review-queues/get-or-create-user", author, experiment_id=experiment, user="u")
    queue = queue.json()["review_queue"]
    (schema,) = ask("GET", "3.0/mlflow/label-schemas/list", author, experiment_id=experiment).json()["label_schemas"]
    stranger = f"{name}-stranger"
    cli("auth", "user", "create", stranger, "--password-stdin", stdin=PASSWORD)
    own = ask("POST", "2.0/mlflow/experiments/create", name=f"{name}-own").json()["experiment_id"]
    cli("auth", "grant", "create", "contributor", "--account", stranger, "--experiment", own)
    for method, path, fields in [
        ("GET", f"issues/{issue['issue_id']}", {}),
        ("PATCH", f"issues/{issue['issue_id']}", {"name": "mine"}),
        ("GET", "label-schemas/get", {"schema_id": schema["schema_id"]}),
        ("GET", "label-schemas/list", {"experiment_id": experiment}),
        ("GET", "review-queues/get", {"queue_id": queue["queue_id"]}),
        ("POST", "review-queues/update", {"queue_id": queue["queue_id"], "name": "mine"}),
        ("GET", "review-queues/items/list", {"queue_id": queue["queue_id"]}),
    ]:
        answer = ask(method, f"3.0/mlflow/{path}", stranger, **fields)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST"), path
    assert ask("POST", "3.0/mlflow/issues/search", stranger).json() == {"next_page_token": ""}
    assert ask("GET", f"3.0/mlflow/issues/{issue['issue_id']}", author).json()["issue"]["name"] == "n"

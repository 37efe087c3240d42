"""What an opponent tries with stock clients: copies, exceptions of others, and promotions that race with rejections."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from mlflow import MlflowClient
from people import Person, employ

TARGETS = {"production": {"stage": "production"}, "champion": {"alias": "champion"}, "approved": {"approval": "approved"}}


@pytest.fixture
def team(guarded, name, monkeypatch):
    """An administrator, an author whom MLflow's client speaks for, two approvers, and a deployer; gates want one approval."""
    server, credentials = guarded
    administrator = Person(server.url, next(one for one in credentials if one.role == "administrator"))
    roles = {"ann": "contributor", "bob": "approver", "eve": "approver", "dan": "deployer"}
    people = {who: employ(administrator, f"{name}-{who}", role) for who, role in roles.items()}
    for label, target in TARGETS.items():
        gate = {"name": f"{name}-{label}", "models": f"{name}*", "target": target, "rules": [{"approvals": {"quorum": 1}}]}
        assert administrator.native("POST", "gates", gate).status == 200
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", people["ann"].credentials.token)
    yield {"administrator": administrator, **people}
    for label in TARGETS:
        administrator.native("DELETE", f"gates/{name}-{label}")


def decide(person, model, version, review):
    answer = person.native("POST", f"models/{model}/versions/{version}/reviews", {"review": review, "reason": "looked"})
    assert answer.status == 200, answer


def move(person, model, version, stage="Production", archive=True):
    fields = {"name": model, "version": str(version), "stage": stage, "archive_existing_versions": archive}
    return person.mlflow("POST", "model-versions/transition-stage", fields)


def test_a_copy_has_nobodys_approval_and_no_place(team, name):
    ann, dan = team["ann"], team["dan"]
    client = MlflowClient(ann.url, ann.url)
    client.create_registered_model(name)
    client.create_model_version(name, "s3://bucket/model")
    decide(team["bob"], name, 1, "approve")
    assert move(dan, name, 1).status == 200
    alias = {"name": name, "alias": "champion", "version": "1"}
    assert dan.mlflow("POST", "registered-models/alias", alias).status == 200
    for source in (f"models:/{name}/1", f"models:/{name}/Production", f"models:/{name}@champion"):
        copy = client.copy_model_version(source, f"{name}-copy")
        there = ann.native("GET", f"models/{name}-copy/versions/{copy.version}").json()
        assert (there["stage"], there["approval"], there["aliases"]) == ("none", "pending", [])
        refused = move(dan, f"{name}-copy", copy.version)
        assert refused.status == 400 and "0 of 1 approvals" in refused.json()["message"], refused
        alias = {"name": f"{name}-copy", "alias": "champion", "version": str(copy.version)}
        assert dan.mlflow("POST", "registered-models/alias", alias).status == 400
    # Into the model itself it is a version of its own, and the one in production stays.
    assert client.copy_model_version(f"models:/{name}/1", name).version == "2"
    assert move(dan, name, 2).status == 400
    assert ann.native("GET", f"models/{name}/versions/1").json()["stage"] == "production"
    with pytest.raises(ClientError, match="AccessDenied"):
        ann.sm.create_model_package(ModelPackageGroupName=name, ModelApprovalStatus="Approved")
    with pytest.raises(ClientError, match="is the author's own"):
        administrator = team["administrator"]
        administrator.sm.create_model_package(ModelPackageGroupName=name, ModelApprovalStatus="Approved")


def test_broken_glass_is_of_one_version_and_one_target(team, name):
    ann, dan, administrator = team["ann"], team["dan"], team["administrator"]
    client = MlflowClient(ann.url, ann.url)
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, "s3://bucket/model")
    body = {"target": {"stage": "production"}, "reason": "outage", "minutes": 5}
    assert administrator.native("POST", f"models/{name}/versions/1/gate-exceptions", body).status == 200
    assert move(dan, name, 2).status == 400
    champion = {"name": name, "alias": "champion", "version": "1"}
    assert dan.mlflow("POST", "registered-models/alias", champion).status == 400
    with ThreadPoolExecutor(4) as pool:
        assert {answer.status for answer in pool.map(lambda who: move(who, name, 1), people_of(dan, 4))} == {200}
    # Whoever renames or makes the model anew takes no exception along.
    assert ann.mlflow("DELETE", "registered-models/delete", {"name": name}).status == 200
    client.create_registered_model(name)
    client.create_model_version(name, "s3://bucket/model")
    assert move(dan, name, 1).status == 400


def test_of_a_rejection_and_a_promotion_at_once_the_first_counts(team, name):
    ann, bob, dan, administrator = team["ann"], team["bob"], team["dan"], team["administrator"]
    client = MlflowClient(ann.url, ann.url)
    client.create_registered_model(name)
    for _ in range(12):
        version = client.create_model_version(name, "s3://bucket/model").version
        decide(team["eve"], name, version, "approve")
        with ThreadPoolExecutor(5) as pool:
            moves = [pool.submit(move, who, name, version) for who in people_of(dan, 4)]
            pool.submit(decide, bob, name, version, "reject").result()
            moved = any(answer.result().status == 200 for answer in moves)
        entries = administrator.native("GET", f"audit?object={name}/{version}").json()["entries"]
        order = [entry["action"] for entry in entries if is_told(entry)]
        # The newest comes first.
        assert order == (["model-version.review", "model-version.transition"] if moved else ["model-version.review"])
        assert move(dan, name, version).status == (200 if moved else 400)


def is_told(entry):
    """A rejection, or a move to production of what was not there."""
    before, after = entry["before"] or {}, entry["after"] or {}
    is_move = after.get("stage") == "production" and before.get("stage") != "production"
    return entry["outcome"] == "done" and (after.get("review") == "reject" or is_move)


def people_of(person, count):
    """Clients of one person, for as many threads."""
    return [Person(person.url, person.credentials) for _ in range(count)]

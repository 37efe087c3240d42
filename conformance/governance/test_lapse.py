"""Approvals of people who are gone, as each client meets them."""

import json
import os
import subprocess

import pytest
import servers
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from people import Person, employ


@pytest.fixture
def team(guarded, name):
    """An author, approvers of the group that the gate names, a deployer and an administrator, and one version of a model."""
    server, credentials = guarded
    administrator = Person(server.url, next(one for one in credentials if one.role == "administrator"))
    assert administrator.native("POST", "groups", {"name": f"{name}-risk"}).status == 200
    rules = [{"approvals": {"quorum": 1, "group": f"{name}-risk"}}]
    gate = {"name": name, "models": name, "target": {"stage": "production"}, "rules": rules}
    assert administrator.native("POST", "gates", gate).status == 200
    people = {
        "administrator": administrator,
        "ann": employ(administrator, f"{name}-ann", "contributor"),
        "bob": employ(administrator, f"{name}-bob", "approver", f"{name}-risk"),
        "eve": employ(administrator, f"{name}-eve", "approver", f"{name}-risk"),
        "dan": employ(administrator, f"{name}-dan", "deployer"),
    }
    assert people["ann"].mlflow("POST", "registered-models/create", {"name": name}).status == 200
    assert people["ann"].mlflow("POST", "model-versions/create", {"name": name, "source": "s3://b/m"}).status == 200
    yield people
    administrator.native("DELETE", f"gates/{name}")


def stele(person, *arguments):
    environment = {**os.environ, "STELE_SERVER": person.url, "STELE_TOKEN": person.credentials.token, "NO_COLOR": "1"}
    command = [str(servers.stele_binary()), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def by_boto3(person, model):
    arn = person.sm.describe_model_package(ModelPackageName=f"{model}/1")["ModelPackageArn"]
    person.sm.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")


def by_command(person, model):
    approved = stele(person, "approve", model, "1", "--reason", "looks right")
    assert approved.returncode == 0, approved.stderr


def disable(administrator, account, _):
    return administrator.native("PATCH", f"accounts/{account}", {"disabled": True})


def delete(administrator, account, _):
    return administrator.native("DELETE", f"accounts/{account}")


def leave(administrator, account, group):
    return administrator.native("DELETE", f"groups/{group}/members/{account}")


def revoke(administrator, account, _):
    [grant] = administrator.native("GET", f"grants?account={account}").json()["grants"]
    return administrator.native("DELETE", f"grants/{grant['id']}")


LOSSES = [
    (disable, "the account is disabled"),
    (delete, "the account was deleted"),
    (leave, "they have left the group since"),
    (revoke, "no role or rule would allow it now"),
]


@pytest.mark.parametrize("approve", [by_boto3, by_command])
@pytest.mark.parametrize(("lose", "why"), LOSSES)
def test_an_approval_does_not_outlast_the_right_to_give_it(team, name, monkeypatch, approve, lose, why):
    administrator, dan = team["administrator"], team["dan"]
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", dan.credentials.token)
    client = MlflowClient(dan.url, dan.url)

    approve(team["bob"], name)
    check = ("gate", "check", name, "1", "--stage", "production")
    assert stele(dan, *check).returncode == 0
    assert lose(administrator, f"{name}-bob", f"{name}-risk").status in (200, 204)

    says = f"the approval of {name}-bob has lapsed: {why}"
    with pytest.raises(MlflowException) as refused:
        client.transition_model_version_stage(name, "1", "Production")
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE" and says in refused.value.message
    with pytest.raises(MlflowException) as refused:
        client.set_registered_model_alias(name, "production", "1")
    assert says in refused.value.message
    checked = stele(dan, *check)
    assert checked.returncode == 5 and says in checked.stdout + checked.stderr, checked
    [verdict] = json.loads(stele(dan, *check, "--json").stdout)["verdicts"]
    assert says in verdict["findings"][0]["message"]
    assert client.get_model_version(name, "1").current_stage == "None"

    approve(team["eve"], name)
    client.transition_model_version_stage(name, "1", "Production")
    assert client.get_model_version(name, "1").current_stage == "Production"

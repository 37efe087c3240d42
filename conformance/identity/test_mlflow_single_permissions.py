"""The permission of a user on one experiment or registered model, as MLflow's clients before 3.17 ask for it."""

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conftest import ADMIN, PASSWORD, mlflow_as

KINDS = {
    "experiments": ("experiment_id", "experiment_permission", "Experiment permission"),
    "registered-models": ("name", "registered_model_permission", "Registered model permission"),
}


def ask(server, method, path, auth=(ADMIN, PASSWORD), **fields):
    where = {"params": fields} if method == "GET" else {"json": fields}
    return requests.request(method, f"{server.url}/api/2.0/mlflow/{path}", auth=auth, timeout=30, **where)


def told(answer, status, code):
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
    return answer.json()["message"]


@pytest.fixture
def reader(server, name):
    answer = ask(server, "POST", "users/create", username=name, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["experiment_permissions"] == []
    return answer.json()["user"]


@pytest.fixture(params=KINDS)
def thing(request, server, name):
    """What a permission is on: the kind in the path, and the field that names it."""
    with mlflow_as(USERNAME=ADMIN, PASSWORD=PASSWORD):
        client = MlflowClient(server.url)
        if request.param == "experiments":
            return request.param, {"experiment_id": client.create_experiment(f"{name}-seen")}
        return request.param, {"name": client.create_registered_model(f"{name}-seen").name}


def test_a_permission_is_created_read_updated_and_deleted(server, reader, thing):
    kind, which = thing
    field, key, label = KINDS[kind]
    who = {"username": reader["username"]} | which
    missing = f"{label} with {field}={which[field]} and username={reader['username']} not found"
    for method, call, more in (("GET", "get", {}), ("PATCH", "update", {"permission": "EDIT"}), ("DELETE", "delete", {})):
        answer = ask(server, method, f"{kind}/permissions/{call}", **who, **more)
        assert told(answer, 404, "RESOURCE_DOES_NOT_EXIST") == missing

    made = ask(server, "POST", f"{kind}/permissions/create", **who, permission="READ")
    assert made.status_code == 200, made.text
    expected = {field: which[field], "user_id": reader["id"], "permission": "READ"}
    assert expected.items() <= made.json()[key].items()
    again = ask(server, "POST", f"{kind}/permissions/create", **who, permission="MANAGE")
    assert f"{label} ({field}={which[field]}, username=" in told(again, 400, "RESOURCE_ALREADY_EXISTS")
    assert ask(server, "GET", f"{kind}/permissions/get", **who).json()[key]["permission"] == "READ"

    assert ask(server, "PATCH", f"{kind}/permissions/update", **who, permission="MANAGE").json() == {}
    assert ask(server, "GET", f"{kind}/permissions/get", **who).json()[key]["permission"] == "MANAGE"
    user = ask(server, "GET", "users/get", username=reader["username"]).json()["user"]
    assert [held["permission"] for held in user[f"{key}s"]] == ["MANAGE"]

    assert ask(server, "DELETE", f"{kind}/permissions/delete", **who).json() == {}
    assert told(ask(server, "GET", f"{kind}/permissions/get", **who), 404, "RESOURCE_DOES_NOT_EXIST") == missing


def test_only_what_a_user_may_read_is_found(server, reader, thing):
    kind, which = thing
    who = {"username": reader["username"]} | which
    found = {
        "experiments": lambda client: [one.experiment_id for one in client.search_experiments()],
        "registered-models": lambda client: [one.name for one in client.search_registered_models()],
    }[kind]
    with mlflow_as(USERNAME=reader["username"], PASSWORD=PASSWORD):
        client = MlflowClient(server.url)
        assert found(client) == []
        assert ask(server, "POST", f"{kind}/permissions/create", **who, permission="READ").status_code == 200
        assert found(client) == list(which.values())
        assert ask(server, "DELETE", f"{kind}/permissions/delete", **who).status_code == 200
        assert found(client) == []


def test_permissions_that_cannot_be_are_refused_and_leave_nothing(server, reader, thing):
    kind, which = thing
    who = {"username": reader["username"]} | which
    create = f"{kind}/permissions/create"
    assert "KING" in told(ask(server, "POST", create, **who, permission="KING"), 400, "INVALID_PARAMETER_VALUE")
    told(ask(server, "POST", create, **who, permission="NO_PERMISSIONS"), 501, "NOT_IMPLEMENTED")
    told(ask(server, "POST", create, **who), 400, "INVALID_PARAMETER_VALUE")
    told(ask(server, "POST", create, **which, permission="READ"), 400, "INVALID_PARAMETER_VALUE")
    nobody = {"username": f"{reader['username']}x"} | which
    message = told(ask(server, "POST", create, **nobody, permission="READ"), 404, "RESOURCE_DOES_NOT_EXIST")
    assert message == f"User with username={reader['username']}x not found"
    told(ask(server, "GET", f"{kind}/permissions/get", **who), 404, "RESOURCE_DOES_NOT_EXIST")


def test_refusals_say_what_clients_look_for(server, reader, thing):
    kind, which = thing
    who = {"username": reader["username"]} | which
    own = (reader["username"], PASSWORD)
    answer = ask(server, "POST", f"{kind}/permissions/create", auth=own, **who, permission="MANAGE")
    assert told(answer, 403, "PERMISSION_DENIED").startswith("Permission denied")
    with mlflow_as(), pytest.raises(MlflowException, match="You are not authenticated") as refused:
        MlflowClient(server.url).search_experiments()
    assert refused.value.error_code == "UNAUTHENTICATED"


def test_ones_own_password_is_changed_with_the_current_one(server, reader):
    own = (reader["username"], PASSWORD)
    change = {"username": reader["username"], "password": "another password"}
    answer = ask(server, "PATCH", "users/update-password", auth=own, **change)
    assert told(answer, 400, "INVALID_PARAMETER_VALUE").startswith("Current password is required")
    answer = ask(server, "PATCH", "users/update-password", auth=own, **change, current_password="a wrong guess")
    assert told(answer, 400, "INVALID_PARAMETER_VALUE").startswith("Current password does not match")
    assert ask(server, "GET", "users/get", auth=own, username=reader["username"]).status_code == 200

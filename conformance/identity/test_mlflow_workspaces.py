"""MLflow's own client for roles where there are workspaces: a role is of the one that it is made for, from wherever."""

import uuid

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from mlflow.server.auth.client import AuthServiceClient

from conftest import ADMIN, PASSWORD, administered, mlflow_as, native


@pytest.fixture(scope="module")
def server(tmp_path_factory, database):
    environment = {"STELE_WORKSPACES": "true"}
    with administered(tmp_path_factory.mktemp("workspaces"), database, environment=environment) as running:
        yield running


@pytest.fixture
def auth(server):
    """The administrator, whose requests are in no workspace of their own."""
    with mlflow_as(USERNAME=ADMIN, PASSWORD=PASSWORD):
        mlflow.set_tracking_uri(server.url)
        yield AuthServiceClient(server.url)
        mlflow.set_workspace(None)


@pytest.fixture
def team(auth):
    name = f"team-{uuid.uuid4().hex[:12]}"
    mlflow.create_workspace(name)
    return name


def code_of(ask, *arguments, **named):
    try:
        ask(*arguments, **named)
    except RestException as error:
        return error.error_code
    return "done"


def in_workspace(name, ask, *arguments, **named):
    mlflow.set_workspace(name)
    try:
        return ask(*arguments, **named)
    finally:
        mlflow.set_workspace(None)


def test_a_role_is_of_the_workspace_that_it_is_made_for(server, auth, team, name):
    role = auth.create_role(team, f"{name}-members", "who work there")
    assert (role.workspace, role.description) == (team, "who work there")
    added = auth.add_role_permission(role.id, "workspace", "*", "USE")
    assert (added.resource_type, added.resource_pattern, added.permission) == ("workspace", "*", "USE")
    found = auth.get_role(role.id)
    assert (found.workspace, [held.permission for held in found.permissions]) == (team, ["USE"])
    assert [held.name for held in auth.list_roles(team)] == [f"{name}-members"]
    assert f"{name}-members" not in [held.name for held in auth.list_roles("default")]
    assert f"{name}-members" in [held.name for held in auth.list_all_roles()]
    kept = native(server, f"groups/{name}-members", auth=(ADMIN, PASSWORD)).json()
    assert kept["workspace"] == team
    assert code_of(auth.create_role, "not-there", f"{name}-x") == "RESOURCE_DOES_NOT_EXIST"


def test_members_work_in_their_workspace_alone(server, auth, team, name):
    auth.create_user(name, PASSWORD)
    role = auth.create_role(team, f"{name}-members")
    permission = auth.add_role_permission(role.id, "workspace", "*", "USE")
    auth.assign_role(name, role.id)
    assert [(held.id, held.workspace) for held in auth.list_user_roles(name)] == [(role.id, team)]
    client = MlflowClient(server.url)
    elsewhere = client.create_experiment(f"{name}-elsewhere")
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD):
        made = in_workspace(team, client.create_experiment, f"{name}-made")
        assert in_workspace(team, client.get_experiment, made).workspace == team
        assert in_workspace(team, code_of, client.get_experiment, elsewhere) == "RESOURCE_DOES_NOT_EXIST"
        assert code_of(client.create_experiment, f"{name}-x") == "PERMISSION_DENIED"
    assert auth.update_role_permission(permission.id, "MANAGE").permission == "MANAGE"
    auth.remove_role_permission(permission.id)
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD):
        assert in_workspace(team, code_of, client.get_experiment, made) == "RESOURCE_DOES_NOT_EXIST"


def test_things_that_a_role_names_are_those_of_its_workspace(server, auth, team, name):
    client = MlflowClient(server.url)
    client.create_registered_model(name)
    role = auth.create_role(team, f"{name}-readers")
    ask = ("registered_model", name, "READ")
    assert code_of(auth.add_role_permission, role.id, *ask) == "RESOURCE_DOES_NOT_EXIST"
    in_workspace(team, client.create_registered_model, name)
    assert auth.add_role_permission(role.id, *ask).resource_pattern == name
    assert code_of(auth.add_role_permission, role.id, *ask) == "RESOURCE_ALREADY_EXISTS"
    auth.create_user(name, PASSWORD)
    auth.assign_role(name, role.id)
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD):
        assert in_workspace(team, client.get_registered_model, name).name == name
        assert code_of(client.get_registered_model, name) == "RESOURCE_DOES_NOT_EXIST"


def test_roles_go_with_their_workspace(server, auth, team, name):
    role, other = auth.create_role(team, f"{name}-a"), auth.create_role(team, f"{name}-b")
    auth.add_role_permission(role.id, "workspace", "*", "MANAGE")
    grant = {"group": f"{name}-b", "role": "viewer", "scope": "workspace", "of": "default"}
    assert native(server, "grants", method="POST", auth=(ADMIN, PASSWORD), json=grant).ok
    mlflow.delete_workspace(team)
    assert code_of(auth.get_role, role.id) == "RESOURCE_DOES_NOT_EXIST"
    kept = auth.get_role(other.id)
    assert (kept.workspace, [held.resource_type for held in kept.permissions]) == ("default", ["workspace"])

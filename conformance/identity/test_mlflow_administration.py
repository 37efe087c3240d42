"""MLflow's own client for users, roles and permissions."""

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from mlflow.server.auth.client import AuthServiceClient

from conftest import ADMIN, PASSWORD, mlflow_as, native


@pytest.fixture
def auth(server):
    with mlflow_as(USERNAME=ADMIN, PASSWORD=PASSWORD):
        yield AuthServiceClient(server.url)


@pytest.fixture
def experiment(server, auth, name):
    return MlflowClient(server.url).create_experiment(f"{name}-experiment")


class refused:
    def __init__(self, code, *texts):
        self.code, self.texts = code, texts

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert isinstance(error, RestException), f"expected {self.code}, got {error!r}"
        assert error.error_code == self.code, error
        assert all(text in str(error) for text in self.texts), error
        return True


def test_users(server, auth, name):
    made = auth.create_user(name, PASSWORD)
    assert (made.username, made.is_admin) == (name, False)
    found = auth.get_user(name)
    assert (found.id, found.username, found.is_admin) == (made.id, name, False)
    with refused("RESOURCE_ALREADY_EXISTS"):
        auth.create_user(name, PASSWORD)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        auth.get_user(f"{name}x")
    auth.update_user_admin(name, True)
    assert auth.get_user(name).is_admin
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD):
        assert MlflowClient(server.url).search_experiments()
    auth.update_user_admin(name, False)
    assert not auth.get_user(name).is_admin
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD), refused("PERMISSION_DENIED"):
        auth.get_user(ADMIN)
    auth.delete_user(name)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        auth.get_user(name)
    with refused("BAD_REQUEST"):
        auth.delete_user(ADMIN)


def test_passwords(server, auth, name):
    auth.create_user(name, PASSWORD)
    auth.update_user_password(name, "set by the admin")
    with mlflow_as(USERNAME=name, PASSWORD="set by the admin"):
        assert auth.get_user(name).username == name
        with refused("INVALID_PARAMETER_VALUE"):
            auth.update_user_password(name, "set by the user")
        with refused("INVALID_PARAMETER_VALUE"):
            auth.update_user_password(name, "set by the user", current_password="a wrong guess")
        auth.update_user_password(name, "set by the user", current_password="set by the admin")
    with mlflow_as(USERNAME=name, PASSWORD="set by the user"):
        assert auth.get_user(name).username == name
        current = native_mlflow(server, "2.0/mlflow/users/current", (name, "set by the user"))
        assert current["user"]["username"] == name and current["is_basic_auth"]
    with refused("INVALID_PARAMETER_VALUE"):
        auth.create_user(f"{name}x", "short")


def native_mlflow(server, path, auth):
    import requests

    answer = requests.get(f"{server.url}/ajax-api/{path}", auth=auth, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_permissions_of_a_user(server, auth, name, experiment):
    auth.create_user(name, PASSWORD)
    assert auth.get_user_permission(name, "experiment", experiment).permission == "NO_PERMISSIONS"
    for permission, allowed in (("READ", False), ("EDIT", True), ("MANAGE", True), ("READ", False)):
        auth.grant_user_permission(name, "experiment", experiment, permission)
        with refused("RESOURCE_ALREADY_EXISTS", f"Permission for user={name} on resource_type=experiment"):
            auth.grant_user_permission(name, "experiment", experiment, "USE")
        found = auth.get_user_permission(name, "experiment", experiment)
        assert (found.permission, found.allowed) == (permission, allowed)
        auth.revoke_user_permission(name, "experiment", experiment)
        with refused("RESOURCE_DOES_NOT_EXIST", f"resource_id={experiment} not found."):
            auth.revoke_user_permission(name, "experiment", experiment)
    auth.grant_user_permission(name, "experiment", experiment, "READ")
    held = native(server, "grants", params={"account": name}, auth=(ADMIN, PASSWORD)).json()["grants"]
    assert [(grant["role"], grant["scope"], grant["of"]) for grant in held] == [("viewer", "experiment", experiment)]
    own = native_mlflow(server, "3.0/mlflow/users/current/permissions", (name, PASSWORD))
    assert not own["is_admin"]
    assert own["permissions"][0] | {"role_id": 0, "role_name": ""} == {
        "role_id": 0,
        "role_name": "",
        "workspace": "default",
        "resource_type": "experiment",
        "resource_pattern": experiment,
        "permission": "READ",
    }
    auth.revoke_user_permission(name, "experiment", experiment)
    assert auth.get_user_permission(name, "experiment", experiment).permission == "NO_PERMISSIONS"
    auth.grant_user_permission(name, "workspace", "*", "USE")
    assert auth.get_user_permission(name, "experiment", experiment).permission == "EDIT"


@pytest.mark.parametrize(
    ("kind", "resource", "permission", "code"),
    [
        ("experiment", "987654321", "READ", "RESOURCE_DOES_NOT_EXIST"),
        ("registered_model", "nothing", "READ", "RESOURCE_DOES_NOT_EXIST"),
        ("experiment", "0", "KING", "INVALID_PARAMETER_VALUE"),
        ("experiment", "*", "KING", "INVALID_PARAMETER_VALUE"),
        ("experiment", "0", "NO_PERMISSIONS", "INVALID_PARAMETER_VALUE"),
        ("kingdom", "0", "READ", "INVALID_PARAMETER_VALUE"),
        ("workspace", "*", "EDIT", "INVALID_PARAMETER_VALUE"),
        ("experiment", "0", "DENY", "NOT_IMPLEMENTED"),
        ("experiment", "*", "READ", "NOT_IMPLEMENTED"),
        ("gateway_endpoint", "x", "USE", "NOT_IMPLEMENTED"),
    ],
)
def test_what_cannot_be_granted(auth, kind, resource, permission, code):
    with refused(code):
        auth.grant_user_permission(ADMIN, kind, resource, permission)


def test_roles(server, auth, name, experiment):
    auth.create_user(name, PASSWORD)
    role = auth.create_role("default", f"{name}-readers", "who read")
    assert (role.name, role.workspace, role.description, role.permissions) == (f"{name}-readers", "default", "who read", [])
    added = auth.add_role_permission(role.id, "experiment", experiment, "READ")
    with refused("RESOURCE_ALREADY_EXISTS", f"resource_pattern={experiment}) already exists"):
        auth.add_role_permission(role.id, "experiment", experiment, "EDIT")
    with refused("RESOURCE_ALREADY_EXISTS", f"Role (name={name}-readers, workspace=default) already exists"):
        auth.create_role("default", f"{name}-readers")
    assert [permission.permission for permission in auth.list_role_permissions(role.id)] == ["READ"]
    assert auth.assign_role(name, role.id).role_id == role.id
    with refused("RESOURCE_ALREADY_EXISTS", f"role_id={role.id}) already exists"):
        auth.assign_role(name, role.id)
    assert auth.get_user_permission(name, "experiment", experiment).permission == "READ"
    assert [held.name for held in auth.list_user_roles(name)] == [f"{name}-readers"]
    assert [held.user_id for held in auth.list_role_users(role.id)] == [auth.get_user(name).id]
    changed = auth.update_role_permission(added.id, "MANAGE")
    assert (changed.id, changed.permission) == (added.id, "MANAGE")
    assert auth.get_user_permission(name, "experiment", experiment).permission == "MANAGE"
    renamed = auth.update_role(role.id, name=f"{name}-managers", description="who manage")
    assert (renamed.id, renamed.name, renamed.description) == (role.id, f"{name}-managers", "who manage")
    assert f"{name}-managers" in [role.name for role in auth.list_roles("default")]
    assert f"{name}-managers" in [role.name for role in auth.list_all_roles()]
    assert native(server, f"groups/{name}-managers", auth=(ADMIN, PASSWORD)).json()["members"] == 1
    auth.remove_role_permission(changed.id)
    assert auth.get_role(role.id).permissions == []
    auth.unassign_role(name, role.id)
    with refused("RESOURCE_DOES_NOT_EXIST", f"role_id={role.id}) not found"):
        auth.unassign_role(name, role.id)
    assert auth.list_user_roles(name) == []
    auth.delete_role(role.id)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        auth.get_role(role.id)
    with refused("RESOURCE_DOES_NOT_EXIST"):
        auth.create_role("elsewhere", f"{name}-x")


def test_what_is_granted_is_what_may_be_done(server, auth, name, experiment):
    """What MLflow's client for users grants, its client for tracking may do, and boto3 as well as the command line."""
    auth.create_user(name, PASSWORD)
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD):
        client = MlflowClient(server.url)
        with refused("RESOURCE_DOES_NOT_EXIST"):
            client.get_experiment(experiment)
    auth.grant_user_permission(name, "experiment", experiment, "READ")
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD):
        assert client.get_experiment(experiment).experiment_id == experiment
        assert [found.experiment_id for found in client.search_experiments()] == [experiment]
        with refused("PERMISSION_DENIED"):
            client.create_run(experiment)
    auth.revoke_user_permission(name, "experiment", experiment)
    auth.grant_user_permission(name, "experiment", experiment, "EDIT")
    with mlflow_as(USERNAME=name, PASSWORD=PASSWORD):
        run = client.create_run(experiment)
        client.log_metric(run.info.run_id, "loss", 1.0)
        with refused("PERMISSION_DENIED"):
            client.create_experiment(f"{name}-other")

"""A server without workspaces says so, and refuses whoever wants to be in one."""

import pytest

NOT_ENABLED = "Workspace APIs are not available: workspaces are not enabled on this server"


@pytest.mark.parametrize("name", ["default", "team-a"])
def test_a_request_for_a_workspace_is_refused(api, name):
    for path in ["experiments/get?experiment_id=0", "/health", "/api/3.0/mlflow/traces/tr-1", "/graphql"]:
        answer = api.raw("GET", path, headers={"X-MLFLOW-WORKSPACE": name})
        assert (answer.status, answer.body["error_code"]) == (500, "FEATURE_DISABLED"), answer
        assert answer.body["message"] == NOT_ENABLED


def test_a_blank_header_asks_for_nothing(api):
    assert api.raw("GET", "experiments/get?experiment_id=0", headers={"X-MLFLOW-WORKSPACE": ""}).ok


def test_server_info_is_told_to_everybody(api):
    answer = api.raw("GET", "/api/3.0/mlflow/server-info", headers={"X-MLFLOW-WORKSPACE": "x"})
    assert answer.ok["workspaces_enabled"] is False


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", ""), ("GET", "/x"), ("PATCH", "/x"), ("DELETE", "/x")],
)
def test_the_calls_for_workspaces_are_disabled(api, method, path):
    answer = api.raw(method, f"/api/3.0/mlflow/workspaces{path}", json={"name": "x"})
    assert answer.status == 503
    assert "disabled because the server is running without workspaces support" in answer.text

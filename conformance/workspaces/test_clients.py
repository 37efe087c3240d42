"""What stock clients do with workspaces."""

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def test_workspaces_are_made_changed_listed_and_deleted(client, two):
    name = two[0]
    assert name in {workspace.name for workspace in mlflow.list_workspaces()} >= {"default", *two}
    changed = mlflow.update_workspace(name, description="ours", default_artifact_root=f"s3://bucket/{name}")
    assert (changed.description, changed.default_artifact_root) == ("ours", f"s3://bucket/{name}")
    assert mlflow.get_workspace(name) == changed
    assert mlflow.update_workspace(name, default_artifact_root="").default_artifact_root is None
    mlflow.delete_workspace(name)
    with pytest.raises(MlflowException, match=f"Workspace '{name}' not found") as refused:
        mlflow.get_workspace(name)
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_what_cannot_be_is_refused(client, two, ask):
    with pytest.raises(MlflowException) as refused:
        mlflow.create_workspace(two[0])
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    path = "/api/3.0/mlflow/workspaces"
    for name in ["default", "a", "Team", "team_a", "-team", "api", "x" * 64, "", None, 7]:
        answer = ask(None, "POST", path, json={"name": name})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text
    for root in ["relative/path", "runs:/1/a", "s3://bucket/a#b", "http://elsewhere/a", "/etc"]:
        answer = ask(None, "PATCH", f"{path}/{two[0]}", json={"default_artifact_root": root})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text
    archived = ask(None, "POST", path, json={"name": "team-x", "trace_archival_config": {"location": "s3://a/b"}})
    assert (archived.status_code, archived.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert ask(None, "PATCH", f"{path}/{two[0]}", json={}).status_code == 400
    assert ask(None, "DELETE", f"{path}/{two[0]}?mode=EVERYTHING").status_code == 400
    assert ask(None, "DELETE", f"{path}/default").status_code == 400
    assert ask(None, "GET", f"{path}/team-x").status_code == 404


def test_the_statuses_are_those_that_clients_wait_for(two, ask):
    path = "/api/3.0/mlflow/workspaces"
    made = ask(None, "POST", path, json={"name": f"{two[0]}-b", "description": "d"})
    assert (made.status_code, made.json()) == (201, {"workspace": {"name": f"{two[0]}-b", "description": "d"}})
    gone = ask(None, "DELETE", f"{path}/{two[0]}-b")
    assert (gone.status_code, gone.content) == (204, b"")


def test_server_info_tells_of_workspaces_whatever_is_sent_along(ask):
    for workspace in [None, "default", "nowhere", "No Name"]:
        answer = ask(workspace, "GET", "/api/3.0/mlflow/server-info")
        assert answer.json()["workspaces_enabled"] is True
    listed = ask(None, "GET", "/ajax-api/3.0/mlflow/workspaces").json()["workspaces"]
    assert "default" in {workspace["name"] for workspace in listed}, "the pages ask for them here"


def test_a_request_in_no_workspace_that_is_there_is_refused(ask):
    missing = ask("nowhere", "GET", "experiments/get?experiment_id=0")
    assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    wrong = ask("No Name", "GET", "experiments/get?experiment_id=0")
    assert (wrong.status_code, wrong.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert ask("default", "GET", "experiments/get?experiment_id=0").ok
    assert ask("", "GET", "experiments/get?experiment_id=0").ok


class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input


def work(workspace, tmp_path):
    """A run with everything, under names that are the same in every workspace. Gives its id."""
    mlflow.set_workspace(workspace)
    mlflow.set_experiment("training")
    file = tmp_path / "notes.txt"
    file.write_text(f"of {workspace}")
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_param("where", workspace)
        mlflow.log_metric("loss", len(workspace))
        mlflow.log_artifact(str(file))
        mlflow.pyfunc.log_model(name="model", python_model=Model(), registered_model_name="shared")
    with mlflow.start_span("call") as span:
        span.set_attribute("where", workspace)
    mlflow.flush_trace_async_logging()
    return run.info.run_id


def test_the_same_names_are_other_things_in_another_workspace(client, two, tmp_path):
    runs = {workspace: work(workspace, tmp_path) for workspace in two}
    for workspace, other in [two, two[::-1]]:
        mlflow.set_workspace(workspace)
        found = mlflow.search_runs(experiment_names=["training"], output_format="list")
        assert [run.info.run_id for run in found] == [runs[workspace]]
        assert found[0].data.params["where"] == workspace
        assert f"/workspaces/{workspace}/" in found[0].info.artifact_uri
        assert mlflow.artifacts.load_text(f"{found[0].info.artifact_uri}/notes.txt") == f"of {workspace}"
        versions = MlflowClient().search_model_versions("name='shared'")
        assert [(version.version, version.run_id) for version in versions] == [("1", runs[workspace])]
        assert mlflow.pyfunc.load_model("models:/shared/1").predict(["x"]) == ["x"]
        experiment = mlflow.get_experiment_by_name("training")
        assert experiment.workspace == workspace
        traces = mlflow.search_traces(locations=[experiment.experiment_id], return_type="list")
        assert [trace.data.spans[0].attributes["where"] for trace in traces] == [workspace]
        with pytest.raises(MlflowException, match="not found"):
            mlflow.get_run(runs[other])
    mlflow.set_workspace("default")
    assert client.get_experiment_by_name("training") is None


def test_the_variable_names_the_workspace_too(client, two, monkeypatch):
    monkeypatch.setenv("MLFLOW_WORKSPACE", two[0])
    made = client.create_experiment("by variable")
    monkeypatch.setenv("MLFLOW_WORKSPACE", two[1])
    assert client.get_experiment_by_name("by variable") is None
    monkeypatch.setenv("MLFLOW_WORKSPACE", two[0])
    assert client.get_experiment(made).name == "by variable"


def refused(ask, workspace, mode, text):
    # MLflow answers 500, which its client tries again until it tells of that alone.
    answer = ask(None, "DELETE", f"/api/3.0/mlflow/workspaces/{workspace}?mode={mode}")
    assert (answer.status_code, answer.json()["error_code"]) == (500, "INVALID_STATE")
    assert text in answer.json()["message"]


def test_what_is_in_a_workspace_stays_moves_or_goes(client, two, ask, tmp_path):
    kept, gone = two
    runs = {workspace: work(workspace, tmp_path) for workspace in two}
    mlflow.set_workspace(None)
    refused(ask, kept, "RESTRICT", "experiment")
    mlflow.delete_workspace(gone, mode="CASCADE")
    mlflow.delete_workspace(kept, mode="SET_DEFAULT")
    try:
        moved = client.get_run(runs[kept])
        assert mlflow.artifacts.load_text(f"{moved.info.artifact_uri}/notes.txt") == f"of {kept}"
        assert mlflow.pyfunc.load_model("models:/shared/1").predict(["x"]) == ["x"]
        with pytest.raises(MlflowException, match="not found"):
            client.get_run(runs[gone])
        # Another workspace cannot move to where these names are.
        mlflow.create_workspace(kept)
        mlflow.set_workspace(kept)
        client.create_experiment("training")
        mlflow.set_workspace(None)
        refused(ask, kept, "SET_DEFAULT", "training")
    finally:
        mlflow.set_workspace(None)
        client.delete_registered_model("shared")
        client.rename_experiment(moved.info.experiment_id, f"training of {kept}")

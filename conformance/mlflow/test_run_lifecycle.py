"""Runs: create, read, update, delete, restore."""

import time

import pytest
from mlflow.exceptions import MlflowException

from wire import GENERATED_NAME, RUN_ID, mapping, missing, pairs, scrub, wrong_type

WRITES = [
    ("runs/update", {"status": "FINISHED"}),
    ("runs/update", {}),
    ("runs/set-tag", {"key": "k", "value": "v"}),
    ("runs/set-tag", {"key": "mlflow.runName", "value": "v"}),
    ("runs/delete-tag", {"key": "mlflow.runName"}),
    ("runs/log-metric", {"key": "k", "value": 1, "timestamp": 1}),
    ("runs/log-parameter", {"key": "k", "value": "1"}),
    ("runs/log-batch", {}),
    ("runs/log-batch", {"tags": [{"key": "a", "value": "b"}]}),
    ("runs/log-inputs", {}),
    ("runs/outputs", {"models": [{"model_id": "m-1", "step": 0}]}),
    (
        "runs/log-model",
        {"model_json": '{"artifact_path": "a", "flavors": {}, "utc_time_created": "t", "run_id": "r"}'},
    ),
]


def test_smallest_create(api, experiment, read_run):
    run = api.post("runs/create", experiment_id=experiment).ok["run"]
    run_id, name = run["info"]["run_id"], run["info"]["run_name"]
    assert RUN_ID.match(run_id)
    assert GENERATED_NAME.match(name)
    location = api.get("experiments/get", experiment_id=experiment).ok["experiment"]["artifact_location"]
    assert scrub(run, run_id=run_id, name=name, location=location) == {
        "info": {
            "run_uuid": "<run_id>",
            "experiment_id": experiment,
            "run_name": "<name>",
            "user_id": "",
            "status": "RUNNING",
            "start_time": 0,
            "artifact_uri": "<location>/<run_id>/artifacts",
            "lifecycle_stage": "active",
            "run_id": "<run_id>",
        },
        "data": {"tags": [{"key": "mlflow.runName", "value": "<name>"}]},
        "inputs": {},
    }
    assert read_run(run_id) == {**run, "outputs": {}}


def test_full_create(api, experiment):
    run = api.post(
        "runs/create",
        experiment_id=experiment,
        start_time=456,
        user_id="ada",
        run_name="first try",
        tags=pairs({"mlflow.user": "bob", "mlflow.parentRunId": "7", "mine": "x"}),
    ).ok["run"]
    assert run["info"]["start_time"] == 456
    assert run["info"]["user_id"] == "ada"
    assert run["info"]["run_name"] == "first try"
    assert "end_time" not in run["info"]
    assert mapping(run["data"]["tags"]) == {
        "mlflow.user": "bob",
        "mlflow.parentRunId": "7",
        "mine": "x",
        "mlflow.runName": "first try",
    }


def test_client_create(client, experiment):
    tags = {"mlflow.user": "ada", "mlflow.source.name": "train.py", "mlflow.source.type": "LOCAL", "own": "tag"}
    created = client.create_run(experiment, start_time=456, run_name="named", tags=tags)
    fetched = client.get_run(created.info.run_id)
    for run in (created, fetched):
        assert run.info.experiment_id == experiment
        assert run.info.user_id == "ada"
        assert run.info.start_time == 456
        assert run.info.end_time is None
        assert run.info.run_name == "named"
        assert run.data.tags == {**tags, "mlflow.runName": "named"}
    assert [found.info for found in client.search_runs([experiment])] == [fetched.info]


def test_client_defaults(client, experiment):
    info = client.get_run(client.create_run(experiment).info.run_id).info
    assert info.user_id == "unknown"
    assert info.status == "RUNNING"
    assert abs(info.start_time - time.time() * 1000) < 60_000


def test_default_experiment_takes_runs(client):
    run = client.create_run("0")
    assert client.get_run(run.info.run_id).info.experiment_id == "0"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"experiment_id": 5}, wrong_type(5, "experiment_id", "int")),
        ({"experiment_id": "abc"}, "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."),
        ({"experiment_id": "0", "start_time": "x"}, wrong_type("x", "start_time", "str")),
        ({"experiment_id": "0", "run_name": 7}, wrong_type(7, "run_name", "int")),
    ],
)
def test_create_refusals(api, body, message):
    api.post("runs/create", body).invalid(exactly=message)


def test_create_in_an_unknown_experiment(api):
    api.post("runs/create", experiment_id="987654321").absent(exactly="No Experiment with id=987654321 exists")


def test_times_as_text(api, experiment, read_run):
    run_id = api.post("runs/create", experiment_id=experiment, start_time="456").ok["run"]["info"]["run_id"]
    api.post("runs/update", run_id=run_id, end_time="789").ok
    info = read_run(run_id)["info"]
    assert (info["start_time"], info["end_time"]) == (456, 789)


def test_reading_by_either_id(api, run):
    by_run_id = api.get("runs/get", run_id=run).ok
    assert api.get("runs/get", run_uuid=run).ok == by_run_id
    assert api.get("runs/get", run_uuid=run, run_id=run).ok == by_run_id


def test_reading_refusals(api):
    api.get("runs/get").invalid(exactly=missing("run_id"))
    api.get("runs/get", run_id="").invalid(exactly=missing("run_id"))
    api.get("runs/get", run_id="nobody").absent(exactly="Run with id=nobody not found")


def test_update_answers_the_new_info(api, run, read_run):
    answer = api.post("runs/update", run_id=run, status="FINISHED", end_time=9, run_name="done").ok
    assert list(answer) == ["run_info"]
    assert answer["run_info"]["status"] == "FINISHED"
    assert answer["run_info"]["end_time"] == 9
    assert answer["run_info"]["run_name"] == "done"
    assert read_run(run)["info"] == answer["run_info"]


def test_update_changes_only_what_is_given(api, run, read_run):
    api.post("runs/update", run_id=run, status="FAILED", end_time=9, run_name="name").ok
    before = read_run(run)
    api.post("runs/update", run_id=run).ok
    api.post("runs/update", run_id=run, run_name="").ok
    assert read_run(run) == before
    api.post("runs/update", run_uuid=run, run_name="other").ok
    after = read_run(run)["info"]
    assert (after["status"], after["end_time"], after["run_name"]) == ("FAILED", 9, "other")


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("RUNNING", "RUNNING"),
        ("SCHEDULED", "SCHEDULED"),
        ("FINISHED", "FINISHED"),
        ("FAILED", "FAILED"),
        ("KILLED", "KILLED"),
        (1, "RUNNING"),
        (2, "SCHEDULED"),
        (3, "FINISHED"),
        (4, "FAILED"),
        (5, "KILLED"),
    ],
)
def test_every_status(api, run, sent, stored):
    assert api.post("runs/update", run_id=run, status=sent).ok["run_info"]["status"] == stored


def test_a_finished_run_can_run_again(api, run):
    api.post("runs/update", run_id=run, status="FINISHED", end_time=5).ok
    assert api.post("runs/update", run_id=run, status="RUNNING").ok["run_info"]["status"] == "RUNNING"
    api.post("runs/log-metric", run_id=run, key="late", value=1, timestamp=1).ok


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"status": "FINISHED"}, missing("run_id")),
        ({"run_id": "r", "end_time": "soon"}, wrong_type("soon", "end_time", "str")),
        ({"run_id": "r", "run_name": 5}, wrong_type(5, "run_name", "int")),
        ({"run_id": 5}, wrong_type(5, "run_id", "int")),
    ],
)
def test_update_refusals(api, body, message):
    api.post("runs/update", body).invalid(exactly=message)


def test_client_terminates(client, experiment):
    for status in (None, "FAILED", "KILLED"):
        run_id = client.create_run(experiment).info.run_id
        client.set_terminated(run_id, *([status] if status else []))
        info = client.get_run(run_id).info
        assert info.status == (status or "FINISHED")
        assert info.end_time <= time.time() * 1000 + 1000
    run_id = client.create_run(experiment).info.run_id
    client.set_terminated(run_id, end_time=12345)
    client.update_run(run_id, name="later name")
    info = client.get_run(run_id).info
    assert (info.status, info.end_time, info.run_name) == ("FINISHED", 12345, "later name")
    client.update_run(run_id, status="RUNNING")
    assert client.get_run(run_id).info.status == "RUNNING"


def test_delete_and_restore(api, run, read_run):
    before = read_run(run)
    for _ in range(2):
        assert api.post("runs/delete", run_id=run).ok == {}
        assert read_run(run)["info"]["lifecycle_stage"] == "deleted"
    for _ in range(2):
        assert api.post("runs/restore", run_id=run).ok == {}
        assert read_run(run) == before


def test_client_sees_lifecycle(client, run):
    client.delete_run(run)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    client.restore_run(run)
    assert client.get_run(run).info.lifecycle_stage == "active"


@pytest.mark.parametrize("action", ["delete", "restore"])
def test_delete_and_restore_refusals(api, action):
    api.post(f"runs/{action}", {}).invalid(exactly=missing("run_id"))
    api.post(f"runs/{action}", run_id="nobody").absent(exactly="Run with id=nobody not found")
    api.post(f"runs/{action}", run_id=5).invalid(exactly=wrong_type(5, "run_id", "int"))


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_a_deleted_run_refuses_every_write(api, deleted_run, path, body):
    api.post(path, run_id=deleted_run, **body).invalid(
        exactly=f"The run {deleted_run} must be in the 'active' state. Current state is deleted."
    )


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_an_unknown_run_refuses_every_write(api, path, body):
    api.post(path, run_id="nobody", **body).absent(exactly="Run with id=nobody not found")


def test_client_raises_for_a_deleted_run(client, deleted_run):
    with pytest.raises(MlflowException, match=f"The run {deleted_run} must be in the 'active' state"):
        client.log_metric(deleted_run, "m", 1)

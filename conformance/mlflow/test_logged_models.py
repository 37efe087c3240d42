"""Logged models: create, finalize, params, tags, metrics, delete."""

import time

import pytest
from mlflow.exceptions import MlflowException

from wire import GENERATED_NAME, MODEL_ID, mapping, missing, pairs, scrub, wrong_type


@pytest.fixture
def create(api, experiment):
    def make(**fields):
        return api.post("logged-models", {"experiment_id": experiment, **fields}).ok["model"]

    return make


@pytest.fixture
def model_id(create):
    return create()["info"]["model_id"]


@pytest.fixture
def read(api):
    return lambda model_id: api.get(f"logged-models/{model_id}").ok["model"]


def test_smallest_shape(api, experiment, create, read):
    model = create()
    model_id, name = model["info"]["model_id"], model["info"]["name"]
    assert MODEL_ID.match(model_id)
    assert GENERATED_NAME.match(name)
    location = api.get("experiments/get", experiment_id=experiment).ok["experiment"]["artifact_location"]
    assert scrub(model, model_id=model_id, name=name, location=location) == {
        "info": {
            "model_id": "<model_id>",
            "experiment_id": experiment,
            "name": "<name>",
            "creation_timestamp_ms": "<time>",
            "last_updated_timestamp_ms": "<time>",
            "artifact_uri": "<location>/models/<model_id>/artifacts",
            "status": "LOGGED_MODEL_PENDING",
            "model_type": "",
            "source_run_id": "",
        },
        "data": {},
    }
    assert read(model_id) == model
    assert abs(model["info"]["creation_timestamp_ms"] - time.time() * 1000) < 60_000


def test_full_shape(create, read, run):
    model = create(
        name="resnet",
        model_type="classifier",
        source_run_id=run,
        params=pairs({"layers": "50", "empty": ""}),
        tags=pairs({"stage": "draft"}),
    )
    info = model["info"]
    assert (info["name"], info["model_type"], info["source_run_id"]) == ("resnet", "classifier", run)
    assert info["tags"] == pairs({"stage": "draft"})
    assert mapping(model["data"]["params"]) == {"layers": "50", "empty": ""}
    assert "metrics" not in model["data"]
    again = read(info["model_id"])
    again["data"]["params"].sort(key=str)
    model["data"]["params"].sort(key=str)
    assert again == model


def test_names_need_not_be_unique(create):
    assert create(name="same")["info"]["model_id"] != create(name="same")["info"]["model_id"]


def test_empty_name_is_generated(create):
    assert GENERATED_NAME.match(create(name="")["info"]["name"])


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "50%", 'a"b', "a'b"])
def test_bad_names(api, experiment, name):
    api.post("logged-models", experiment_id=experiment, name=name).invalid(
        f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and cannot contain the following characters:"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, missing("experiment_id")),
        ({"experiment_id": ""}, missing("experiment_id")),
        ({"experiment_id": "abc"}, "Invalid experiment ID 'abc'. Experiment ID must be a valid integer."),
        ({"experiment_id": "0", "name": 5}, wrong_type(5, "name", "int")),
        ({"experiment_id": "0", "params": "x"}, wrong_type("x", "params", "str")),
        ({"experiment_id": "0", "tags": {"a": "b"}}, wrong_type({"a": "b"}, "tags", "dict")),
    ],
)
def test_create_refusals(api, body, message):
    api.post("logged-models", body).invalid(exactly=message)


def test_create_in_an_unknown_experiment(api):
    api.post("logged-models", experiment_id="987654321").absent(exactly="No Experiment with id=987654321 exists")


def test_equal_params_twice_are_refused(api, experiment):
    answer = api.post("logged-models", experiment_id=experiment, params=pairs({"p": "1"}) + pairs({"p": "2"}))
    assert answer.status == 400


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("LOGGED_MODEL_READY", "LOGGED_MODEL_READY"),
        ("LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_UPLOAD_FAILED"),
        (1, "LOGGED_MODEL_PENDING"),
        (2, "LOGGED_MODEL_READY"),
        (3, "LOGGED_MODEL_UPLOAD_FAILED"),
    ],
)
def test_finalize(api, model_id, read, sent, stored):
    before = read(model_id)["info"]
    time.sleep(0.003)
    answer = api.patch(f"logged-models/{model_id}", model_id=model_id, status=sent).ok["model"]
    assert answer["info"]["status"] == stored
    assert answer["info"]["last_updated_timestamp_ms"] > before["last_updated_timestamp_ms"]
    assert answer["info"]["creation_timestamp_ms"] == before["creation_timestamp_ms"]
    assert read(model_id) == answer


def test_finalize_refusals(api, model_id):
    api.patch(f"logged-models/{model_id}", status=2).invalid(exactly=missing("model_id"))
    api.patch(f"logged-models/{model_id}", model_id=model_id).invalid(exactly=missing("status"))
    api.patch("logged-models/m-none", model_id="m-none", status=2).absent(
        exactly="Logged model with ID 'm-none' not found."
    )


def test_params(api, create, read):
    model_id = create(params=pairs({"a": "1"}))["info"]["model_id"]
    path = f"logged-models/{model_id}/params"
    assert api.post(path, model_id=model_id, params=pairs({"b": "2", "long": "x" * 7000})).ok == {}
    assert mapping(read(model_id)["data"]["params"]) == {"a": "1", "b": "2", "long": "x" * 7000}
    assert api.post(path, model_id=model_id, params=pairs({"a": "1"})).status == 400
    assert api.post(path, model_id=model_id, params=pairs({"c": "1", "a": "5"})).status == 400
    assert mapping(read(model_id)["data"]["params"]).keys() == {"a", "b", "long"}
    api.post(path, params=pairs({"c": "1"})).invalid(exactly=missing("model_id"))
    api.post("logged-models/m-none/params", model_id="m-none", params=pairs({"c": "1"})).absent()


def test_tags(api, model_id, read):
    path = f"logged-models/{model_id}/tags"
    assert api.patch(path, tags=pairs({"a": "1", "b": "2"})).ok == {}
    assert api.patch(path, tags=[*pairs({"a": "3"}), {"key": "a", "value": "4"}, {"key": "none"}]).ok == {}
    assert api.patch(path, {}).ok == {}
    assert mapping(read(model_id)["info"]["tags"]) == {"a": "4", "b": "2", "none": ""}
    assert api.raw("DELETE", f"{path}/a").ok == {}
    assert mapping(read(model_id)["info"]["tags"]) == {"b": "2", "none": ""}
    api.raw("DELETE", f"{path}/a").absent(exactly=f"No tag with key 'a' found for model with ID '{model_id}'.")
    api.raw("DELETE", "logged-models/m-none/tags/a").absent(exactly="Logged model with ID 'm-none' not found.")
    api.patch("logged-models/m-none/tags", tags=pairs({"a": "1"})).absent()


def test_metrics_of_a_model(api, model_id, run, read, read_run):
    point = {"run_id": run, "key": "acc", "value": 0.5, "timestamp": 5, "step": 2, "model_id": model_id}
    api.post("runs/log-metric", point, dataset_name="iris", dataset_digest="abc").ok
    api.post("runs/log-metric", point, value=0.75, step=3).ok
    api.post("runs/log-batch", run_id=run, metrics=[{**point, "key": "loss", "value": 9}]).ok
    metrics = sorted(read(model_id)["data"]["metrics"], key=lambda metric: (metric["key"], metric["step"]))
    owner = {"model_id": model_id, "run_id": run}
    assert metrics == [
        {
            "key": "acc",
            "value": 0.5,
            "timestamp": 5,
            "step": 2,
            "dataset_name": "iris",
            "dataset_digest": "abc",
            **owner,
        },
        {"key": "acc", "value": 0.75, "timestamp": 5, "step": 3, **owner},
        {"key": "loss", "value": 9.0, "timestamp": 5, "step": 2, **owner},
    ]
    of_run = {metric["key"]: metric for metric in read_run(run)["data"]["metrics"]}
    assert of_run["acc"] == {"key": "acc", "value": 0.75, "timestamp": 5, "step": 3}
    assert of_run["loss"]["value"] == 9.0


def test_repeated_metrics_of_a_model_are_stored_once(api, model_id, run, read):
    point = {"key": "acc", "value": 0.5, "timestamp": 5, "step": 2, "model_id": model_id}
    for _ in range(2):
        api.post("runs/log-metric", point, run_id=run).ok
        api.post("runs/log-batch", run_id=run, metrics=[point, point]).ok
    assert len(read(model_id)["data"]["metrics"]) == 1


def test_metrics_of_an_unknown_model_are_refused(api, run):
    answer = api.post("runs/log-metric", run_id=run, key="m", value=1, timestamp=1, model_id="m-none")
    assert answer.status in (400, 404)


def test_delete(api, model_id, read, experiment):
    api.patch(f"logged-models/{model_id}/tags", tags=pairs({"a": "1"})).ok
    before = read(model_id)
    for _ in range(2):
        assert api.raw("DELETE", f"logged-models/{model_id}").ok == {}
    api.get(f"logged-models/{model_id}").absent(exactly=f"Logged model with ID '{model_id}' not found.")
    kept = api.get(f"logged-models/{model_id}", allow_deleted="true").ok["model"]
    assert kept["info"]["tags"] == before["info"]["tags"]
    api.get(f"logged-models/{model_id}", allow_deleted="false").absent()
    assert api.post("logged-models/search", experiment_ids=[experiment]).ok == {}
    api.raw("DELETE", "logged-models/m-none").absent(exactly="Logged model with ID 'm-none' not found.")


def test_artifact_directories_of_an_empty_model(api, ajax, model_id, read):
    root = read(model_id)["info"]["artifact_uri"]
    assert api.get(f"logged-models/{model_id}/artifacts/directories").ok == {"root_uri": root}
    for path in ("../x", "/etc", "a/../../b", "%2e%2e/x"):
        api.get(f"logged-models/{model_id}/artifacts/directories", artifact_directory_path=path).invalid(
            exactly="Invalid path"
        )
    api.get("logged-models/m-none/artifacts/directories").absent(exactly="Logged model with ID 'm-none' not found.")
    ajax.get(f"logged-models/{model_id}/artifacts/files").refused(
        "BAD_REQUEST", exactly='Request must include the "artifact_file_path" query parameter.'
    )
    ajax.get(f"logged-models/{model_id}/artifacts/files", artifact_file_path="nothing").absent("No such artifact: ")


def test_ajax_twin(api, ajax, model_id, read):
    assert ajax.get(f"logged-models/{model_id}").ok["model"] == read(model_id)


@pytest.mark.client("3.0")
def test_client(client, experiment, run):
    from mlflow.entities import LoggedModelStatus

    model = client.create_logged_model(
        experiment, name="named", source_run_id=run, tags={"a": "1"}, params={"p": "2"}, model_type="kind"
    )
    assert (model.name, model.status, model.model_type, model.source_run_id) == ("named", "PENDING", "kind", run)
    assert (model.tags, model.params) == ({"a": "1"}, {"p": "2"})
    assert not model.metrics
    assert client.finalize_logged_model(model.model_id, LoggedModelStatus.READY).status == LoggedModelStatus.READY
    client.set_logged_model_tags(model.model_id, {"b": "2"})
    client.delete_logged_model_tag(model.model_id, "a")
    client.log_metric(run, "acc", 0.5, model_id=model.model_id)
    found = client.get_logged_model(model.model_id)
    assert found.tags == {"b": "2"}
    assert [(metric.key, metric.value) for metric in found.metrics] == [("acc", 0.5)]
    client.delete_logged_model(model.model_id)
    with pytest.raises(MlflowException, match="not found") as caught:
        client.get_logged_model(model.model_id)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"

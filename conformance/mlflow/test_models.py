"""A model's way: log it, register it, name versions, load them by every kind of address, serve them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from servers import free_port
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


@pytest.fixture(autouse=True)
def experiment_of_its_own(client: MlflowClient, base_url: str, unique) -> None:
    mlflow.set_tracking_uri(base_url)
    mlflow.set_registry_uri(base_url)
    mlflow.set_experiment(unique("models"))


@pytest.fixture(scope="module")
def iris() -> pd.DataFrame:
    return load_iris(as_frame=True).data


def trained(iris: pd.DataFrame, strength: float = 1.0) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=500).fit(iris, load_iris().target)


def logged(model: object, iris: pd.DataFrame, **options: object):
    with mlflow.start_run():
        return mlflow.sklearn.log_model(model, "model", input_example=iris.head(2), **options)


def test_logging_and_registering_in_one_call(client: MlflowClient, iris: pd.DataFrame, unique) -> None:
    name, model = unique("iris"), trained(iris)
    info = logged(model, iris, registered_model_name=name)
    version = client.get_model_version(name, "1")
    assert (version.version, version.status, version.run_id) == (
        "1" if isinstance(version.version, str) else 1,
        "READY",
        info.run_id,
    )
    loaded = mlflow.pyfunc.load_model(f"models:/{name}/1")
    assert list(loaded.predict(iris)) == list(model.predict(iris))
    assert loaded.metadata.run_id == info.run_id
    assert mlflow.sklearn.load_model(f"runs:/{info.run_id}/model").C == 1.0


def test_addresses_of_versions(client: MlflowClient, iris: pd.DataFrame, unique) -> None:
    name = unique("iris")
    for strength in (1.0, 2.0, 3.0):
        info = logged(trained(iris, strength), iris)
        mlflow.register_model(info.model_uri, name, tags={"strength": str(strength)})
    client.set_registered_model_alias(name, "champion", "2")
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "3", "Staging")

    def strength_at(address: str) -> float:
        return mlflow.sklearn.load_model(f"models:/{name}{address}").C

    assert strength_at("@champion") == 2.0
    assert strength_at("/Production") == 1.0
    assert strength_at("/staging") == 3.0
    assert strength_at("/latest") == 3.0
    assert [strength_at(f"/{number}") for number in (1, 2, 3)] == [1.0, 2.0, 3.0]
    client.set_registered_model_alias(name, "champion", "3")
    assert strength_at("@champion") == 3.0
    assert client.get_model_version_by_alias(name, "champion").tags == {"strength": "3.0"}
    client.delete_registered_model_alias(name, "champion")
    with pytest.raises(mlflow.MlflowException, match="alias champion not found"):
        strength_at("@champion")
    with pytest.raises(mlflow.MlflowException):
        strength_at("/99")
    found = client.search_model_versions(f"name = '{name}' AND tags.strength = '2.0'")
    assert [int(version.version) for version in found] == [2]


def test_searching_and_changing(client: MlflowClient, iris: pd.DataFrame, unique) -> None:
    name = unique("iris")
    info = logged(trained(iris), iris, registered_model_name=name)
    client.update_registered_model(name, "all about irises")
    client.set_registered_model_tag(name, "team", "blue")
    client.update_model_version(name, "1", "the first")
    client.set_model_version_tag(name, "1", "checked", "yes")
    (found,) = client.search_registered_models(f"name = '{name}'")
    assert (found.description, found.tags) == ("all about irises", {"team": "blue"})
    assert [int(version.version) for version in found.latest_versions] == [1]
    version = client.get_model_version(name, "1")
    assert (version.description, version.tags["checked"]) == ("the first", "yes")
    assert [v.name for v in client.search_model_versions(f"run_id = '{info.run_id}'")] == [name]
    client.rename_registered_model(name, name + "-new")
    assert mlflow.sklearn.load_model(f"models:/{name}-new/1").C == 1.0
    client.delete_model_version(name + "-new", "1")
    client.delete_registered_model(name + "-new")
    assert client.search_registered_models(f"name LIKE '{name}%'") == []


def test_a_model_in_python(client: MlflowClient, tmp_path: Path, unique) -> None:
    class Adder(mlflow.pyfunc.PythonModel):
        def load_context(self, context) -> None:
            self.amount = int(Path(context.artifacts["amount"]).read_text())

        def predict(self, context, model_input, params=None):
            return model_input + self.amount * (params or {}).get("times", 1)

    (tmp_path / "amount.txt").write_text("5")
    signature = mlflow.models.infer_signature(pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [6]}), params={"times": 1})
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            "model", python_model=Adder(), artifacts={"amount": str(tmp_path / "amount.txt")}, signature=signature
        )
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    frame = pd.DataFrame({"x": np.array([1, 2])})
    assert list(loaded.predict(frame)["x"]) == [6, 7]
    assert list(loaded.predict(frame, params={"times": 2})["x"]) == [11, 12]


def test_model_files(client: MlflowClient, iris: pd.DataFrame, tmp_path: Path) -> None:
    info = logged(trained(iris), iris)
    local = Path(mlflow.artifacts.download_artifacts(info.model_uri, dst_path=str(tmp_path)))
    assert {"MLmodel", "requirements.txt", "conda.yaml", "python_env.yaml"} <= {path.name for path in local.iterdir()}
    again = mlflow.models.get_model_info(info.model_uri)
    assert (again.model_uuid, again.signature) == (info.model_uuid, info.signature)


@pytest.mark.client("3.0")
def test_logged_models(client: MlflowClient, iris: pd.DataFrame, unique) -> None:
    name = unique("iris")
    with mlflow.start_run() as active:
        info = mlflow.sklearn.log_model(
            trained(iris), name="classifier", params={"C": 1.0}, tags={"kind": "linear"}, step=3
        )
        mlflow.log_metric("accuracy", 0.9, model_id=info.model_id)
    model = mlflow.get_logged_model(info.model_id)
    assert (model.name, model.status, model.source_run_id) == ("classifier", "READY", active.info.run_id)
    assert (model.params["C"], model.tags["kind"]) == ("1.0", "linear")
    assert [(metric.key, metric.value) for metric in model.metrics] == [("accuracy", 0.9)]
    assert [output.model_id for output in client.get_run(active.info.run_id).outputs.model_outputs] == [info.model_id]
    version = mlflow.register_model(f"models:/{info.model_id}", name)
    assert client.get_model_version(name, version.version).source == f"models:/{info.model_id}"
    assert mlflow.sklearn.load_model(f"models:/{name}/1").C == 1.0
    client.set_logged_model_tags(info.model_id, {"kind": "logistic"})
    client.delete_logged_model_tag(info.model_id, "kind")
    assert "kind" not in mlflow.get_logged_model(info.model_id).tags
    found = mlflow.search_logged_models(filter_string="metrics.accuracy > 0.8", output_format="list")
    assert [item.model_id for item in found] == [info.model_id]
    client.delete_logged_model(info.model_id)
    with pytest.raises(mlflow.MlflowException, match="not found"):
        mlflow.get_logged_model(info.model_id)


@pytest.mark.client("2.22")
def test_prompts(client: MlflowClient, unique) -> None:
    register = getattr(getattr(mlflow, "genai", None), "register_prompt", None) or getattr(
        mlflow, "register_prompt", None
    )
    load = getattr(getattr(mlflow, "genai", None), "load_prompt", None) or getattr(mlflow, "load_prompt", None)
    if register is None or load is None:
        pytest.skip("this client has no prompts")
    name = unique("prompt")
    register(name=name, template="Say {{word}}.")
    register(name=name, template="Say {{word}}!")
    assert load(f"prompts:/{name}/1").template == "Say {{word}}."
    assert load(f"prompts:/{name}/2").format(word="hi") == "Say hi!"
    assert client.search_registered_models(f"name = '{name}'") == []


def test_serving_a_registered_model(
    client: MlflowClient, base_url: str, iris: pd.DataFrame, unique, tmp_path: Path
) -> None:
    name, model = unique("iris"), trained(iris)
    logged(model, iris, registered_model_name=name)
    client.set_registered_model_alias(name, "champion", "1")
    port = free_port()
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", f"models:/{name}@champion"),
        *("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)),
    ]
    # The server starts its own worker by the name `uvicorn`, from the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"MLFLOW_TRACKING_URI": base_url, "PATH": path}
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        url, give_up = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while time.monotonic() < give_up and process.poll() is None:
            with suppress(requests.RequestException):
                if requests.get(f"{url}/ping", timeout=5).status_code == 200:
                    break
            time.sleep(0.3)
        request = {"dataframe_split": iris.head(3).to_dict(orient="split")}
        answer = requests.post(f"{url}/invocations", json=request, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"predictions": [int(value) for value in model.predict(iris.head(3))]}
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(timeout=30)

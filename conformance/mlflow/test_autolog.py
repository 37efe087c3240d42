"""Autologging of the libraries people train with: what they log must arrive, and be searchable and loadable."""

from __future__ import annotations

from collections.abc import Iterator

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CLIENT_3 = int(mlflow.__version__.split(".")[0]) >= 3


@pytest.fixture(autouse=True)
def experiment_of_its_own(client: MlflowClient, base_url: str, unique) -> Iterator[None]:
    mlflow.set_tracking_uri(base_url)
    mlflow.set_registry_uri(base_url)
    mlflow.set_experiment(unique("autolog"))
    yield
    mlflow.autolog(disable=True)
    while mlflow.active_run():
        mlflow.end_run()


def model_uri(run_id: str) -> str:
    """Where the newest model of a run is: a logged model with client 3, an artifact folder before."""
    return f"runs:/{run_id}/model"


def test_scikit_learn() -> None:
    mlflow.sklearn.autolog(log_input_examples=True)
    data, target = load_iris(return_X_y=True, as_frame=True)
    with mlflow.start_run() as active:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(data, target)
        model.score(data, target)
    run = mlflow.get_run(active.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["logisticregression__C"] == "0.5"
    assert run.data.metrics["training_accuracy_score"] > 0.9
    assert run.data.tags["estimator_name"] == "Pipeline"
    assert {item.dataset.name for item in run.inputs.dataset_inputs} == {"dataset"}
    loaded = mlflow.pyfunc.load_model(model_uri(run.info.run_id))
    assert list(loaded.predict(data)) == list(model.predict(data))
    assert loaded.metadata.signature is not None


def test_several_estimators_in_one_experiment() -> None:
    mlflow.sklearn.autolog(log_models=False)
    data, target = load_diabetes(return_X_y=True)
    for alpha in (0.1, 1.0, 10.0):
        Ridge(alpha=alpha).fit(data, target)  # each fit is a run of its own
    frame = mlflow.search_runs(order_by=["metrics.training_r2_score DESC"])
    assert list(frame["params.alpha"]) == ["0.1", "1.0", "10.0"]


def test_grid_search(client: MlflowClient) -> None:
    mlflow.sklearn.autolog(max_tuning_runs=3)
    data, target = load_iris(return_X_y=True)
    search = GridSearchCV(RandomForestClassifier(n_estimators=5, random_state=0), {"max_depth": [1, 2, 3, 4]}, cv=2)
    with mlflow.start_run() as active:
        search.fit(data, target)
    parent = client.get_run(active.info.run_id)
    assert parent.data.params["best_max_depth"] == str(search.best_params_["max_depth"])
    assert parent.data.metrics["best_cv_score"] == pytest.approx(search.best_score_)
    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert len(children) == 3
    assert children["metrics.mean_test_score"].max() == pytest.approx(search.best_score_)
    assert "cv_results.csv" in {item.path for item in client.list_artifacts(parent.info.run_id)}


def test_lightgbm(client: MlflowClient) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    mlflow.lightgbm.autolog()
    data, target = load_iris(return_X_y=True)
    train = lightgbm.Dataset(data, label=target)
    parameters = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_leaves": 4, "num_threads": 1}
    with mlflow.start_run() as active:
        model = lightgbm.train(parameters, train, num_boost_round=8, valid_sets=[train], valid_names=["train"])
    run = client.get_run(active.info.run_id)
    assert run.data.params["num_leaves"] == "4"
    curve = client.get_metric_history(run.info.run_id, "train-multi_logloss")
    assert [metric.step for metric in curve] == list(range(8))
    assert curve[-1].value < curve[0].value
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert "feature_importance_gain.png" in artifacts
    loaded = mlflow.pyfunc.load_model(model_uri(run.info.run_id))
    np.testing.assert_allclose(loaded.predict(data), model.predict(data))


@pytest.mark.skipif(not CLIENT_3, reason="logged models came with client 3")
def test_autologged_models_are_logged_models() -> None:
    mlflow.sklearn.autolog()
    data, target = load_iris(return_X_y=True)
    with mlflow.start_run() as active:
        RandomForestClassifier(n_estimators=3, random_state=0).fit(data, target)
    run = mlflow.get_run(active.info.run_id)
    (output,) = run.outputs.model_outputs
    model = mlflow.get_logged_model(output.model_id)
    assert (model.status, model.source_run_id) == ("READY", run.info.run_id)
    assert model.params["n_estimators"] == "3"
    assert {metric.key for metric in model.metrics} >= {"training_accuracy_score"}
    assert mlflow.sklearn.load_model(f"models:/{model.model_id}").n_estimators == 3

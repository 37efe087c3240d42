"""`mlflow.models.evaluate`, whose metrics, plots and tables all go through the server."""

from __future__ import annotations

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NO_EXPLAINER = {"log_model_explainability": False}


@pytest.fixture(autouse=True)
def experiment_of_its_own(client: MlflowClient, base_url: str, unique) -> None:
    mlflow.set_tracking_uri(base_url)
    mlflow.set_registry_uri(base_url)
    mlflow.set_experiment(unique("evaluate"))


def test_a_classifier(client: MlflowClient) -> None:
    bunch = load_breast_cancer(as_frame=True)
    data, target = bunch.data.iloc[:200, :5], bunch.target[:200]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data, target)
    with mlflow.start_run() as active:
        logged = mlflow.sklearn.log_model(model, "model", input_example=data.head(2))
        frame = data.assign(label=target)
        result = mlflow.models.evaluate(
            logged.model_uri, frame, targets="label", model_type="classifier", evaluator_config=NO_EXPLAINER
        )
    run = client.get_run(active.info.run_id)
    assert run.data.metrics["accuracy_score"] == pytest.approx(result.metrics["accuracy_score"])
    assert run.data.metrics["accuracy_score"] > 0.8
    assert run.inputs.dataset_inputs
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"confusion_matrix.png", "roc_curve_plot.png"} <= artifacts
    assert set(result.artifacts) >= {"confusion_matrix", "roc_curve_plot"}


def test_predictions_of_a_regressor(client: MlflowClient) -> None:
    bunch = load_diabetes(as_frame=True)
    model = LinearRegression().fit(bunch.data, bunch.target)
    frame = pd.DataFrame({"truth": bunch.target, "guess": model.predict(bunch.data)})
    dataset = mlflow.data.from_pandas(frame, predictions="guess", targets="truth", name="held-out")
    with mlflow.start_run() as active:
        result = mlflow.models.evaluate(data=dataset, model_type="regressor", evaluator_config=NO_EXPLAINER)
    run = client.get_run(active.info.run_id)
    assert run.data.metrics["r2_score"] == pytest.approx(result.metrics["r2_score"])
    assert [item.dataset.name for item in run.inputs.dataset_inputs] == ["held-out"]


def test_thresholds(client: MlflowClient) -> None:
    from mlflow.models import MetricThreshold

    if not hasattr(mlflow, "validate_evaluation_results"):
        pytest.skip("this client validates elsewhere")
    frame = pd.DataFrame({"truth": [1.0, 2.0, 3.0], "guess": [1.0, 2.0, 3.5]})
    with mlflow.start_run():
        result = mlflow.models.evaluate(data=frame, predictions="guess", targets="truth", model_type="regressor")
    mlflow.validate_evaluation_results(
        validation_thresholds={"r2_score": MetricThreshold(threshold=0.5, greater_is_better=True)},
        candidate_result=result,
    )

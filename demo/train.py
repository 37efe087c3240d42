"""A small tour for people who know MLflow: everything below is the stock client, and nothing in it knows about Stele.

Trains a few classifiers on the digits and a grid of regressors on the diabetes data, logs learning curves, registers the best
classifier under the alias `champion`, loads it back by that alias, and looks at the runs as a table.
Start it with `make demo`, or set MLFLOW_TRACKING_URI and run it with any Python that has mlflow and scikit-learn.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from dataclasses import dataclass

# Before the import of mlflow, which reads these once: no bars for small files, no links after each run.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow
import numpy as np
from mlflow import MlflowClient
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

MODEL = "digits"
# Given to log_model, so that it need not import everything again to find out.
REQUIREMENTS = ["scikit-learn", "numpy"]


@dataclass
class Data:
    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


def main() -> None:
    started = time.monotonic()
    warnings.filterwarnings("ignore")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    url = os.environ.get("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    mlflow.set_tracking_uri(url)
    client = MlflowClient()

    print(f"Tracking server: {url}")
    pixels, labels = load_digits(return_X_y=True)
    data = Data(*train_test_split(pixels / pixels.max(), labels, test_size=0.3, random_state=0))
    best_run = compare_classifiers(data)
    learning_curve(data)
    grid_of_regressors()
    promote(client, best_run)
    use_the_champion(data)
    show_runs(client)
    print(f"\nDone in {time.monotonic() - started:.0f} s. The runs are at {url}")


def compare_classifiers(data: Data) -> str:
    """Trains each with autologging and gives the id of the best run."""
    mlflow.set_experiment("demo: digits")
    mlflow.sklearn.autolog(log_models=False)
    candidates: dict[str, ClassifierMixin] = {
        "logistic regression": LogisticRegression(max_iter=200, C=0.1),
        "nearest neighbours": KNeighborsClassifier(n_neighbors=3),
        "support vectors": SVC(),
    }
    scores: dict[str, float] = {}
    for name, model in candidates.items():
        with mlflow.start_run(run_name=name) as run:
            model.fit(data.train, data.train_labels)
            score = accuracy_score(data.test_labels, model.predict(data.test))
            mlflow.log_metric("test_accuracy", score)
            signature = mlflow.models.infer_signature(data.train, model.predict(data.train))
            mlflow.sklearn.log_model(model, "model", signature=signature, pip_requirements=REQUIREMENTS)
            scores[run.info.run_id] = score
            print(f"  {name}: test accuracy {score:.3f}")
    mlflow.sklearn.autolog(disable=True)
    return max(scores, key=lambda run_id: scores[run_id])


def learning_curve(data: Data, epochs: int = 40) -> None:
    """A model that is trained step by step, with a point of each curve a step."""
    classes = np.unique(data.train_labels)
    with mlflow.start_run(run_name="gradient descent, step by step"):
        mlflow.log_params({"epochs": epochs, "alpha": 0.001})
        mlflow.log_input(
            mlflow.data.from_numpy(data.train, targets=data.train_labels, name="digits"), context="training"
        )
        model = SGDClassifier(loss="log_loss", alpha=0.001, random_state=0)
        for epoch in range(epochs):
            model.partial_fit(data.train, data.train_labels, classes=classes)
            curves = {
                "train_loss": log_loss(data.train_labels, model.predict_proba(data.train)),
                "test_loss": log_loss(data.test_labels, model.predict_proba(data.test)),
                "test_accuracy": model.score(data.test, data.test_labels),
            }
            mlflow.log_metrics(curves, step=epoch)
    print(f"  gradient descent: {epochs} points on each of {len(curves)} curves")


def grid_of_regressors() -> None:
    """One parent run with a nested run for each point of a grid."""
    mlflow.set_experiment("demo: diabetes")
    train, test, train_target, test_target = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
    with mlflow.start_run(run_name="grid"):
        scores: dict[tuple[int, float], float] = {}
        for depth in (1, 2, 3):
            for rate in (0.05, 0.2):
                with mlflow.start_run(run_name=f"depth {depth}, rate {rate}", nested=True):
                    mlflow.log_params({"max_depth": depth, "learning_rate": rate})
                    model = GradientBoostingRegressor(
                        max_depth=depth, learning_rate=rate, n_estimators=60, random_state=0
                    )
                    model.fit(train, train_target)
                    for step, guess in enumerate(model.staged_predict(test)):
                        if step % 5 == 0:
                            mlflow.log_metric("test_error", float(np.abs(guess - test_target).mean()), step=step)
                    scores[depth, rate] = model.score(test, test_target)
                    mlflow.log_metric("test_r2", scores[depth, rate])
        best = max(scores, key=lambda point: scores[point])
        mlflow.log_params({"best_max_depth": best[0], "best_learning_rate": best[1]})
        mlflow.log_metric("best_r2", scores[best])
    print(f"  grid of {len(scores)}: best depth {best[0]}, rate {best[1]}, R2 {scores[best]:.3f}")


def promote(client: MlflowClient, run_id: str) -> None:
    version = mlflow.register_model(f"runs:/{run_id}/model", MODEL).version
    client.set_registered_model_alias(MODEL, "champion", version)
    client.update_model_version(MODEL, version, f"best of the demo, from run {run_id}")
    print(f"\nRegistered {MODEL} version {version} as champion")


def use_the_champion(data: Data) -> None:
    champion = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    predicted = champion.predict(data.test)
    print(f"models:/{MODEL}@champion predicts {[int(digit) for digit in predicted[:10]]}")
    print(f"               the truth is {[int(digit) for digit in data.test_labels[:10]]}")


def show_runs(client: MlflowClient) -> None:
    experiments = [found.experiment_id for found in client.search_experiments(filter_string="name LIKE 'demo: %'")]
    runs = client.search_runs(
        experiments, "metrics.test_accuracy > 0.5", order_by=["metrics.test_accuracy DESC"], max_results=8
    )
    print(f"\n{'run':32} {'test accuracy':>13} {'status':>9}  id")
    for run in runs:
        accuracy = run.data.metrics["test_accuracy"]
        print(f"{run.info.run_name:32} {accuracy:13.3f} {run.info.status:>9}  {run.info.run_id}")
    print(f"\n{'run':32} {'test R2':>13} {'depth':>9}  rate")
    for run in client.search_runs(experiments, "metrics.test_r2 > 0", order_by=["metrics.test_r2 DESC"], max_results=6):
        params = run.data.params
        print(
            f"{run.info.run_name:32} {run.data.metrics['test_r2']:13.3f} {params['max_depth']:>9}  {params['learning_rate']}"
        )


if __name__ == "__main__":
    main()

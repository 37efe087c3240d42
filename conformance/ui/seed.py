"""Fills a server with what the web pages are to show, with the stock client, and prints where everything is as JSON.

Usage: seed.py URL   (with a Python that has mlflow, pandas and PIL)
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import warnings
from typing import Any

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow
import pandas as pd
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from PIL import Image, ImageDraw

RUNS = 30
STEPS = 40
MODEL = "fraud-classifier"
PROMPT = "summarise-ticket"


def main(url: str) -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(url)
    client = MlflowClient()
    for name in ("churn", "price-forecast"):
        client.create_experiment(name, tags={"team": "growth"})
    experiment = client.create_experiment("fraud-detection", tags={"mlflow.note.content": "Who pays **twice**?"})
    runs = [small_run(client, experiment, number) for number in range(RUNS)]
    mlflow.set_experiment(experiment_id=experiment)
    seeded: dict[str, Any] = {"experiment": experiment, "runs": runs, "model": MODEL, "prompt": PROMPT}
    seeded |= rich_run() | nested_runs()
    registry(client, seeded["rich_run"], seeded["logged_model"])
    seeded["trace"] = trace() if keeps_traces(url, experiment) else None
    json.dump(seeded, sys.stdout)


def small_run(client: MlflowClient, experiment: str, number: int) -> str:
    """A run with curves; its accuracy grows with its number."""
    run = client.create_run(experiment, run_name=f"sweep-{number:02}", start_time=1_750_000_000_000 + number * 60_000)
    best = 0.70 + number / 100
    curves = [
        Metric(key, value, 1_750_000_000_000 + number * 60_000 + step * 1000, step)
        for step in range(STEPS)
        for key, value in (
            ("accuracy", best * (1 - math.exp(-(step + 20) / 8))),
            ("loss", 1.5 * math.exp(-step / (5 + number))),
        )
    ]
    params = [Param("learning_rate", str(0.001 * (number + 1))), Param("depth", str(number % 5 + 2))]
    tags = [RunTag("family", "forest" if number % 2 else "boosting")]
    client.log_batch(run.info.run_id, [*curves, Metric("final", best, 1_750_000_000_000, 0)], params, tags)
    client.set_terminated(
        run.info.run_id, "FAILED" if number == 7 else "FINISHED", end_time=run.info.start_time + 45_000
    )
    return run.info.run_id


def picture() -> Image.Image:
    image = Image.new("RGB", (120, 80), "white")
    ImageDraw.Draw(image).ellipse((20, 10, 100, 70), fill="tomato")
    return image


def rich_run() -> dict[str, str]:
    """A run with one of everything."""
    frame = pd.DataFrame({"amount": [12.5, 980.0, 3.2], "country": ["DE", "FR", "PL"], "fraud": [0, 1, 0]})
    with mlflow.start_run(run_name="everything", log_system_metrics=False) as run:
        mlflow.log_params({"learning_rate": 0.05, "depth": 9, "note": "has artifacts"})
        for step in range(STEPS):
            mlflow.log_metric("accuracy", 0.5 + step / 100, step=step)
        mlflow.log_metric("only-once", 42.0)
        mlflow.log_text("first line\nsecond line of the report\n", "reports/summary.txt")
        mlflow.log_dict({"threshold": 0.75, "classes": ["fraud", "fine"]}, "reports/settings.json")
        mlflow.log_image(picture(), "confusion.png")
        mlflow.log_image(picture(), key="samples", step=1)
        mlflow.log_table(frame, "predictions.json")
        mlflow.log_text("<h1>Report in HTML</h1>", "report.html")
        mlflow.log_input(mlflow.data.from_pandas(frame, name="transactions", targets="fraud"), context="training")
        mlflow.set_tag("mlflow.note.content", "The run with everything.")
        logged = mlflow.pyfunc.log_model(
            name="scorer",
            python_model=Constant(),
            input_example=frame.head(1),
            pip_requirements=["mlflow"],
            params={"rule": "constant"},
        )
    return {"rich_run": run.info.run_id, "logged_model": logged.model_id}


class Constant(mlflow.pyfunc.PythonModel):
    def predict(self, context: object, model_input: pd.DataFrame) -> list[int]:
        return [0] * len(model_input)


def nested_runs() -> dict[str, str]:
    with mlflow.start_run(run_name="search-parent") as parent:
        mlflow.log_param("depth", "parent")
        for number in range(3):
            with mlflow.start_run(run_name=f"search-child-{number}", nested=True):
                mlflow.log_metric("final", 0.1 * number)
    return {"parent_run": parent.info.run_id}


def keeps_traces(url: str, experiment: str) -> bool:
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    answer = requests.post(f"{url}/api/3.0/mlflow/traces/search", json={"locations": [location]}, timeout=10)
    return answer.status_code != 501


def trace() -> str:
    with mlflow.start_span("answer_question") as span:
        span.set_inputs({"question": "which card was stolen"})
        with mlflow.start_span("look_up", span_type="RETRIEVER") as inner:
            inner.set_outputs(["4711"])
        span.set_outputs("the one that ends in 4711")
    mlflow.flush_trace_async_logging()
    return span.trace_id


def registry(client: MlflowClient, run: str, model: str) -> None:
    client.create_registered_model(MODEL, tags={"owner": "risk"}, description="Tells fraud from the rest.")
    for number in (1, 2, 3):
        client.create_model_version(MODEL, f"models:/{model}", run, tags={"round": str(number)}, model_id=model)
    client.set_registered_model_alias(MODEL, "champion", "2")
    client.create_registered_model("churn-model")
    mlflow.genai.register_prompt(name=PROMPT, template="Summarise {{ticket}} in one line.", commit_message="first")
    mlflow.genai.register_prompt(name=PROMPT, template="Summarise {{ticket}} kindly.", commit_message="kinder")


if __name__ == "__main__":
    main(sys.argv[1])

"""Fills an MLflow record through MLflow's own client: `fill.py TRACKING_URI ARTIFACT_FOLDER`. Runs on MLflow 2 and 3.

With every kind of thing that an import takes: nested runs, long histories, NaN and infinities, deleted things, inputs,
logged models where the release has them, and a registry with stages, aliases and tags.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

LONG = 3_000


def main(uri: str, artifacts: str | None) -> None:
    client = MlflowClient(uri, registry_uri=uri)
    location = lambda name: f"file://{artifacts}/{name}" if artifacts else None  # noqa: E731
    vision = client.create_experiment("vision", location("vision"), tags={"team": "sight", "empty": ""})
    client.create_experiment("unused", location("unused"))
    gone = client.create_experiment("gone", location("gone"))

    parent = client.create_run(vision, run_name="sweep", tags={"mlflow.user": "ada", "note": "it's “quoted” 'n all"})
    client.log_param(parent.info.run_id, "grid/size", "2")
    children = []
    for number in range(3):
        child = client.create_run(vision, run_name=f"child {number}", tags={"mlflow.parentRunId": parent.info.run_id})
        fill_run(client, child.info.run_id, number)
        children.append(child.info.run_id)
        client.set_terminated(child.info.run_id, ["FINISHED", "FAILED", "KILLED"][number], end_time=1_700_000_900_000 + number)
    client.log_metric(parent.info.run_id, "best", 0.9, timestamp=5, step=1)
    client.delete_run(children[2])
    default = client.create_run("0", start_time=1_600_000_000_000, run_name="in default")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "notes.txt").write_text("hello")
        (Path(folder) / "deep").mkdir()
        (Path(folder) / "deep" / "100% sure.bin").write_bytes(bytes(range(256)) * 10)
        client.log_artifacts(default.info.run_id, folder, "out")
    forgotten = client.create_run(gone, run_name="forgotten")
    client.log_metric(forgotten.info.run_id, "loss", 1.0, timestamp=1, step=0)
    client.delete_experiment(gone)
    if hasattr(client, "create_logged_model"):
        fill_models(client, vision, children[0])
    fill_registry(client, children[0])
    if hasattr(client, "link_prompt_versions_to_trace"):
        from fill_traces import fill_traces

        fill_traces(client, uri, vision, gone, children[0])


def fill_run(client: MlflowClient, run: str, number: int) -> None:
    odd = [math.nan, math.inf, -math.inf, 0.0, 1e-300, -1.5]
    metrics = [Metric("odd", value, 1_700_000_000_000 + step, step) for step, value in enumerate(odd)]
    metrics += [Metric("dir/deep loss", 1 / (step + 1), 1_700_000_000_000 + step * 7, step) for step in range(40)]
    # Steps that go back, and several values at one step.
    metrics += [Metric("retried", value, time, step) for value, time, step in [(3.0, 9, 5), (2.0, 9, 5), (1.0, 4, -2), (7.0, 4, 5)]]
    client.log_batch(run, metrics, [Param("lr", f"0.0{number}"), Param("text", "ünï\ncode " * 20)], [RunTag("k", f"v{number}")])
    if number == 0:
        for first in range(0, LONG, 1000):
            client.log_batch(run, [Metric("long", math.sin(step), step, step) for step in range(first, first + 1000)])
    dataset = Dataset("images", "12e45678", "local", '{"uri": "/data/images"}', '{"columns": []}', '{"rows": 3}')
    tags = [InputTag("mlflow.data.context", "training"), InputTag("split", str(number))]
    client.log_inputs(run, [DatasetInput(dataset, tags)])


def fill_models(client: MlflowClient, experiment: str, run: str) -> None:
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    made = client.create_logged_model(
        experiment, name="net", source_run_id=run, tags={"a": "b"}, params={"depth": "12"}, model_type="classifier"
    )
    client.finalize_logged_model(made.model_id, "READY")
    other = client.create_logged_model(experiment, name="teacher")
    client.log_outputs(run, [LoggedModelOutput(made.model_id, step=4)])
    client.log_inputs(run, models=[LoggedModelInput(other.model_id)])
    client.log_metric(run, "auc", 0.75, timestamp=11, step=4, model_id=made.model_id, dataset_name="images", dataset_digest="12e45678")
    client.log_metric(run, "auc", math.nan, timestamp=12, step=5, model_id=made.model_id)


def fill_registry(client: MlflowClient, run: str) -> None:
    source = client.get_run(run).info.artifact_uri + "/model"
    client.create_registered_model("classifier", tags={"task": "images"}, description="tells cats\nfrom dogs")
    for number in range(1, 5):
        client.create_model_version("classifier", source, run, tags={"n": str(number)}, description=f"v{number}")
    client.transition_model_version_stage("classifier", "1", "Archived")
    client.transition_model_version_stage("classifier", "2", "Production")
    client.transition_model_version_stage("classifier", "3", "Staging")
    client.set_registered_model_alias("classifier", "champion", "2")
    client.set_registered_model_alias("classifier", "challenger", "3")
    client.create_registered_model("empty")


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)

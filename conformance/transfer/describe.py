"""Prints as JSON all that MLflow's client reads at a tracking URI: `describe.py TRACKING_URI`."""

from __future__ import annotations

import json
import sys

import mlflow
from describe_reviews import describe_reviews
from describe_traces import describe_traces
from mlflow import MlflowClient
from mlflow.entities import ViewType


def plain(value: object) -> object:
    """Values that JSON has; NaN and infinities by name. Databases of MLflow tell infinities as the largest doubles."""
    if isinstance(value, float):
        return repr(max(min(value, sys.float_info.max), -sys.float_info.max) if value == value else value)
    return value


def pages(search, **arguments):
    token = None
    while True:
        page = search(**arguments, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def describe(uri: str) -> dict[str, object]:
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri, registry_uri=uri)
    experiments = sorted(pages(client.search_experiments, view_type=ViewType.ALL), key=lambda e: int(e.experiment_id))
    found: dict[str, object] = {}
    for experiment in experiments:
        entry: dict[str, object] = {
            field: getattr(experiment, field)
            for field in ("name", "lifecycle_stage", "creation_time", "last_update_time", "tags", "artifact_location")
        }
        ids = [experiment.experiment_id]
        runs = pages(client.search_runs, experiment_ids=ids, run_view_type=ViewType.ALL, max_results=500)
        entry["runs"] = {run.info.run_id: describe_run(client, run.info.run_id) for run in runs}
        if hasattr(client, "search_logged_models"):
            models = pages(client.search_logged_models, experiment_ids=ids)
            entry["logged_models"] = {model.model_id: describe_logged_model(model) for model in models}
            entry["traces"] = describe_traces(client, experiment.experiment_id)
            entry["reviews"] = describe_reviews(experiment.experiment_id)
        found[experiment.experiment_id] = entry
    models = {model.name: describe_model(client, model) for model in pages(client.search_registered_models)}
    return {"experiments": found, "models": models}


def describe_run(client: MlflowClient, run_id: str) -> dict[str, object]:
    run = client.get_run(run_id)
    fields = ("run_name", "user_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri")
    histories = {}
    for key in run.data.metrics:
        history = client.get_metric_history(run_id, key)
        histories[key] = sorted([m.step, m.timestamp, plain(m.value)] for m in history)
    inputs = [
        [d.dataset.name, d.dataset.digest, d.dataset.source_type, d.dataset.source, d.dataset.schema, d.dataset.profile,
         sorted([t.key, t.value] for t in d.tags)]
        for d in run.inputs.dataset_inputs
    ]
    outputs = getattr(run, "outputs", None)
    return {
        **{field: getattr(run.info, field) for field in fields},
        "params": run.data.params,
        "tags": run.data.tags,
        "metrics": {key: plain(value) for key, value in run.data.metrics.items()},
        "histories": histories,
        "inputs": sorted(inputs, key=str),
        "model_inputs": sorted(m.model_id for m in getattr(run.inputs, "model_inputs", None) or []),
        "model_outputs": sorted([m.model_id, m.step] for m in (outputs.model_outputs if outputs else [])),
    }


def describe_logged_model(model) -> dict[str, object]:
    fields = ("name", "artifact_location", "creation_timestamp", "last_updated_timestamp", "model_type", "source_run_id")
    metrics = [
        [m.key, m.step, m.timestamp, m.run_id, m.dataset_name, m.dataset_digest] for m in model.metrics or []
    ]
    return {
        **{field: getattr(model, field) or None for field in fields},
        "status": str(model.status),
        "tags": model.tags,
        "params": model.params,
        "metrics": sorted(metrics, key=str),
    }


def describe_model(client: MlflowClient, model) -> dict[str, object]:
    fields = ("creation_timestamp", "last_updated_timestamp", "description", "tags")
    versions = {}
    for found in pages(client.search_model_versions, filter_string=f"name='{model.name}'"):
        version = client.get_model_version(model.name, found.version)
        kept = ("creation_timestamp", "last_updated_timestamp", "description", "current_stage", "source", "run_id", "tags")
        versions[str(version.version)] = {field: getattr(version, field) or None for field in kept}
    aliases = client.get_registered_model(model.name).aliases
    return {
        **{field: getattr(model, field) or None for field in fields},
        "versions": versions,
        # Those that mean a stage are told by the stage.
        "aliases": {a: str(v) for a, v in aliases.items() if a not in ("staging", "production", "archived")},
    }


if __name__ == "__main__":
    json.dump(describe(sys.argv[1]), sys.stdout, sort_keys=True)

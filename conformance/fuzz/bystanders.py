"""What is in the server beside the garbage: a victim that the garbage may name and a witness that it never names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from raw_http import Wire

API = "/api/2.0/mlflow"


@dataclass(frozen=True)
class Ids:
    experiment: str
    run: str
    registered: str
    model: str


def make(wire: Wire, name: str) -> Ids:
    """An experiment with a run, a registered model with a version, and a logged model."""

    def post(path: str, **content: Any) -> Any:
        return wire.expect("POST", API + path, content)

    experiment = post("/experiments/create", name=f"{name} experiment")["experiment_id"]
    run = post("/runs/create", experiment_id=experiment, run_name=name, start_time=1)["run"]["info"]
    post(
        "/runs/log-batch",
        run_id=run["run_id"],
        metrics=[{"key": "loss", "value": 0.5, "timestamp": 1, "step": step} for step in range(3)],
        params=[{"key": "depth", "value": "3"}],
        tags=[{"key": "team", "value": "blue"}],
    )
    post("/registered-models/create", name=name)
    post("/model-versions/create", name=name, source=f"{run['artifact_uri']}/model", run_id=run["run_id"])
    post("/registered-models/alias", name=name, alias="champion", version="1")
    model = post("/logged-models", experiment_id=experiment, name=name)["model"]["info"]["model_id"]
    artifact = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run['run_id']}/artifacts/kept.txt"
    assert wire.send("PUT", artifact, b"kept").status == 200
    return Ids(experiment, run["run_id"], name, model)


def snapshot(wire: Wire, ids: Ids) -> list[Any]:
    """Everything the server knows about these."""
    paths = (
        f"{API}/experiments/get?experiment_id={ids.experiment}",
        f"{API}/runs/get?run_id={ids.run}",
        f"{API}/metrics/get-history?run_id={ids.run}&metric_key=loss",
        f"{API}/artifacts/list?run_id={ids.run}",
        f"{API}/registered-models/get?name={ids.registered}",
        f"{API}/model-versions/get?name={ids.registered}&version=1",
        f"{API}/logged-models/{ids.model}",
    )
    return [wire.expect("GET", path) for path in paths]

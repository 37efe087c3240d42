"""Every route of MLflow's, asked in one workspace about what is in another one: nothing of it is told, and nothing of it
changes."""

import json
import uuid
from urllib.parse import quote

import pytest
from routes import API_ROUTES, FILE_ROUTES

# What the things are called, which a stranger may know.
NAME = "shared"


def ok(answer):
    assert answer.ok, f"{answer.request.method} {answer.request.url} {answer.status_code} {answer.text[:500]}"
    return answer.json() if answer.content else {}


def plant(ask, workspace):
    """One of everything, whose texts all hold a secret. Gives what a stranger may know of it, and the secret."""
    secret = uuid.uuid4().hex

    def post(path, **body):
        return ok(ask(workspace, "POST", path, json=body))

    tag = {"key": "k", "value": secret}
    experiment = post("experiments/create", name=NAME, tags=[tag])["experiment_id"]
    run = post("runs/create", experiment_id=experiment, run_name=secret, start_time=1, tags=[tag])
    run = run["run"]["info"]
    metric = {"key": NAME, "value": 0.5, "timestamp": 1, "step": 1}
    dataset = {"name": secret, "digest": "1", "source_type": "local", "source": "{}"}
    post("runs/log-batch", run_id=run["run_id"], metrics=[metric], params=[{"key": "p", "value": secret}])
    post("runs/log-inputs", run_id=run["run_id"], datasets=[{"dataset": dataset, "tags": []}])
    model = post("logged-models", experiment_id=experiment, name=NAME, source_run_id=run["run_id"], tags=[tag])
    model = model["model"]["info"]["model_id"]
    file = run["artifact_uri"].removeprefix("mlflow-artifacts:/") + f"/{NAME}.txt"
    assert ask(workspace, "PUT", f"/api/2.0/mlflow-artifacts/artifacts/{quote(file)}", data=secret).ok
    registered = NAME
    post("registered-models/create", name=registered, tags=[tag], description=secret)
    post("model-versions/create", name=registered, source=run["artifact_uri"], run_id=run["run_id"], description=secret)
    post("registered-models/alias", name=registered, alias="k", version="1")
    post("/api/3.0/mlflow/scorers/register", experiment_id=experiment, name=NAME, serialized_scorer=json.dumps({"name": secret}))
    data = post("/api/3.0/mlflow/datasets/create", name=NAME, experiment_ids=[experiment], tags=json.dumps({"k": secret}))["dataset"]
    records = json.dumps([{"inputs": {"question": secret}}])
    post(f"/api/3.0/mlflow/datasets/{data['dataset_id']}/records", records=records)
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    trace = {
        "trace_id": f"tr-{uuid.uuid4().hex}", "trace_location": location, "request_time": "2026-01-01T00:00:00Z", "state": "OK",
        "request_preview": secret, "tags": {"k": secret},
    }  # fmt: skip
    trace = post("/api/3.0/mlflow/traces", trace={"trace_info": trace})["trace"]["trace_info"]["trace_id"]
    assessment = {"assessment_name": NAME, "trace_id": trace, "source": {"source_type": "HUMAN", "source_id": "me"}, "feedback": {"value": secret}}
    assessment = post(f"/api/3.0/mlflow/traces/{trace}/assessments", assessment=assessment)["assessment"]["assessment_id"]
    return {
        "experiment": experiment, "run": run["run_id"], "model": model, "registered": registered, "version": "1",
        "file": file, "dataset_id": data["dataset_id"], "trace_id": trace, "assessment_id": assessment,
        "root": run["artifact_uri"], "secret": secret,
    }  # fmt: skip


def told(ask, workspace, things):
    """What the workspace tells of its things."""
    run, experiment, registered = things["run"], things["experiment"], things["registered"]
    search = {"experiment_ids": [experiment], "max_results": 10}
    answers = [
        ask(workspace, "GET", f"experiments/get?experiment_id={experiment}"),
        ask(workspace, "GET", f"runs/get?run_id={run}"),
        ask(workspace, "GET", f"logged-models/{things['model']}"),
        ask(workspace, "GET", f"artifacts/list?run_id={run}"),
        ask(workspace, "GET", f"/api/2.0/mlflow-artifacts/artifacts/{quote(things['file'])}"),
        ask(workspace, "GET", f"registered-models/get?name={registered}"),
        ask(workspace, "GET", f"model-versions/get?name={registered}&version=1"),
        ask(workspace, "GET", f"/api/3.0/mlflow/scorers/list?experiment_id={experiment}"),
        ask(workspace, "GET", f"/api/3.0/mlflow/datasets/{things['dataset_id']}"),
        ask(workspace, "GET", f"/api/3.0/mlflow/datasets/{things['dataset_id']}/records"),
        ask(workspace, "GET", f"/api/3.0/mlflow/traces/{things['trace_id']}"),
        ask(workspace, "POST", "runs/search", json=search),
    ]
    for answer in answers:
        assert answer.ok, answer.text
    assert sum(things["secret"] in answer.text for answer in answers) == len(answers) - 1, "a list of files tells of no bytes"
    return [answer.text for answer in answers]


def value(field, kind, things, route):
    """What a stranger sends who knows the ids, names and paths of the other workspace."""
    by_name = {
        "dataset_id": things["dataset_id"], "trace_id": things["trace_id"], "assessment_id": things["assessment_id"],
        "trace_ids": [things["trace_id"]], "request_ids": [things["trace_id"]], "experiment_name": NAME,
        "metric_key": NAME, "where": things["file"], "username": "admin", "new_name": "another name",
        "workspace": "default", "artifact_location": things["root"], "artifact_file_path": f"{NAME}.txt",
        "filter_string": "", "filter_string1": "", "filter_string2": "", "trace": {"trace_info": {"trace_id": things["trace_id"], "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": things["experiment"]}}, "request_time": "2026-01-01T00:00:00Z", "state": "OK"}},
        "source": things["root"], "records": json.dumps([{"inputs": {"a": 1}}]), "dataset_record_ids": ["x"],
        "assessment": {"assessment_name": "a", "trace_id": things["trace_id"], "feedback": {"value": 1}, "source": {"source_type": "HUMAN", "source_id": "me"}},
        "query": "query Q($data: MlflowGetRunInput!) { mlflowGetRun(input: $data) { run { info { runName } } } }",
        "serialized_scorer": "{}", "max_timestamp_millis": 10**13, "max_traces": 10, "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": things["experiment"]}}],
    }  # fmt: skip
    if route.path.startswith(("/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow/upload")) and kind == "path":
        return things["file"]
    if route.path.endswith("/get-artifact") and kind == "path":
        return f"{NAME}.txt"
    if route.path.endswith("scorers/" + route.path.rsplit("/", 1)[-1]) and field == "name":
        return NAME
    if field in by_name:
        return by_name[field]
    by_kind = {
        "experiment": things["experiment"], "experiments": [things["experiment"]], "run": things["run"],
        "model": things["model"], "registered": things["registered"], "version": "1", "name": "another name", "key": "k",
        "string": "x", "strings": [], "token": "", "view": "ALL", "status": "FINISHED", "stage": "Production",
        "uri": things["root"], "path": "", "filter": "", "int": 1, "double": 1.0, "bool": True,
        "tags": [{"key": "k", "value": "changed"}], "metrics": [{"key": "m", "value": 1.0, "timestamp": 1, "step": 1}],
        "datasets": [], "models": [{"model_id": things["model"], "step": 1}], "objects": [], "object": {},
    }  # fmt: skip
    return by_kind[kind]


@pytest.mark.parametrize("sides", [("a", "b"), ("default", "b"), ("a", "default")], ids="-".join)
def test_no_route_tells_of_another_workspace_or_changes_it(two, ask, sides):
    names = dict(zip("ab", two, strict=True)) | {"default": "default"}
    there, here = (names[side] for side in sides)
    things = plant(ask, there)
    before = told(ask, there, things)
    try:
        asked = set()
        for route in [*API_ROUTES, *FILE_ROUTES]:
            fields = {name: value(name, kind, things, route) for name, kind in route.fields.items()}
            path = route.path
            for name in [name for name in fields if "{" + name + "}" in path]:
                path = path.replace("{" + name + "}", quote(str(fields.pop(name))))
            if route.method in ("GET",) or "artifact" in route.path.rsplit("/", 1)[-1]:
                answer = ask(here, route.method, path, params=fields)
            else:
                answer = ask(here, route.method, path, json=fields)
            assert answer.status_code < 500 or answer.status_code in (501, 503), f"{route} {answer.text}"
            assert things["secret"] not in answer.text, f"{route}: {answer.status_code} {answer.text[:1000]}"
            asked.add(answer.status_code)
        assert told(ask, there, things) == before
        assert {200, 404} <= asked, "requests got as far as what they are about"
    finally:
        # Names of `default` are shared by the cases.
        if there == "default":
            ok(ask(there, "POST", "experiments/update", json={"experiment_id": things["experiment"], "new_name": f"old {things['experiment']}"}))
            ok(ask(there, "DELETE", "registered-models/delete", json={"name": things["registered"]}))


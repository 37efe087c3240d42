"""Lineage through the native API and the command line, over what MLflow's client made and what boto3 drew."""

import json
import uuid

import boto3
import pytest
import requests
from botocore.config import Config
from conftest import stele
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput

DRAWN = 14


@pytest.fixture(scope="module")
def sm(server):
    session = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name="eu-west-1")
    return session.client("sagemaker", endpoint_url=server.url, config=Config(retries={"max_attempts": 0}))


@pytest.fixture(scope="module")
def chain(server, sm):
    """A version whose lineage goes through a logged model and a run to a chain of data sets, the nearest first."""
    name = f"the model {uuid.uuid4().hex[:12]}"
    client = MlflowClient(server.url, server.url)
    experiment = client.create_experiment(name)
    run = client.create_run(experiment).info.run_id
    model = client.create_logged_model(experiment, name="forest", source_run_id=run).model_id
    client.log_outputs(run, [LoggedModelOutput(model, step=0)])
    client.finalize_logged_model(model, "READY")
    client.create_registered_model(name)
    client.create_model_version(name, source=f"models:/{model}", run_id=run, model_id=model)
    client.set_registered_model_alias(name, "champion", 1)
    data = [
        sm.create_artifact(ArtifactType="DataSet", Source={"SourceUri": f"s3://{name}/{step}"})["ArtifactArn"]
        for step in range(DRAWN)
    ]
    component = data[0].rsplit(":", 1)[0] + f":experiment-trial-component/{run}"
    targets = [component, *data]
    for source, target in zip(data, targets):
        sm.add_association(SourceArn=source, DestinationArn=target, AssociationType="ContributedTo")
    return name, run, model, data


def lineage(server, of, code=200, **query):
    answer = requests.get(f"{server.url}/api/stele/v1/lineage", params={"of": of, **query}, timeout=30)
    assert answer.status_code == code, answer.text
    return answer.json()


def things(found):
    return {thing["thing"]: (thing["kind"], thing["distance"]) for thing in found["things"]}


def ends(data):
    return [arn.rsplit(":", 1)[1] for arn in data]


def test_a_walk_goes_deeper_than_that_of_sagemakers_clients(server, sm, chain):
    name, run, model, data = chain
    found = lineage(server, f"models:/{name}/1", direction="origins")
    expected = {f"runs:/{run}": ("run", 1), f"models:/{model}": ("logged-model", 1)}
    expected |= {end: ("artifact", 2 + step) for step, end in enumerate(ends(data))}
    assert things(found) == expected
    assert (found["of"], found["is_complete"]) == (f"models:/{name}/1", True)
    edges = {(edge["source"], edge["target"]): edge["kind"] for edge in found["edges"]}
    assert edges[f"runs:/{run}", f"models:/{name}/1"] == "Produced"
    assert edges[f"models:/{model}", f"models:/{name}/1"] == "DerivedFrom"
    assert edges[ends(data)[0], f"runs:/{run}"] == "ContributedTo"
    assert len(edges) == 3 + DRAWN
    walked = sm.query_lineage(StartArns=[data[-1]], Direction="Descendants", MaxDepth=10)
    assert len(walked["Vertices"]) == 10


def test_a_walk_goes_both_ways_from_anything_it_shows(server, chain):
    name, run, model, data = chain
    both = things(lineage(server, f"runs:/{run}"))
    assert both[f"models:/{name}/1"] == ("model-version", 1)
    assert both[ends(data)[-1]] == ("artifact", DRAWN)
    for start in (f"models:/{model}", f"models:/{name}@champion", f"models:/{name}/latest", *ends(data)[-2:]):
        assert f"runs:/{run}" in things(lineage(server, start))
    products = lineage(server, ends(data)[3], direction="products")
    assert things(products)[f"models:/{name}/1"] == ("model-version", 5)
    assert ends(data)[4] not in things(products)


def test_a_walk_that_stops_early_says_so(server, chain):
    name, run, _, data = chain
    near = lineage(server, f"models:/{name}/1", direction="origins", depth=2)
    assert not near["is_complete"]
    assert set(things(near)) == {f"runs:/{run}", next(thing for thing in things(near) if "m-" in thing), ends(data)[0]}
    # A run at the end of the walk is shown as one, also by an edge that somebody drew.
    last = lineage(server, ends(data)[0], direction="products", depth=1)
    assert things(last) == {f"runs:/{run}": ("run", 1)}


@pytest.mark.parametrize("odd", ["runs:/none", "models:/m-none", "models:/none/1", "artifact/none", "none", "arn:aws:a"])
def test_what_is_not_there_has_no_lineage(server, odd):
    problem = lineage(server, odd, code=404)
    assert problem["code"] == "not_found"


def test_wrong_questions_are_refused(server, chain):
    start = f"runs:/{chain[1]}"
    for query in ({"depth": 0}, {"depth": 1001}, {"direction": "up"}, {"of": ""}):
        problem = lineage(server, **({"of": start} | query), code=400)
        assert problem["code"] == "invalid"


def test_deleted_runs_lead_nowhere(server, sm):
    client = MlflowClient(server.url, server.url)
    run = client.create_run("0").info.run_id
    data = sm.create_artifact(ArtifactType="DataSet", Source={"SourceUri": f"s3://gone/{run}"})["ArtifactArn"]
    component = data.rsplit(":", 1)[0] + f":experiment-trial-component/{run}"
    sm.add_association(SourceArn=data, DestinationArn=component, AssociationType="ContributedTo")
    client.delete_run(run)
    assert lineage(server, f"runs:/{run}", code=409)["code"] == "wrong_state"
    # The edge is still there, since whoever drew it has not taken it away.
    assert things(lineage(server, ends([data])[0])) == {
        f"experiment-trial-component/{run}": ("experiment-trial-component", 1)
    }


def test_the_command_line_shows_lineage(server, chain):
    name, run, model, data = chain
    table = stele("lineage", run, "--products", "--server", server.url)
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [[f"runs:/{run}", "Produced"]] * 2 + [
        [f"models:/{model}", "DerivedFrom"]
    ]
    found = json.loads(stele("lineage", model, "--origins", "--depth", 3, "--json", "--server", server.url))
    assert [thing["thing"] for thing in found["things"]] == [f"runs:/{run}", *ends(data)[:2]]
    stele("lineage", "nothing", "--server", server.url, code=3)

"""The GraphQL questions that MLflow's web UI asks."""

import pytest

from wire import pairs


@pytest.fixture
def ask(api):
    def send(query, **variables):
        answer = api.post("/graphql", query=query, variables=variables)
        assert answer.status == 200, answer
        return answer.body

    return send


@pytest.fixture
def registered(api, experiment, new_run, new_model):
    """A named run with data, from which one version of a model was made: run id and model."""
    run_id, model = new_run(run_name="graph"), new_model()
    points = [{"key": "m", "value": value, "timestamp": 5, "step": step} for step, value in enumerate([1, 2.5, 4])]
    api.post("runs/log-batch", run_id=run_id, metrics=points, params=pairs({"p": "v"}), tags=pairs({"t": "w"})).ok
    api.post("model-versions/create", name=model, source=f"runs:/{run_id}/model", run_id=run_id).ok
    return run_id, model


def test_experiment(api, ask, experiment):
    api.post("experiments/set-experiment-tag", experiment_id=experiment, key="k", value="v").ok
    body = ask(
        """query MlflowGetExperimentQuery($input: MlflowGetExperimentInput!) @component(name: "X") {
          mlflowGetExperiment(input: $input) {
            apiError { helpUrl code message }
            experiment { artifactLocation creationTime experimentId lastUpdateTime lifecycleStage name tags { key value } }
          }
        }""",
        input={"experimentId": experiment},
    )
    plain = api.get("experiments/get", experiment_id=experiment).ok["experiment"]
    assert body == {
        "errors": None,
        "data": {
            "mlflowGetExperiment": {
                "apiError": None,
                "experiment": {
                    "artifactLocation": plain["artifact_location"],
                    "creationTime": str(plain["creation_time"]),
                    "experimentId": experiment,
                    "lastUpdateTime": str(plain["last_update_time"]),
                    "lifecycleStage": "active",
                    "name": plain["name"],
                    "tags": pairs({"k": "v"}),
                },
            }
        },
    }


def test_run_with_its_experiment_and_versions(api, ask, experiment, registered):
    run_id, model = registered
    body = ask(
        """query GetRun($data: MlflowGetRunInput!) @component(name: "X") {
          mlflowGetRun(input: $data) {
            apiError { code }
            run {
              info { runName status runUuid experimentId startTime lifecycleStage userId }
              experiment { experimentId name tags { key value } }
              modelVersions { name version status source }
              data { metrics { key value step timestamp } params { key value } tags { key value } }
              inputs { datasetInputs { dataset { name } } modelInputs { modelId } }
              outputs { modelOutputs { modelId step } }
            }
          }
        }""",
        data={"runId": run_id},
    )
    assert body["errors"] is None
    run = body["data"]["mlflowGetRun"]["run"]
    run["data"]["tags"].sort(key=lambda tag: tag["key"])
    name = api.get("experiments/get", experiment_id=experiment).ok["experiment"]["name"]
    assert run == {
        "info": {
            "runName": "graph",
            "status": "RUNNING",
            "runUuid": run_id,
            "experimentId": experiment,
            "startTime": "1",
            "lifecycleStage": "active",
            "userId": "",
        },
        "experiment": {"experimentId": experiment, "name": name, "tags": []},
        "modelVersions": [{"name": model, "version": "1", "status": "READY", "source": f"runs:/{run_id}/model"}],
        "data": {
            "metrics": [{"key": "m", "value": 4.0, "step": "2", "timestamp": "5"}],
            "params": pairs({"p": "v"}),
            "tags": pairs({"mlflow.runName": "graph", "t": "w"}),
        },
        "inputs": {"datasetInputs": [], "modelInputs": []},
        "outputs": {"modelOutputs": []},
    }


def test_search_runs(ask, experiment, registered, new_run):
    new_run(start_time=9)
    body = ask(
        """query SearchRuns($data: MlflowSearchRunsInput!) {
          mlflowSearchRuns(input: $data) {
            apiError { code }
            nextPageToken
            runs { info { runUuid } experiment { experimentId } modelVersions { name version } }
          }
        }""",
        data={"experimentIds": [experiment], "filter": "params.p = 'v'", "orderBy": ["start_time DESC"], "maxResults": 5},
    )
    run_id, model = registered
    assert body["errors"] is None
    assert body["data"]["mlflowSearchRuns"]["runs"] == [
        {
            "info": {"runUuid": run_id},
            "experiment": {"experimentId": experiment},
            "modelVersions": [{"name": model, "version": "1"}],
        }
    ]


def test_metric_history(ask, registered):
    run_id, _ = registered
    body = ask(
        """query GetMetricHistoryBulkInterval($data: MlflowGetMetricHistoryBulkIntervalInput!) @component(name: "X") {
          mlflowGetMetricHistoryBulkInterval(input: $data) {
            __typename
            metrics { timestamp step runId key value }
            apiError { code message }
          }
        }""",
        data={"runIds": [run_id], "metricKey": "m", "maxResults": 10},
    )
    history = body["data"]["mlflowGetMetricHistoryBulkInterval"]
    assert body["errors"] is None
    assert history["__typename"] == "MlflowGetMetricHistoryBulkIntervalResponse"
    assert history["metrics"] == [
        {"timestamp": "5", "step": str(step), "runId": run_id, "key": "m", "value": value}
        for step, value in enumerate([1.0, 2.5, 4.0])
    ]


def test_a_metric_that_is_not_a_number_is_null(api, ask, run):
    api.post("runs/log-metric", run_id=run, key="m", value="NaN", timestamp=1).ok
    body = ask(
        """query M($data: MlflowGetMetricHistoryBulkIntervalInput!) {
          mlflowGetMetricHistoryBulkInterval(input: $data) { metrics { step value } }
        }""",
        data={"runIds": [run], "metricKey": "m", "maxResults": 10},
    )
    assert body["data"]["mlflowGetMetricHistoryBulkInterval"]["metrics"] == [{"step": "0", "value": None}]


def test_literal_input_and_alias(ask, experiment):
    body = ask(f'query {{ mine: mlflowGetExperiment(input: {{experimentId: "{experiment}"}}) {{ experiment {{ experimentId }} }} }}')
    assert body["data"] == {"mine": {"experiment": {"experimentId": experiment}}}


def test_what_is_not_there(ask):
    body = ask('query { mlflowGetRun(input: {runId: "nobody"}) { run { info { runUuid } } apiError { code } } }')
    assert body["errors"] == ["Run with id=nobody not found"]
    assert body["data"] == {"mlflowGetRun": None}


def test_unknown_fields(ask):
    body = ask("query { bogus }")
    assert body["data"] is None
    assert "bogus" in body["errors"][0]


def test_too_many_questions_at_once(ask):
    question = 'mlflowGetExperiment(input: {experimentId: "0"}) { experiment { name } }'
    body = ask("query { " + " ".join(f"q{i}: {question}" for i in range(11)) + " }")
    assert body["data"] is None
    assert body["errors"]

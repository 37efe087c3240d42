"""GraphQL as MLflow's web pages speak it. The four queries are those that the pages of 3.17.2 send."""

import pytest

GET_RUN = """
  query GetRun($data: MlflowGetRunInput!) @component(name: "MLflow.ExperimentRunTracking") {
    mlflowGetRun(input: $data) {
      apiError { helpUrl code message }
      run {
        info { runName status runUuid experimentId artifactUri endTime lifecycleStage startTime userId }
        experiment { experimentId name tags { key value } artifactLocation lifecycleStage lastUpdateTime }
        modelVersions { status version name source }
        data { metrics { key value step timestamp } params { key value } tags { key value } }
        inputs { datasetInputs { dataset { digest name profile schema source sourceType } tags { key value } }
                 modelInputs { modelId } }
        outputs { modelOutputs { modelId step } }
      }
    }
  }
"""

SEARCH_RUNS = """
  query SearchRuns($data: MlflowSearchRunsInput!) {
    mlflowSearchRuns(input: $data) {
      apiError { helpUrl code message }
      runs {
        info { runName status runUuid }
        experiment { experimentId name }
        data { metrics { key value step timestamp } params { key value } tags { key value } }
        modelVersions { version name creationTimestamp status source }
      }
    }
  }
"""

BULK_INTERVAL = """
  query GetMetricHistoryBulkInterval($data: MlflowGetMetricHistoryBulkIntervalInput!)
  @component(name: "MLflow.ExperimentRunTracking") {
    mlflowGetMetricHistoryBulkInterval(input: $data) {
      __typename
      metrics { timestamp step runId key value }
      apiError { code message }
    }
  }
"""

GET_EXPERIMENT = """
  query MlflowGetExperimentQuery($input: MlflowGetExperimentInput!) @component(name: "MLflow.ExperimentRunTracking") {
    mlflowGetExperiment(input: $input) {
      apiError { code message }
      experiment {
        artifactLocation creationTime effectiveTraceArchivalRetention experimentId lastUpdateTime lifecycleStage name
        tags { key value }
      }
    }
  }
"""


@pytest.fixture
def ask(api):
    """Asks and gives (data, errors)."""

    def post(query, variables=None, **fields):
        body = api.post("/graphql", query=query, variables=variables, **fields).ok
        assert set(body) == {"data", "errors"}
        return body["data"], body["errors"]

    return post


def test_get_run(ask, api, run, experiment, new_model, new_version):
    api.post(
        "runs/log-batch",
        run_id=run,
        metrics=[
            {"key": "m", "value": 0.5, "timestamp": 1_700_000_000_001, "step": 9_007_199_254_740_993},
            {"key": "nan", "value": "NaN", "timestamp": 1, "step": 0},
            {"key": "inf", "value": "Infinity", "timestamp": 1, "step": 0},
        ],
        params=[{"key": "p", "value": "1"}],
    ).ok
    dataset = {"name": "d", "digest": "x", "source_type": "local", "source": "s"}
    api.post("runs/log-inputs", run_id=run, datasets=[{"dataset": dataset, "tags": [{"key": "k", "value": "v"}]}]).ok
    model = new_model()
    new_version(model, run_id=run)
    data, errors = ask(GET_RUN, {"data": {"runId": run}})
    assert errors is None
    answer = data["mlflowGetRun"]
    assert answer["apiError"] is None
    found = answer["run"]
    info = api.get("runs/get", run_id=run).ok["run"]["info"]
    assert found["info"] == {
        "runName": info["run_name"],
        "status": "RUNNING",
        "runUuid": run,
        "experimentId": experiment,
        "artifactUri": info["artifact_uri"],
        "endTime": "0",
        "lifecycleStage": "active",
        "startTime": "1",
        "userId": "",
    }
    metrics = {metric["key"]: metric for metric in found["data"]["metrics"]}
    assert metrics["m"] == {"key": "m", "value": 0.5, "step": "9007199254740993", "timestamp": "1700000000001"}
    assert metrics["nan"]["value"] is None
    assert metrics["inf"]["value"] == 1.7976931348623157e308
    assert found["data"]["params"] == [{"key": "p", "value": "1"}]
    assert found["experiment"]["experimentId"] == experiment
    assert found["experiment"]["tags"] == []
    (version,) = found["modelVersions"]
    assert version == {"status": "READY", "version": "1", "name": model, "source": "s3://bucket/model"}
    (read,) = found["inputs"]["datasetInputs"]
    assert read["dataset"] == {
        "digest": "x", "name": "d", "profile": "", "schema": "", "source": "s", "sourceType": "local"
    }  # fmt: skip
    assert found["inputs"]["modelInputs"] == [] and found["outputs"] == {"modelOutputs": []}


def test_search_runs(ask, api, new_run, experiment, new_model, new_version):
    one, two = new_run(run_name="one"), new_run(run_name="two")
    model = new_model()
    for _ in range(2):
        new_version(model, run_id=two)
    data, errors = ask(SEARCH_RUNS, {"data": {"experimentIds": [experiment], "orderBy": ["run_name ASC"]}})
    assert errors is None
    runs = data["mlflowSearchRuns"]["runs"]
    assert [found["info"]["runUuid"] for found in runs] == [one, two]
    assert {found["experiment"]["experimentId"] for found in runs} == {experiment}
    assert [len(found["modelVersions"]) for found in runs] == [0, 2]
    filtered, _ = ask(SEARCH_RUNS, {"data": {"experimentIds": [experiment], "filter": "run_name = 'two'"}})
    assert [found["info"]["runName"] for found in filtered["mlflowSearchRuns"]["runs"]] == ["two"]
    page, _ = ask(
        "query A($d: MlflowSearchRunsInput) { mlflowSearchRuns(input: $d) { runs { info { runName } } nextPageToken } }",
        {"d": {"experimentIds": [experiment], "maxResults": 1, "orderBy": ["run_name"]}},
    )
    token = page["mlflowSearchRuns"]["nextPageToken"]
    rest, _ = ask(
        'mutation { mlflowSearchRuns(input: {experimentIds: ["%s"], orderBy: "run_name", pageToken: "%s"})'
        " { runs { info { runName } } nextPageToken } }" % (experiment, token)
    )
    assert rest["mlflowSearchRuns"] == {"runs": [{"info": {"runName": "two"}}], "nextPageToken": ""}


def test_metric_history(ask, api, run):
    for step in range(4):
        api.post("runs/log-metric", run_id=run, key="m", value=step / 2, timestamp=step, step=step).ok
    data, errors = ask(BULK_INTERVAL, {"data": {"runIds": [run], "metricKey": "m"}})
    assert errors is None
    answer = data["mlflowGetMetricHistoryBulkInterval"]
    assert answer["__typename"] == "MlflowGetMetricHistoryBulkIntervalResponse"
    assert answer["metrics"] == [
        {"timestamp": str(step), "step": str(step), "runId": run, "key": "m", "value": step / 2} for step in range(4)
    ]


@pytest.mark.stele_only
def test_metric_history_between_steps(ask, api, run):
    """MLflow leaves the steps out of account here."""
    for step in range(4):
        api.post("runs/log-metric", run_id=run, key="m", value=step, timestamp=step, step=step).ok
    data, _ = ask(BULK_INTERVAL, {"data": {"runIds": [run], "metricKey": "m", "startStep": 1, "endStep": 2}})
    assert [metric["step"] for metric in data["mlflowGetMetricHistoryBulkInterval"]["metrics"]] == ["1", "2"]


def test_get_experiment(ask, new_experiment, unique):
    name = unique("exp")
    experiment = new_experiment(name=name, tags=[{"key": "a", "value": "b"}])
    data, errors = ask(GET_EXPERIMENT, {"input": {"experimentId": experiment}})
    assert errors is None
    found = data["mlflowGetExperiment"]["experiment"]
    assert (found["experimentId"], found["name"], found["lifecycleStage"]) == (experiment, name, "active")
    assert found["tags"] == [{"key": "a", "value": "b"}]
    assert found["creationTime"].isdigit() and found["effectiveTraceArchivalRetention"] == ""


def test_other_calls(ask, api, run, experiment, model, new_version):
    new_version(model)
    data, errors = ask(
        """query ($run: MlflowListArtifactsInput, $versions: MlflowSearchModelVersionsInput) {
          mlflowListArtifacts(input: $run) { rootUri files { path isDir fileSize } nextPageToken }
          mlflowSearchModelVersions(input: $versions) { modelVersions { name version currentStage aliases } nextPageToken }
        }""",
        {"run": {"runId": run}, "versions": {"filter": f"name = '{model}'", "maxResults": 5}},
    )
    assert errors is None
    assert data["mlflowListArtifacts"]["files"] == [] and data["mlflowListArtifacts"]["rootUri"].endswith("/artifacts")
    assert data["mlflowSearchModelVersions"] == {
        "modelVersions": [{"name": model, "version": "1", "currentStage": "None", "aliases": []}],
        "nextPageToken": "",
    }
    datasets, _ = ask(
        'mutation { mlflowSearchDatasets(input: {experimentIds: ["%s"]}) { datasetSummaries { name } } }' % experiment
    )
    assert datasets == {"mlflowSearchDatasets": {"datasetSummaries": []}}


def test_echo(ask):
    assert ask('{ test(inputString: "abc") { output } }') == ({"test": {"output": "abc"}}, None)
    assert ask("query A { __typename }", operationName="A") == ({"__typename": "Query"}, None)


def test_aliases_fragments_and_variables(ask, run):
    query = """
      query A($data: MlflowGetRunInput!) {
        first: mlflowGetRun(input: $data) { ...Answer ... on MlflowGetRunResponse { kind: __typename } }
        second: mlflowGetRun(input: {runUuid: "%s"}) { run { info { runId } info { status } } }
      }
      fragment Answer on MlflowGetRunResponse { run { __typename info { id: runId ...Times } } }
      fragment Times on MlflowRunInfo { startTime }
    """
    data, errors = ask(query % run, {"data": {"runId": run}})
    assert errors is None
    assert data == {
        "first": {
            "run": {"__typename": "MlflowRunExtension", "info": {"id": run, "startTime": "1"}},
            "kind": "MlflowGetRunResponse",
        },
        "second": {"run": {"info": {"runId": run, "status": "RUNNING"}}},
    }


def test_a_failing_field_is_null_and_the_others_are_not(ask, run):
    data, errors = ask(
        '{ a: mlflowGetRun(input: {runId: "none"}) { run { info { runId } } } '
        'b: mlflowGetRun(input: {runId: "%s"}) { run { info { runId } } } }' % run
    )
    assert data == {"a": None, "b": {"run": {"info": {"runId": run}}}}
    assert errors == ["Run with id=none not found"]
    data, errors = ask(GET_EXPERIMENT, {"input": {"experimentId": "999999"}})
    assert (data, errors) == ({"mlflowGetExperiment": None}, ["No Experiment with id=999999 exists"])


@pytest.mark.parametrize(
    ("query", "variables", "errors"),
    [
        (GET_RUN, {}, ["Variable '$data' of required type 'MlflowGetRunInput!' was not provided."]),
        (
            GET_RUN,
            {"data": {"foo": 1}},
            ["Variable '$data' got invalid value {'foo': 1}; Field 'foo' is not defined by type 'MlflowGetRunInput'."],
        ),
        (
            GET_RUN,
            {"data": {"runId": 1}},
            ["Variable '$data' got invalid value 1 at 'data.runId'; String cannot represent a non string value: 1"],
        ),
        ("{ nope }", None, ["Cannot query field 'nope' on type 'Query'."]),
        (
            '{ mlflowGetRun(input: {runId: "x"}) { run } }',
            None,
            [
                "Field 'run' of type 'MlflowRunExtension' must have a selection of subfields. "
                "Did you mean 'run { ... }'?"
            ],
        ),
        (
            '{ test(inputString: "x", foo: 1) { output { x } } }',
            None,
            [
                "Unknown argument 'foo' on field 'Query.test'.",
                "Field 'output' must not have a selection since type 'String' has no subfields.",
            ],
        ),
        ('{ test(inputString: "x") { ...G } }', None, ["Unknown fragment 'G'."]),
        ('{ test(inputString: "x") { ... on Foo { output } } }', None, ["Unknown type 'Foo'."]),
        ('{ test(inputString: "x") @foo { output } }', None, ["Unknown directive '@foo'."]),
        ("{ test(inputString: $x) { output } }", {"x": "y"}, ["Variable '$x' is not defined."]),
        (
            "query A {__typename} query B {__typename}",
            None,
            ["Must provide operation name if query contains multiple operations."],
        ),
        ("subscription { x }", None, ["Schema is not configured to execute subscription operation."]),
    ],
)
def test_what_the_schema_does_not_allow(ask, query, variables, errors):
    assert ask(query, variables) == (None, errors)


def test_an_operation_that_is_not_there(ask):
    assert ask("query A {__typename}", operationName="B") == (None, ["Unknown operation named 'B'."])


def test_limits(ask):
    fields = lambda count: "{" + " ".join(f'a{n}: test(inputString: "x") {{output}}' for n in range(count)) + "}"
    assert len(ask(fields(10))[0]) == 10
    data, errors = ask(fields(11))
    assert data is None and "at most 10 root fields, got 11 root fields" in errors[0]
    aliases = "{test(inputString: \"x\") {" + " ".join(f"a{n}: output" for n in range(11)) + "}}"
    assert "at most 10 aliases, got 11 aliases" in ask(aliases)[1][0]
    spread = "{test(inputString: \"x\") {" + "".join(f"...F{n} " for n in range(11)) + "}} "
    spread += " ".join(f"fragment F{n} on Test {{a{n}: output}}" for n in range(11))
    assert "at most 10 aliases, got 11 aliases" in ask(spread)[1][0]
    deep = "{test(inputString: \"x\")" + "{output" * 10 + "}" * 10 + "}"
    assert ask(deep) == (None, ["Query exceeds maximum depth of 10"])
    wide = "{test(inputString: \"x\") {" + "output " * 1001 + "}}"
    assert ask(wide) == (None, ["Query exceeds maximum total selections of 1000"])
    endless = '{mlflowGetRun(input: {runId: "x"}) {...F}} fragment F on MlflowGetRunResponse {run {info {...F}}}'
    assert ask(endless)[0] is None


@pytest.mark.stele_only
def test_syntax_errors_and_standard_directives(ask, run):
    data, errors = ask("{ a")
    assert data is None and errors[0].startswith("Syntax Error: ")
    query = "query A($no: Boolean!) { test(inputString: \"x\") { output @include(if: $no) kind: __typename @skip(if: true) } }"
    assert ask(query, {"no": False}) == ({"test": {}}, None)


def test_questions_by_get(api):
    answer = api.get_with_body("/graphql", {"query": "{__typename}"}).ok
    assert answer == {"data": {"__typename": "Query"}, "errors": None}

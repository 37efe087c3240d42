"""runs/search: the filter language, on five runs that differ in everything."""

import pytest

from wire import log_runs, pairs, wrong_type

RUNS = {
    # name: start time, metrics, params, tags, fields of create
    "a": (1, {"m": 1, "n": 5}, {"p": "Abc", "depth": "3"}, {"t": "Xyz"}, {"run_name": "Alpha", "user_id": "ada"}),
    "b": (2, {"m": "NaN"}, {"p": "abd", "my key": "z"}, {"t": "xyZ", "dot.ted": "1"}, {"run_name": "beta"}),
    "c": (3, {"m": "Infinity", "with space": 2}, {"p": "10", "a/b-c": "q"}, {}, {"run_name": "alphabet"}),
    "d": (4, {"m": -2.5, "z": 0}, {}, {"quote": "it's", "empty": ""}, {"run_name": "delta"}),
    "e": (5, {}, {}, {}, {"run_name": "epsilon"}),
}


@pytest.fixture(scope="module")
def menagerie(api):
    """One experiment with the runs above: its id, and run id by letter."""
    import uuid

    experiment = api.post("experiments/create", name=f"filters-{uuid.uuid4().hex}").ok["experiment_id"]
    ids = log_runs(api, experiment, RUNS)
    api.post("runs/update", run_id=ids["b"], status="FINISHED", end_time=100).ok
    api.post("runs/update", run_id=ids["c"], status="FAILED", end_time=200).ok
    return experiment, ids


@pytest.fixture
def search(api, menagerie):
    experiment, ids = menagerie
    letters = {run_id: letter for letter, run_id in ids.items()}

    def run(filter_string, **fields):
        body = api.post("runs/search", experiment_ids=[experiment], filter=filter_string, **fields).ok
        return "".join(letters[found["info"]["run_id"]] for found in body.get("runs", []))

    return run


# The expected letters are in the default order: latest start first.
@pytest.mark.parametrize(
    ("filter_string", "expected"),
    [
        ("", "edcba"),
        # metrics: six comparators on numbers
        ("metrics.m = 1", "a"),
        ("metrics.m = 1.0", "a"),
        ("metrics.m != 1", "dcb"),
        ("metrics.m > 0", "ca"),
        ("metrics.m >= 1", "ca"),
        ("metrics.m < 5", "da"),
        ("metrics.m <= -2.5", "d"),
        ("metrics.m > -3e0", "dca"),
        ("metrics.z = 0", "d"),
        ("metrics.m = 0", ""),
        ("metrics.m > 1e308", "c"),
        ("metrics.absent != 1", ""),
        ("metrics.`with space` = 2", "c"),
        ('metrics."with space" = 2', "c"),
        ("metrics.m>0 AND metrics.m<2", "a"),
        # the other names of metrics
        ("metric.m > 0", "ca"),
        ("`metrics`.m > 0", "ca"),
        ("metrics.`m` > 0", "ca"),
        # params: text, compared exactly or with LIKE
        ("params.p = 'Abc'", "a"),
        ('params.p = "Abc"', "a"),
        ("params.p='Abc'", "a"),
        ("params.p = 'abc'", ""),
        ("params.p != 'Abc'", "cb"),
        ("params.depth = '3'", "a"),
        ("params.p LIKE 'a%'", "b"),
        ("params.p LIKE 'A%'", "a"),
        ("params.p LIKE '%b%'", "ba"),
        ("params.p LIKE 'A_c'", "a"),
        ("params.p LIKE 'b'", ""),
        ("params.p ILIKE 'A%'", "ba"),
        ("params.p like 'a%'", "b"),
        ("params.p ilike 'ab_'", "ba"),
        ("params.`my key` = 'z'", "b"),
        ("params.\"my key\" = 'z'", "b"),
        ("params.`a/b-c` = 'q'", "c"),
        ("param.p = '10'", "c"),
        ("parameter.p = '10'", "c"),
        ("parameters.p = '10'", "c"),
        # tags
        ("tags.t = 'Xyz'", "a"),
        ("tags.t != 'Xyz'", "b"),
        ("tags.t ILIKE 'xyz'", "ba"),
        ("tags.t LIKE '%Z'", "b"),
        ("tags.dot.ted = '1'", "b"),
        ("tags.`dot.ted` = '1'", "b"),
        ('tags.quote = "it\'s"', "d"),
        ("tags.empty = ''", "d"),
        ("tag.t = 'Xyz'", "a"),
        ("tags.`mlflow.runName` = 'Alpha'", "a"),
        ("tags.mlflow.runName LIKE '%ta'", "db"),
        # presence
        ("tags.t IS NULL", "edc"),
        ("tags.t IS NOT NULL", "ba"),
        ("tags.t is null", "edc"),
        ("params.p IS NULL", "ed"),
        ("params.p IS NOT NULL", "cba"),
        ("params.`my key` IS NOT NULL AND tags.t IS NOT NULL", "b"),
        ("tags.t IS NULL AND metrics.m > 0", "c"),
        # attributes
        ("run_name = 'Alpha'", "a"),
        ("attributes.run_name = 'Alpha'", "a"),
        ("attributes.`run name` = 'Alpha'", "a"),
        ("attributes.`Run name` = 'Alpha'", "a"),
        ("attributes.\"Run Name\" = 'Alpha'", "a"),
        ("run_name LIKE 'alpha%'", "c"),
        ("run_name ILIKE 'alpha%'", "ca"),
        ("run_name != 'Alpha'", "edcb"),
        ("status = 'RUNNING'", "eda"),
        ("attributes.status = 'FINISHED'", "b"),
        ("status != 'RUNNING'", "cb"),
        ("status = 'running'", ""),
        ("status LIKE 'F%'", "cb"),
        ("user_id = 'ada'", "a"),
        ("attr.user_id = 'ada'", "a"),
        ("attribute.user_id = 'ada'", "a"),
        ("run.user_id = 'ada'", "a"),
        ("start_time > 2", "edc"),
        ("start_time = 3", "c"),
        ("start_time != 3", "edba"),
        ("attributes.start_time <= 2", "ba"),
        ("start_time > 2.5", "edc"),
        ("created >= 4", "ed"),
        ("attributes.Created < 2", "a"),
        ("end_time > 0", "cb"),
        ("end_time = 100", "b"),
        ("end_time != 100", "c"),
        ("artifact_uri LIKE '%artifacts'", "edcba"),
        # joined
        ("params.p = 'Abc' AND tags.t = 'Xyz' AND metrics.m = 1", "a"),
        ("params.p = 'Abc' and tags.t = 'Xyz' And start_time = 1", "a"),
        ("params.p = 'Abc' AND tags.t = 'xyZ'", ""),
        ("metrics.m > 0 AND metrics.n = 5", "a"),
        ("  metrics.m   >   0  ", "ca"),
        # datasets: none here
        ("datasets.name = 'x'", ""),
        ("dataset.digest IN ('x')", ""),
    ],
)
def test_filters(search, filter_string, expected):
    assert search(filter_string) == expected


def test_run_ids(menagerie, search):
    ids = menagerie[1]
    assert search(f"run_id = '{ids['a']}'") == "a"
    assert search(f"attributes.run_id != '{ids['a']}'") == "edcb"
    assert search(f"run_id IN ('{ids['a']}', '{ids['b']}')") == "ba"
    assert search(f"attributes.run_id in ('{ids['c']}')") == "c"
    assert search(f"run_id IN ('{ids['a']}',)") == "a"
    assert search(f"run_id NOT IN ('{ids['a']}','{ids['b']}')") == "edc"
    assert search(f"run_id IN ('{ids['a']}', '{ids['c']}') AND metrics.m > 1") == "c"
    assert search(f"attributes.run_id LIKE '{ids['d'][:20]}%'") == "d"


def test_client_filter(client, menagerie):
    experiment, ids = menagerie
    found = client.search_runs([experiment], "params.p ILIKE 'ab%' and tags.t != 'Xyz'")
    assert [run.info.run_id for run in found] == [ids["b"]]


INVALID = "Invalid comparator '{}' not one of"


@pytest.mark.parametrize(
    ("filter_string", "text"),
    [
        ("metrics.m = '1'", "Expected numeric value type for metric. Found '1'"),
        ("metrics.m = \"1\"", "Expected numeric value type for metric. Found"),
        ("metrics.m = NaN", "Expected numeric value type for metric. Found NaN"),
        ("metrics.m > infinity", "Expected numeric value type for metric. Found infinity"),
        ("metrics.m LIKE 1", INVALID.format("LIKE")),
        ("metrics.m == 1", INVALID.format("==")),
        ("params.p = 10", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 10"),
        ("params.p = 1.5", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1.5"),
        ("tags.t = 10", "Expected a quoted string value for tag (e.g. 'my-value'). Got value 10"),
        ("params.p = Abc", "Parameter value is either not quoted or unidentified quote types used for string value Abc."),
        ("tags.t = `Xyz`", "Parameter value is either not quoted or unidentified quote types used for string value `Xyz`."),
        ("params.p > '1'", INVALID.format(">")),
        ("params.p < '1'", INVALID.format("<")),
        ("tags.t >= '1'", INVALID.format(">=")),
        ("run_name > 'a'", INVALID.format(">")),
        ("status <= 'a'", INVALID.format("<=")),
        ("start_time LIKE 2", INVALID.format("LIKE")),
        ("start_time > '2'", "Expected numeric value type for numeric attribute: start_time. Found '2'"),
        ("end_time = 'x'", "Expected numeric value type for numeric attribute: end_time. Found 'x'"),
        ("status = 5", "Expected a quoted string value for attributes. Got value 5"),
        ("metrics.m IS NULL", "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'm'"),
        ("run_id IS NOT NULL", "IS NULL / IS NOT NULL is only supported for tags and params, not for 'attribute' 'run_id'"),
        ("bogus = 'x'", "Invalid attribute key 'bogus' specified. Valid keys are"),
        ("attributes.bogus = 'x'", "Invalid attribute key 'bogus' specified. Valid keys are"),
        ("lifecycle_stage = 'active'", "Invalid attribute key 'lifecycle_stage' specified."),
        ("experiment_id = '1'", "Invalid attribute key 'experiment_id' specified."),
        ("name = 'x'", "Invalid attribute key 'name' specified."),
        ("bogus.x = 'y'", "Invalid entity type 'bogus'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"),
        ("METRICS.m > 0", "Invalid entity type 'METRICS'."),
        ("datasets.bogus = 'x'", "Invalid dataset key 'bogus' specified. Valid keys are"),
        ("datasets.name > 'x'", INVALID.format(">")),
        ("datasets.name = 5", "Expected a quoted string value for dataset attributes. Got value 5"),
        ("run_id IN ()", "While parsing a list in the query, expected a non-empty list of string values, but got empty list"),
        ("run_id IN (1)", "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list"),
        ("metrics.m", "Invalid clause(s) in filter string: 'metrics.m'"),
        ("metrics.m >", "Invalid clause(s) in filter string: 'metrics.m'"),
        ("metrics.m > 0; metrics.m < 5", "Search filter contained multiple expression 'metrics.m > 0; metrics.m < 5'. Provide AND-ed expression list."),
        ("'a' = 'b'", "Invalid comparison clause. Expected 'Identifier' found ''a''"),
        ("1 = metrics.m", "Invalid comparison clause. Expected 'Identifier' found '1'"),
        ("   ", "Invalid filter '   '. Could not be parsed."),
    ],
)  # fmt: skip
def test_refusals(api, menagerie, filter_string, text):
    api.post("runs/search", experiment_ids=[menagerie[0]], filter=filter_string).invalid(text)


@pytest.mark.mlflow_only
@pytest.mark.parametrize(
    ("filter_string", "text"),
    [
        ("params.p = 'a' OR params.p = 'b'", "Invalid clause(s) in filter string: 'OR'"),
        ("(params.p = 'a')", "Invalid clause(s) in filter string: '(params.p = 'a')'"),
        ("run_name IN ('Alpha')", "Only ['run_id'] attributes support comparison with a list of quoted string values."),
        ("params.p IN ('Abc')", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value ('Abc')"),
        ("tags.t IN ('Xyz')", "Expected a quoted string value for tag (e.g. 'my-value'). Got value ('Xyz')"),
    ],
)
def test_what_stele_accepts_beyond(api, menagerie, filter_string, text):
    api.post("runs/search", experiment_ids=[menagerie[0]], filter=filter_string).invalid(text)


def test_the_filter_must_be_text(api, menagerie):
    api.post("runs/search", experiment_ids=[menagerie[0]], filter=5).invalid(exactly=wrong_type(5, "filter", "int"))


def test_only_the_latest_value_of_a_metric_counts(api, experiment, run):
    for value, timestamp in ((3, 2), (4, 8), (8, 3)):
        api.post("runs/log-metric", run_id=run, key="m", value=value, timestamp=timestamp).ok

    def found(filter_string):
        body = api.post("runs/search", experiment_ids=[experiment], filter=filter_string).ok
        return [each["info"]["run_id"] for each in body.get("runs", [])]

    assert found("metrics.m = 4") == [run]
    assert found("metrics.m > 5") == []
    assert found("metrics.m < 4") == []


def test_artifact_addresses(api, experiment, new_run, read_run):
    mine, other = new_run(), new_run()
    uri = read_run(mine)["info"]["artifact_uri"]

    def found(filter_string):
        body = api.post("runs/search", experiment_ids=[experiment], filter=filter_string).ok
        return {each["info"]["run_id"] for each in body.get("runs", [])}

    assert found(f"attr.artifact_uri = '{uri}'") == {mine}
    assert found(f"attributes.artifact_uri != '{uri}'") == {other}
    assert found(f"artifact_uri LIKE '%{mine[:16].upper()}%'") == found(f"artifact_uri = '{uri.upper()}'") == set()
    assert found(f"artifact_uri ILIKE '%{mine[:16].upper()}%'") == {mine}


def test_params_tags_metrics_and_datasets_together(api, experiment, new_run):
    wanted, other = new_run(start_time=1), new_run(start_time=2)
    dataset = {"name": "train", "digest": "d", "source_type": "local", "source": "{}"}
    entry = {"dataset": dataset, "tags": pairs({"mlflow.data.context": "training"})}
    for run_id, rate in ((wanted, "0.01"), (other, "0.02")):
        api.post("runs/log-inputs", run_id=run_id, datasets=[entry]).ok
        api.post(
            "runs/log-batch",
            run_id=run_id,
            params=pairs({"rate": rate, "size": "32"}),
            tags=pairs({"t": rate}),
            metrics=[{"key": "m", "value": float(rate), "timestamp": 1}],
        ).ok
    filter_string = (
        "params.rate = '0.01' AND params.size = '32' AND tags.t = '0.01' AND metrics.m < 0.015 "
        "AND dataset.name = 'train' AND dataset.context = 'training' AND run_name != 'x'"
    )
    body = api.post("runs/search", experiment_ids=[experiment], filter=filter_string, order_by=["metrics.m"]).ok
    assert [each["info"]["run_id"] for each in body["runs"]] == [wanted]

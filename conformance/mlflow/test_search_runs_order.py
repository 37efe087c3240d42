"""runs/search: order, pages, lifecycle views and the shape of a found run."""

import uuid

import pytest
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException

from wire import log_runs, offset_token, pairs, token_content, wrong_type

RUNS = {
    "a": (1, {"m": 1}, {"p": "Abc"}, {"t": "b"}, "Alpha"),
    "b": (2, {"m": "NaN"}, {"p": "abd"}, {"t": "a"}, "beta"),
    "c": (3, {"m": "Infinity", "n": 1}, {"p": "10"}, {}, "alpha"),
    "d": (4, {"m": -2.5, "n": 1}, {"p": "9"}, {}, "delta"),
    "e": (5, {}, {}, {}, "Omega"),
}


@pytest.fixture(scope="module")
def shelf(api):
    experiment = api.post("experiments/create", name=f"order-{uuid.uuid4().hex}").ok["experiment_id"]
    named = {letter: (*rest, {"run_name": name}) for letter, (*rest, name) in RUNS.items()}
    ids = log_runs(api, experiment, named)
    api.post("runs/update", run_id=ids["b"], status="FINISHED", end_time=20).ok
    api.post("runs/update", run_id=ids["d"], status="FINISHED", end_time=10).ok
    return experiment, ids


@pytest.fixture
def search(api, shelf):
    experiment, ids = shelf
    letters = {run_id: letter for letter, run_id in ids.items()}

    def run(*order_by, **fields):
        body = api.post("runs/search", experiment_ids=[experiment], order_by=list(order_by), **fields).ok
        return "".join(letters[found["info"]["run_id"]] for found in body.get("runs", []))

    return run


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ([], "edcba"),
        # numbers, then NaN, then runs without the key; ties by latest start
        (["metrics.m"], "dacbe"),
        (["metrics.m ASC"], "dacbe"),
        (["metric.m asc"], "dacbe"),
        (["metrics.m DESC"], "cadbe"),
        (["metrics.`m` desc"], "cadbe"),
        (["metrics.absent"], "edcba"),
        (["metrics.n", "metrics.m"], "dcabe"),
        (["metrics.n DESC", "metrics.m DESC"], "cdabe"),
        # text by code point, missing last both ways
        (["params.p"], "cdabe"),
        (["params.p DESC"], "badce"),
        (["tags.t"], "baedc"),
        (["tags.t DESC"], "abedc"),
        # attributes
        (["start_time"], "abcde"),
        (["start_time ASC"], "abcde"),
        (["attributes.start_time DESC"], "edcba"),
        (["created"], "abcde"),
        (["attributes.Created DESC"], "edcba"),
        (["end_time"], "dbeca"),
        (["end_time DESC"], "bdeca"),
        (["run_name"], "aecbd"),
        (["attributes.run_name DESC"], "dbcea"),
        (["status"], "dbeca"),
        (["status DESC", "start_time"], "acebd"),
        (["status", "metrics.m DESC"], "dbcae"),
        (["user_id"], "edcba"),
        (["metrics.m   dEsC"], "cadbe"),
        (["params.p\tASC"], "cdabe"),
    ],
)
def test_order(search, order_by, expected):
    assert search(*order_by) == expected


def test_order_by_ids(shelf, search):
    ids = shelf[1]
    ascending = "".join(sorted(ids, key=ids.get))
    assert search("run_id") == search("attributes.run_id ASC") == ascending
    assert search("run_id DESC") == ascending[::-1]
    assert search("artifact_uri") == ascending


def test_equal_starts_go_by_run_id(api, experiment, new_run):
    runs = sorted(new_run(start_time=7) for _ in range(6))
    body = api.post("runs/search", experiment_ids=[experiment]).ok
    assert [found["info"]["run_id"] for found in body["runs"]] == runs
    body = api.post("runs/search", experiment_ids=[experiment], order_by=["start_time DESC"]).ok
    assert [found["info"]["run_id"] for found in body["runs"]] == runs


@pytest.mark.parametrize(
    ("order_by", "text"),
    [
        (["bogus"], "Invalid attribute key 'bogus' specified. Valid keys are"),
        (["lifecycle_stage"], "Invalid attribute key 'lifecycle_stage' specified."),
        (
            ["bogus.x"],
            "Invalid entity type 'bogus'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
        ),
        (["datasets.name"], "Invalid identifier type 'dataset'"),
        (["metrics.m UP"], "Invalid ordering key in order_by clause 'metrics.m UP'."),
        (["metrics.m ASC DESC"], "Invalid order_by clause 'metrics.m ASC DESC'. Could not be parsed."),
        (["metrics.m, params.p"], "Invalid order_by clause 'metrics.m, params.p'. Could not be parsed."),
        ([""], "Invalid order_by clause ''. Could not be parsed."),
        ("metrics.m", wrong_type("metrics.m", "order_by", "str")),
        ([5], wrong_type([5], "order_by", "list")),
    ],
)
def test_order_refusals(api, shelf, order_by, text):
    api.post("runs/search", experiment_ids=[shelf[0]], order_by=order_by).invalid(text)


@pytest.mark.parametrize(
    "twice", [["metrics.m", "metrics.m"], ["start_time", "attributes.start_time DESC"], ["params.p", "parameter.p"]]
)
def test_the_same_key_twice(api, shelf, twice):
    api.post("runs/search", experiment_ids=[shelf[0]], order_by=twice).repeated_order()


@pytest.mark.parametrize("order_by", [[], ["metrics.m"], ["params.p DESC"], ["tags.t"], ["start_time"], ["status"], ["end_time"]])
@pytest.mark.parametrize("size", [1, 2, 4, 5, 6])
def test_pages_join_to_the_whole(api, shelf, order_by, size):
    experiment, _ = shelf
    query = {"experiment_ids": [experiment], "order_by": order_by}
    whole = api.post("runs/search", query).ok["runs"]
    seen, token = [], None
    for _ in range(10):
        body = api.post("runs/search", query, max_results=size, **({"page_token": token} if token else {})).ok
        seen += body["runs"]
        token = body.get("next_page_token")
        if token is None:
            break
        assert len(body["runs"]) == size
        # A server may say more beside it.
        assert token_content(token)["offset"] == len(seen)
    assert seen == whole


def test_a_token_of_another_search_goes_by_its_offset(api, shelf):
    experiment, _ = shelf
    first = api.post("runs/search", experiment_ids=[experiment], order_by=["metrics.m"], max_results=2).ok
    token = first["next_page_token"]
    for query in [{"order_by": ["metrics.n"]}, {"order_by": ["metrics.m DESC"]}, {"filter": "metrics.m > -10"}]:
        query = {"experiment_ids": [experiment], **query}
        whole = api.post("runs/search", query).ok["runs"]
        assert api.post("runs/search", query, page_token=token).ok.get("runs", []) == whole[2:]


def test_beyond_the_end_is_empty(api, shelf):
    assert api.post("runs/search", experiment_ids=[shelf[0]], page_token=offset_token(100)).ok == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_results": 0}, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"),
        ({"max_results": -1}, "Invalid value -1 for parameter 'max_results' supplied. It must be a positive integer"),
        ({"max_results": 50001}, wrong_type(50001, "max_results", "int")),
        ({"max_results": "x"}, wrong_type("x", "max_results", "str")),
        ({"page_token": "zzz"}, "Invalid page token, could not base64-decode"),
        ({"page_token": "YWJj"}, "Invalid page token, decoded value=b'abc'"),
        ({"page_token": "e30="}, "Invalid page token, parsed value={}"),
        ({"experiment_ids": "0"}, wrong_type("0", "experiment_ids", "str")),
        ({"experiment_ids": ["x"]}, "Invalid experiment ID 'x'. Experiment ID must be a valid integer."),
    ],
)
def test_page_refusals(api, fields, message):
    api.post("runs/search", {"experiment_ids": ["0"], **fields}).invalid(exactly=message)


def test_largest_page(search):
    assert search(max_results=50_000) == "edcba"
    assert search(max_results="2") == "ed"


def test_no_experiments_no_runs(api):
    for body in ({}, {"experiment_ids": []}, {"experiment_ids": ["987654321"]}):
        assert api.post("runs/search", body).ok == {}


def test_several_experiments(api, new_experiment):
    runs = []
    experiments = [new_experiment() for _ in range(3)]
    for start, experiment in enumerate(experiments):
        created = api.post("runs/create", experiment_id=experiment, start_time=start + 1).ok
        runs.append(created["run"]["info"]["run_id"])
    found = api.post("runs/search", experiment_ids=[*experiments[:2], "987654321"]).ok["runs"]
    assert [run["info"]["run_id"] for run in found] == [runs[1], runs[0]]


def test_lifecycle_views(api, experiment, new_run):
    kept, thrown = new_run(start_time=1), new_run(start_time=2)
    api.post("runs/delete", run_id=thrown).ok

    def seen(**fields):
        body = api.post("runs/search", experiment_ids=[experiment], **fields).ok
        return [run["info"]["run_id"] for run in body.get("runs", [])]

    assert seen() == seen(run_view_type="ACTIVE_ONLY") == seen(run_view_type=1) == [kept]
    assert seen(run_view_type="DELETED_ONLY") == seen(run_view_type=2) == [thrown]
    assert seen(run_view_type="ALL") == seen(run_view_type=3) == [thrown, kept]


def test_runs_of_deleted_experiments(api, experiment, run):
    api.post("experiments/delete", experiment_id=experiment).ok
    assert api.post("runs/search", experiment_ids=[experiment]).ok == {}
    found = api.post("runs/search", experiment_ids=[experiment], run_view_type="DELETED_ONLY").ok["runs"]
    assert [each["info"]["run_id"] for each in found] == [run]


def test_found_runs_are_whole(api, experiment, run, read_run):
    api.post(
        "runs/log-batch",
        run_id=run,
        metrics=[{"key": "m", "value": "NaN", "timestamp": 1, "step": 2}, {"key": "k", "value": 1, "timestamp": 1}],
        params=pairs({"p": "v", "q": ""}),
        tags=pairs({"t": "w"}),
    ).ok
    dataset = {"name": "n", "digest": "d", "source_type": "local", "source": "{}"}
    api.post("runs/log-inputs", run_id=run, datasets=[{"dataset": dataset}]).ok
    (found,) = api.post("runs/search", experiment_ids=[experiment]).ok["runs"]
    by_id = read_run(run)
    for body in (found, by_id):
        for kind in ("metrics", "params", "tags"):
            body["data"][kind].sort(key=lambda entry: entry["key"])
    assert found == by_id


def test_empty_run_shape_in_search(api, experiment, run):
    api.post("runs/delete-tag", run_id=run, key="mlflow.runName").ok
    (found,) = api.post("runs/search", experiment_ids=[experiment]).ok["runs"]
    assert found["data"] == {}
    assert found["inputs"] == {}
    assert found["outputs"] == {}


def test_search_is_post_only(api):
    assert api.get("runs/search", experiment_ids="0").status == 405


def test_client(client, shelf):
    experiment, ids = shelf
    first = client.search_runs([experiment], order_by=["metrics.m DESC"], max_results=2)
    assert [run.info.run_id for run in first] == [ids["c"], ids["a"]]
    rest = client.search_runs([experiment], order_by=["metrics.m DESC"], page_token=first.token)
    assert [run.info.run_id for run in rest] == [ids["d"], ids["b"], ids["e"]]
    assert rest.token is None
    assert list(client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == []
    with pytest.raises(MlflowException, match="Invalid value 123456789 for parameter 'max_results' supplied"):
        client.search_runs([experiment], max_results=123456789)


def test_end_times_sort_as_numbers(api, experiment, new_run):
    runs = {}
    for start, end in enumerate([234, None, 456, -123, 789, 123]):
        run_id = new_run(start_time=start + 1)
        runs[run_id] = end
        api.post("runs/update", run_id=run_id, status="FINISHED", **({} if end is None else {"end_time": end})).ok

    def ordered(*order_by):
        body = api.post("runs/search", experiment_ids=[experiment], order_by=list(order_by)).ok
        return [runs[each["info"]["run_id"]] for each in body["runs"]]

    assert ordered("attribute.end_time asc") == [-123, 123, 234, 456, 789, None]
    assert ordered("attribute.end_time desc") == [789, 456, 234, 123, -123, None]
    assert ordered("start_time asc", "end_time desc") == list(runs.values())


def test_a_page_holds_a_thousand_runs_unless_asked_otherwise(api, client, experiment, new_run):
    runs = [new_run(start_time=start) for start in range(1, 1004)][::-1]
    first = api.post("runs/search", experiment_ids=[experiment]).ok
    assert [each["info"]["run_id"] for each in first["runs"]] == runs[:1000]
    rest = api.post("runs/search", experiment_ids=[experiment], page_token=first["next_page_token"]).ok
    assert [each["info"]["run_id"] for each in rest["runs"]] == runs[1000:]
    assert [each.info.run_id for each in client.search_runs([experiment], max_results=2000)] == runs

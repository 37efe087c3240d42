"""logged-models/search: its own filter words, order objects and page tokens."""

import time
import uuid

import pytest

from wire import missing, pairs, token_content, wrong_type

MODELS = {
    # name: params, tags, type, status
    "alpha": ({"lr": "0.1"}, {"team": "red"}, "cnn", 2),
    "Beta": ({"lr": "0.2"}, {"team": "Red"}, "cnn", 3),
    "gamma": ({}, {"with space": "yes"}, "tree", None),
}
POINTS = [
    # model, metric, value, timestamp, step, dataset
    ("alpha", "acc", 0.9, 1, 1, ("iris", "d1")),
    ("alpha", "acc", 0.4, 2, 2, ("iris", "d1")),
    ("Beta", "acc", 0.6, 1, 1, ("wine", "d2")),
    ("Beta", "loss", 5, 1, 1, None),
]


@pytest.fixture(scope="module")
def shelf(api):
    """An experiment with the models above: its id, the model ids by name, and the run that measured them."""
    experiment = api.post("experiments/create", name=f"models-{uuid.uuid4().hex}").ok["experiment_id"]
    run = api.post("runs/create", experiment_id=experiment).ok["run"]["info"]["run_id"]
    ids = {}
    for name, (params, tags, kind, status) in MODELS.items():
        created = api.post(
            "logged-models",
            experiment_id=experiment,
            name=name,
            model_type=kind,
            source_run_id=run if name != "gamma" else "",
            params=pairs(params),
            tags=pairs(tags),
        ).ok
        ids[name] = created["model"]["info"]["model_id"]
        if status:
            api.patch(f"logged-models/{ids[name]}", model_id=ids[name], status=status).ok
        time.sleep(0.003)
    for name, key, value, timestamp, step, dataset in POINTS:
        fields = {"dataset_name": dataset[0], "dataset_digest": dataset[1]} if dataset else {}
        api.post(
            "runs/log-metric",
            run_id=run,
            key=key,
            value=value,
            timestamp=timestamp,
            step=step,
            model_id=ids[name],
            **fields,
        ).ok
    return experiment, ids, run


@pytest.fixture
def search(api, shelf):
    def run(filter_string="", **fields):
        body = api.post("logged-models/search", experiment_ids=[shelf[0]], filter=filter_string, **fields).ok
        return [model["info"]["name"] for model in body.get("models", [])]

    return run


@pytest.mark.parametrize(
    ("filter_string", "expected"),
    [
        ("", ["gamma", "Beta", "alpha"]),
        ("name = 'alpha'", ["alpha"]),
        ("attributes.name = 'alpha'", ["alpha"]),
        ("name != 'alpha'", ["gamma", "Beta"]),
        ("name LIKE 'a%'", ["alpha"]),
        ("name LIKE 'b%'", []),
        ("name ILIKE 'b%'", ["Beta"]),
        ("name like '%mm%'", ["gamma"]),
        ("name IN ('alpha', 'gamma')", ["gamma", "alpha"]),
        ("name NOT IN ('alpha', 'gamma')", ["Beta"]),
        ("name in ('Beta')", ["Beta"]),
        ("name IN ('Beta',)", ["Beta"]),
        ("tags.`with space` = 'yes'", ["gamma"]),
        ("model_type = 'cnn'", ["Beta", "alpha"]),
        ("lifecycle_stage = 'active'", ["gamma", "Beta", "alpha"]),
        ("params.lr = '0.1'", ["alpha"]),
        ("params.`lr` LIKE '0.%'", ["Beta", "alpha"]),
        ("params.lr != '0.1'", ["Beta"]),
        ("tags.team = 'red'", ["alpha"]),
        ("tags.team ILIKE 'RED'", ["Beta", "alpha"]),
        ("tags.team IN ('red', 'blue')", ["alpha"]),
        # any point of a metric may match, not only the latest
        ("metrics.acc > 0.5", ["Beta", "alpha"]),
        ("metrics.acc < 0.5", ["alpha"]),
        ("metrics.acc >= 0.9", ["alpha"]),
        ("metrics.`acc` = 0.6", ["Beta"]),
        ("metrics.acc != 0.6", ["alpha"]),
        ("metrics.loss = 5", ["Beta"]),
        ("metrics.absent > 0", []),
        ("metrics.acc > 0.5 AND params.lr = '0.1'", ["alpha"]),
        ("metrics.acc > 0.5 AND metrics.loss > 1", ["Beta"]),
        ("name = 'alpha' AND tags.team = 'Red'", []),
        ("creation_timestamp > 0", ["gamma", "Beta", "alpha"]),
        ("creation_time > 0", ["gamma", "Beta", "alpha"]),
        ("last_updated_timestamp < 1000", []),
    ],
)
def test_filters(search, filter_string, expected):
    assert search(filter_string) == expected


def test_filters_on_ids(shelf, search):
    experiment, ids, run = shelf
    assert search(f"model_id = '{ids['Beta']}'") == ["Beta"]
    assert search(f"source_run_id = '{run}'") == ["Beta", "alpha"]
    assert search(f"model_id IN ('{ids['Beta']}', '{ids['gamma']}')") == ["gamma", "Beta"]


@pytest.mark.parametrize(
    ("filter_string", "text"),
    [
        ("bogus.x = 'y'", "Invalid entity type: 'bogus'. Expected one of ['attributes', 'metrics', 'params', 'tags']."),
        ("metric.x = 5", "Invalid entity type: 'metric'."),
        ("tags.team > 'red'", "Invalid comparison operator for tags.team: '>'. Expected one of ('=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN')."),
        ("params.lr <= '1'", "Invalid comparison operator for params.lr: '<='."),
        ("metrics.acc LIKE 5", "Invalid comparison operator for metrics.acc: 'LIKE'. Expected one of ('<', '<=', '>', '>=', '=', '!=')."),
        ("name > 'a'", "Invalid comparison operator for attributes.name: '>'."),
        ("name", "Invalid filter string: 'name'. Expected a list of comparisons separated by 'AND'"),
        ("name = 'a'; name = 'b'", "Invalid filter string: \"name = 'a'; name = 'b'\". Expected a single SQL expression."),
    ],
)  # fmt: skip
def test_filter_refusals(api, shelf, filter_string, text):
    api.post("logged-models/search", experiment_ids=[shelf[0]], filter=filter_string).invalid(text)


@pytest.mark.parametrize(
    ("datasets", "filter_string", "expected"),
    [
        ([{"dataset_name": "iris", "dataset_digest": "d1"}], "", ["alpha"]),
        ([{"dataset_name": "iris", "dataset_digest": "d2"}], "", []),
        (
            [{"dataset_name": "iris", "dataset_digest": "d1"}, {"dataset_name": "wine", "dataset_digest": "d2"}],
            "",
            ["Beta", "alpha"],
        ),
        ([{"dataset_name": "iris", "dataset_digest": "d1"}], "metrics.acc > 0.5", ["alpha"]),
        ([{"dataset_name": "iris", "dataset_digest": "d1"}], "metrics.acc > 0.95", []),
        ([{"dataset_name": "wine", "dataset_digest": "d2"}], "metrics.loss > 1", []),
    ],
)
def test_datasets(search, datasets, filter_string, expected):
    assert search(filter_string, datasets=datasets) == expected


def test_datasets_need_a_name(api, shelf):
    api.post("logged-models/search", experiment_ids=[shelf[0]], datasets=[{"dataset_digest": "d"}]).invalid(
        exactly="`dataset_name` in the `datasets` clause must be specified."
    )


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ([], ["gamma", "Beta", "alpha"]),
        ([{"field_name": "name"}], ["Beta", "alpha", "gamma"]),
        ([{"field_name": "name", "ascending": True}], ["Beta", "alpha", "gamma"]),
        ([{"field_name": "name", "ascending": False}], ["gamma", "alpha", "Beta"]),
        ([{"field_name": "creation_timestamp"}], ["alpha", "Beta", "gamma"]),
        ([{"field_name": "creation_time", "ascending": False}], ["gamma", "Beta", "alpha"]),
        ([{"field_name": "model_type"}, {"field_name": "name"}], ["Beta", "alpha", "gamma"]),
        # the newest point counts: 0.4 for alpha; no point sorts last both ways
        ([{"field_name": "metrics.acc"}], ["alpha", "Beta", "gamma"]),
        ([{"field_name": "metrics.acc", "ascending": False}], ["Beta", "alpha", "gamma"]),
        ([{"field_name": "metrics.loss"}], ["Beta", "gamma", "alpha"]),
        ([{"field_name": "metrics.acc", "dataset_name": "iris"}], ["alpha", "gamma", "Beta"]),
        ([{"field_name": "metrics.acc", "dataset_name": "wine", "dataset_digest": "d2"}], ["Beta", "gamma", "alpha"]),
        ([{"field_name": "metrics.acc", "dataset_digest": "d1"}], ["alpha", "gamma", "Beta"]),
    ],
)
def test_order(search, order_by, expected):
    assert search(order_by=order_by) == expected


def test_order_by_a_metric_on_one_of_several_datasets(api, experiment, run):
    ids = {
        name: api.post("logged-models", experiment_id=experiment, name=name).ok["model"]["info"]["model_id"]
        for name in "ab"
    }
    for timestamp, (name, dataset, value) in enumerate(
        [("a", "x", 0.9), ("a", "y", 0.8), ("b", "x", 0.8), ("b", "y", 0.9)]
    ):
        point = {"key": "acc", "value": value, "timestamp": timestamp, "model_id": ids[name]}
        api.post(
            "runs/log-batch",
            run_id=run,
            metrics=[{**point, "dataset_name": dataset, "dataset_digest": f"of {dataset}"}],
        ).ok

    def ordered(**dataset):
        order_by = [{"field_name": "metrics.acc", **dataset}]
        body = api.post("logged-models/search", experiment_ids=[experiment], order_by=order_by).ok
        return [model["info"]["name"] for model in body["models"]]

    assert (
        ordered(dataset_name="x", dataset_digest="of x")
        == ordered(dataset_name="x")
        == ordered(dataset_digest="of x")
        == ["b", "a"]
    )
    assert ordered(dataset_name="y", dataset_digest="of y") == ordered(dataset_digest="of y") == ["a", "b"]


def test_order_refusals(api, shelf):
    def ordered(*order_by):
        return api.post("logged-models/search", experiment_ids=[shelf[0]], order_by=list(order_by))

    ordered({"field_name": "bogus"}).invalid(exactly="Invalid order by field name: bogus")
    ordered({"field_name": "params.lr"}).invalid(
        exactly="Invalid order by field name: params.lr. Only metrics are supported."
    )
    answer = api.post("logged-models/search", experiment_ids=[shelf[0]], order_by="name")
    answer.invalid(exactly=wrong_type("name", "order_by", "str"))


def test_pages(api, shelf):
    experiment, _, _ = shelf
    query = {
        "experiment_ids": [experiment],
        "max_results": 2,
        "order_by": [{"field_name": "name"}],
        "filter": "name != 'x'",
    }
    first = api.post("logged-models/search", query).ok
    assert [model["info"]["name"] for model in first["models"]] == ["Beta", "alpha"]
    token = first["next_page_token"]
    content = token_content(token)
    assert (content["experiment_ids"], content["filter_string"], content["offset"]) == ([experiment], "name != 'x'", 2)
    second = api.post("logged-models/search", query, page_token=token).ok
    assert [model["info"]["name"] for model in second["models"]] == ["gamma"]
    assert "next_page_token" not in second
    larger = api.post("logged-models/search", query, page_token=token, max_results=50).ok
    assert larger == second


def test_fifty_models_are_a_page(api, experiment):
    for _ in range(51):
        api.post("logged-models", experiment_id=experiment).ok
    first = api.post("logged-models/search", experiment_ids=[experiment]).ok
    assert len(first["models"]) == 50
    rest = api.post("logged-models/search", experiment_ids=[experiment], page_token=first["next_page_token"]).ok
    assert len(rest["models"]) == 1


def test_tokens_belong_to_their_query(api, shelf):
    query = {"experiment_ids": [shelf[0]], "max_results": 1}
    query["page_token"] = api.post("logged-models/search", query).ok["next_page_token"]
    api.post("logged-models/search", query, experiment_ids=[shelf[0], "0"]).invalid(
        "Experiment IDs in the page token do not match the requested experiment IDs."
    )
    api.post("logged-models/search", query, filter="name = 'x'").invalid(
        exactly="Filter string in the page token does not match the requested filter string. Expected: name = 'x'. Found: None"
    )
    api.post("logged-models/search", query, order_by=[{"field_name": "name"}]).invalid(
        "Order by in the page token does not match the requested order by."
    )


def test_experiments(api, shelf):
    assert api.post("logged-models/search", experiment_ids=[]).ok == {}
    assert api.post("logged-models/search", experiment_ids=["987654321"]).ok == {}
    api.post("logged-models/search", {}).invalid(exactly=missing("experiment_ids"))
    api.post("logged-models/search", experiment_ids=["x"]).invalid(
        exactly="Invalid experiment ID 'x'. Experiment ID must be a valid integer."
    )
    api.post("logged-models/search", experiment_ids="0").invalid(exactly=wrong_type("0", "experiment_ids", "str"))
    assert len(api.post("logged-models/search", experiment_ids=[shelf[0], "987654321"]).ok["models"]) == 3


def test_found_models_are_whole(api, shelf):
    experiment, ids, _ = shelf
    (found,) = api.post("logged-models/search", experiment_ids=[experiment], filter="name = 'Beta'").ok["models"]
    by_id = api.get(f"logged-models/{ids['Beta']}").ok["model"]
    for model in (found, by_id):
        model["data"]["metrics"].sort(key=str)
    assert found == by_id


@pytest.mark.client("3.0")
def test_client(client, shelf):
    experiment, ids, _ = shelf
    found = client.search_logged_models(
        [experiment], "metrics.acc > 0.5", order_by=[{"field_name": "metrics.acc", "ascending": False}]
    )
    assert [model.model_id for model in found] == [ids["Beta"], ids["alpha"]]
    first = client.search_logged_models([experiment], max_results=2)
    rest = client.search_logged_models([experiment], max_results=2, page_token=first.token)
    assert [model.name for model in [*first, *rest]] == ["gamma", "Beta", "alpha"]
    assert rest.token is None

"""experiments/search: filters, order, pages. Every test filters by names of its own."""

import time

import pytest
from mlflow.entities import ViewType

from wire import offset_token, pairs, token_content, wrong_type


@pytest.fixture
def zoo(api, unique):
    """Three experiments in order of creation: their common prefix and name -> id."""
    prefix = unique("zoo")
    ids = {}
    for name, tags in (("a", {"key": "value"}), ("ab", {"key": "vaLue"}), ("Abc", {})):
        ids[name] = api.post("experiments/create", name=f"{prefix}/{name}", tags=pairs(tags)).ok["experiment_id"]
        time.sleep(0.003)
    return prefix, ids


@pytest.fixture
def search(api, zoo):
    prefix, _ = zoo

    def run(filter_string="", max_results=1000, **fields):
        own = f"name ILIKE '{prefix}/%'"
        whole = f"{own} AND {filter_string}" if filter_string else own
        body = api.post("experiments/search", filter=whole, max_results=max_results, **fields).ok
        return [found["name"].removeprefix(prefix + "/") for found in body.get("experiments", [])]

    return run


@pytest.mark.parametrize(
    ("filter_string", "expected"),
    [
        ("", ["Abc", "ab", "a"]),
        ("name = '{}/a'", ["a"]),
        ("attribute.name = '{}/a'", ["a"]),
        ('name = "{}/a"', ["a"]),
        ("name != '{}/a'", ["Abc", "ab"]),
        ("name LIKE '{}/a%'", ["ab", "a"]),
        ("name LIKE '{}/A%'", ["Abc"]),
        ("name ILIKE '{}/A_'", ["ab"]),
        ("tags.key = 'value'", ["a"]),
        ("tag.key = 'value'", ["a"]),
        ("tags.`key` = 'value'", ["a"]),
        ("tags.\"key\" = 'value'", ["a"]),
        ("tags.key != 'value'", ["ab"]),
        ("tags.key LIKE 'va%'", ["ab", "a"]),
        ("tags.key LIKE '%Lue'", ["ab"]),
        ("tags.key ILIKE '%ALU%'", ["ab", "a"]),
        ("tags.key = 'value' and name LIKE '%a'", ["a"]),
        ("tags.key = 'value' AND tags.other = 'x'", []),
        ("tags.key IS NULL", ["Abc"]),
        ("tags.key IS NOT NULL", ["ab", "a"]),
        ("creation_time > 0", ["Abc", "ab", "a"]),
        ("creation_time < 1000", []),
        ("last_update_time >= 1000", ["Abc", "ab", "a"]),
        ("last_update_time = 1", []),
    ],
)
def test_filters(zoo, search, filter_string, expected):
    assert search(filter_string.format(zoo[0])) == expected


def test_times_select_exactly(api, zoo, search):
    middle = api.get("experiments/get", experiment_id=zoo[1]["ab"]).ok["experiment"]["creation_time"]
    assert search(f"creation_time = {middle}") == ["ab"]
    assert search(f"creation_time != {middle}") == ["Abc", "a"]
    assert search(f"creation_time > {middle}") == ["Abc"]
    assert search(f"creation_time <= {middle}") == ["ab", "a"]
    assert search(f"attribute.last_update_time < {middle}") == ["a"]


def test_ids_select(zoo, search):
    ids = zoo[1]
    assert search(f"experiment_id = '{ids['a']}'") == ["a"]
    assert search(f"experiment_id != '{ids['a']}'") == ["Abc", "ab"]
    assert search(f"experiment_id IN ('{ids['a']}', '{ids['Abc']}')") == ["Abc", "a"]
    assert search(f"experiment_id NOT IN ('{ids['a']}')") == ["Abc", "ab"]


@pytest.mark.parametrize(
    ("filter_string", "text"),
    [
        ("name = 5", "Expected a quoted string value for attributes. Got value 5"),
        ("name = word", "Parameter value is either not quoted or unidentified quote types used for string value word"),
        ("name > 'a'", "Invalid comparator '>' not one of"),
        ("name", "Invalid clause(s) in filter string: "),
        ("params.x = 'y'", "Invalid entity type 'params'. Valid entity types are ('attribute', 'tag', 'tags')"),
        ("attributes.name = 'y'", "Invalid entity type 'attributes'."),
        ("metrics.x > 5", "Invalid entity type 'metrics'."),
        ("bogus = 'y'", "Invalid attribute key 'bogus' specified. Valid keys are"),
        ("lifecycle_stage = 'active'", "Invalid attribute key 'lifecycle_stage' specified."),
        ("tags.key = 5", "Expected a quoted string value for tag (e.g. 'my-value'). Got value 5"),
        ("tags.key > 'a'", "Invalid comparator for tag: >"),
        ("creation_time = '5'", "Expected numeric value type for numeric attribute: creation_time. Found '5'"),
        ("creation_time > 5.5", "Invalid value for numeric attribute 'creation_time': '5.5'"),
        ("creation_time LIKE 5", "Invalid comparator 'LIKE' not one of"),
        ("experiment_id = 'x'", "Invalid experiment ID 'x'. Experiment ID must be a valid integer."),
        ("experiment_id LIKE '1%'", "Invalid comparator for experiment_id: LIKE"),
        ("name IS NULL", "IS NULL / IS NOT NULL is only supported for tags, not for attribute 'name'"),
        ("name = 'a'; name = 'b'", "Search filter contained multiple expression"),
    ],
)
def test_filter_refusals(api, filter_string, text):
    api.post("experiments/search", filter=filter_string, max_results=5).invalid(text)


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (["name"], ["Abc", "a", "ab"]),
        (["name ASC"], ["Abc", "a", "ab"]),
        (["name DESC"], ["ab", "a", "Abc"]),
        (["attribute.name desc"], ["ab", "a", "Abc"]),
        (["experiment_id"], ["a", "ab", "Abc"]),
        (["experiment_id DESC"], ["Abc", "ab", "a"]),
        (["creation_time"], ["a", "ab", "Abc"]),
        (["creation_time DESC"], ["Abc", "ab", "a"]),
        (["last_update_time", "name"], ["a", "ab", "Abc"]),
        (["name", "name DESC"], ["Abc", "a", "ab"]),
    ],
)
def test_order(search, order_by, expected):
    assert search(order_by=order_by) == expected


def test_order_follows_a_later_update(api, zoo, search):
    prefix, ids = zoo
    api.post("experiments/update", experiment_id=ids["a"], new_name=f"{prefix}/z").ok
    assert search(order_by=["last_update_time DESC"]) == ["z", "Abc", "ab"]
    assert search() == ["Abc", "ab", "z"]


@pytest.mark.parametrize(
    ("order_by", "text"),
    [
        (["bogus"], "Invalid attribute key 'bogus' specified. Valid keys are"),
        (["tags.key"], "Invalid order_by entity: tag"),
        (["name UP"], "Invalid ordering key in order_by clause 'name UP'."),
        (["name, creation_time"], "Invalid order_by clause 'name, creation_time'. Could not be parsed."),
        ("name", wrong_type("name", "order_by", "str")),
    ],
)
def test_order_refusals(api, order_by, text):
    api.post("experiments/search", order_by=order_by, max_results=5).invalid(text)


def test_lifecycle_views(api, zoo, search):
    api.post("experiments/delete", experiment_id=zoo[1]["ab"]).ok
    assert search() == ["Abc", "a"]
    assert search(view_type="ACTIVE_ONLY") == ["Abc", "a"]
    assert search(view_type="DELETED_ONLY") == ["ab"]
    assert search(view_type="ALL") == ["Abc", "ab", "a"]
    assert search(view_type=3) == ["Abc", "ab", "a"]


def test_pages(api, zoo):
    prefix, _ = zoo
    query = {"filter": f"name LIKE '{prefix}/%'", "order_by": ["name"], "max_results": 2}
    first = api.post("experiments/search", query).ok
    assert [found["name"] for found in first["experiments"]] == [f"{prefix}/Abc", f"{prefix}/a"]
    assert token_content(first["next_page_token"]) == {"offset": 2}
    second = api.post("experiments/search", query, page_token=first["next_page_token"]).ok
    assert [found["name"] for found in second["experiments"]] == [f"{prefix}/ab"]
    assert "next_page_token" not in second
    full = api.post("experiments/search", query, max_results=3).ok
    assert "next_page_token" not in full
    assert api.post("experiments/search", query, page_token=offset_token(50)).ok == {}


def test_get_with_query_equals_post(api, zoo):
    prefix, _ = zoo
    query = {"filter": f"name LIKE '{prefix}/%'", "max_results": 2, "view_type": "ALL"}
    posted = api.post("experiments/search", query, order_by=["name", "experiment_id DESC"]).ok
    got = api.get("experiments/search", order_by=["name", "experiment_id DESC"], **query).ok
    assert got == posted


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"),
        ({"max_results": 0}, "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer"),
        ({"max_results": -3}, "Invalid value -3 for parameter 'max_results' supplied. It must be a positive integer"),
        ({"max_results": 50001}, "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000"),
        ({"max_results": "x"}, wrong_type("x", "max_results", "str")),
        ({"max_results": 1, "filter": 5}, wrong_type(5, "filter", "int")),
        ({"max_results": 1, "page_token": "zzz"}, "Invalid page token, could not base64-decode"),
        ({"max_results": 1, "page_token": "e30="}, "Invalid page token, parsed value={}"),
    ],
)
def test_page_refusals(api, fields, message):
    api.post("experiments/search", fields).invalid(exactly=message)


def test_largest_page_size(api, search):
    assert search(max_results=50_000) == ["Abc", "ab", "a"]
    assert search(max_results="2") == ["Abc", "ab"]


def test_nothing_found_is_an_empty_object(api, unique):
    assert api.post("experiments/search", filter=f"name = '{unique()}'", max_results=5).ok == {}


def test_client(client, zoo):
    prefix, ids = zoo
    mine = f"name LIKE '{prefix}/%'"
    found = client.search_experiments(filter_string=mine, max_results=2)
    assert [each.experiment_id for each in found] == [ids["Abc"], ids["ab"]]
    rest = client.search_experiments(filter_string=mine, page_token=found.token)
    assert [each.experiment_id for each in rest] == [ids["a"]]
    assert rest.token is None
    client.delete_experiment(ids["a"])
    gone = client.search_experiments(filter_string=mine, view_type=ViewType.DELETED_ONLY)
    assert [each.experiment_id for each in gone] == [ids["a"]]
    assert client.search_experiments(filter_string=mine, order_by=["name DESC"])[0].name == f"{prefix}/ab"
    assert len(client.search_experiments(view_type=ViewType.ALL, max_results=1)) == 1

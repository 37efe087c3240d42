"""Searches over registered models and model versions: filters, order, pages."""

import time
import uuid

import pytest
from mlflow.exceptions import MlflowException

from wire import mapping, offset_token, pairs, token_content, wrong_type

MODELS = {
    # name: tags
    "apple": {"kind": "fruit", "color": "Red"},
    "Apricot": {"kind": "fruit", "color": "orange"},
    "beet": {"kind": "root", "color": "red"},
    "carrot": {},
}
VERSIONS = [
    # model, run id, source, tags
    ("apple", "run-1", "s3://b/one", {"ok": "yes"}),
    ("apple", "run-2", "s3://b/two", {"ok": "no"}),
    ("beet", "run-1", "s3://b/one", {}),
    ("beet", "run-3", "s3://c/Three", {"ok": "yes", "by": "ada"}),
    ("apple", "", "s3://b/four", {}),
]


@pytest.fixture(scope="module")
def garden(api):
    """The models and versions above; their names begin with the prefix returned."""
    prefix = f"garden-{uuid.uuid4().hex[:8]}-"
    for name, tags in MODELS.items():
        api.post("registered-models/create", name=prefix + name, tags=pairs(tags)).ok
        time.sleep(0.003)
    for name, run_id, source, tags in VERSIONS:
        api.post("model-versions/create", name=prefix + name, run_id=run_id, source=source, tags=pairs(tags)).ok
        time.sleep(0.003)
    return prefix


class TestModels:
    @pytest.fixture
    def search(self, api, garden):
        def run(filter_string="", **fields):
            whole = f"name ILIKE '{garden}%'" + (f" AND {filter_string.format(p=garden)}" if filter_string else "")
            body = api.get("registered-models/search", filter=whole, **fields).ok
            return [found["name"].removeprefix(garden) for found in body.get("registered_models", [])]

        return run

    @pytest.mark.parametrize(
        ("filter_string", "expected"),
        [
            ("", ["Apricot", "apple", "beet", "carrot"]),
            ("name = '{p}apple'", ["apple"]),
            ('name = "{p}apple"', ["apple"]),
            ("attribute.name = '{p}apple'", ["apple"]),
            ("name != '{p}apple'", ["Apricot", "beet", "carrot"]),
            ("name LIKE '{p}a%'", ["apple"]),
            ("name LIKE '{p}A%'", ["Apricot"]),
            ("name ILIKE '{p}a%'", ["Apricot", "apple"]),
            ("name like '%ee_'", ["beet"]),
            ("name lIkE '%EE_'", []),
            ("name iLike '%EE_'", ["beet"]),
            ("tags.Kind = 'fruit'", []),
            ("tags.color != 'red' AND tags.color ILIKE 'r%'", ["apple"]),
            ("name IN ('{p}apple', '{p}beet', 'nobody')", ["apple", "beet"]),
            ("name NOT IN ('{p}apple', '{p}beet')", ["Apricot", "carrot"]),
            ("tags.kind = 'fruit'", ["Apricot", "apple"]),
            ("tag.kind = 'fruit'", ["Apricot", "apple"]),
            ("tags.`kind` != 'fruit'", ["beet"]),
            ("tags.color LIKE 'R%'", ["apple"]),
            ("tags.color ILIKE 'r%'", ["apple", "beet"]),
            ("tags.kind = 'fruit' AND tags.color = 'Red'", ["apple"]),
            ("tags.color ILIKE 'r%' AND tags.color LIKE 'r%'", ["beet"]),
            ("tags.kind = 'fruit' and name LIKE '%t'", ["Apricot"]),
            ("tags.kind = 'root' AND tags.absent = 'x'", []),
        ],
    )
    def test_filters(self, search, filter_string, expected):
        assert search(filter_string) == expected

    @pytest.mark.parametrize(
        ("filter_string", "text"),
        [
            ("name > 'x'", "Invalid comparator for attribute: >"),
            ("tags.kind > 'x'", "Invalid comparator for tag: >"),
            ("tags.kind = 5", "Expected a quoted string value for tag (e.g. 'my-value'). Got value 5"),
            (
                "name = 5",
                "Expected a quoted string value or a list of quoted string values for attributes. Got value 5",
            ),
            (
                "name = word",
                "Parameter value is either not quoted or unidentified quote types used for string value word.",
            ),
            ("run_id = 'x'", "Invalid attribute key 'run_id' specified. Valid keys are '{'name'}'"),
            ("creation_timestamp > 5", "Invalid attribute key 'creation_timestamp' specified."),
            ("params.x = 'y'", "Invalid entity type 'params'. Valid entity types are ('attribute', 'tag', 'tags')"),
            ("name", "Invalid clause(s) in filter string: "),
            ("name = 'a'; name = 'b'", "Search filter contained multiple expression"),
            ("evilhax = true", "Invalid clause(s) in filter string"),
            ("source_path = 'x'", "Invalid attribute key 'source_path' specified."),
            (
                "name IN ()",
                "While parsing a list in the query, expected a non-empty list of string values, but got empty list",
            ),
        ],
    )
    def test_filter_refusals(self, api, filter_string, text):
        api.get("registered-models/search", filter=filter_string).invalid(text)

    @pytest.mark.parametrize(
        ("order_by", "expected"),
        [
            (["name"], ["Apricot", "apple", "beet", "carrot"]),
            (["name DESC"], ["carrot", "beet", "apple", "Apricot"]),
            # creating a version updates its model: beet after carrot, apple last
            (["timestamp"], ["Apricot", "carrot", "beet", "apple"]),
            (["timestamp DESC"], ["apple", "beet", "carrot", "Apricot"]),
            (["last_updated_timestamp"], ["Apricot", "carrot", "beet", "apple"]),
            (["last_updated_timestamp DESC", "name ASC"], ["apple", "beet", "carrot", "Apricot"]),
            # blanks of any kind, words in any case
            (["name   DESC"], ["carrot", "beet", "apple", "Apricot"]),
            (["timestamp\tASC"], ["Apricot", "carrot", "beet", "apple"]),
            (["timestamp\r\rdEsC"], ["apple", "beet", "carrot", "Apricot"]),
            (["timestamp\nasc"], ["Apricot", "carrot", "beet", "apple"]),
        ],
    )
    def test_order(self, search, order_by, expected):
        assert search(order_by=order_by) == expected

    @pytest.mark.parametrize("key", ["creation_timestamp", "description", "tags.kind"])
    def test_order_refusals(self, api, key):
        api.get("registered-models/search", order_by=key).invalid(
            f"Invalid order by key '{key}' specified. Valid keys are"
        )

    def test_order_words(self, api):
        api.get("registered-models/search", order_by="name UP").invalid(
            "Invalid ordering key in order_by clause 'name UP'."
        )
        api.get("registered-models/search", order_by=["name ASC", "creation_timestamp DESC"]).invalid(
            "Invalid order by key 'creation_timestamp' specified."
        )
        api.get("registered-models/search", order_by=["name", "last_updated_timestamp DESC blah"]).invalid(
            "Invalid order_by clause"
        )
        for twice in (["name", "name DESC"], ["timestamp", "last_updated_timestamp"]):
            api.get("registered-models/search", order_by=twice).repeated_order()

    @pytest.mark.parametrize("size", [1, 3, 4, 5])
    def test_pages(self, api, garden, size):
        query = {"filter": f"name LIKE '{garden}%'", "max_results": size}
        seen, token = [], None
        while True:
            body = api.get("registered-models/search", **query, **({"page_token": token} if token else {})).ok
            seen += [found["name"].removeprefix(garden) for found in body["registered_models"]]
            token = body.get("next_page_token")
            if token is None:
                break
            assert token_content(token) == {"offset": len(seen)}
        assert seen == ["Apricot", "apple", "beet", "carrot"]

    def test_page_refusals(self, api):
        search = "registered-models/search"
        api.get(search, max_results=1001).invalid(exactly=wrong_type("1001", "max_results", "str"))
        api.get(search, max_results="x").invalid(exactly=wrong_type("x", "max_results", "str"))
        api.get(search, page_token="zzz").invalid(exactly="Invalid page token, could not base64-decode")
        assert api.get(search, max_results=1000).status == 200
        assert api.post(search, {}).status == 405

    def test_nothing(self, api, garden):
        assert api.get("registered-models/search", filter="name = 'nobody'").ok == {}
        query = {"filter": f"name LIKE '{garden}%'", "page_token": offset_token(50)}
        assert api.get("registered-models/search", **query).ok == {}

    def test_found_models_are_whole(self, api, garden):
        (found,) = api.get("registered-models/search", filter=f"name = '{garden}apple'").ok["registered_models"]
        by_name = api.get("registered-models/get", name=garden + "apple").ok["registered_model"]
        assert mapping(found.pop("tags")) == mapping(by_name.pop("tags")) == MODELS["apple"]
        assert found == by_name

    def test_client(self, client, garden):
        mine = f"name LIKE '{garden}%'"
        first = client.search_registered_models(mine, max_results=3)
        rest = client.search_registered_models(mine, page_token=first.token)
        assert [m.name.removeprefix(garden) for m in [*first, *rest]] == ["Apricot", "apple", "beet", "carrot"]
        assert not rest.token
        newest = client.search_registered_models(mine, order_by=["timestamp DESC"])[0]
        assert newest.tags == MODELS["apple"]
        with pytest.raises(MlflowException, match="Invalid value"):
            client.search_registered_models(max_results=1001)


class TestVersions:
    @pytest.fixture
    def search(self, api, garden):
        def run(filter_string="", **fields):
            whole = f"name ILIKE '{garden}%'" + (f" AND {filter_string.format(p=garden)}" if filter_string else "")
            body = api.get("model-versions/search", filter=whole, **fields).ok
            return [found["name"].removeprefix(garden) + found["version"] for found in body.get("model_versions", [])]

        return run

    @pytest.mark.parametrize(
        ("filter_string", "expected"),
        [
            ("", ["apple3", "beet2", "beet1", "apple2", "apple1"]),
            ("name = '{p}beet'", ["beet2", "beet1"]),
            ("name != '{p}apple'", ["beet2", "beet1"]),
            ("name LIKE '{p}b%'", ["beet2", "beet1"]),
            ("name LIKE '{p}B%'", []),
            ("name ILIKE '%BEET'", ["beet2", "beet1"]),
            ("name IN ('{p}beet', 'nobody')", ["beet2", "beet1"]),
            ("name NOT IN ('{p}beet')", ["apple3", "apple2", "apple1"]),
            ("run_id = 'run-1'", ["beet1", "apple1"]),
            ("attribute.run_id = 'run-1'", ["beet1", "apple1"]),
            ("run_id != 'run-1'", ["apple3", "beet2", "apple2"]),
            ("run_id IN ('run-2', 'run-3')", ["beet2", "apple2"]),
            ("run_id NOT IN ('run-2', 'run-3')", ["apple3", "beet1", "apple1"]),
            ("run_id LIKE 'run-%'", ["beet2", "beet1", "apple2", "apple1"]),
            ("source_path = 's3://b/one'", ["beet1", "apple1"]),
            ("source_path LIKE '%/three'", []),
            ("source_path ILIKE '%/three'", ["beet2"]),
            ("source_path != 's3://b/one'", ["apple3", "beet2", "apple2"]),
            ("version_number = 2", ["beet2", "apple2"]),
            ("version_number != 2", ["apple3", "beet1", "apple1"]),
            ("version_number > 2", ["apple3"]),
            ("version_number >= 2", ["apple3", "beet2", "apple2"]),
            ("version_number < 2", ["beet1", "apple1"]),
            ("version_number <= '1'", ["beet1", "apple1"]),
            ("tags.ok = 'yes'", ["beet2", "apple1"]),
            ("tag.ok != 'yes'", ["apple2"]),
            ("tags.ok ILIKE 'YES'", ["beet2", "apple1"]),
            ("tags.ok = 'yes' AND tags.by LIKE 'a%'", ["beet2"]),
            ("tags.ok = 'yes' and run_id = 'run-1'", ["apple1"]),
            ("tags.OK = 'yes'", []),
            ("tags.ok LIKE '%' AND tags.ok != 'yes'", ["apple2"]),
        ],
    )
    def test_filters(self, search, filter_string, expected):
        assert search(filter_string) == expected

    @pytest.mark.parametrize(
        ("filter_string", "text"),
        [
            ("name > 'x'", "Invalid comparator for attribute: >"),
            ("tags.ok > 'x'", "Invalid comparator for tag: >"),
            ("version_number LIKE '1'", "Invalid comparator for attribute version_number: LIKE"),
            ("version_number = 1.5", "Invalid value for numeric attribute 'version_number'"),
            ("version_number = 'x'", "Invalid value for numeric attribute 'version_number': 'x'"),
            ("bogus = 'x'", "Invalid attribute key 'bogus' specified. Valid keys are"),
            ("creation_timestamp > 1", "Invalid attribute key 'creation_timestamp' specified."),
            ("run_id IN ()", "While parsing a list in the query, expected a non-empty list of string values, but got empty list"),
            ("run_id IN (1)", "While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list"),
            ("run_id = word", "Parameter value is either not quoted or unidentified quote types used for string value word."),
            ("params.x = 'y'", "Invalid entity type 'params'. Valid entity types are ('attribute', 'tag', 'tags')"),
            ("name", "Invalid clause(s) in filter string: "),
        ],
    )  # fmt: skip
    def test_filter_refusals(self, api, filter_string, text):
        api.get("model-versions/search", filter=filter_string).invalid(text)

    @pytest.mark.parametrize(
        ("order_by", "expected"),
        [
            (["name"], ["apple3", "apple2", "apple1", "beet2", "beet1"]),
            (["name DESC"], ["beet2", "beet1", "apple3", "apple2", "apple1"]),
            (["version_number"], ["apple1", "beet1", "apple2", "beet2", "apple3"]),
            (["version_number DESC"], ["apple3", "apple2", "beet2", "apple1", "beet1"]),
            (["name ASC", "version_number ASC"], ["apple1", "apple2", "apple3", "beet1", "beet2"]),
            (["creation_timestamp"], ["apple1", "apple2", "beet1", "beet2", "apple3"]),
            (["last_updated_timestamp DESC"], ["apple3", "beet2", "beet1", "apple2", "apple1"]),
        ],
    )
    def test_order(self, search, order_by, expected):
        assert search(order_by=order_by) == expected

    def test_order_refusals(self, api):
        search = "model-versions/search"
        api.get(search, order_by="bogus").invalid("Invalid attribute key 'bogus' specified. Valid keys are")
        api.get(search, order_by=["name ASC", "run_id DESC"]).invalid("Invalid attribute key 'run_id' specified.")
        api.get(search, order_by="last_updated_timestamp DESC blah").invalid("Invalid order_by clause")
        api.get(search, order_by="name UP").invalid("Invalid ordering key in order_by clause 'name UP'.")
        api.get(search, order_by=["name", "name DESC"]).repeated_order()

    def test_version_numbers_sort_as_numbers(self, api, model, new_version):
        for _ in range(11):
            new_version(model)
        body = api.get("model-versions/search", filter=f"name = '{model}'", order_by="version_number").ok
        assert [int(found["version"]) for found in body["model_versions"]] == list(range(1, 12))
        body = api.get("model-versions/search", filter=f"name = '{model}' AND version_number > 9").ok
        assert {found["version"] for found in body["model_versions"]} == {"10", "11"}

    def test_updates_come_first(self, api, model, new_version):
        for _ in range(3):
            new_version(model)
            time.sleep(0.003)
        api.patch("model-versions/update", name=model, version="1", description="fresh").ok
        body = api.get("model-versions/search", filter=f"name = '{model}'").ok
        assert [found["version"] for found in body["model_versions"]] == ["1", "3", "2"]

    @pytest.mark.parametrize("size", [1, 2, 5, 6])
    def test_pages(self, api, garden, size):
        query = {"filter": f"name LIKE '{garden}%'", "order_by": "name", "max_results": size}
        seen, token = [], None
        while True:
            body = api.get("model-versions/search", **query, **({"page_token": token} if token else {})).ok
            seen += [found["name"].removeprefix(garden) + found["version"] for found in body["model_versions"]]
            token = body.get("next_page_token")
            if token is None:
                break
            assert token_content(token) == {"offset": len(seen)}
        assert seen == ["apple3", "apple2", "apple1", "beet2", "beet1"]

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"max_results": 0}, "Invalid value for max_results. It must be a positive integer, but got 0"),
            ({"max_results": -1}, "Invalid value for max_results. It must be a positive integer, but got -1"),
            ({"max_results": 200_001}, wrong_type("200001", "max_results", "str")),
            ({"max_results": "x"}, wrong_type("x", "max_results", "str")),
            ({"page_token": "zzz"}, "Invalid page token, could not base64-decode"),
        ],
    )
    def test_page_refusals(self, api, query, message):
        api.get("model-versions/search", **query).invalid(exactly=message)

    def test_nothing(self, api):
        assert api.get("model-versions/search", filter="name = 'nobody'").ok == {}
        assert api.post("model-versions/search", {}).status == 405

    def test_found_versions_are_whole(self, api, garden):
        query = f"name = '{garden}beet' AND version_number = 2"
        (found,) = api.get("model-versions/search", filter=query).ok["model_versions"]
        by_number = api.get("model-versions/get", name=garden + "beet", version="2").ok["model_version"]
        assert mapping(found.pop("tags")) == mapping(by_number.pop("tags")) == {"ok": "yes", "by": "ada"}
        assert found == by_number

    def test_client(self, client, garden):
        mine = f"name LIKE '{garden}%'"
        first = client.search_model_versions(mine, max_results=3, order_by=["name DESC", "version_number ASC"])
        rest = client.search_model_versions(mine, page_token=first.token, order_by=["name DESC", "version_number ASC"])
        names = [version.name.removeprefix(garden) + version.version for version in [*first, *rest]]
        assert names == ["beet1", "beet2", "apple1", "apple2", "apple3"]
        assert not rest.token
        assert [v.run_id for v in client.search_model_versions(f"{mine} AND run_id = 'run-3'")] == ["run-3"]

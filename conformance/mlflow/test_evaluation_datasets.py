"""Evaluation datasets: tags and records travel as JSON texts inside JSON strings."""

import base64
import json
import re

import mlflow
import pytest

from wire import missing, offset_token, wrong_type


@pytest.fixture
def new_dataset(v3, unique):
    def make(**fields):
        body = {"name": unique("evals"), **fields}
        if isinstance(body.get("tags"), dict):
            body["tags"] = json.dumps(body["tags"])
        return v3.post("datasets/create", body).ok["dataset"]

    return make


@pytest.fixture
def dataset(new_dataset, experiment):
    """The id of a fresh dataset of the fresh experiment."""
    return new_dataset(experiment_ids=[experiment])["dataset_id"]


@pytest.fixture
def put(v3, dataset):
    def upsert(*records):
        return v3.post(f"datasets/{dataset}/records", records=json.dumps(records))

    return upsert


@pytest.fixture
def records(v3, dataset):
    """Reads the records, by their inputs as JSON."""

    def read():
        found = json.loads(v3.get(f"datasets/{dataset}/records").ok["records"])
        return {json.dumps(record["inputs"], sort_keys=True): record for record in found}

    return read


def test_create_get_and_delete(v3, new_dataset, experiment):
    made = new_dataset(experiment_ids=[experiment], tags={"team": "a", "mlflow.user": "ann"})
    assert re.fullmatch("d-[0-9a-f]{32}", made["dataset_id"])
    assert re.fullmatch("[0-9a-f]{8}", made["digest"])
    assert made["experiment_ids"] == [experiment]
    assert json.loads(made["tags"]) == {"team": "a", "mlflow.user": "ann"}
    assert made["created_by"] == made["last_updated_by"] == "ann"
    assert made["created_time"] == made["last_update_time"]
    assert "schema" not in made and "profile" not in made
    read = v3.get(f"datasets/{made['dataset_id']}").ok["dataset"]
    assert read == {key: value for key, value in made.items() if key != "experiment_ids"}
    assert v3.delete(f"datasets/{made['dataset_id']}").ok == {}
    v3.get(f"datasets/{made['dataset_id']}").absent(exactly=f"Evaluation dataset with id '{made['dataset_id']}' not found")
    assert v3.delete(f"datasets/{made['dataset_id']}").ok == {}


def test_names_need_not_differ_and_tags_may_be_absent(new_dataset, unique):
    name = unique()
    one, two = new_dataset(name=name), new_dataset(name=name)
    assert one["dataset_id"] != two["dataset_id"]
    assert one["tags"] == "{}"
    assert "created_by" not in one


def test_create_wants_a_name_and_texts(v3):
    v3.post("datasets/create", {}).invalid(exactly=missing("name"))
    v3.post("datasets/create", {"name": "x", "tags": {"a": "b"}}).invalid(exactly=wrong_type({"a": "b"}, "tags", "dict"))


@pytest.mark.stele_only
def test_broken_json_is_told(v3, dataset):
    v3.post("datasets/create", {"name": "x", "tags": "no json"}).invalid("'tags' must be valid JSON")
    v3.post("datasets/create", {"name": "x", "tags": "[1]"}).invalid("'tags' must be a JSON object, got list.")
    for broken in ["no json", "5", "[5]", '[{"inputs": [1]}]']:
        v3.post(f"datasets/{dataset}/records", records=broken).invalid()
    v3.post("datasets/d-none/records", records='[{"inputs": {"a": 1}}]').absent()
    v3.get(f"datasets/{dataset}/records", page_token="garbage").invalid("Invalid page token")


def test_records_are_made_and_merged_by_their_inputs(put, records, v3, dataset):
    before = v3.get(f"datasets/{dataset}").ok["dataset"]
    assert put(
        {"inputs": {"q": "one", "n": 1}, "outputs": {"a": "x"}, "expectations": {"ok": True}, "tags": {"t": "1"}},
        {"inputs": {"n": 1, "q": "one"}, "expectations": {"score": 0.5}, "tags": {"mlflow.user": "ann"}},
        {"inputs": {"q": "two"}, "outputs": "plain"},
    ).ok == {"inserted_count": 2, "updated_count": 1}
    first, second = records()['{"n": 1, "q": "one"}'], records()['{"q": "two"}']
    assert re.fullmatch("dr-[0-9a-f]{32}", first["dataset_record_id"])
    assert first["dataset_id"] == dataset
    assert first["outputs"] == {"a": "x"}
    assert first["expectations"] == {"ok": True, "score": 0.5}
    assert first["tags"] == {"t": "1", "mlflow.user": "ann"}
    assert first["last_updated_by"] == "ann" and "created_by" not in first
    assert second["outputs"] == "plain" and second["tags"] == {} and "expectations" not in second
    after = v3.get(f"datasets/{dataset}").ok["dataset"]
    assert json.loads(after["profile"]) == {"num_records": 2}
    assert json.loads(after["schema"]) == {
        "inputs": {"q": "string", "n": "integer"},
        "outputs": {"a": "string"},
        "expectations": {"ok": "boolean", "score": "float"},
        "version": "1.0",
    }
    assert after["digest"] != before["digest"]
    assert after["last_update_time"] >= before["last_update_time"]


def test_a_merge_replaces_outputs_and_keeps_the_source(put, records):
    source = {"source_type": "trace", "source_data": {"trace_id": "tr-1", "x": 1}}
    put({"inputs": {"q": 1}, "outputs": {"a": 1, "b": 2}, "source": source, "tags": {"mlflow.user": "ann"}}).ok
    put({"inputs": {"q": 1}, "outputs": {"c": 3}, "source": {"source_type": "HUMAN"}, "tags": {"mlflow.user": "bob"}}).ok
    (record,) = records().values()
    assert record["outputs"] == {"c": 3}
    assert record["source"] == {"source_type": "TRACE", "source_data": {"trace_id": "tr-1", "x": 1}}
    assert (record["source_type"], record["source_id"]) == ("TRACE", "tr-1")
    assert (record["created_by"], record["last_updated_by"]) == ("ann", "bob")
    put({"inputs": {"q": 1}}).ok
    assert next(iter(records().values()))["outputs"] == {"c": 3}
    put({"inputs": {"q": 1}, "outputs": None}).ok
    assert "outputs" not in next(iter(records().values()))


def test_what_a_record_leaves_out(put, records):
    put({"outputs": 5}, {"inputs": {"q": 1}}, {"inputs": {"q": 2}, "source": {"source_type": "CODE"}}).ok
    found = records()
    assert found["{}"]["outputs"] == 5
    assert found['{"q": 1}']["outputs"] == {}
    assert found['{"q": 2}']["source"] == {"source_type": "CODE", "source_data": {}}
    assert "source_id" not in found['{"q": 2}']


def test_types_of_a_schema_are_the_first_seen(put, v3, dataset):
    put({"inputs": {"a": 1, "b": None, "c": [1], "d": {"x": 1}}, "outputs": ["x"]}).ok
    put({"inputs": {"a": "text", "e": 1.5}}).ok
    schema = json.loads(v3.get(f"datasets/{dataset}").ok["dataset"]["schema"])
    assert schema["inputs"] == {"a": "integer", "b": "null", "c": "array", "d": "object", "e": "float"}


def test_unknown_sources_are_refused(put, records):
    put({"inputs": {"q": 1}, "source": {"source_type": "BAD"}}).invalid(
        exactly="Invalid dataset record source type: BAD. "
        "Valid source types: ['UNSPECIFIED', 'TRACE', 'HUMAN', 'DOCUMENT', 'CODE']"
    )
    assert records() == {}


def test_records_must_be_given(v3, dataset):
    v3.post(f"datasets/{dataset}/records", {}).invalid(exactly=missing("records"))
    assert v3.post(f"datasets/{dataset}/records", records="[]").ok == {"inserted_count": 0, "updated_count": 0}


def test_pages_of_records(put, v3, dataset):
    put(*({"inputs": {"n": n}} for n in range(7))).ok
    seen, token, pages = [], None, 0
    while pages == 0 or token:
        query = {"max_results": 3, **({"page_token": token} if token else {})}
        page = v3.get(f"datasets/{dataset}/records", **query).ok
        rows = json.loads(page["records"])
        seen += [row["inputs"]["n"] for row in rows]
        token, pages = page.get("next_page_token"), pages + 1
        if token:
            time, _, last = base64.b64decode(token).decode().partition(":")
            assert (int(time), last) == (rows[-1]["created_time"], rows[-1]["dataset_record_id"])
    assert (sorted(seen), pages) == (list(range(7)), 3)


def test_deleted_records_are_counted(put, records, v3, dataset):
    put(*({"inputs": {"n": n}} for n in range(3))).ok
    ids = [record["dataset_record_id"] for record in records().values()]
    answer = v3.delete(f"datasets/{dataset}/records", dataset_record_ids=[*ids[:2], "dr-none"]).ok
    assert answer == {"deleted_count": 2}
    assert json.loads(v3.get(f"datasets/{dataset}").ok["dataset"]["profile"]) == {"num_records": 1}
    assert v3.delete(f"datasets/{dataset}/records", dataset_record_ids=ids).ok == {"deleted_count": 1}
    assert v3.get(f"datasets/{dataset}").ok["dataset"]["profile"] == "null"
    assert records() == {}
    assert v3.delete("datasets/d-none/records", dataset_record_ids=ids).ok == {"deleted_count": 0}


def test_records_of_a_dataset_that_is_not_there(v3):
    assert v3.get("datasets/d-none/records").ok == {"records": "[]"}


def test_not_a_number_is_taken(v3, dataset):
    answer = v3.post(f"datasets/{dataset}/records", records='[{"inputs": {"q": 1}, "outputs": {"x": NaN}}]').ok
    assert answer == {"inserted_count": 1, "updated_count": 0}


def test_tags_are_merged_and_deleted(v3, new_dataset):
    made = new_dataset(tags={"a": "1", "n": 5})["dataset_id"]
    v3.patch(f"datasets/{made}/tags", tags=json.dumps({"a": "2", "b": True, "c": None, "d": {"k": 1}})).ok
    read = lambda: json.loads(v3.get(f"datasets/{made}").ok["dataset"]["tags"])
    assert read() == {"a": "2", "b": "True", "d": "{'k': 1}", "n": "5"}
    for key in ["a", "a", "none"]:
        assert v3.delete(f"datasets/{made}/tags/{key}").ok == {}
    assert read() == {"b": "True", "d": "{'k': 1}", "n": "5"}
    v3.patch(f"datasets/{made}/tags", {}).invalid(exactly=missing("tags"))
    v3.patch("datasets/d-none/tags", tags="{}").absent(exactly="Could not find evaluation dataset with ID d-none")
    assert v3.delete("datasets/d-none/tags/a").ok == {}


def test_experiments_come_and_go(v3, dataset, experiment, new_experiment):
    other = new_experiment()
    for _ in range(2):
        answer = v3.post(f"datasets/{dataset}/add-experiments", experiment_ids=[other]).ok["dataset"]
        assert answer["dataset_id"] == dataset and "experiment_ids" not in answer
    assert v3.get(f"datasets/{dataset}/experiment-ids").ok == {"experiment_ids": [experiment, other]}
    v3.post(f"datasets/{dataset}/remove-experiments", experiment_ids=[experiment, "999999"]).ok
    assert v3.get(f"datasets/{dataset}/experiment-ids").ok == {"experiment_ids": [other]}
    v3.post(f"datasets/{dataset}/add-experiments", experiment_ids=[other, "999999"]).absent(
        exactly="No Experiment with id=999999"
    )
    for verb in ["add", "remove"]:
        v3.post(f"datasets/d-none/{verb}-experiments", experiment_ids=[other]).absent(exactly="Dataset 'd-none' not found")
    assert v3.get("datasets/d-none/experiment-ids").ok == {}


@pytest.fixture
def found(v3, new_dataset, experiment):
    """Three datasets of the experiment; gives a search that answers with their letters."""
    ids = {}
    for letter, user in [("a", "ann"), ("b", "bob"), ("c", None)]:
        tags = {"kind": letter.upper(), **({"mlflow.user": user} if user else {})}
        ids[new_dataset(name=f"set-{letter}-{experiment}", experiment_ids=[experiment], tags=tags)["dataset_id"]] = letter

    def search(**fields):
        page = v3.post("datasets/search", {"experiment_ids": [experiment], **fields}).ok
        return "".join(ids[dataset["dataset_id"]] for dataset in page.get("datasets", []))

    return search


@pytest.mark.parametrize(
    ("filter_string", "letters"),
    [
        ("name LIKE 'set-b%'", "b"),
        ("name ILIKE 'SET-C%'", "c"),
        ("name LIKE 'SET-C%'", ""),
        ("created_by = 'ann'", "a"),
        ("created_by != 'ann'", "b"),
        ("last_updated_by = 'bob'", "b"),
        ("tags.kind = 'B'", "b"),
        ("tags.kind != 'B'", "ac"),
        ("tags.kind LIKE '%C' AND name LIKE 'set-%'", "c"),
        ("created_time > 0 AND last_update_time > 0", "abc"),
        ("created_time < 5", ""),
    ],
)
def test_filters(found, filter_string, letters):
    assert "".join(sorted(found(filter_string=filter_string))) == letters


def test_names_in_a_list(found, experiment):
    assert sorted(found(filter_string=f"name IN ('set-a-{experiment}', 'set-c-{experiment}', 'x')")) == ["a", "c"]


def test_order_and_pages(found, v3, experiment):
    assert found(order_by=["name ASC"]) == "abc"
    assert found(order_by=["name DESC", "created_time"]) == "cba"
    page = v3.post("datasets/search", experiment_ids=[experiment], order_by=["name"], max_results=2).ok
    assert len(page["datasets"]) == 2 and page["next_page_token"] == offset_token(2)
    assert found(order_by=["name"], page_token=page["next_page_token"]) == "c"
    by_query = v3.get("datasets/search", experiment_ids=[experiment], max_results=1).ok
    assert len(by_query["datasets"]) == 1


def test_datasets_of_no_such_experiment(v3):
    assert v3.post("datasets/search", experiment_ids=["999999"]).ok == {}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"max_results": 0}, "Invalid value None for parameter 'max_results' supplied. It must be a positive integer"),
        ({"max_results": -1}, "Invalid value -1 for parameter 'max_results' supplied. It must be a positive integer"),
        ({"max_results": 50001}, "Invalid value 50001 for parameter 'max_results' supplied. It must be at most 50000"),
        ({"filter_string": "foo = 'a'"}, "Invalid attribute key 'foo' specified. Valid keys are: {"),
        ({"filter_string": "attribute.name = 'a'"}, "Invalid identifier token 'attribute' specified"),
        ({"filter_string": "created_time > 'a'"}, "Expected numeric value type for numeric attribute: created_time. Found 'a'"),
        ({"filter_string": "created_time > 1.5"}, "Invalid value for numeric attribute 'created_time': '1.5'"),
        ({"filter_string": "created_by IN ('x')"}, "Only ['name'] attributes support comparison with a list"),
        ({"filter_string": "name NOT IN ('x')"}, "List values for 'name' are only supported with the IN comparator."),
        ({"filter_string": "tags.a > 'x'"}, "Invalid comparator for tag: >"),
        ({"filter_string": "name = 5"}, "Expected a quoted string value for attributes. Got value 5"),
        ({"order_by": ["created_by"]}, "Invalid attribute key 'created_by' specified. Valid keys are: {"),
        ({"order_by": ["tags.a"]}, "Invalid order_by entity: tag"),
        ({"page_token": "zz"}, "Invalid page token, could not base64-decode"),
    ],
)
def test_searches_that_are_refused(v3, fields, text):
    v3.post("datasets/search", fields).invalid(text)


@pytest.mark.client("3.4")
def test_the_client_makes_fills_and_finds_datasets(client, experiment, unique):
    from mlflow.genai import datasets

    name = unique("evals")
    made = datasets.create_dataset(name=name, experiment_id=experiment, tags={"k": "v"})
    made.merge_records(
        [
            {"inputs": {"question": "what?"}, "expectations": {"answer": "that"}},
            {"inputs": {"question": "who?"}, "expectations": {"answer": "she"}},
        ]
    )
    read = datasets.get_dataset(dataset_id=made.dataset_id)
    frame = read.to_df()
    assert sorted(row["question"] for row in frame["inputs"]) == ["what?", "who?"]
    assert read.tags["k"] == "v" and read.experiment_ids == [experiment]
    (by_search,) = datasets.search_datasets(experiment_ids=[experiment], filter_string=f"name = '{name}'")
    assert by_search.dataset_id == made.dataset_id
    datasets.set_dataset_tags(dataset_id=made.dataset_id, tags={"k": "w"})
    assert datasets.get_dataset(dataset_id=made.dataset_id).tags["k"] == "w"
    datasets.delete_dataset_tag(dataset_id=made.dataset_id, key="k")
    assert "k" not in datasets.get_dataset(dataset_id=made.dataset_id).tags
    datasets.delete_dataset(dataset_id=made.dataset_id)
    with pytest.raises(mlflow.MlflowException, match="not found"):
        datasets.get_dataset(dataset_id=made.dataset_id)

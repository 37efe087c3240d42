"""Registered models: create, read, update, rename, delete and their tags."""

import time

import pytest
from mlflow.exceptions import MlflowException

from wire import mapping, missing, pairs, scrub, wrong_type

PATH_TEXT = "Names may be treated as files in certain cases, and must not resolve to other names when treated as such."


@pytest.fixture
def read(api):
    return lambda name: api.get("registered-models/get", name=name).ok["registered_model"]


def test_smallest_shape(api, unique, read):
    name = unique()
    created = api.post("registered-models/create", name=name).ok
    assert scrub(created, name=name) == {
        "registered_model": {"name": "<name>", "creation_timestamp": "<time>", "last_updated_timestamp": "<time>"}
    }
    model = created["registered_model"]
    assert model["creation_timestamp"] == model["last_updated_timestamp"]
    assert abs(model["creation_timestamp"] - time.time() * 1000) < 60_000
    assert read(name) == model


def test_full_shape(api, unique, read, new_version):
    name = unique()
    created = api.post("registered-models/create", name=name, description="why", tags=pairs({"a": "1", "b": ""})).ok
    assert created["registered_model"]["description"] == "why"
    assert mapping(created["registered_model"]["tags"]) == {"a": "1", "b": ""}
    new_version(name)
    api.post("registered-models/alias", name=name, alias="best", version="1").ok
    model = read(name)
    model["tags"].sort(key=str)
    assert scrub(model, name=name) == {
        "name": "<name>",
        "creation_timestamp": "<time>",
        "last_updated_timestamp": "<time>",
        "description": "why",
        "latest_versions": [
            {
                "name": "<name>",
                "version": "1",
                "creation_timestamp": "<time>",
                "last_updated_timestamp": "<time>",
                "current_stage": "None",
                "description": "",
                "source": "s3://bucket/model",
                "run_id": "",
                "status": "READY",
                "run_link": "",
            }
        ],
        "tags": pairs({"a": "1", "b": ""}),
        "aliases": [{"alias": "best", "version": "1"}],
    }


def test_last_of_equal_tags_wins_and_absent_value_is_empty(api, unique, read):
    name = unique()
    api.post("registered-models/create", name=name, tags=[*pairs({"a": "1"}), *pairs({"a": "2"}), {"key": "b"}]).ok
    assert mapping(read(name)["tags"]) == {"a": "2", "b": ""}


def test_empty_description_is_not_shown(api, unique, read):
    name = unique()
    api.post("registered-models/create", name=name, description="").ok
    assert "description" not in read(name)


@pytest.mark.parametrize(
    "name", ["with space", "dots.and-dashes_", "ünïcødé", 'quote\'d "name"', "percent%20", "hash#", "a\\b"]
)
def test_good_names(api, unique, read, name):
    name = unique(name)
    api.post("registered-models/create", name=name).ok
    assert read(name)["name"] == name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, missing("name")),
        ({"name": ""}, missing("name")),
        ({"name": None}, missing("name")),
        ({"name": "  "}, "Missing value for required parameter 'name'."),
        ({"name": 5}, wrong_type(5, "name", "int")),
        ({"name": {"b": 1, "a": [1, 2]}}, wrong_type({"b": 1, "a": [1, 2]}, "name", "dict")),
        ({"name": True}, wrong_type(True, "name", "bool")),
        ({"name": "x", "tags": "t"}, wrong_type("t", "tags", "str")),
        ({"name": "x", "description": 5}, wrong_type(5, "description", "int")),
        ({"name": "a/b"}, "Invalid model name 'a/b'. Names cannot contain '/' or ':'."),
        ({"name": "a:b"}, "Invalid model name 'a:b'. Names cannot contain '/' or ':'."),
        (
            {"name": ".."},
            f"Invalid value \"..\" for parameter 'name' supplied: {PATH_TEXT} This name would resolve to '..'",
        ),
        (
            {"name": "."},
            f"Invalid value \".\" for parameter 'name' supplied: {PATH_TEXT} This name would resolve to '.'",
        ),
        ({"name": "x", "tags": pairs({"k" * 251: "v"})}, "'key' exceeds the maximum length of 250 characters"),
        ({"name": "x", "tags": pairs({"k": "v" * 100_001})}, "'value' exceeds the maximum length of 100000 characters"),
    ],
)
def test_create_refusals(api, body, message):
    api.post("registered-models/create", body).invalid(exactly=message)


def test_bad_tag_names_refuse_the_create(api, unique):
    name = unique()
    api.post("registered-models/create", name=name, tags=pairs({"a(b)": "v"})).invalid(
        "Names may only contain alphanumerics"
    )
    api.post("registered-models/create", name=name, tags=pairs({"": "v"})).invalid("for parameter 'key' supplied")
    api.get("registered-models/get", name=name).absent()


def test_names_are_unique(api, client, model):
    text = f"Registered Model (name={model}) already exists."
    api.post("registered-models/create", name=model).refused("RESOURCE_ALREADY_EXISTS", exactly=text)
    with pytest.raises(MlflowException, match="already exists") as caught:
        client.create_registered_model(model)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_names_differ_by_case(new_model, read):
    name = new_model()
    assert read(new_model(name=name.upper()))["name"] == name.upper()


def test_reading_refusals(api):
    api.get("registered-models/get").invalid(exactly=missing("name"))
    api.get("registered-models/get", name="nobody").absent(exactly="Registered Model with name=nobody not found")


def test_update(api, model, read):
    before = read(model)
    time.sleep(0.003)
    answer = api.patch("registered-models/update", name=model, description="new").ok["registered_model"]
    assert answer["description"] == "new"
    assert answer["last_updated_timestamp"] > before["last_updated_timestamp"]
    assert answer["creation_timestamp"] == before["creation_timestamp"]
    assert read(model) == answer


@pytest.mark.parametrize("fields", [{}, {"description": ""}])
def test_update_without_text_clears_it(api, new_model, read, fields):
    name = new_model(description="old")
    assert "description" not in api.patch("registered-models/update", name=name, **fields).ok["registered_model"]
    assert "description" not in read(name)


def test_update_refusals(api, model):
    api.patch("registered-models/update", description="x").invalid(exactly=missing("name"))
    api.patch("registered-models/update", name=model, description=5).invalid(
        exactly=wrong_type(5, "description", "int")
    )
    api.patch("registered-models/update", name="nobody", description="x").absent(
        exactly="Registered Model with name=nobody not found"
    )
    assert api.post("registered-models/update", name=model).status == 405


def test_rename_moves_everything(api, new_model, new_version, unique, read):
    old, new = new_model(description="why", tags=pairs({"a": "1"})), unique("renamed")
    new_version(old, tags=pairs({"v": "1"}))
    new_version(old)
    api.post("registered-models/alias", name=old, alias="best", version="1").ok
    before = read(old)
    time.sleep(0.003)
    answer = api.post("registered-models/rename", name=old, new_name=new).ok["registered_model"]
    assert answer["name"] == new
    assert answer["last_updated_timestamp"] > before["last_updated_timestamp"]
    after = read(new)
    assert after["creation_timestamp"] == before["creation_timestamp"]
    assert (after["description"], after["tags"], after["aliases"]) == ("why", pairs({"a": "1"}), before["aliases"])
    assert after["latest_versions"][0]["name"] == new
    version = api.get("model-versions/get", name=new, version="1").ok["model_version"]
    assert (version["name"], version["tags"], version["aliases"]) == (new, pairs({"v": "1"}), ["best"])
    assert version["last_updated_timestamp"] == after["last_updated_timestamp"]
    api.get("registered-models/get", name=old).absent(exactly=f"Registered Model with name={old} not found")
    api.get("model-versions/get", name=old, version="1").absent()
    assert new_version(new) == "3"
    api.post("registered-models/create", name=old).ok
    assert new_version(old) == "1"


def test_rename_refusals(api, model, new_model):
    taken = new_model()
    rename = "registered-models/rename"
    api.post(rename, name=model, new_name=taken).refused(
        "RESOURCE_ALREADY_EXISTS", f"Registered Model (name={taken}) already exists."
    )
    api.post(rename, name=model).invalid(exactly=missing("new_name"))
    api.post(rename, name=model, new_name="").invalid(exactly=missing("new_name"))
    api.post(rename, name=model, new_name=" ").invalid(exactly="Missing value for required parameter 'new_name'.")
    api.post(rename, name=model, new_name="a/b").invalid(
        exactly="Invalid model name 'a/b'. Names cannot contain '/' or ':'."
    )
    api.post(rename, new_name="x").invalid(exactly=missing("name"))
    api.post(rename, name="nobody", new_name="x").absent(exactly="Registered Model with name=nobody not found")
    api.get("registered-models/get", name=model).ok


def test_delete(api, model, new_version, read):
    new_version(model, tags=pairs({"v": "1"}))
    api.post("registered-models/alias", name=model, alias="best", version="1").ok
    assert api.delete("registered-models/delete", name=model).ok == {}
    api.get("registered-models/get", name=model).absent()
    api.get("model-versions/get", name=model, version="1").absent(
        exactly=f"Model Version (name={model}, version=1) not found"
    )
    api.delete("registered-models/delete", name=model).absent(exactly=f"Registered Model with name={model} not found")
    assert api.get("model-versions/search", filter=f"name = '{model}'").ok == {}
    api.post("registered-models/create", name=model).ok
    assert "latest_versions" not in read(model)
    assert "aliases" not in read(model)
    assert new_version(model) == "1"


def test_delete_reads_the_body_not_the_query(api, model):
    api.raw("DELETE", "registered-models/delete", params={"name": model}).invalid(exactly=missing("name"))
    api.delete("registered-models/delete", name=5).invalid(exactly=wrong_type(5, "name", "int"))
    api.get("registered-models/get", name=model).ok


def test_tags(api, client, model, read):
    before = read(model)
    client.set_registered_model_tag(model, "a", "1")
    client.set_registered_model_tag(model, "number", 12345)
    client.set_registered_model_tag(model, "a", "2")
    client.set_registered_model_tag(model, "empty", "")
    api.post("registered-models/set-tag", name=model, key="none").ok
    after = read(model)
    assert mapping(after["tags"]) == {"a": "2", "number": "12345", "empty": "", "none": ""}
    assert after["last_updated_timestamp"] == before["last_updated_timestamp"]
    assert api.delete("registered-models/delete-tag", name=model, key="a").ok == {}
    assert api.delete("registered-models/delete-tag", name=model, key="a").ok == {}
    assert "a" not in mapping(read(model)["tags"])


def test_tag_refusals(api, model):
    set_tag = "registered-models/set-tag"
    api.post(set_tag, name=model, key="k" * 250, value="v" * 100_000).ok
    api.post(set_tag, name=model, key="k" * 251, value="v").invalid(
        exactly="'key' exceeds the maximum length of 250 characters"
    )
    api.post(set_tag, name=model, key="k", value="v" * 100_001).invalid(
        exactly="'value' exceeds the maximum length of 100000 characters"
    )
    api.post(set_tag, name=model, key="a//b", value="v").invalid("This name would resolve to 'a/b'")
    api.post(set_tag, name=model, value="v").invalid(exactly=missing("key"))
    api.post(set_tag, key="k", value="v").invalid(exactly=missing("name"))
    api.post(set_tag, name=model, key="k", value=5).invalid(exactly=wrong_type(5, "value", "int"))
    absent = "Registered Model with name=nobody not found"
    api.post(set_tag, name="nobody", key="k", value="v").absent(exactly=absent)
    api.delete("registered-models/delete-tag", name="nobody", key="k").absent(exactly=absent)
    api.delete("registered-models/delete-tag", name=model).invalid(exactly=missing("key"))


def test_client(client, unique):
    name, other = unique(), unique()
    created = client.create_registered_model(name, {"a": "1", "number": 5}, "text")
    assert (created.name, created.tags, created.description) == (name, {"a": "1", "number": "5"}, "text")
    found = client.get_registered_model(name)
    assert (found.tags, found.latest_versions, found.aliases) == ({"a": "1", "number": "5"}, [], {})
    assert client.update_registered_model(name, "changed").description == "changed"
    client.rename_registered_model(name, other)
    assert client.get_registered_model(other).description == "changed"
    with pytest.raises(MlflowException, match=f"Registered Model with name={name} not found"):
        client.get_registered_model(name)
    client.delete_registered_model_tag(other, "a")
    assert client.get_registered_model(other).tags == {"number": "5"}
    client.delete_registered_model(other)
    with pytest.raises(MlflowException, match="not found"):
        client.delete_registered_model(other)

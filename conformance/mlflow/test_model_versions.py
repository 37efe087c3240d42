"""Model versions: create, read, update, delete, tags, download address."""

import time

import pytest
from mlflow.exceptions import MlflowException

from wire import mapping, missing, pairs, scrub, wrong_type


@pytest.fixture
def read(api):
    def get(name, version):
        return api.get("model-versions/get", name=name, version=version).ok["model_version"]

    return get


@pytest.fixture
def model_time(api):
    return lambda name: api.get("registered-models/get", name=name).ok["registered_model"]["last_updated_timestamp"]


def test_smallest_shape(api, model, read):
    created = api.post("model-versions/create", name=model, source="s3://bucket/model").ok
    assert scrub(created, name=model) == {
        "model_version": {
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
    }
    assert read(model, "1") == created["model_version"]


def test_full_shape(api, model, read):
    created = api.post(
        "model-versions/create",
        name=model,
        source="s3://bucket/model",
        run_id="some-run",
        run_link="https://example.org/run",
        description="why",
        tags=pairs({"a": "1"}),
    ).ok["model_version"]
    assert created["run_id"] == "some-run"
    assert created["run_link"] == "https://example.org/run"
    assert created["description"] == "why"
    assert created["tags"] == pairs({"a": "1"})
    api.post("registered-models/alias", name=model, alias="best", version="1").ok
    assert read(model, "1") == {**created, "aliases": ["best"]}


def test_last_of_equal_tags_wins(api, model, read):
    api.post(
        "model-versions/create",
        name=model,
        source="s3://b/m",
        tags=[*pairs({"a": "1"}), *pairs({"a": "2"}), {"key": "b"}],
    ).ok
    assert mapping(read(model, "1")["tags"]) == {"a": "2", "b": ""}


def test_numbers_grow_per_model(new_model, new_version):
    first, second = new_model(), new_model()
    assert [new_version(first), new_version(first), new_version(second), new_version(first)] == ["1", "2", "1", "3"]


def test_deleted_numbers_are_never_reused(api, model, new_version):
    for _ in range(3):
        new_version(model)
    api.delete("model-versions/delete", name=model, version="2").ok
    api.delete("model-versions/delete", name=model, version="3").ok
    assert new_version(model) == "4"
    for version in ("1", "4"):
        api.delete("model-versions/delete", name=model, version=version).ok
    assert new_version(model) == "5"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": None}, missing("name")),
        ({"name": 5}, wrong_type(5, "name", "int")),
        ({"source": None}, missing("source")),
        ({"source": ""}, missing("source")),
        ({"run_id": 5}, wrong_type(5, "run_id", "int")),
        ({"description": 5}, wrong_type(5, "description", "int")),
        ({"run_link": []}, wrong_type([], "run_link", "list")),
        ({"tags": "t"}, wrong_type("t", "tags", "str")),
        ({"tags": pairs({"k" * 251: "v"})}, "'key' exceeds the maximum length of 250 characters"),
        ({"tags": pairs({"k": "v" * 100_001})}, "'value' exceeds the maximum length of 100000 characters"),
    ],
)
def test_create_refusals(api, model, fields, message):
    api.post("model-versions/create", {"name": model, "source": "s3://b/m", **fields}).invalid(exactly=message)
    assert api.get("model-versions/search", filter=f"name = '{model}'").ok == {}


def test_create_for_an_unknown_model(api):
    api.post("model-versions/create", name="nobody", source="s3://b/m").absent(
        exactly="Registered Model with name=nobody not found"
    )


def test_reading_refusals(api, model, new_version):
    new_version(model)
    get = "model-versions/get"
    api.get(get, name=model, version="99").absent(exactly=f"Model Version (name={model}, version=99) not found")
    api.get(get, name="nobody", version="1").absent(exactly="Model Version (name=nobody, version=1) not found")
    api.get(get, name=model, version="abc").invalid(exactly="Parameter 'version' must be an integer, got 'abc'.")
    api.get(get, name=model).invalid(exactly=missing("version"))
    api.get(get, version="1").invalid(exactly=missing("name"))


def test_update(api, model, new_version, read, model_time):
    new_version(model)
    before, model_before = read(model, "1"), model_time(model)
    time.sleep(0.003)
    answer = api.patch("model-versions/update", name=model, version="1", description="new").ok["model_version"]
    assert answer["description"] == "new"
    assert answer["last_updated_timestamp"] > before["last_updated_timestamp"]
    assert answer["creation_timestamp"] == before["creation_timestamp"]
    assert read(model, "1") == answer
    assert model_time(model) == model_before


def test_update_with_empty_text_clears(api, model, new_version, read):
    new_version(model, description="old")
    api.patch("model-versions/update", name=model, version="1", description="").ok
    assert read(model, "1").get("description", "") == ""


def test_update_without_text_clears_too(api, model, new_version, read):
    new_version(model, description="old")
    api.patch("model-versions/update", name=model, version="1").ok
    assert read(model, "1").get("description", "") == ""


def test_update_refusals(api, model):
    update = "model-versions/update"
    api.patch(update, name=model, version="77", description="x").absent(
        exactly=f"Model Version (name={model}, version=77) not found"
    )
    api.patch(update, name=model, version=1, description="x").invalid(exactly=wrong_type(1, "version", "int"))
    api.patch(update, name=model, version="x", description="x").invalid(
        exactly="Parameter 'version' must be an integer, got 'x'."
    )
    api.patch(update, version="1").invalid(exactly=missing("name"))
    api.patch(update, name=model).invalid(exactly=missing("version"))
    assert api.post(update, name=model, version="1").status == 405


def test_what_moves_the_models_update_time(api, model, new_version, model_time):
    def moved(action):
        before = model_time(model)
        time.sleep(0.003)
        action()
        return model_time(model) > before

    assert moved(lambda: new_version(model))
    version = {"name": model, "version": "1"}
    assert not moved(lambda: api.post("model-versions/set-tag", version, key="k", value="v").ok)
    assert not moved(lambda: api.delete("model-versions/delete-tag", version, key="k").ok)
    assert not moved(lambda: api.post("registered-models/alias", version, alias="best").ok)
    assert not moved(lambda: api.delete("registered-models/alias", name=model, alias="best").ok)
    assert moved(lambda: api.post("model-versions/transition-stage", version, stage="Staging").ok)
    assert moved(lambda: api.delete("model-versions/delete", version).ok)


def test_delete(api, model, new_version):
    new_version(model, tags=pairs({"a": "1"}))
    new_version(model)
    version = {"name": model, "version": "1"}
    assert api.delete("model-versions/delete", version).ok == {}
    text = f"Model Version (name={model}, version=1) not found"
    api.delete("model-versions/delete", version).absent(exactly=text)
    api.get("model-versions/get", **version).absent(exactly=text)
    api.get("model-versions/get-download-uri", **version).absent(exactly=text)
    api.patch("model-versions/update", version, description="x").absent(exactly=text)
    api.post("model-versions/transition-stage", version, stage="Staging").absent(exactly=text)
    api.post("model-versions/set-tag", version, key="k", value="v").absent(exactly=text)
    api.delete("model-versions/delete-tag", version, key="a").absent(exactly=text)
    api.post("registered-models/alias", version, alias="best").absent(exactly=text)
    found = api.get("model-versions/search", filter=f"name = '{model}'").ok["model_versions"]
    assert [each["version"] for each in found] == ["2"]
    latest = api.get("registered-models/get", name=model).ok["registered_model"]["latest_versions"]
    assert [each["version"] for each in latest] == ["2"]


def test_delete_refusals(api, model):
    api.delete("model-versions/delete", name=model, version="x").invalid(
        exactly="Parameter 'version' must be an integer, got 'x'."
    )
    api.delete("model-versions/delete", name=model).invalid(exactly=missing("version"))
    api.raw("DELETE", "model-versions/delete", params={"name": model, "version": "1"}).invalid(exactly=missing("name"))


def test_tags(api, client, model, new_version, read):
    new_version(model)
    new_version(model)
    client.set_model_version_tag(model, "1", "a", "1")
    client.set_model_version_tag(model, "1", "number", 12345)
    client.set_model_version_tag(model, "1", "a", "2")
    client.set_model_version_tag(model, "1", "empty", "")
    api.post("model-versions/set-tag", name=model, version="1", key="none").ok
    assert mapping(read(model, "1")["tags"]) == {"a": "2", "number": "12345", "empty": "", "none": ""}
    assert "tags" not in read(model, "2")
    for _ in range(2):
        assert api.delete("model-versions/delete-tag", name=model, version="1", key="a").ok == {}
    assert "a" not in mapping(read(model, "1")["tags"])


def test_tag_refusals(api, model, new_version):
    new_version(model)
    set_tag, version = "model-versions/set-tag", {"name": model, "version": "1"}
    api.post(set_tag, version, key="k" * 250, value="v" * 100_000).ok
    api.post(set_tag, version, key="k" * 251, value="v").invalid(
        exactly="'key' exceeds the maximum length of 250 characters"
    )
    api.post(set_tag, version, key="k", value="v" * 100_001).invalid(
        exactly="'value' exceeds the maximum length of 100000 characters"
    )
    api.post(set_tag, version, key="a(b)", value="v").invalid("Names may only contain alphanumerics")
    api.post(set_tag, version, value="v").invalid(exactly=missing("key"))
    api.post(set_tag, name=model, key="k", value="v").invalid(exactly=missing("version"))
    api.post(set_tag, version, key="k", value=5).invalid(exactly=wrong_type(5, "value", "int"))
    text = f"Model Version (name={model}, version=99) not found"
    api.post(set_tag, name=model, version="99", key="k", value="v").absent(exactly=text)
    api.delete("model-versions/delete-tag", name=model, version="99", key="k").absent(exactly=text)
    api.delete("model-versions/delete-tag", version).invalid(exactly=missing("key"))


def test_download_address(api, client, model, new_version):
    new_version(model, source="s3://bucket/some/model")
    assert api.get("model-versions/get-download-uri", name=model, version="1").ok == {
        "artifact_uri": "s3://bucket/some/model"
    }
    assert client.get_model_version_download_uri(model, "1") == "s3://bucket/some/model"
    api.get("model-versions/get-download-uri", name=model, version="9").absent()
    api.get("model-versions/get-download-uri").invalid("Missing value for required parameter 'name'.")


def test_client(client, model):
    created = client.create_model_version(model, "s3://bucket/m", "run-1", {"a": "1", "n": "5"}, description="text")
    assert (created.version, created.status, created.run_id) == ("1", "READY", "run-1")
    assert created.tags == {"a": "1", "n": "5"}
    found = client.get_model_version(model, 1)
    assert found == created
    assert found.current_stage == "None"
    assert client.update_model_version(model, 1, "changed").description == "changed"
    client.delete_model_version_tag(model, "1", "a")
    assert client.get_model_version(model, "1").tags == {"n": "5"}
    client.delete_model_version(model, 1)
    with pytest.raises(MlflowException, match="Model Version .+ not found") as caught:
        client.get_model_version(model, 1)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"

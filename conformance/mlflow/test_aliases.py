"""Aliases: names that point at one version of a model."""

import pytest
from mlflow.exceptions import MlflowException

from wire import missing, own_aliases, wrong_type

PATH = "registered-models/alias"


@pytest.fixture
def versions(model, new_version):
    """A model with two versions: its name."""
    for _ in range(2):
        new_version(model)
    return model


@pytest.fixture
def point(api, versions):
    return lambda alias, version="1": api.post(PATH, name=versions, alias=alias, version=version)


@pytest.fixture
def resolve(api, versions):
    return lambda alias: api.get(PATH, name=versions, alias=alias)


def aliases_of_version(api, name, version):
    return sorted(api.get("model-versions/get", name=name, version=version).ok["model_version"].get("aliases", []))


def test_set_move_and_delete(api, versions, point, resolve):
    assert point("best", "1").ok == {}
    assert resolve("best").ok["model_version"]["version"] == "1"
    assert point("best", "2").ok == {}
    assert resolve("best").ok["model_version"]["version"] == "2"
    assert aliases_of_version(api, versions, "1") == []
    assert aliases_of_version(api, versions, "2") == ["best"]
    assert api.delete(PATH, name=versions, alias="best").ok == {}
    resolve("best").invalid(exactly="Registered model alias best not found.")
    assert aliases_of_version(api, versions, "2") == []
    assert api.delete(PATH, name=versions, alias="best").ok == {}


def test_shapes(api, versions, point, resolve):
    for alias, version in (("one", "1"), ("uno", "1"), ("two", "2")):
        point(alias, version).ok
    model = api.get("registered-models/get", name=versions).ok["registered_model"]
    assert sorted(model["aliases"], key=str) == [
        {"alias": "one", "version": "1"},
        {"alias": "two", "version": "2"},
        {"alias": "uno", "version": "1"},
    ]
    assert aliases_of_version(api, versions, "1") == ["one", "uno"]
    by_alias = resolve("two").ok
    assert by_alias == api.get("model-versions/get", name=versions, version="2").ok


def test_searches_show_aliases_on_the_model_only(api, versions, point):
    point("best", "2").ok
    (model,) = api.get("registered-models/search", filter=f"name = '{versions}'").ok["registered_models"]
    assert model["aliases"] == [{"alias": "best", "version": "2"}]
    assert "aliases" not in model["latest_versions"][0]
    found = api.get("model-versions/search", filter=f"name = '{versions}'").ok["model_versions"]
    assert all("aliases" not in version for version in found)


def test_other_answers_carry_aliases(api, versions, point):
    point("best", "1").ok
    version = {"name": versions, "version": "1"}
    assert api.patch("model-versions/update", version, description="x").ok["model_version"]["aliases"] == ["best"]
    moved = api.post("model-versions/transition-stage", version, stage="Staging").ok["model_version"]
    assert own_aliases(moved) == ["best"]


@pytest.mark.parametrize(
    "alias", ["a", "A", "with-dash_and_1", "v", "v1x", "vv1", "1", "latest1", "ünïcode", "a" * 255]
)
def test_good_names(point, resolve, alias):
    point(alias).ok
    assert resolve(alias).ok["model_version"]["version"] == "1"


def test_names_differ_by_case(point, resolve):
    point("best", "1").ok
    point("Best", "2").ok
    assert [resolve(alias).ok["model_version"]["version"] for alias in ("best", "Best")] == ["1", "2"]


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        ("", missing("alias")),
        ("latest", "'latest' alias name (case insensitive) is reserved."),
        ("LaTeSt", "'latest' alias name (case insensitive) is reserved."),
        ("v1", "Version alias name 'v1' is reserved."),
        ("V123", "Version alias name 'V123' is reserved."),
        ("a b", "Invalid alias name: 'a b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."),
        ("a.b", "Invalid alias name: 'a.b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."),
        ("a/b", "Invalid alias name: 'a/b'. Names may only contain alphanumerics, underscores (_), and dashes (-)."),
        ("a" * 256, "'Registered model alias name' exceeds the maximum length of 255 characters"),
        (5, wrong_type(5, "alias", "int")),
    ],
)
def test_bad_names(point, alias, message):
    point(alias).invalid(exactly=message)


def test_what_is_not_there(api, versions, point, resolve):
    point("a", "99").absent(exactly=f"Model Version (name={versions}, version=99) not found")
    point("a", "abc").invalid(exactly="Parameter 'version' must be an integer, got 'abc'.")
    api.post(PATH, name="nobody", alias="a", version="1").absent(
        exactly="Model Version (name=nobody, version=1) not found"
    )
    resolve("none").invalid(exactly="Registered model alias none not found.")
    api.get(PATH, name="nobody", alias="a").absent(exactly="Registered Model with name=nobody not found")
    api.delete(PATH, name="nobody", alias="a").absent(exactly="Registered Model with name=nobody not found")


def test_missing_fields(api, versions):
    api.get(PATH, name=versions).invalid(exactly=missing("alias"))
    api.get(PATH, alias="a").invalid(exactly=missing("name"))
    api.post(PATH, name=versions, alias="a").invalid(exactly=missing("version"))
    api.post(PATH, name=versions, version="1").invalid(exactly=missing("alias"))
    api.delete(PATH, name=versions).invalid(exactly=missing("alias"))
    api.raw("DELETE", PATH, params={"name": versions, "alias": "a"}).invalid(exactly=missing("name"))


def test_latest_is_the_greatest_version_of_any_stage(api, versions, new_version, resolve):
    assert resolve("latest").ok["model_version"]["version"] == "2"
    new_version(versions)
    api.post("model-versions/transition-stage", name=versions, version="3", stage="Archived").ok
    assert resolve("LATEST").ok["model_version"]["version"] == "3"
    api.delete("model-versions/delete", name=versions, version="3").ok
    assert resolve("latest").ok["model_version"]["version"] == "2"


def test_latest_of_an_empty_model(api, model):
    api.get(PATH, name=model, alias="latest").absent(exactly=f"Latest version not found for model {model}.")


def test_deleting_a_version_deletes_its_aliases(api, versions, point, resolve):
    point("old", "1").ok
    point("new", "2").ok
    api.delete("model-versions/delete", name=versions, version="1").ok
    resolve("old").invalid(exactly="Registered model alias old not found.")
    model = api.get("registered-models/get", name=versions).ok["registered_model"]
    assert model["aliases"] == [{"alias": "new", "version": "2"}]


def test_client(client, versions):
    client.set_registered_model_alias(versions, "best", 1)
    assert client.get_registered_model(versions).aliases == {"best": "1"}
    assert client.get_model_version(versions, 1).aliases == ["best"]
    assert client.get_model_version_by_alias(versions, "best") == client.get_model_version(versions, 1)
    client.delete_registered_model_alias(versions, "best")
    assert client.get_registered_model(versions).aliases == {}
    with pytest.raises(MlflowException, match="Registered model alias best not found.") as caught:
        client.get_model_version_by_alias(versions, "best")
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"

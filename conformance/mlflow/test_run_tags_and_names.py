"""Tags of runs, and the run name, which is an attribute and a tag at once."""

import pytest
from mlflow.exceptions import MlflowException

from wire import GENERATED_NAME, mapping, missing, pairs, wrong_type


@pytest.fixture
def tags_of(read_run):
    return lambda run_id: mapping(read_run(run_id)["data"].get("tags"))


@pytest.fixture
def set_tag(api, run):
    return lambda key, value: api.post("runs/set-tag", run_id=run, key=key, value=value)


def test_set_and_overwrite(client, run, tags_of):
    client.set_tag(run, "color", "red")
    client.set_tag(run, "color", "blue")
    client.set_tag(run, "number", 5)
    client.set_tag(run, "empty", "")
    client.set_tag(run, "lines", "one\ntwo")
    found = tags_of(run)
    found.pop("mlflow.runName")
    assert found == {"color": "blue", "number": "5", "empty": "", "lines": "one\ntwo"}


def test_absent_value_is_empty(api, run, tags_of):
    assert api.post("runs/set-tag", run_id=run, key="k").ok == {}
    assert tags_of(run)["k"] == ""


def test_run_uuid_names_the_run(api, run, tags_of):
    api.post("runs/set-tag", run_uuid=run, key="k", value="v").ok
    assert tags_of(run)["k"] == "v"


@pytest.mark.parametrize("key", ["a", "a b", "a-b_c.d/e:f", "mlflow.note.content", "ключ", "a" * 250])
def test_good_keys(set_tag, run, tags_of, key):
    set_tag(key, "v").ok
    assert tags_of(run)[key] == "v"


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        ("a//b", "a/b"),
        ("a/../b", "b"),
        ("./a", "a"),
        ("..", ".."),
        ("../a", "../a"),
        ("/a", "/a"),
        ("a/", "a"),
        (".", "."),
    ],
)
def test_keys_that_are_not_plain_paths(set_tag, key, normal):
    set_tag(key, "v").invalid(
        exactly=f"Invalid value \"{key}\" for parameter 'key' supplied: Names may be treated as files in certain "
        f"cases, and must not resolve to other names when treated as such. This name would resolve to '{normal}'"
    )


@pytest.mark.parametrize("key", ["a#b", "a(b)", "a\tb\\c", "a=b", "a,b", "a%b", "a+b", "a@b", "a*"])
def test_keys_with_bad_characters(set_tag, key):
    set_tag(key, "v").invalid(
        "for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), "
        "periods (.), spaces ( ), colon(:) and slashes (/)."
    )


def test_long_keys_are_refused_and_long_values_cut(set_tag, run, tags_of):
    set_tag("k" * 251, "v").invalid(exactly="'key' exceeds the maximum length of 250 characters")
    set_tag("full", "v" * 8000).ok
    set_tag("over", "v" * 8001).ok
    set_tag("wide", "é" * 9000).ok
    found = tags_of(run)
    assert found["full"] == found["over"] == "v" * 8000
    assert found["wide"] == "é" * 8000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"key": "k", "value": "v"}, missing("run_id")),
        ({"run_id": "r", "value": "v"}, missing("key")),
        ({"run_id": "r", "key": "", "value": "v"}, missing("key")),
        ({"run_id": 31, "key": "k", "value": 41}, wrong_type(31, "run_id", "int")),
        ({"run_id": "r", "key": 31, "value": 41}, wrong_type(31, "key", "int")),
        ({"run_id": "r", "key": "k", "value": 41}, wrong_type(41, "value", "int")),
        ({"run_id": "r", "key": "k", "value": ["v"]}, wrong_type(["v"], "value", "list")),
    ],
)
def test_set_refusals(api, body, message):
    api.post("runs/set-tag", body).invalid(exactly=message)


def test_delete(client, run, tags_of):
    client.set_tag(run, "k", "v")
    client.delete_tag(run, "k")
    assert "k" not in tags_of(run)
    with pytest.raises(MlflowException, match=f"No tag with name: k in run with id {run}") as caught:
        client.delete_tag(run, "k")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with pytest.raises(MlflowException, match="Run .+ not found"):
        client.delete_tag("nobody", "k")


def test_delete_refusals(api, run):
    api.post("runs/delete-tag", run_id=run).invalid(exactly=missing("key"))
    api.post("runs/delete-tag", key="k").invalid(exactly=missing("run_id"))


def test_name_given_as_attribute_is_a_tag_too(new_run, read_run, tags_of):
    run_id = new_run(run_name="attribute")
    assert tags_of(run_id)["mlflow.runName"] == read_run(run_id)["info"]["run_name"] == "attribute"


def test_name_given_as_tag_is_an_attribute_too(new_run, read_run, tags_of):
    run_id = new_run(tags=pairs({"mlflow.runName": "tag"}))
    assert tags_of(run_id)["mlflow.runName"] == read_run(run_id)["info"]["run_name"] == "tag"


def test_same_name_twice_is_fine(new_run, read_run):
    run_id = new_run(run_name="same", tags=pairs({"mlflow.runName": "same"}))
    assert read_run(run_id)["info"]["run_name"] == "same"


def test_two_different_names_are_refused(api, experiment):
    api.post("runs/create", experiment_id=experiment, run_name="n", tags=pairs({"mlflow.runName": "m"})).invalid(
        exactly="Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
        "(run_name='n', mlflow.runName='m')."
    )


def test_no_name_is_generated(new_run, read_run, tags_of):
    for fields in ({}, {"run_name": ""}):
        run_id = new_run(**fields)
        name = read_run(run_id)["info"]["run_name"]
        assert GENERATED_NAME.match(name)
        assert tags_of(run_id)["mlflow.runName"] == name


@pytest.mark.parametrize("route", ["runs/update", "runs/set-tag", "runs/log-batch"])
def test_renaming_keeps_both_in_step(api, run, read_run, tags_of, route):
    body = {
        "runs/update": {"run_name": "new"},
        "runs/set-tag": {"key": "mlflow.runName", "value": "new"},
        "runs/log-batch": {"tags": [{"key": "mlflow.runName", "value": "new"}, {"key": "k", "value": "v"}]},
    }[route]
    api.post("runs/update", run_id=run, status="FAILED", end_time=7).ok
    api.post(route, run_id=run, **body).ok
    info = read_run(run)["info"]
    assert info["run_name"] == tags_of(run)["mlflow.runName"] == "new"
    assert (info["status"], info["end_time"]) == ("FAILED", 7)


def test_an_empty_name_changes_nothing(api, run, set_tag, read_run, tags_of):
    set_tag("mlflow.runName", "kept").ok
    set_tag("mlflow.runName", "").ok
    api.post("runs/update", run_id=run, run_name="").ok
    assert read_run(run)["info"]["run_name"] == tags_of(run)["mlflow.runName"] == "kept"

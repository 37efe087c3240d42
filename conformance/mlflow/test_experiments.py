"""Experiments: create, read, rename, delete, restore and their tags."""

import os
import time

import pytest
from mlflow.exceptions import MlflowException

from wire import mapping, missing, pairs, scrub, wrong_type


def read(api, experiment_id):
    return api.get("experiments/get", experiment_id=experiment_id).ok["experiment"]


def test_default_experiment_exists(api):
    found = read(api, "0")
    assert (found["experiment_id"], found["name"], found["lifecycle_stage"]) == ("0", "Default", "active")
    assert api.get("experiments/get-by-name", experiment_name="Default").ok["experiment"] == found


def test_create_answers_only_the_id_as_decimal_text(api, unique):
    answer = api.post("experiments/create", name=unique()).ok
    assert list(answer) == ["experiment_id"]
    assert answer["experiment_id"].isdigit()


def test_ids_grow_and_are_not_reused(api, new_experiment):
    first = new_experiment()
    api.post("experiments/delete", experiment_id=first).ok
    assert int(new_experiment()) > int(first)


def test_shape_without_tags(api, unique):
    name = unique()
    experiment_id = api.post("experiments/create", name=name).ok["experiment_id"]
    body = api.get("experiments/get", experiment_id=experiment_id).ok
    location = body["experiment"].pop("artifact_location")
    assert scrub(body, name=name) == {
        "experiment": {
            "experiment_id": experiment_id,
            "name": "<name>",
            "lifecycle_stage": "active",
            "last_update_time": "<time>",
            "creation_time": "<time>",
            "workspace": "default",
        }
    }
    assert location.endswith(f"/{experiment_id}")


def test_shape_with_tags_and_by_name(api, unique):
    name = unique()
    created = api.post(
        "experiments/create",
        name=name,
        artifact_location="s3://bucket/some/where",
        tags=pairs({"team": "vision", "empty": ""}),
    ).ok
    body = api.get("experiments/get-by-name", experiment_name=name).ok["experiment"]
    assert body["experiment_id"] == created["experiment_id"]
    assert body["artifact_location"] == "s3://bucket/some/where"
    assert mapping(body["tags"]) == {"team": "vision", "empty": ""}
    assert body["creation_time"] == body["last_update_time"]
    assert body == read(api, created["experiment_id"])


def test_creation_time_is_now_in_milliseconds(api, experiment):
    assert abs(read(api, experiment)["creation_time"] - time.time() * 1000) < 60_000


def test_client_round_trip(client, unique):
    name = unique()
    experiment_id = client.create_experiment(name, tags={"a": "1"})
    for found in (client.get_experiment(experiment_id), client.get_experiment_by_name(name)):
        assert (found.experiment_id, found.name, found.lifecycle_stage) == (experiment_id, name, "active")
        assert found.tags == {"a": "1"}
        assert isinstance(found.creation_time, int)
    assert client.get_experiment_by_name(unique("nobody")) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, missing("name")),
        ({"name": ""}, missing("name")),
        ({"name": None}, missing("name")),
        ({"name": 123}, wrong_type(123, "name", "int")),
        ({"name": "x", "artifact_location": 9.0}, wrong_type(9.0, "artifact_location", "float")),
        ({"name": "x", "tags": "5"}, wrong_type("5", "tags", "str")),
        ({"name": "x", "tags": {"a": "b"}}, wrong_type({"a": "b"}, "tags", "dict")),
        ({"name": "x" * 501}, "'name' exceeds the maximum length of 500 characters"),
        ({"name": "x", "artifact_location": "s3://b/p#part"}, "'artifact_location' URL can't include fragments or params."),
        ({"name": "x", "artifact_location": "s3://b/p?x=.."}, "Invalid query string"),
        (
            {"name": "x", "artifact_location": "runs:/abc/model"},
            "Artifact location cannot be a runs:/ URI. Given: 'runs:/abc/model'",
        ),
    ],
)  # fmt: skip
def test_create_refusals(api, body, message):
    api.post("experiments/create", body).invalid(exactly=message)


def test_create_refuses_a_very_long_location(api, unique):
    answer = api.post("experiments/create", name=unique(), artifact_location="s3://b/" + "x" * 2048)
    answer.invalid(
        "Invalid artifact path length. The length of the artifact path cannot be greater than 2048 characters."
    )


def test_longest_name_is_accepted(api, unique):
    name = unique("x" * 480)[:500].ljust(500, "y")
    experiment_id = api.post("experiments/create", name=name).ok["experiment_id"]
    assert read(api, experiment_id)["name"] == name


@pytest.mark.parametrize("name", ["with space", "slash/colon:dot.", "ünïcødé 😀", 'quo\'te "d"'])
def test_names_are_free_text(api, unique, name):
    name = unique(name)
    experiment_id = api.post("experiments/create", name=name).ok["experiment_id"]
    assert api.get("experiments/get-by-name", experiment_name=name).ok["experiment"]["experiment_id"] == experiment_id


def test_query_of_a_location_stays_at_the_end_of_run_locations(api, new_experiment):
    experiment_id = new_experiment(artifact_location="s3://bucket/base?region=eu")
    info = api.post("runs/create", experiment_id=experiment_id).ok["run"]["info"]
    assert info["artifact_uri"] == f"s3://bucket/base/{info['run_id']}/artifacts?region=eu"


def test_relative_location_becomes_absolute(api, new_experiment):
    location = read(api, new_experiment(artifact_location="my_place"))["artifact_location"]
    assert location.endswith("/my_place")
    assert os.path.isabs(location.removeprefix("file://"))


def test_names_are_taken_even_by_deleted_experiments(api, client, unique):
    name = unique()
    experiment_id = api.post("experiments/create", name=name).ok["experiment_id"]
    text = f"Experiment(name={name}) already exists."
    api.post("experiments/create", name=name).refused("RESOURCE_ALREADY_EXISTS", text)
    api.post("experiments/delete", experiment_id=experiment_id).ok
    api.post("experiments/create", name=name).refused("RESOURCE_ALREADY_EXISTS", text)
    with pytest.raises(MlflowException) as caught:
        client.create_experiment(name)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


def test_a_refused_create_leaves_nothing(api, unique):
    name = unique()
    api.post("experiments/create", name=name, tags=[{"key": "a/../b", "value": "v"}]).invalid("a/../b")
    api.get("experiments/get-by-name", experiment_name=name).absent()


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("experiments/get", {}, missing("experiment_id")),
        ("experiments/get", {"experiment_id": ""}, missing("experiment_id")),
        (
            "experiments/get",
            {"experiment_id": "abc"},
            "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
        ),
        ("experiments/get-by-name", {}, missing("experiment_name")),
    ],
)
def test_read_refusals(api, path, query, message):
    api.get(path, **query).invalid(exactly=message)


def test_reading_what_is_not_there(api, unique):
    api.get("experiments/get", experiment_id="987654321").absent(exactly="No Experiment with id=987654321 exists")
    name = unique()
    api.get("experiments/get-by-name", experiment_name=name).absent(
        exactly=f"Could not find experiment with name '{name}'"
    )


def test_rename(api, experiment, unique):
    name = unique("renamed")
    before = read(api, experiment)
    time.sleep(0.01)
    assert api.post("experiments/update", experiment_id=experiment, new_name=name).ok == {}
    after = read(api, experiment)
    assert after["name"] == name
    assert after["creation_time"] == before["creation_time"]
    assert after["last_update_time"] > before["last_update_time"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"new_name": "x"}, missing("experiment_id")),
        ({"experiment_id": "0"}, missing("new_name")),
        ({"experiment_id": "0", "new_name": ""}, missing("new_name")),
        ({"experiment_id": "0", "new_name": 5}, wrong_type(5, "new_name", "int")),
        ({"experiment_id": "0", "new_name": "x" * 501}, "'name' exceeds the maximum length of 500 characters"),
    ],
)
def test_rename_refusals(api, body, message):
    api.post("experiments/update", body).invalid(exactly=message)


def test_rename_to_a_taken_name_is_refused(api, experiment, new_experiment, unique):
    taken = unique()
    new_experiment(name=taken)
    answer = api.post("experiments/update", experiment_id=experiment, new_name=taken)
    assert answer.status == 400
    assert answer.body["error_code"] in ("BAD_REQUEST", "RESOURCE_ALREADY_EXISTS")
    assert read(api, experiment)["name"] != taken


def test_rename_of_an_unknown_experiment(api, unique):
    api.post("experiments/update", experiment_id="987654321", new_name=unique()).absent(
        exactly="No Experiment with id=987654321 exists"
    )


def test_delete_and_restore(api, client, experiment):
    before = read(api, experiment)
    time.sleep(0.01)
    assert api.post("experiments/delete", experiment_id=experiment).ok == {}
    deleted = read(api, experiment)
    assert deleted["lifecycle_stage"] == "deleted"
    assert deleted["last_update_time"] > before["last_update_time"]
    assert client.get_experiment_by_name(before["name"]).lifecycle_stage == "deleted"
    time.sleep(0.01)
    assert api.post("experiments/restore", experiment_id=experiment).ok == {}
    restored = read(api, experiment)
    assert restored["lifecycle_stage"] == "active"
    assert restored["last_update_time"] > deleted["last_update_time"]


def test_delete_and_restore_need_the_other_state(api, experiment):
    text = f"No Experiment with id={experiment} exists"
    api.post("experiments/restore", experiment_id=experiment).absent(exactly=text)
    api.post("experiments/delete", experiment_id=experiment).ok
    api.post("experiments/delete", experiment_id=experiment).absent(exactly=text)
    for action in ("delete", "restore"):
        api.post(f"experiments/{action}", {}).invalid(exactly=missing("experiment_id"))


def test_a_deleted_experiment_refuses_changes(api, experiment, unique):
    api.post("experiments/delete", experiment_id=experiment).ok
    api.post("experiments/update", experiment_id=experiment, new_name=unique()).refused(
        "INVALID_STATE", exactly="Cannot rename a non-active experiment."
    )
    text = f"The experiment {experiment} must be in the 'active' state. Current state is deleted."
    api.post("experiments/set-experiment-tag", experiment_id=experiment, key="k", value="v").invalid(exactly=text)
    api.post("experiments/delete-experiment-tag", experiment_id=experiment, key="k").invalid(exactly=text)
    api.post("runs/create", experiment_id=experiment).invalid(exactly=text)
    api.post("logged-models", experiment_id=experiment).invalid(exactly=text)


def test_delete_takes_the_runs_along_and_restore_brings_all_back(api, experiment, new_run, read_run):
    kept, thrown = new_run(), new_run()
    api.post("runs/delete", run_id=thrown).ok
    api.post("experiments/delete", experiment_id=experiment).ok
    assert {read_run(each)["info"]["lifecycle_stage"] for each in (kept, thrown)} == {"deleted"}
    api.post("experiments/restore", experiment_id=experiment).ok
    assert {read_run(each)["info"]["lifecycle_stage"] for each in (kept, thrown)} == {"active"}


def test_set_and_overwrite_a_tag(api, client, experiment, new_experiment):
    other = new_experiment()
    client.set_experiment_tag(experiment, "dataset", "imagenet")
    client.set_experiment_tag(other, "dataset", "birds")
    client.set_experiment_tag(experiment, "dataset", "coco")
    client.set_experiment_tag(experiment, "several lines", "one\ntwo\nthree")
    client.set_experiment_tag(experiment, "empty", "")
    assert client.get_experiment(experiment).tags == {
        "dataset": "coco",
        "several lines": "one\ntwo\nthree",
        "empty": "",
    }
    assert client.get_experiment(other).tags == {"dataset": "birds"}


def test_tag_without_value_is_empty(api, experiment):
    assert api.post("experiments/set-experiment-tag", experiment_id=experiment, key="k").ok == {}
    assert mapping(read(api, experiment)["tags"]) == {"k": ""}


def test_tags_do_not_touch_the_update_time(api, experiment):
    before = read(api, experiment)["last_update_time"]
    time.sleep(0.01)
    api.post("experiments/set-experiment-tag", experiment_id=experiment, key="k", value="v").ok
    assert read(api, experiment)["last_update_time"] == before


def test_tag_limits(api, experiment):
    def set_tag(key, value):
        return api.post("experiments/set-experiment-tag", experiment_id=experiment, key=key, value=value)

    set_tag("k" * 250, "v" * 20_000).ok
    assert mapping(read(api, experiment)["tags"]) == {"k" * 250: "v" * 20_000}
    set_tag("k" * 251, "v").invalid(exactly="'key' exceeds the maximum length of 250 characters")
    set_tag("k", "v" * 20_001).invalid(exactly="'value' exceeds the maximum length of 20000 characters")
    set_tag("", "v").invalid(exactly=missing("key"))
    set_tag("k", 5).invalid(exactly=wrong_type(5, "value", "int"))
    set_tag("bad#key", "v").invalid("Names may only contain alphanumerics")
    set_tag("/rooted", "v").invalid("Names may be treated as files in certain cases")
    api.post("experiments/set-experiment-tag", experiment_id="987654321", key="k", value="v").absent(
        exactly="No Experiment with id=987654321 exists"
    )


def test_delete_a_tag(api, experiment):
    api.post("experiments/set-experiment-tag", experiment_id=experiment, key="k", value="v").ok
    assert api.post("experiments/delete-experiment-tag", experiment_id=experiment, key="k").ok == {}
    assert "tags" not in read(api, experiment)
    api.post("experiments/delete-experiment-tag", experiment_id=experiment, key="k").absent(
        exactly=f"No tag with name: k in experiment with id {experiment}"
    )
    api.post("experiments/delete-experiment-tag", experiment_id=experiment).invalid(exactly=missing("key"))

"""Stages of model versions, and the latest version of each stage."""

import time

import pytest

from wire import missing, own_aliases, wrong_type

BAD_STAGE = "Invalid Model Version stage: {}. Value must be one of None, Staging, Production, Archived."


@pytest.mark.parametrize("sent", ["Staging", "staging", "STAGING", "sTaGiNg"])
def test_any_case_is_understood(move, stages, sent):
    assert move("1", sent).ok["model_version"]["current_stage"] == "Staging"
    assert stages() == {"1": "Staging", "2": "None", "3": "None"}


@pytest.mark.parametrize("stage", ["None", "Staging", "Production", "Archived"])
def test_every_stage(api, versions, move, stage):
    before = api.get("model-versions/get", name=versions, version="2").ok["model_version"]
    time.sleep(0.003)
    after = move("2", stage).ok["model_version"]
    assert after["current_stage"] == stage
    assert after["last_updated_timestamp"] > before["last_updated_timestamp"]
    assert own_aliases(after) == []
    changed = {"last_updated_timestamp": 0, "current_stage": stage, "aliases": []}
    assert {**after, **changed} == {**before, **changed}
    assert api.get("model-versions/get", name=versions, version="2").ok["model_version"] == after


def test_several_versions_in_staging(move, stages):
    for version in ("1", "2"):
        move(version, "Staging", archive_existing_versions=False).ok
    assert stages() == {"1": "Staging", "2": "Staging", "3": "None"}


@pytest.mark.parametrize("stage", ["Staging", "Production"])
def test_archiving_those_before(move, stages, stage):
    move("1", stage, archive_existing_versions=True).ok
    move("3", "Archived").ok
    move("2", stage.lower(), archive_existing_versions=True).ok
    assert stages() == {"1": "Archived", "2": stage, "3": "Archived"}


def test_archiving_leaves_the_other_stage_alone(move, stages):
    move("1", "Production", archive_existing_versions=True).ok
    move("2", "Staging", archive_existing_versions=True).ok
    move("3", "Staging", archive_existing_versions=True).ok
    assert stages() == {"1": "Production", "2": "Archived", "3": "Staging"}


def test_moving_to_where_it_is(move, stages):
    move("1", "Production", archive_existing_versions=True).ok
    move("1", "Production", archive_existing_versions=True).ok
    assert stages()["1"] == "Production"


def test_archived_versions_share_the_update_time(api, versions, move):
    move("1", "Production", archive_existing_versions=True).ok
    time.sleep(0.003)
    moved = move("2", "Production", archive_existing_versions=True).ok["model_version"]
    archived = api.get("model-versions/get", name=versions, version="1").ok["model_version"]
    model = api.get("registered-models/get", name=versions).ok["registered_model"]
    assert archived["last_updated_timestamp"] == moved["last_updated_timestamp"] == model["last_updated_timestamp"]


@pytest.mark.parametrize("stage", ["None", "Archived"])
def test_archiving_makes_no_sense_there(move, stages, stage):
    move("1", stage, archive_existing_versions=True).refused(
        "INTERNAL_ERROR",
        exactly=f"Model version transition cannot archive existing model versions because '{stage}' is not an Active stage. "
        "Valid stages are ['Staging', 'Production']",
    )


@pytest.mark.mlflow_only
def test_several_versions_in_production(move, stages):
    for version in ("1", "2"):
        move(version, "Production", archive_existing_versions=False).ok
    assert stages() == {"1": "Production", "2": "Production", "3": "None"}


def test_refusals(api, versions, move):
    path = "model-versions/transition-stage"
    move("1", "bogus").invalid(exactly=BAD_STAGE.format("bogus"))
    move("1", "Deleted_Internal").invalid(exactly=BAD_STAGE.format("Deleted_Internal"))
    move("9", "Staging").absent(exactly=f"Model Version (name={versions}, version=9) not found")
    move("x", "Staging").invalid(exactly="Parameter 'version' must be an integer, got 'x'.")
    move("1", "Staging", archive_existing_versions="true").invalid(
        exactly=wrong_type("true", "archive_existing_versions", "str")
    )
    api.post(path, name="nobody", version="1", stage="Staging").absent(
        exactly="Model Version (name=nobody, version=1) not found"
    )
    api.post(path, name=versions, version="1").invalid(exactly=missing("stage"))
    api.post(path, name=versions, stage="Staging").invalid(exactly=missing("version"))
    api.post(path, version="1", stage="Staging").invalid(exactly=missing("name"))


class TestLatest:
    @pytest.fixture
    def staged(self, model, new_version, api):
        """Seven versions over all stages, with one in production."""
        for version, stage in enumerate(
            ["Archived", "Staging", "Archived", "Production", "Staging", "None", "None"], 1
        ):
            assert new_version(model) == str(version)
            if stage != "None":
                api.post("model-versions/transition-stage", name=model, version=str(version), stage=stage).ok
        return model

    @pytest.fixture
    def latest(self, api, staged):
        """Both ways to ask, which must agree."""

        def read(*stages):
            query = {"name": staged, **({"stages": list(stages)} if stages else {})}
            posted = api.post("registered-models/get-latest-versions", query).ok
            assert api.get("registered-models/get-latest-versions", **query).ok == posted
            return {found["current_stage"]: found["version"] for found in posted.get("model_versions", [])}

        return read

    @pytest.mark.parametrize(
        ("stages", "expected"),
        [
            ([], {"None": "7", "Staging": "5", "Production": "4", "Archived": "3"}),
            (["None"], {"None": "7"}),
            (["staging"], {"Staging": "5"}),
            (["PRODUCTION", "none"], {"None": "7", "Production": "4"}),
            (["Archived"], {"Archived": "3"}),
        ],
    )
    def test_greatest_number_of_each_stage(self, latest, stages, expected):
        assert latest(*stages) == expected

    def test_the_model_shows_them_too(self, api, staged, latest):
        shown = api.get("registered-models/get", name=staged).ok["registered_model"]["latest_versions"]
        assert {found["current_stage"]: found["version"] for found in shown} == latest()
        (found,) = api.get("registered-models/search", filter=f"name = '{staged}'").ok["registered_models"]
        assert sorted(found["latest_versions"], key=str) == sorted(shown, key=str)

    def test_deleted_versions_do_not_count(self, api, staged, latest):
        api.delete("model-versions/delete", name=staged, version="7").ok
        api.delete("model-versions/delete", name=staged, version="4").ok
        assert latest() == {"None": "6", "Staging": "5", "Archived": "3"}

    def test_versions_are_whole_with_aliases(self, api, staged):
        api.post("registered-models/alias", name=staged, alias="best", version="4").ok
        (found,) = api.post("registered-models/get-latest-versions", name=staged, stages=["Production"]).ok[
            "model_versions"
        ]
        assert found == api.get("model-versions/get", name=staged, version="4").ok["model_version"]
        assert own_aliases(found) == ["best"]

    def test_nothing(self, api, model):
        assert api.post("registered-models/get-latest-versions", name=model).ok == {}

    def test_refusals(self, api, staged):
        path = "registered-models/get-latest-versions"
        api.post(path, name=staged, stages=["bogus"]).invalid(exactly=BAD_STAGE.format("bogus"))
        api.post(path, name="nobody").absent(exactly="Registered Model with name=nobody not found")
        api.post(path, {}).invalid(exactly=missing("name"))
        api.post(path, name=staged, stages="None").invalid(exactly=wrong_type("None", "stages", "str"))

    def test_client(self, client, staged):
        assert [found.version for found in client.get_latest_versions(staged, ["Staging"])] == ["5"]
        assert {found.version for found in client.get_latest_versions(staged)} == {"7", "5", "4", "3"}
        moved = client.transition_model_version_stage(staged, 7, "Production", archive_existing_versions=True)
        assert moved.current_stage == "Production"
        assert client.get_model_version(staged, 4).current_stage == "Archived"

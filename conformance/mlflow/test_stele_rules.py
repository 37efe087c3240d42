"""Where Stele differs from MLflow on purpose: each rule is named in the error, and nothing is half done."""

import pytest

from wire import pairs

pytestmark = pytest.mark.stele_only


class TestOneVersionInProduction:
    def test_entering_archives_the_one_before(self, move, stages):
        move("1", "Production").ok
        move("2", "Production", archive_existing_versions=True).ok
        assert stages() == {"1": "Archived", "2": "Production", "3": "None"}

    def test_keeping_both_is_an_error_that_names_the_rule(self, move, stages):
        move("1", "Production", archive_existing_versions=False).ok
        answer = move("2", "Production", archive_existing_versions=False)
        assert 400 <= answer.status < 500
        assert "production" in answer.body["message"].lower()
        assert "archive_existing_versions" in answer.body["message"]
        assert stages() == {"1": "Production", "2": "None", "3": "None"}

    def test_the_same_version_again_is_no_conflict(self, move, stages):
        for _ in range(2):
            move("1", "Production", archive_existing_versions=False).ok
        assert stages()["1"] == "Production"

    def test_an_empty_stage_takes_a_version_without_the_flag(self, api, versions, move, stages):
        move("1", "Production", archive_existing_versions=False).ok
        api.delete("model-versions/delete", name=versions, version="1").ok
        move("2", "Production", archive_existing_versions=False).ok
        move("2", "Archived").ok
        move("3", "Production", archive_existing_versions=False).ok
        assert stages() == {"2": "Archived", "3": "Production"}


class TestWiderFilters:
    @pytest.fixture
    def search(self, api, experiment, new_run):
        letters = {}
        for start, (letter, params) in enumerate({"a": {"p": "1"}, "b": {"p": "2"}, "c": {"q": "3"}}.items()):
            run_id = new_run(start_time=start + 1, run_name=letter)
            letters[run_id] = letter
            api.post("runs/log-batch", run_id=run_id, params=pairs(params)).ok

        def run(filter_string):
            body = api.post("runs/search", experiment_ids=[experiment], filter=filter_string).ok
            return "".join(letters[found["info"]["run_id"]] for found in body.get("runs", []))

        return run

    @pytest.mark.parametrize(
        ("filter_string", "expected"),
        [
            ("params.p = '1' OR params.q = '3'", "ca"),
            ("(params.p = '1' OR params.p = '2') AND start_time > 1", "b"),
            ("params.p = '1' OR params.p = '2' AND start_time > 1", "ba"),
            ("NOT params.p = '1' AND params.p IS NOT NULL", "b"),
            ("NOT (params.p = '1' OR params.q = '3')", "b"),
            ("params.p IN ('1', '2')", "ba"),
            ("run_name IN ('a', 'c')", "ca"),
            ("(params.p = '1')", "a"),
        ],
    )
    def test_or_not_and_parentheses(self, search, filter_string, expected):
        assert search(filter_string) == expected


def test_a_run_has_one_name_which_its_tag_shows(api, new_run, read_run):
    run_id = new_run(run_name="gone")
    api.post("runs/delete-tag", run_id=run_id, key="mlflow.runName").ok
    run = read_run(run_id)
    assert "run_name" not in run["info"]
    assert "mlflow.runName" not in {tag["key"] for tag in run["data"].get("tags", [])}
    api.post("runs/update", run_id=run_id, run_name="again").ok
    assert {"key": "mlflow.runName", "value": "again"} in read_run(run_id)["data"]["tags"]

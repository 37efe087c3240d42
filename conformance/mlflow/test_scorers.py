"""Scorers: numbered versions of how an experiment's answers are judged, kept as the client's own JSON text."""

import json
import re

import pytest

from wire import missing


@pytest.fixture
def register(v3, experiment):
    def make(name, definition='{"name": "x"}', **fields):
        body = {"experiment_id": experiment, "name": name, "serialized_scorer": definition, **fields}
        return v3.post("scorers/register", body)

    return make


@pytest.fixture
def names(v3):
    def read(**query):
        return [
            (scorer["scorer_name"], scorer["scorer_version"])
            for scorer in v3.get("scorers/list", **query).ok.get("scorers", [])
        ]

    return read


def test_versions_count_from_one(register, v3, experiment):
    first, second = register("judge", '{"a": 1}').ok, register("judge", '{"a": 2}').ok
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first["scorer_id"])
    assert first == {
        "version": 1,
        "scorer_id": first["scorer_id"],
        "experiment_id": experiment,
        "name": "judge",
        "serialized_scorer": '{"a": 1}',
        "creation_time": first["creation_time"],
    }
    assert (second["version"], second["scorer_id"]) == (2, first["scorer_id"])
    latest = v3.get("scorers/get", experiment_id=experiment, name="judge").ok["scorer"]
    assert latest == {
        "experiment_id": int(experiment),
        "scorer_name": "judge",
        "scorer_version": 2,
        "serialized_scorer": '{"a": 2}',
        "creation_time": second["creation_time"],
        "scorer_id": first["scorer_id"],
    }
    old = v3.get("scorers/get", experiment_id=experiment, name="judge", version=1).ok["scorer"]
    assert json.loads(old["serialized_scorer"]) == {"a": 1}
    versions = v3.get("scorers/versions", experiment_id=experiment, name="judge").ok["scorers"]
    assert [version["scorer_version"] for version in versions] == [1, 2]


def test_lists_give_the_newest_version_by_experiment_and_name(register, names, experiment, new_experiment):
    other = new_experiment()
    for name in ["b", "a", "b"]:
        register(name).ok
    register("c", experiment_id=other).ok
    assert names(experiment_id=experiment) == [("a", 1), ("b", 2)]
    assert names(experiment_ids=[other, experiment, experiment]) == [("a", 1), ("b", 2), ("c", 1)]
    assert names(experiment_ids=["999999"]) == []
    assert {("a", 1), ("b", 2), ("c", 1)} <= set(names())


def test_lists_of_one_or_of_several_experiments(v3, experiment):
    v3.get("scorers/list", experiment_id=experiment, experiment_ids=experiment).invalid(
        "Cannot specify both 'experiment_id' and 'experiment_ids'."
    )
    v3.get("scorers/list", experiment_id="999999").absent(exactly="No Experiment with id=999999 exists")
    v3.get("scorers/list", experiment_ids="abc").invalid(
        exactly="Invalid experiment ID 'abc'. Experiment ID must be a valid integer."
    )
    assert v3.get("scorers/list", experiment_id=experiment).ok == {}


def test_a_deleted_experiment_has_no_scorers_to_show(register, api, names, v3, experiment):
    register("judge").ok
    api.post("experiments/delete", experiment_id=experiment).ok
    assert names(experiment_ids=[experiment]) == []
    v3.get("scorers/get", experiment_id=experiment, name="judge").invalid("must be in the 'active' state")
    register("judge").invalid("must be in the 'active' state")


def test_deleting(register, v3, experiment):
    for _ in range(3):
        register("judge").ok
    body = {"experiment_id": experiment, "name": "judge"}
    assert v3.delete("scorers/delete", {**body, "version": 2}).ok == {}
    v3.delete("scorers/delete", {**body, "version": 2}).absent(
        exactly=f"Scorer with name 'judge' and version 2 not found for experiment {experiment}."
    )
    versions = v3.get("scorers/versions", **body).ok["scorers"]
    assert [version["scorer_version"] for version in versions] == [1, 3]
    assert v3.delete("scorers/delete", {**body, "version": 3}).ok == {}
    assert register("judge").ok["version"] == 2
    assert v3.delete("scorers/delete", body).ok == {}
    text = f"Scorer with name 'judge' not found for experiment {experiment}."
    v3.delete("scorers/delete", body).absent(exactly=text)
    v3.get("scorers/get", **body).absent(exactly=text)
    v3.get("scorers/versions", **body).absent(exactly=text)
    assert register("judge").ok["version"] == 1


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ("no json", "serialized_scorer must be valid JSON"),
        ('{"call_source": "return 1"}', "Custom scorer registration (using @scorer decorator) is disabled by default"),
        ('{"a": [{"call_source": "return 1"}]}', "Custom scorer registration (using @scorer decorator) is disabled"),
        ('{"builtin_scorer_pydantic_data": {"model": " "}}', "Scorer model cannot be empty or contain only whitespace."),
        ('{"instructions_judge_pydantic_data": {"model": 5}}', "Scorer model must be a string, got int."),
        ('{"third_party_scorer_data": {"kwargs": {"api_base": "x"}}}', "kwargs must not contain 'api_base'"),
        ('{"x": {"third_party_scorer_data": {"kwargs": {"a": [["base_url", 1]]}}}}', "must not contain 'base_url'"),
        ('{"third_party_scorer_data": {"kwargs": [1]}}', "kwargs must be a JSON object, got list."),
    ],
)
def test_definitions_that_are_refused(register, definition, text):
    register("judge", definition).invalid(text)


def test_a_judge_behind_a_gateway_endpoint_that_is_not_there(register):
    definition = '{"instructions_judge_pydantic_data": {"model": "gateway:/none"}}'
    register("judge", definition).absent(exactly="GatewayEndpoint not found (name='none')")


def test_what_must_be_given(register, v3):
    v3.post("scorers/register", experiment_id="0", name="x").invalid(exactly=missing("serialized_scorer"))
    register(" ").invalid(exactly="Scorer name cannot be empty or contain only whitespace.")
    register("x", experiment_id="999999").absent(exactly="No Experiment with id=999999 exists")
    register("x", experiment_id="abc").invalid(
        exactly="Invalid experiment ID 'abc'. Experiment ID must be a valid integer."
    )
    v3.get("scorers/get", experiment_id="0").invalid(exactly=missing("name"))


def test_online_scoring(register, v3, experiment):
    scorer = register("judge").ok["scorer_id"]
    body = {"experiment_id": experiment, "name": "judge"}
    put = lambda **fields: v3.raw("PUT", "scorers/online-config", json={**body, **fields})
    assert v3.get("scorers/online-configs", scorer_ids=[scorer, "none"]).ok == {"configs": []}
    config = put(sample_rate=0, filter_string="status = 'OK'").ok["config"]
    assert config == {
        "online_scoring_config_id": config["online_scoring_config_id"],
        "scorer_id": scorer,
        "sample_rate": 0.0,
        "experiment_id": experiment,
        "filter_string": "status = 'OK'",
    }
    assert v3.get("scorers/online-configs", scorer_ids=[scorer]).ok == {"configs": [config]}
    assert "filter_string" not in put(sample_rate=0.0).ok["config"]
    put(sample_rate=0.5).invalid(
        exactly="Scorer 'judge' does not use a gateway model. Automatic evaluation is only supported for scorers that "
        "use gateway models."
    )
    put(sample_rate=2).invalid(exactly="sample_rate must be between 0.0 and 1.0, got 2.0")
    put().invalid(exactly=missing("sample_rate"))
    put(sample_rate=0, filter_string="status").invalid("Invalid clause(s) in filter string: 'status'")
    put(sample_rate=0, filter_string=5).invalid("Expected type 'str' or None.")
    put(name="none", sample_rate=0).absent(exactly=f"Scorer with name 'none' not found for experiment {experiment}.")
    v3.get("scorers/online-configs").invalid(exactly=missing("scorer_ids"))


@pytest.mark.client("3.4")
def test_the_client_registers_a_built_in_scorer(client, experiment):
    import mlflow
    from mlflow.genai.scorers import RelevanceToQuery, delete_scorer, get_scorer, list_scorers

    mlflow.set_experiment(experiment_id=experiment)
    RelevanceToQuery(name="relevance").register(experiment_id=experiment)
    assert [scorer.name for scorer in list_scorers(experiment_id=experiment)] == ["relevance"]
    assert isinstance(get_scorer(name="relevance", experiment_id=experiment), RelevanceToQuery)
    delete_scorer(name="relevance", experiment_id=experiment, version="all")
    assert list_scorers(experiment_id=experiment) == []

"""Label schemas: the questions that reviewers answer about traces."""

import re

import mlflow
import pytest

from wire import missing

pytestmark = pytest.mark.client("3.17")


@pytest.fixture
def ask(v3, experiment):
    """Makes a question from its wire form; gives back the answer."""

    def make(name="Is it right?", type="FEEDBACK", **input):
        input = input or {"pass_fail": {"positive_label": "Yes", "negative_label": "No"}}
        return v3.post("label-schemas/create", experiment_id=experiment, name=name, type=type, input=input)

    return make


@pytest.fixture
def listed(v3, experiment):
    def read():
        return v3.get("label-schemas/list", experiment_id=experiment).ok["label_schemas"]

    return read


def test_a_question_on_the_wire(ask, v3, experiment):
    schema = ask().ok["label_schema"]
    assert re.fullmatch("ls-[0-9a-f]{32}", schema["schema_id"])
    assert schema == {
        "schema_id": schema["schema_id"],
        "experiment_id": experiment,
        "name": "Is it right?",
        "type": "FEEDBACK",
        "enable_comment": False,
        "input": {"pass_fail": {"positive_label": "Yes", "negative_label": "No"}},
        "created_at": schema["created_at"],
        "last_updated_at": schema["created_at"],
        "is_default": False,
    }
    assert v3.get("label-schemas/get", schema_id=schema["schema_id"]).ok == {"label_schema": schema}
    by_name = v3.get("label-schemas/get-by-name", experiment_id=experiment, name="Is it right?")
    assert by_name.ok == {"label_schema": schema}


@pytest.mark.parametrize(
    "input",
    [
        {"pass_fail": {"positive_label": "a", "negative_label": "b"}},
        {"categorical": {"options": ["a", "b"], "multi_select": True}},
        {"categorical": {"options": ["é"], "multi_select": False}},
        {"numeric": {"min_value": -0.5, "max_value": 1e9}},
        {"numeric": {"max_value": 0.0}},
        {"numeric": {}},
        {"text": {"max_length": 500}},
        {"text": {}},
    ],
)
def test_every_way_to_answer_reads_back(ask, v3, input):
    schema = ask(type=2, **input).ok["label_schema"]
    if "text" in input and "max_length" in input["text"]:
        assert int(schema["input"]["text"]["max_length"]) == 500
    else:
        assert schema["input"] == input
    assert schema["type"] == "EXPECTATION"


@pytest.mark.parametrize(
    ("input", "text"),
    [
        ({"pass_fail": {"positive_label": "a", "negative_label": "a"}}, "must be distinct"),
        ({"pass_fail": {"positive_label": "a" * 65, "negative_label": "b"}}, "at most 64"),
        ({"pass_fail": {"positive_label": "a"}}, "non-empty string"),
        ({"categorical": {"options": []}}, "non-empty list"),
        ({"categorical": {"options": [""]}}, "non-empty strings"),
        ({"categorical": {"options": ["a", "a"]}}, "deduplicated"),
        ({"categorical": {"options": ["a" * 65]}}, "at most 64 characters"),
        ({"categorical": {"options": [str(n) for n in range(11)]}}, "at most 10"),
        ({"numeric": {"min_value": 5, "max_value": 5}}, "strictly less than"),
        ({"numeric": {"min_value": 10, "max_value": 1}}, "strictly less than"),
        ({"text": {"max_length": 0}}, "at least 1"),
        ({"other": {}}, "exactly one of"),
    ],
)
def test_ways_to_answer_that_make_no_sense(ask, listed, input, text):
    ask(**input).invalid(text)
    assert [schema["name"] for schema in listed()] == ["Feedback"]


def test_names_of_questions(ask, v3, experiment):
    ask("n" * 251).invalid("at most 250 characters")
    ask("").invalid(exactly=missing("name"))
    for reserved in ("Feedback", " feedback "):
        ask(reserved).invalid("reserved")
    ask("same").ok
    ask("same").refused("RESOURCE_ALREADY_EXISTS", f"'same' already exists for experiment '{experiment}'")
    ask(type=0).invalid("must be one of FEEDBACK or EXPECTATION")
    body = {"name": "x", "type": "FEEDBACK", "input": {"text": {}}}
    v3.post("label-schemas/create", body, experiment_id="999999").absent("No Experiment with id=999999 exists")
    v3.post("label-schemas/create", body, experiment_id=experiment, instruction="i" * 1001).invalid("at most 1000")


def test_an_experiment_always_has_a_question_that_nobody_changes(listed, v3):
    (default,) = listed()
    assert (default["name"], default["is_default"], default["input"]) == ("Feedback", True, {"text": {}})
    assert default["instruction"]
    (again,) = listed()
    assert again == default
    v3.patch("label-schemas/update", schema_id=default["schema_id"], instruction="x").invalid("cannot be edited")
    v3.delete("label-schemas/delete", schema_id=default["schema_id"]).invalid("cannot be deleted")


def test_the_newest_question_comes_first_page_by_page(ask, store, experiment):
    for number in range(4):
        ask(f"q{number}").ok
    first = store.list_label_schemas(experiment, max_results=3)
    second = store.list_label_schemas(experiment, max_results=3, page_token=first.token)
    assert len(first) == 3 and len(second) == 2 and second.token is None
    found = [*first, *second]
    assert {schema.name for schema in found} == {"q0", "q1", "q2", "q3", "Feedback"}
    times = [schema.created_at for schema in found]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("size", [0, 50_001])
def test_pages_that_cannot_be(v3, experiment, size):
    answer = v3.get("label-schemas/list", experiment_id=experiment, max_results=size)
    answer.invalid("max_results must be between 1 and 50000.")


def test_an_update_changes_what_it_names(ask, v3, experiment):
    made = ask("a", categorical={"options": ["x"], "multi_select": False}).ok["label_schema"]
    ask("b").ok
    update = {"schema_id": made["schema_id"]}
    changed = v3.patch("label-schemas/update", update, name="c", enable_comment=True).ok["label_schema"]
    assert changed == made | {"name": "c", "enable_comment": True, "last_updated_at": changed["last_updated_at"]}
    options = {"categorical": {"options": ["x", "y"], "multi_select": False}}
    changed = v3.patch("label-schemas/update", update, input=options, instruction="how").ok["label_schema"]
    assert (changed["input"], changed["instruction"], changed["name"]) == (options, "how", "c")
    v3.patch("label-schemas/update", update, name="b").refused("RESOURCE_ALREADY_EXISTS", "'b' already exists")
    v3.patch("label-schemas/update", update, input={"text": {}}).invalid("input type cannot be changed")
    several = {"categorical": {"options": ["x"], "multi_select": True}}
    v3.patch("label-schemas/update", update, input=several).invalid("multi_select` cannot be changed")
    assert v3.get("label-schemas/get", **update).ok["label_schema"] == changed
    v3.get("label-schemas/get-by-name", experiment_id=experiment, name="a").absent("not found for experiment")


def test_questions_that_are_gone(ask, v3, experiment):
    made = ask().ok["label_schema"]
    for _ in range(2):
        assert v3.delete("label-schemas/delete", schema_id=made["schema_id"]).ok == {}
    v3.get("label-schemas/get", schema_id=made["schema_id"]).absent(f"'{made['schema_id']}' not found")
    v3.patch("label-schemas/update", schema_id=made["schema_id"], name="x").absent("not found")


def test_questions_of_a_deleted_experiment_can_only_be_read(ask, v3, api, experiment):
    made = ask().ok["label_schema"]
    api.post("experiments/delete", experiment_id=experiment).ok
    assert v3.get("label-schemas/get", schema_id=made["schema_id"]).ok["label_schema"] == made
    assert ask("another").status in (400, 404)


def test_the_client_of_questions(client, experiment):
    from mlflow.genai.label_schemas import InputNumeric, create_label_schema, get_label_schema

    mlflow.set_experiment(experiment_id=experiment)
    made = create_label_schema(name="grade", type="feedback", input=InputNumeric(min_value=1, max_value=5))
    assert (made.input.min_value, made.input.max_value) == (1.0, 5.0)
    assert get_label_schema("grade", experiment_id=experiment).schema_id == made.schema_id

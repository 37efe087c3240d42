"""runs/log-parameter: params are text and never change."""

import pytest
from mlflow.exceptions import MlflowException

from wire import mapping, missing, wrong_type


@pytest.fixture
def log(api, run):
    return lambda **fields: api.post("runs/log-parameter", {"run_id": run, "key": "p", "value": "1", **fields})


@pytest.fixture
def params(read_run, run):
    return lambda: mapping(read_run(run)["data"].get("params"))


def test_text_is_kept_as_given(log, params):
    values = {"plain": "1", "empty": "", "space": " a ", "lines": "a\nb", "wide": 'é😀 "q" \\ </x>', "nul-free": "\t"}
    for key, value in values.items():
        assert log(key=key, value=value).ok == {}
    assert params() == values


def test_absent_value_is_empty(api, run, params):
    api.post("runs/log-parameter", run_id=run, key="p").ok
    assert params() == {"p": ""}


def test_run_uuid_names_the_run(api, run, params):
    api.post("runs/log-parameter", run_uuid=run, key="p", value="v").ok
    assert params() == {"p": "v"}


def test_same_value_again_is_fine(log, params):
    log().ok
    log().ok
    assert params() == {"p": "1"}


def test_another_value_is_refused(log, params, run):
    log().ok
    log(value="2").invalid(
        exactly="Changing param values is not allowed. Param with key='p' was already logged with value='1' "
        f"for run ID='{run}'. Attempted logging new value '2'."
    )
    log(value="").invalid("Changing param values is not allowed.")
    assert params() == {"p": "1"}


def test_long_values_are_cut_before_they_are_compared(log, params):
    log(value="v" * 6000).ok
    log(value="v" * 6001).ok
    log(key="other", value="w" * 7000).ok
    assert params() == {"p": "v" * 6000, "other": "w" * 6000}


@pytest.mark.parametrize("key", ["a", "a b", "model/layers:1.x-y_z", "ключ", "k" * 250])
def test_good_keys(log, params, key):
    log(key=key).ok
    assert params() == {key: "1"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"run_id": None}, missing("run_id")),
        ({"run_id": 31}, wrong_type(31, "run_id", "int")),
        ({"key": None}, missing("key")),
        ({"key": ""}, missing("key")),
        ({"key": 31, "value": 41}, wrong_type(31, "key", "int")),
        ({"value": 41}, wrong_type(41, "value", "int")),
        ({"value": {"a": 1}}, wrong_type({"a": 1}, "value", "dict")),
        ({"key": "k" * 251}, "'Param key' exceeds the maximum length of 250 characters"),
        (
            {"key": "../x"},
            "Invalid value \"../x\" for parameter 'key' supplied: Names may be treated as files in certain cases, "
            "and must not resolve to other names when treated as such. This name would resolve to '../x'",
        ),
        (
            {"key": "a?b"},
            "Invalid value \"a?b\" for parameter 'key' supplied: Names may only contain alphanumerics, "
            "underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).",
        ),
    ],
)
def test_refusals(log, params, fields, message):
    log(**fields).invalid(exactly=message)
    assert params() == {}


def test_client(client, run):
    client.log_param(run, "number", 0.5)
    client.log_param(run, "empty", "")
    assert client.get_run(run).data.params == {"number": "0.5", "empty": ""}
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        client.log_param(run, "number", 0.25)

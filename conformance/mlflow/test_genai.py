"""`mlflow.genai`: evaluations with scorers that need no language model, traces of the run, datasets and prompts."""

import os

import mlflow
import pandas as pd
import pytest

pytestmark = pytest.mark.client("3.4")
if hasattr(mlflow, "genai"):
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    os.environ["MLFLOW_USE_BATCH_SPAN_PROCESSOR"] = "false"
    os.environ["MLFLOW_GENAI_EVAL_MAX_WORKERS"] = "2"


@pytest.fixture(autouse=True)
def at(client, experiment):
    mlflow.set_experiment(experiment_id=experiment)
    return experiment


@pytest.fixture
def scorers():
    from mlflow.genai.scorers import scorer

    @scorer
    def exact(outputs, expectations):
        return outputs == expectations["answer"]

    @scorer
    def length(outputs):
        return len(outputs)

    @scorer
    def verdict(outputs):
        return mlflow.entities.Feedback(value="yes" if outputs else "no", rationale="there is an answer")

    return [exact, length, verdict]


QUESTIONS = [
    {"inputs": {"question": "a"}, "expectations": {"answer": "A"}},
    {"inputs": {"question": "b"}, "expectations": {"answer": "x"}},
]


def upper(question):
    return question.upper()


def test_an_evaluation_of_a_function(client, scorers, at):
    result = mlflow.genai.evaluate(data=QUESTIONS, predict_fn=upper, scorers=scorers)
    assert result.metrics["exact/mean"] == 0.5
    assert result.metrics["length/mean"] == 1
    assert client.get_run(result.run_id).data.metrics["exact/mean"] == 0.5
    traces = mlflow.search_traces(locations=[at], run_id=result.run_id, return_type="list")
    assert len(traces) == 2
    for trace in traces:
        by_name = {item.name: item for item in trace.info.assessments}
        assert by_name["verdict"].feedback.value == "yes"
        assert by_name["verdict"].rationale == "there is an answer"
        assert by_name["length"].feedback.value == 1
        assert by_name["answer"].expectation.value in ("A", "x")
        assert trace.data.spans[0].outputs in ("A", "B")
    good = mlflow.search_traces(locations=[at], filter_string="feedback.exact = 'true'", return_type="list")
    assert [trace.data.spans[0].outputs for trace in good] == ["A"]


def test_an_evaluation_of_answers_that_are_there(scorers):
    data = pd.DataFrame(
        {"inputs": [{"q": 1}], "outputs": ["A"], "expectations": [{"answer": "A"}]}
    )
    result = mlflow.genai.evaluate(data=data, scorers=scorers)
    assert result.metrics["exact/mean"] == 1
    assert len(mlflow.search_traces(run_id=result.run_id, return_type="list")) == 1


def test_an_evaluation_of_traces(scorers, at):
    @mlflow.trace
    def app(question):
        return question.upper()

    app("a")
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.log_expectation(trace_id=trace_id, name="answer", value="A")
    traces = mlflow.search_traces(locations=[at])
    result = mlflow.genai.evaluate(data=traces, scorers=scorers)
    assert result.metrics["exact/mean"] == 1
    names = {item.name for item in mlflow.get_trace(trace_id).info.assessments}
    assert {"answer", "exact", "length", "verdict"} <= names


def test_an_evaluation_of_a_dataset(scorers, at, unique):
    dataset = mlflow.genai.create_dataset(name=unique("questions"), experiment_id=[at])
    dataset.merge_records(QUESTIONS)
    result = mlflow.genai.evaluate(data=dataset, predict_fn=upper, scorers=scorers)
    assert result.metrics["exact/mean"] == 0.5


def test_records_of_a_dataset_from_traces(at, unique):
    with mlflow.start_span("root") as span:
        span.set_inputs({"question": "a"})
        span.set_outputs("A")
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.log_expectation(trace_id=trace_id, name="answer", value="A")
    dataset = mlflow.genai.create_dataset(name=unique("questions"), experiment_id=[at])
    dataset.merge_records(mlflow.search_traces(locations=[at]))
    [record] = dataset.to_df().to_dict("records")
    assert (record["inputs"], record["expectations"]) == ({"question": "a"}, {"answer": "A"})


def test_a_prompt_that_a_trace_used(client, at, unique):
    name = unique("prompt")
    mlflow.genai.register_prompt(name, template="Hello {{name}}")

    @mlflow.trace
    def greet():
        return mlflow.genai.load_prompt(f"prompts:/{name}/1").format(name="Ann")

    greet()
    trace_id = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    client.link_prompt_versions_to_trace([mlflow.genai.load_prompt(f"prompts:/{name}/1")], trace_id)
    found = mlflow.search_traces(locations=[at], filter_string=f"prompt = '{name}/1'", return_type="list")
    assert [trace.info.trace_id for trace in found] == [trace_id]

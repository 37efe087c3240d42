"""Assessments: feedback and expectations on traces, as people, programs and language models give them."""

import os

import mlflow
import pytest
from mlflow import MlflowClient

from wire import missing

pytestmark = pytest.mark.client("3.0")
if hasattr(mlflow, "trace"):
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    os.environ["MLFLOW_USE_BATCH_SPAN_PROCESSOR"] = "false"


@pytest.fixture
def trace(client: MlflowClient, experiment):
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_span("root"):
        pass
    return mlflow.get_last_active_trace_id()


@pytest.fixture
def v3(api, trace):
    return api.under(f"/api/3.0/mlflow/traces/{trace}/")


@pytest.mark.parametrize("value", [True, 0.5, 3, "yes", ["a", 1.0], {"k": [False]}, "é"])
def test_feedback_of_every_kind(trace, value):
    made = mlflow.log_feedback(
        trace_id=trace, name="quality", value=value, rationale="since", metadata={"k": "v"}, span_id="ab"
    )
    found = mlflow.get_assessment(trace_id=trace, assessment_id=made.assessment_id)
    assert found.feedback.value == value
    assert (found.name, found.rationale, found.span_id, found.valid) == ("quality", "since", "ab", True)
    assert (found.source.source_type, found.metadata) == ("CODE", {"k": "v"})
    assert [item.assessment_id for item in mlflow.get_trace(trace).info.assessments] == [made.assessment_id]


@pytest.mark.parametrize("value", ["Paris", 4, {"facts": ["a"]}, [1, {"b": None}]])
def test_expectations_of_every_kind(trace, value):
    source = mlflow.entities.AssessmentSource(source_type="HUMAN", source_id="ann")
    made = mlflow.log_expectation(trace_id=trace, name="expected", value=value, source=source)
    found = mlflow.get_assessment(trace_id=trace, assessment_id=made.assessment_id)
    assert (found.expectation.value, found.source.source_id) == (value, "ann")


def test_feedback_that_failed(trace):
    error = mlflow.entities.AssessmentError(error_code="TIMEOUT", error_message="too slow")
    made = mlflow.log_feedback(trace_id=trace, name="quality", error=error)
    found = mlflow.get_assessment(trace_id=trace, assessment_id=made.assessment_id)
    assert (found.feedback.value, found.feedback.error.error_code) == (None, "TIMEOUT")


def test_an_update_changes_what_it_names(trace):
    made = mlflow.log_feedback(trace_id=trace, name="quality", value="bad", rationale="r", metadata={"a": "1"})
    change = mlflow.entities.Feedback(name="grade", value="good", metadata={"b": "2"})
    mlflow.update_assessment(trace_id=trace, assessment_id=made.assessment_id, assessment=change)
    found = mlflow.get_assessment(trace_id=trace, assessment_id=made.assessment_id)
    assert (found.name, found.feedback.value, found.rationale) == ("grade", "good", "r")
    assert found.metadata == {"a": "1", "b": "2"}
    assert found.create_time_ms == made.create_time_ms
    assert found.last_update_time_ms >= made.last_update_time_ms


def test_an_override_makes_the_other_invalid_until_it_goes(trace):
    first = mlflow.log_feedback(trace_id=trace, name="quality", value="bad")
    second = mlflow.override_feedback(trace_id=trace, assessment_id=first.assessment_id, value="good")

    def valid(assessment):
        return mlflow.get_assessment(trace_id=trace, assessment_id=assessment.assessment_id).valid

    assert second.overrides == first.assessment_id
    assert (valid(first), valid(second)) == (False, True)
    mlflow.delete_assessment(trace_id=trace, assessment_id=second.assessment_id)
    assert valid(first)
    mlflow.delete_assessment(trace_id=trace, assessment_id=second.assessment_id)
    assert len(mlflow.get_trace(trace).info.assessments) == 1


def test_assessments_that_are_refused(api, v3, trace):
    source = {"source_type": "HUMAN", "source_id": "ann"}
    v3.post("assessments", {}).invalid(exactly=missing("assessment"))
    v3.get("assessments/a-none").absent(exactly=f"Assessment with ID 'a-none' not found for trace '{trace}'")
    override = {"assessment_name": "q", "source": source, "feedback": {"value": 1}, "overrides": "a-none"}
    v3.post("assessments", assessment=override).absent("a-none")
    made = v3.post("assessments", assessment={"assessment_name": "q", "source": source, "feedback": {"value": 1}})
    assessment = made.ok["assessment"]["assessment_id"]
    body = {"assessment": {"expectation": {"value": 1}}, "update_mask": "expectation"}
    v3.patch(f"assessments/{assessment}", body).invalid("Cannot update expectation value on a Feedback assessment.")
    elsewhere = api.under("/api/3.0/mlflow/traces/tr-none/")
    elsewhere.get("assessments/a-none").absent(exactly="Trace with ID 'tr-none' not found.")
    assert elsewhere.post("assessments", assessment=override).status == 404


def test_assessments_come_with_a_trace(api, experiment, unique):
    trace_id = f"tr-{unique('').strip('-'):0<32}"[:35]
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    assessment = {
        "assessment_name": "quality",
        "source": {"source_type": "LLM_JUDGE", "source_id": "judge"},
        "create_time": "2026-01-02T03:04:05Z",
        "last_update_time": "2026-01-02T03:04:06Z",
        "feedback": {"value": "yes"},
        "valid": True,
    }
    told = {
        "trace_id": trace_id,
        "trace_location": location,
        "request_time": "2026-01-02T03:04:05Z",
        "state": "OK",
        "assessments": [assessment],
    }
    v3 = api.under("/api/3.0/mlflow/")
    v3.post("traces", trace={"trace_info": told}).ok
    [found] = v3.get(f"traces/{trace_id}").ok["trace"]["trace_info"]["assessments"]
    assert found["assessment_id"].startswith("a-")
    assert {key: found[key] for key in assessment} == assessment

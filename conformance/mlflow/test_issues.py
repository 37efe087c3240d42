"""Issues: what goes wrong in an application, as its traces show."""

import os
import re

import mlflow
import pytest

from wire import RUN_ID

pytestmark = pytest.mark.client("3.17")
if hasattr(mlflow, "trace"):
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    os.environ["MLFLOW_USE_BATCH_SPAN_PROCESSOR"] = "false"


@pytest.fixture
def new_issue(store, experiment):
    def make(name, **fields):
        return store.create_issue(experiment, name, f"what {name} is", **fields)

    return make


@pytest.fixture
def names(store, experiment):
    def search(filter_string=None, **fields):
        return [issue.name for issue in store.search_issues(experiment, filter_string, **fields)]

    return search


def test_an_issue_reads_back_as_it_was_reported(store, experiment, run):
    from mlflow.entities import IssueSeverity, IssueStatus

    made = store.create_issue(
        experiment,
        "slow",
        "answers take a minute",
        status=IssueStatus.RESOLVED,
        severity=IssueSeverity.HIGH,
        root_causes=["no cache", "big prompts"],
        source_run_id=run,
        categories=["latency"],
        created_by="ann",
    )
    assert re.fullmatch("iss-[0-9a-f]{32}", made.issue_id) and RUN_ID.match(made.source_run_id)
    assert made.created_timestamp == made.last_updated_timestamp > 0
    assert (made.root_causes, made.categories, made.created_by) == (["no cache", "big prompts"], ["latency"], "ann")
    assert (made.status, made.severity, made.experiment_id) == (IssueStatus.RESOLVED, IssueSeverity.HIGH, experiment)
    assert store.get_issue(made.issue_id) == made


def test_an_issue_says_no_more_than_it_was_told(v3, experiment):
    body = {"experiment_id": experiment, "name": "n", "description": "d"}
    issue = v3.post("issues", body).ok["issue"]
    time = issue["created_timestamp"]
    assert issue == {
        "issue_id": issue["issue_id"],
        "experiment_id": experiment,
        "name": "n",
        "description": "d",
        "status": "pending",
        "created_timestamp": time,
        "last_updated_timestamp": time,
    }
    assert v3.get(f"issues/{issue['issue_id']}").ok == {"issue": issue}


@pytest.mark.parametrize("field", ["experiment_id", "name", "description"])
def test_what_an_issue_needs(v3, experiment, field):
    body = {"experiment_id": experiment, "name": "n", "description": "d"}
    del body[field]
    v3.post("issues", body).invalid(f"Missing value for required parameter '{field}'")


def test_issues_of_what_is_not_there(v3):
    body = {"name": "n", "description": "d"}
    v3.post("issues", body, experiment_id="999999").absent("No Experiment with id=999999 exists")
    v3.get("issues/iss-none").absent("Issue with ID 'iss-none' not found")
    v3.patch("issues/iss-none", issue_id="iss-none", name="x").absent("Issue with ID 'iss-none' not found")


@pytest.mark.stele_only
def test_an_issue_names_a_run_that_is_there_and_known_words(v3, experiment):
    body = {"experiment_id": experiment, "name": "n", "description": "d"}
    v3.post("issues", body, source_run_id="0" * 32).absent("Run with id=")
    v3.post("issues", body, status="open").invalid("Invalid status 'open'", "pending, rejected, resolved")
    v3.post("issues", body, severity="dire").invalid("Invalid severity 'dire'")
    v3.post("issues", body, name="x" * 251).invalid("at most 250 characters")


def test_an_update_changes_what_it_names(store, new_issue):
    from mlflow.entities import IssueSeverity, IssueStatus

    made = new_issue("old", categories=["a"])
    changed = store.update_issue(made.issue_id, name="new", severity=IssueSeverity.LOW)
    assert (changed.name, changed.severity, changed.status) == ("new", IssueSeverity.LOW, IssueStatus.PENDING)
    assert (changed.description, changed.categories) == (made.description, ["a"])
    changed = store.update_issue(made.issue_id, status=IssueStatus.REJECTED, description="else")
    assert (changed.name, changed.status, changed.description) == ("new", IssueStatus.REJECTED, "else")
    assert changed.last_updated_timestamp >= made.last_updated_timestamp


def test_the_worst_come_first_then_the_newest(new_issue, names):
    from mlflow.entities import IssueSeverity

    for name, severity in [("a", "low"), ("b", None), ("c", "high"), ("d", "not_an_issue"), ("e", "medium")]:
        new_issue(name, severity=severity and IssueSeverity(severity))
    assert names() == ["c", "e", "a", "d", "b"]


def test_filters_of_issues(new_issue, names, run):
    from mlflow.entities import IssueStatus

    new_issue("a", source_run_id=run)
    new_issue("b", status=IssueStatus.RESOLVED)
    assert names("status = 'resolved'") == ["b"]
    assert names("status != 'resolved'") == ["a"]
    assert names(f"source_run_id = '{run}' AND status = 'pending'") == ["a"]
    assert names(f"source_run_id != '{run}'") == []


@pytest.mark.parametrize("bad", ["name = 'x'", "status LIKE 'p%'", "status > 'a'", "status"])
def test_filters_that_mean_nothing(v3, experiment, bad):
    v3.post("issues/search", experiment_id=experiment, filter_string=bad).invalid("Invalid")


def test_pages_of_issues(store, experiment, new_issue):
    made = {new_issue(str(number)).issue_id for number in range(5)}
    found, token = [], None
    for size in (2, 2, 1):
        page = store.search_issues(experiment, max_results=2, page_token=token)
        assert len(page) == size
        found += [issue.issue_id for issue in page]
        token = page.token
    assert token is None and set(found) == made


@pytest.mark.parametrize("size", [0, -1, 50_001])
def test_pages_that_cannot_be(v3, experiment, size):
    v3.post("issues/search", experiment_id=experiment, max_results=size).invalid("max_results")


def test_traces_that_show_an_issue_are_counted(store, experiment, new_issue):
    seen, unseen = new_issue("seen"), new_issue("unseen")
    mlflow.set_experiment(experiment_id=experiment)
    for _ in range(2):
        with mlflow.start_span("root"):
            pass
        reference = mlflow.entities.assessment.IssueReference(
            issue_id=seen.issue_id, issue_name=seen.name, source=mlflow.entities.AssessmentSource("CODE", "test")
        )
        for _ in range(2):
            store.create_assessment(_on(reference, mlflow.get_last_active_trace_id()))
    found = store.search_issues(experiment, include_trace_count=True)
    assert [(issue.issue_id, issue.trace_count) for issue in found] == [(seen.issue_id, 2), (unseen.issue_id, 0)]
    assert [issue.trace_count for issue in store.search_issues(experiment)] == [None, None]


def _on(assessment, trace):
    assessment.trace_id = trace
    return assessment

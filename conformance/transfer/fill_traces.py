"""Fills an MLflow 3 record with what belongs to generative applications: traces, assessments, prompts, and, where the store
has them, evaluation datasets, scorers and webhooks."""

from __future__ import annotations

import sqlite3

import mlflow
from mlflow import MlflowClient
from mlflow.entities import AssessmentError, AssessmentSource, SpanEvent, SpanStatusCode, SpanType


def fill_traces(client: MlflowClient, uri: str, experiment: str, gone: str, run: str) -> None:
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=experiment)
    traces = [answer(number) for number in range(3)]
    with mlflow.start_run(run_id=run):
        traces.append(answer(3))
    traces.append(failed())
    mlflow.flush_trace_async_logging()
    for number, trace in enumerate(traces):
        client.set_trace_tag(trace, "own tag", f"ünï {number}")
    assess(traces)
    fill_prompts()
    if uri.startswith("file:"):
        return
    client.link_traces_to_run(traces[:2], run)
    client.link_prompt_versions_to_trace([mlflow.load_prompt("greeting", 2)], traces[0])
    client.restore_experiment(gone)
    mlflow.set_experiment(experiment_id=gone)
    answer(9)
    mlflow.flush_trace_async_logging()
    client.delete_experiment(gone)
    fill_datasets(experiment, traces[0])
    fill_scorers(experiment)
    fill_reviews(experiment, run, traces)
    if uri.startswith("sqlite:"):
        fill_online_scoring(uri.removeprefix("sqlite:///"))
    fill_webhooks(client)


def answer(number: int) -> str:
    """A trace of nested spans with everything that spans have."""
    with mlflow.start_span(name=f"answer {number}", span_type=SpanType.CHAIN) as root:
        root.set_inputs({"question": "what’s \"up\"?", "z": [1, 2.5, None, True], "a": {"deep": {"er": "x" * 300}}})
        with mlflow.start_span(name="model", span_type=SpanType.LLM) as child:
            child.set_inputs("plain text")
            child.set_attributes({"mlflow.llm.model": "m-1", "mlflow.llm.provider": "p", "temperature": 1e-7, "tags": ["a", "b"]})
            child.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 10 + number, "output_tokens": 5, "total_tokens": 15 + number})
            child.set_attribute("mlflow.llm.cost", {"input_cost": 0.001, "output_cost": 0.0025, "total_cost": 0.0035})
            child.add_event(SpanEvent("first token", attributes={"at": 3, "text": "é"}))
            child.set_outputs({"text": "fine"})
        mlflow.update_current_trace(
            tags={"kind": "test"},
            metadata={"mlflow.trace.session": f"session {number % 2}", "mlflow.trace.user": "ada", "own": "1"},
            client_request_id=f"request {number}",
        )
        root.set_outputs("fine, thanks")
        return root.trace_id


def failed() -> str:
    with mlflow.start_span(name="broken") as root:
        try:
            with mlflow.start_span(name="inner", span_type="MY_OWN"):
                raise ValueError("it broke")
        except ValueError:
            root.set_status(SpanStatusCode.ERROR)
        return root.trace_id


def assess(traces: list[str]) -> None:
    human = AssessmentSource("HUMAN", "ada@example.com")
    judge = AssessmentSource("LLM_JUDGE", "judge")
    first = mlflow.log_feedback(trace_id=traces[0], name="good", value=True, source=human, rationale="it’s so", metadata={"m": "1"})
    mlflow.override_feedback(trace_id=traces[0], assessment_id=first.assessment_id, value=False, rationale="no", source=human)
    mlflow.log_feedback(trace_id=traces[1], name="score", value=0.25, source=judge, metadata={"mlflow.trace.session": "session 1"})
    mlflow.log_feedback(trace_id=traces[1], name="words", value={"b": [1, "x"], "a": "yes"}, source=judge)
    mlflow.log_feedback(trace_id=traces[2], name="broken", error=AssessmentError("TIMEOUT", "too slow"), source=judge)
    mlflow.log_expectation(trace_id=traces[0], name="expected", value={"answer": "fine", "n": 3}, source=human)
    mlflow.log_expectation(trace_id=traces[0], name="expected text", value="fine", source=human)
    mlflow.log_expectation(trace_id=traces[1], name="expected digits", value="007", source=human)


def fill_prompts() -> None:
    mlflow.register_prompt("greeting", "Hello {{name}}", commit_message="first", tags={"tone": "warm"})
    mlflow.register_prompt("greeting", [{"role": "user", "content": "Hi {{name}}"}], commit_message="second")
    mlflow.set_prompt_alias("greeting", "best", 2)


def fill_datasets(experiment: str, trace: str) -> None:
    from mlflow.genai.datasets import create_dataset

    dataset = create_dataset(name="questions", experiment_id=[experiment, "0"], tags={"owner": "ada"})
    records = [
        {"inputs": {"q": f"é {number}", "x": [1e-7, 1e16, 0.5, number]}, "outputs": {"a": number},
         "expectations": {"ok": True}, "tags": {"mlflow.user": "ada", "n": str(number)}}
        for number in range(20)
    ]
    records.append({"inputs": {"q": "traced"}, "outputs": "text", "source": {"source_type": "TRACE", "source_data": {"trace_id": trace}}})
    dataset.merge_records(records)
    create_dataset(name="empty", experiment_id=[])


def fill_scorers(experiment: str) -> None:
    from mlflow.genai.scorers import Guidelines, RelevanceToQuery

    mlflow.set_experiment(experiment_id=experiment)
    for guideline in ("be kind", "be short"):
        Guidelines(name="style", guidelines=guideline, model="openai:/m").register(name="style", experiment_id=experiment)
    RelevanceToQuery(model="openai:/m").register(name="relevance", experiment_id=experiment)


def fill_reviews(experiment: str, run: str, traces: list[str]) -> None:
    """Issues that traces show, questions of every kind, and queues with traces in every state."""
    from mlflow.entities import IssueReference, IssueSeverity, IssueStatus
    from mlflow.genai.label_schemas import InputCategorical, InputNumeric, InputPassFail, InputText
    from mlflow.tracking._tracking_service.utils import _get_store

    store = _get_store()
    slow = store.create_issue(
        experiment, "slow", "answers take a “minute”", status=IssueStatus.RESOLVED, severity=IssueSeverity.HIGH,
        root_causes=["no cache", "bïg prompts"], source_run_id=run, categories=["latency"], created_by="ann",
    )
    store.create_issue(experiment, "vague", "nobody knows")
    store.update_issue(store.create_issue(experiment, "odd", "x" * 5_000).issue_id, severity=IssueSeverity.NOT_AN_ISSUE)
    store.create_assessment(IssueReference(slow.issue_id, "slow", trace_id=traces[0], metadata={"mlflow.assessment.sourceRunId": run}))
    questions = [
        store.create_label_schema(experiment, name=name, type=kind, input=answer, instruction=instruction, enable_comment=comment)
        for name, kind, answer, instruction, comment in (
            ("polite", "feedback", InputPassFail(positive_label="yes", negative_label="nö"), "be honest", True),
            ("tone", "feedback", InputCategorical(options=["warm", "cold"], multi_select=True), None, False),
            ("grade", "feedback", InputNumeric(min_value=-0.5, max_value=None), None, True),
            ("answer", "expectation", InputText(max_length=200), "what it should say", False),
        )
    ]
    store.list_label_schemas(experiment)  # Makes the default question.
    team = store.create_review_queue(
        experiment, name="Tëam", queue_type="custom", users=["Bob", "ann"], schema_ids=[question.schema_id for question in questions]
    )
    store.add_items_to_review_queue(team.queue_id, item_ids=traces[:3])
    store.set_review_queue_item_status(team.queue_id, item_id=traces[0], status="complete", completed_by="ann")
    store.set_review_queue_item_status(team.queue_id, item_id=traces[1], status="declined", completed_by="bob")
    own = store.get_or_create_user_queue(experiment, user="ann")
    store.add_items_to_review_queue(own.queue_id, item_ids=[traces[3]])
    # A question that is gone stays in the list of its queue.
    store.delete_label_schema(questions[1].schema_id)


def fill_online_scoring(database: str) -> None:
    """MLflow's client wants an endpoint of its gateway for it, the table does not."""
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO online_scoring_configs (online_scoring_config_id, scorer_id, experiment_id, sample_rate, filter_string)"
            " SELECT 'online', scorer_id, experiment_id, 0.25, ? FROM scorers WHERE scorer_name = 'style'",
            ("trace.status = 'OK'",),
        )


def fill_webhooks(client: MlflowClient) -> None:
    from mlflow.entities.webhook import WebhookStatus

    client.create_webhook("plain", "https://8.8.8.8/hook", ["model_version.created", "prompt.created"], description="told")
    client.create_webhook("off", "https://8.8.8.8/off", ["model_version_tag.set"], status=WebhookStatus.DISABLED)
    client.create_webhook("sealed", "https://8.8.8.8/sealed", ["registered_model.created"], secret="hush")
    gone = client.create_webhook("gone", "https://8.8.8.8/gone", ["registered_model.created"])
    client.delete_webhook(gone.webhook_id)

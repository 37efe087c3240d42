"""What MLflow's client reads of the traces of an experiment."""

from __future__ import annotations

import json

from mlflow import MlflowClient


def describe_traces(client: MlflowClient, experiment: str) -> dict[str, object]:
    """What clients read of the traces of an experiment."""
    found = {}
    for trace in client.search_traces(locations=[experiment], max_results=500):
        info = trace.info
        spans = [
            [span.span_id, span.parent_id, span.name, span.span_type, str(span.status.status_code), span.status.description,
             span.start_time_ns, span.end_time_ns, span.inputs, span.outputs, sorted(span.attributes),
             [[event.name, event.timestamp, dict(event.attributes)] for event in span.events]]
            for span in trace.data.spans
        ]
        assessments = [assessment.to_dictionary() for assessment in info.assessments]
        documents = ("mlflow.trace.tokenUsage", "mlflow.trace.cost")
        metadata = {key: json.loads(value) if key in documents else value for key, value in info.trace_metadata.items()}
        found[info.trace_id] = {
            **{field: getattr(info, field) for field in ("request_time", "execution_duration", "client_request_id", "request_preview", "response_preview")},
            "state": str(info.state),
            # Where spans and files are is told by where they are.
            "tags": {k: v for k, v in info.tags.items() if k not in ("mlflow.trace.spansLocation", "mlflow.artifactLocation")},
            "metadata": metadata,
            "assessments": sorted(assessments, key=lambda it: it["assessment_id"]),
            "spans": sorted(spans, key=str),
        }
    return found

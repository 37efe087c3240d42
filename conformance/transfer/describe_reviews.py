"""What MLflow 3.17's client reads of issues, questions for reviewers and queues of traces."""

from __future__ import annotations

from mlflow.exceptions import MlflowException
from mlflow.tracking._tracking_service.utils import _get_store

# By name: a list of all would make the default question of an experiment where it is not there yet.
QUESTIONS = ("polite", "tone", "grade", "answer", "Feedback")


def describe_reviews(experiment: str) -> dict[str, object]:
    store = _get_store()
    if not hasattr(store, "search_issues"):
        return {}
    found: dict[str, object] = {}
    try:
        found["issues"] = [issue.to_dictionary() for issue in store.search_issues(experiment, include_trace_count=True)]
        questions = [question(store, experiment, name) for name in QUESTIONS]
        found["questions"] = [known for known in questions if known]
        queues = sorted(store.list_review_queues(experiment), key=lambda queue: queue.queue_id)
        found["queues"] = [plain(queue) for queue in queues]
        found["items"] = [
            plain(item) for queue in queues for item in sorted(store.list_review_queue_items(queue.queue_id), key=lambda item: item.item_id)
        ]
    except (MlflowException, NotImplementedError):
        pass  # It is in the trash, or in files, which have none.
    return {name: things for name, things in found.items() if things}


def question(store, experiment: str, name: str) -> dict[str, object] | None:
    try:
        return plain(store.get_label_schema_by_name(experiment, name))
    except MlflowException:
        return None


def plain(thing: object) -> dict[str, object]:
    return {name: repr(value) for name, value in vars(thing).items()}

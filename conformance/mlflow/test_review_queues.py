"""Review queues: traces that wait for a review, with the questions to answer and those who may do it."""

import os
import re

import mlflow
import pytest

from wire import missing

pytestmark = pytest.mark.client("3.17")
if hasattr(mlflow, "trace"):
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    os.environ["MLFLOW_USE_BATCH_SPAN_PROCESSOR"] = "false"


@pytest.fixture
def queues(api):
    return api.under("/api/3.0/mlflow/review-queues/")


@pytest.fixture
def question(v3, experiment):
    """A factory of questions; gives back the id."""

    def make(name, of=experiment):
        body = {"experiment_id": of, "name": name, "type": "FEEDBACK", "input": {"text": {}}}
        return v3.post("label-schemas/create", body).ok["label_schema"]["schema_id"]

    return make


@pytest.fixture
def make(queues, experiment):
    def create(name="team", queue_type="CUSTOM", **fields):
        return queues.post("create", experiment_id=experiment, name=name, queue_type=queue_type, **fields)

    return create


@pytest.fixture
def queue(make):
    return make().ok["review_queue"]["queue_id"]


@pytest.fixture
def new_trace(experiment):
    def make():
        mlflow.set_experiment(experiment_id=experiment)
        with mlflow.start_span("root"):
            pass
        return mlflow.get_last_active_trace_id()

    return make


@pytest.fixture
def items(store):
    def read(queue, **fields):
        return {item.item_id: str(item.status) for item in store.list_review_queue_items(queue, **fields)}

    return read


def test_a_queue_on_the_wire(make, queues, question, experiment):
    asked = question("quality")
    queue = make("Q3 Doubts", users=["Bob", "ann", "bob "], schema_ids=[asked]).ok["review_queue"]
    assert re.fullmatch("rq-[0-9a-f]{32}", queue["queue_id"])
    assert queue == {
        "queue_id": queue["queue_id"],
        "experiment_id": experiment,
        "name": "Q3 Doubts",
        "queue_type": "CUSTOM",
        "creation_time_ms": queue["creation_time_ms"],
        "last_update_time_ms": queue["creation_time_ms"],
        "users": ["ann", "bob"],
        "schema_ids": [asked],
    }
    assert queues.get("get", queue_id=queue["queue_id"]).ok == {"review_queue": queue}
    found = queues.get("get-by-name", experiment_id=experiment, name="q3 doubts")
    assert found.ok == {"review_queue": queue}


def test_a_user_has_one_queue_with_every_question(queues, make, experiment):
    first = queues.post("get-or-create-user", experiment_id=experiment, user="Alice").ok["review_queue"]
    assert (first["name"], first["users"], first["created_by"]) == ("alice", ["alice"], "alice")
    assert first["queue_type"] == "USER" and "schema_ids" not in first
    again = queues.post("get-or-create-user", experiment_id=experiment, user=" alice ")
    assert again.ok["review_queue"] == first
    make("bob").ok
    taken = queues.post("get-or-create-user", experiment_id=experiment, user="Bob")
    taken.refused("RESOURCE_ALREADY_EXISTS", "A non-user queue named 'bob' already exists")
    queues.post("update", queue_id=first["queue_id"], name="x").invalid("fixed and cannot be updated")


def test_queues_that_cannot_be(make, question, new_experiment, queues):
    elsewhere = question("other", of=new_experiment())
    make("x", users=[str(n) for n in range(11)]).invalid("at most 10 assigned users; got 11")
    make("x", users=[" "]).invalid("`user` must be a non-empty string")
    make(" Default ").invalid("is a reserved queue name")
    make("n" * 251).invalid("at most 250 characters")
    make("").invalid(exactly=missing("name"))
    make("x", queue_type=0).invalid("`queue_type` must be one of USER or CUSTOM")
    make("x", schema_ids=[elsewhere]).invalid("not found for experiment")
    make("ann", queue_type="USER", users=["bob"]).invalid("exactly one assigned user equal to its name")
    make("ann", queue_type="USER", schema_ids=[elsewhere]).invalid("cannot have explicitly-attached schemas")
    make("Team").ok
    make("tEAM").refused("RESOURCE_ALREADY_EXISTS", "already exists (names are case-insensitive).")
    body = {"name": "x", "queue_type": "CUSTOM"}
    queues.post("create", body, experiment_id="999999").absent("No Experiment with id=999999 exists")


def test_queues_are_found_by_reviewer_and_by_trace(store, queues, make, experiment, new_trace):
    queues.post("get-or-create-user", experiment_id=experiment, user="alice").ok
    team = make("team", users=["alice", "bob"]).ok["review_queue"]["queue_id"]
    make("solo", users=["carol"]).ok
    trace = new_trace()
    queues.post("items/add", queue_id=team, item_ids=[trace]).ok

    def named(**fields):
        return [queue.name for queue in store.list_review_queues(experiment, **fields)]

    assert set(named()) == {"alice", "team", "solo"}
    assert set(named(user="Alice")) == {"alice", "team"}
    assert named(user="nobody") == []
    assert named(item_id=trace) == ["team"]
    assert named(item_id=trace, user="carol") == []
    page = store.list_review_queues(experiment, max_results=2)
    rest = store.list_review_queues(experiment, max_results=2, page_token=page.token)
    assert len({queue.queue_id for queue in [*page, *rest]}) == 3 and rest.token is None


def test_an_update_replaces_what_it_names(make, queues, question, queue):
    first, second = question("a"), question("b")
    assert queues.post("update", queue_id=queue).ok["review_queue"]["name"] == "team"
    update = {"queue_id": queue, "update_users": True, "update_schema_ids": True}
    changed = queues.post("update", update, users=["Bob"], schema_ids=[first, second], name="New").ok["review_queue"]
    assert (changed["name"], changed["users"]) == ("New", ["bob"])
    assert changed["schema_ids"] == sorted([first, second])
    untouched = queues.post("update", queue_id=queue, users=["x"], schema_ids=[], new_owner=" Ann ").ok["review_queue"]
    assert (untouched["users"], untouched["created_by"]) == (["bob"], "Ann")
    cleared = queues.post("update", update).ok["review_queue"]
    assert "users" not in cleared and "schema_ids" not in cleared
    make("other").ok
    queues.post("update", queue_id=queue, name="OTHER").refused("RESOURCE_ALREADY_EXISTS", "already exists")
    queues.post("update", queue_id=queue, name="default").invalid("reserved queue name")
    queues.post("update", update, schema_ids=["ls-none"]).invalid("not found for experiment")
    queues.post("update", queue_id="rq-none", name="x").absent("Review queue with id 'rq-none' not found.")


def test_questions_are_fixed_while_there_are_traces(queues, question, queue, new_trace):
    trace, asked = new_trace(), question("a")
    queues.post("items/add", queue_id=queue, item_ids=[trace]).ok
    update = {"queue_id": queue, "update_schema_ids": True, "schema_ids": [asked]}
    queues.post("update", update, name="half").invalid("locked once items are assigned")
    assert queues.get("get", queue_id=queue).ok["review_queue"]["name"] == "team"
    queues.post("update", queue_id=queue, update_users=True, users=["ann"]).ok
    queues.post("items/remove", queue_id=queue, item_ids=[trace, "tr-none"]).ok
    assert queues.post("update", update).ok["review_queue"]["schema_ids"] == [asked]


def test_traces_join_once_and_in_order(queues, queue, items, new_trace):
    traces = [new_trace() for _ in range(3)]
    wanted = [traces[2], traces[0], f" {traces[1]} ", traces[0]]
    added = queues.post("items/add", queue_id=queue, item_ids=wanted).ok["items"]
    assert [item["item_id"] for item in added] == [traces[2], traces[0], traces[1]]
    item = added[0]
    assert item == {
        "queue_id": queue,
        "item_type": "TRACE",
        "item_id": traces[2],
        "status": "PENDING",
        "creation_time_ms": item["creation_time_ms"],
        "last_update_time_ms": item["creation_time_ms"],
    }
    queues.post("items/set-status", queue_id=queue, item_id=traces[0], status="COMPLETE", completed_by="Bob").ok
    kept = queues.post("items/add", queue_id=queue, item_ids=traces[:1]).ok["items"][0]
    assert (kept["status"], kept["completed_by"]) == ("COMPLETE", "bob")
    assert items(queue) == {traces[0]: "complete", traces[1]: "pending", traces[2]: "pending"}


def test_only_traces_of_the_experiment_join(queues, queue, items, new_trace, new_experiment):
    here = new_trace()
    mlflow.set_experiment(experiment_id=new_experiment())
    with mlflow.start_span("elsewhere"):
        pass
    elsewhere = mlflow.get_last_active_trace_id()
    for other in (elsewhere, "tr-none"):
        queues.post("items/add", queue_id=queue, item_ids=[here, other]).absent("Cannot attach trace(s)", other)
    assert items(queue) == {}
    queues.post("items/add", queue_id=queue, item_ids=[]).invalid("`item_ids` must be a non-empty list")
    queues.post("items/add", queue_id=queue, item_ids=[" "]).invalid("`item_id` must be a non-empty string")
    queues.post("items/add", queue_id="rq-none", item_ids=[here]).absent("not found")
    queues.post("items/remove", queue_id="rq-none", item_ids=[here]).absent("not found")
    queues.get("items/list", queue_id="rq-none").absent("not found")


def test_a_review_says_who_did_it(queues, queue, new_trace):
    trace = new_trace()
    queues.post("items/add", queue_id=queue, item_ids=[trace]).ok

    def review(status, **fields):
        return queues.post("items/set-status", queue_id=queue, item_id=trace, status=status, **fields)

    done = review("COMPLETE", completed_by="Bob").ok["item"]
    assert (done["status"], done["completed_by"]) == ("COMPLETE", "bob") and done["completed_time_ms"] > 0
    assert review("COMPLETE", completed_by="carol").ok["item"] == done
    declined = review("DECLINED", completed_by="carol").ok["item"]
    assert (declined["status"], declined["completed_by"]) == ("DECLINED", "carol")
    opened = review("PENDING").ok["item"]
    assert opened["status"] == "PENDING" and not {"completed_by", "completed_time_ms"} & opened.keys()
    review("COMPLETE").invalid("`completed_by` is required when setting status to `complete`.")
    review("PENDING", completed_by="bob").invalid("`completed_by` must not be set when reopening")
    review(0, completed_by="bob").invalid("`status` must be one of PENDING, COMPLETE, or DECLINED")
    review("COMPLETE", completed_by="b" * 251).invalid("at most 250 characters")
    absent = {"queue_id": queue, "item_id": "tr-none", "status": "PENDING"}
    queues.post("items/set-status", absent).absent("Item 'tr-none' is not attached to review queue")
    queues.post("items/set-status", absent | {"queue_id": "rq-none"}).absent("not found")


def test_items_by_status_page_by_page(store, queues, queue, items, new_trace):
    traces = [new_trace() for _ in range(5)]
    queues.post("items/add", queue_id=queue, item_ids=traces).ok
    for trace, status in zip(traces, ("COMPLETE", "DECLINED")):
        queues.post("items/set-status", queue_id=queue, item_id=trace, status=status, completed_by="ann").ok
    assert items(queue, status="complete") == {traces[0]: "complete"}
    assert set(items(queue, status="pending")) == set(traces[2:])
    found, token = set(), None
    for size in (2, 2, 1):
        page = store.list_review_queue_items(queue, max_results=2, page_token=token)
        assert len(page) == size
        found |= {item.item_id for item in page}
        token = page.token
    assert token is None and found == set(traces)
    queues.get("items/list", queue_id=queue, max_results=0).invalid("max_results must be between 1 and 50000.")


def test_traces_and_queues_go_with_what_is_about_them(client, v3, queues, make, queue, items, question, new_trace, experiment):
    kept, gone = new_trace(), new_trace()
    asked = question("a")
    other = make("other", schema_ids=[asked]).ok["review_queue"]["queue_id"]
    for one in (queue, other):
        queues.post("items/add", queue_id=one, item_ids=[kept, gone]).ok
    client.delete_traces(experiment, trace_ids=[gone])
    assert set(items(queue)) == set(items(other)) == {kept}
    for _ in range(2):
        assert queues.post("delete", queue_id=other).ok == {}
    queues.get("get", queue_id=other).absent("not found")
    assert v3.get("label-schemas/get", schema_id=asked).ok and client.get_trace(kept).info.trace_id == kept

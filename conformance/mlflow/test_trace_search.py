"""The filter language of traces, orders and pages."""

import json
import uuid

import pytest

from conftest import PEER
from wire import missing

pytestmark = pytest.mark.client("3.0")


def location(experiment):
    return {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}


class Traces:
    """The traces of one experiment, by letter."""

    def __init__(self, v3, experiment):
        self.v3, self.experiment, self.ids = v3, experiment, {}

    def add(self, letter, second, spans=(), **fields):
        trace = uuid.uuid4().hex
        self.ids[letter] = f"tr-{trace}"
        if spans:
            made = [self.span(trace, index, *given) for index, given in enumerate(spans, start=1)]
            body = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": made}]}]}
            headers = {"content-type": "application/json", "x-mlflow-experiment-id": self.experiment}
            answer = self.v3.raw("POST", "/v1/traces", data=json.dumps(body), headers=headers)
            assert answer.status == 200, answer
        info = {
            "trace_id": self.ids[letter],
            "trace_location": location(self.experiment),
            "request_time": f"2026-01-01T00:00:{second:02}Z",
            "execution_duration": "0.100s",
            "state": "OK",
            **fields,
        }
        self.v3.post("traces", trace={"trace_info": info}).ok

    @staticmethod
    def span(trace, index, name, kind="UNKNOWN", status=1, attributes=()):
        attributes = {"mlflow.spanType": kind, **dict(attributes)}
        return {
            "traceId": trace,
            "spanId": f"{index:016x}",
            **({"parentSpanId": f"{1:016x}"} if index > 1 else {}),
            "name": name,
            "startTimeUnixNano": "1000000000",
            "endTimeUnixNano": "2000000000",
            "status": status if isinstance(status, dict) else {"code": status},
            "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        }

    def assess(self, letter, kind, name, value, **fields):
        source = {"source_type": "HUMAN", "source_id": "ann"}
        assessment = {"assessment_name": name, "source": source, kind: {"value": value}, "valid": True, **fields}
        made = self.v3.post(f"traces/{self.ids[letter]}/assessments", assessment=assessment)
        return made.ok["assessment"]["assessment_id"]

    def search(self, filter="", **fields):
        return self.v3.post("traces/search", locations=[location(self.experiment)], filter=filter, **fields)

    def letters(self, answer):
        known = {trace_id: letter for letter, trace_id in self.ids.items()}
        return "".join(known[trace["trace_id"]] for trace in answer.get("traces", []))

    def found(self, filter="", **fields):
        return self.letters(self.search(filter, **fields).ok)


@pytest.fixture
def traces(v3, experiment):
    return Traces(v3, experiment)


@pytest.fixture
def some(traces):
    """Three traces, c the newest."""
    traces.add(
        "a", 1,
        [("root", "CHAIN"), ("ask", "LLM", 1, {"model": "gpt-4", "text": "The Quick fox"}), ("find", "RETRIEVER", 2)],
        tags={"mlflow.traceName": "chat", "env": "prod"},
        trace_metadata={"team": "x", "mlflow.trace.session": "s1"},
        client_request_id="c-1",
    )  # fmt: skip
    traces.add(
        "b", 2, [("root", "CHAIN"), ("ask", "TOOL", 1, {"model": "claude"})],
        tags={"mlflow.traceName": "Chat two", "env": "dev"}, state="ERROR", execution_duration="2s",
        trace_metadata={"mlflow.trace.session": "s1"},
    )  # fmt: skip
    traces.add("c", 3, state="IN_PROGRESS", trace_metadata={"team": "y"})
    return traces


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("", "cba"),
        ("status = 'OK'", "a"),
        ("attributes.status != 'OK'", "cb"),
        ("trace.status IN ('ERROR', 'IN_PROGRESS')", "cb"),
        ("name = 'chat'", "a"),
        ("name ILIKE 'chat%'", "ba"),
        ("name LIKE 'chat%'", "a"),
        ("name RLIKE '^[Cc]hat( two)?$'", "ba"),
        ("tags.`mlflow.traceName` = 'chat'", "a"),
        ("name IS NULL", "c"),
        ("name IS NOT NULL", "ba"),
        ("run_id IS NULL", "cba"),
        ("client_request_id = 'c-1'", "a"),
        ("tag.env = 'prod'", "a"),
        ("tags.env != 'prod'", "b"),
        ("tags.env IS NULL", "c"),
        ("tags.env IS NOT NULL", "ba"),
        ("tags.env RLIKE 'o'", "a"),
        ("metadata.team = 'y'", "c"),
        ("request_metadata.team LIKE '%'", "ca"),
        ("metadata.team IS NULL", "b"),
        ("metadata.`mlflow.trace.session` = 's1'", "ba"),
        ("timestamp_ms > 1767225601000", "cb"),
        ("timestamp_ms >= 1767225602000 AND timestamp_ms < 1767225603000", "b"),
        ("execution_time_ms = 2000", "b"),
        ("execution_time_ms <= 100", "ca"),
        ("end_time_ms = 1767225604000", "b"),
        ("span.name = 'ask'", "ba"),
        ("span.name = 'nothing'", ""),
        ("span.type = 'TOOL'", "b"),
        ("span.type IN ('LLM', 'TOOL')", "ba"),
        ("span.status = 'ERROR'", "a"),
        ("span.name = 'ask' AND span.type = 'LLM'", "a"),
        ("span.name = 'root' AND span.type = 'LLM'", ""),
        ("span.name = 'find' AND span.status = 'ERROR' AND tags.env = 'prod'", "a"),
        ("span.attributes.model LIKE '%gpt%'", "a"),
        ("span.attributes.model ILIKE '%CLAUDE%'", "b"),
        ("trace.text ILIKE '%quick FOX%'", "a"),
        ("trace.text LIKE '%quick FOX%'", ""),
        ("span.content ILIKE '%claude%'", "b"),
        ("status = 'OK' AND name = 'nothing'", ""),
    ],
)
def test_filters(some, filter, found):
    assert some.found(filter) == found


@pytest.mark.stele_only
@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("status = 'OK' OR tags.env = 'dev'", "ba"),
        ("NOT (span.name = 'ask')", "c"),
        ("(span.name = 'root' AND span.type = 'LLM') OR status = 'IN_PROGRESS'", "c"),
        ("tags.env IN ('prod', 'dev')", "ba"),
        ("span.attributes.model = 'gpt-4'", "a"),
        ("span.attributes.model RLIKE '^gpt-[0-9]$'", "a"),
    ],
)
def test_filters_that_mlflow_does_not_have(some, filter, found):
    assert some.found(filter) == found


def test_filters_on_assessments(some):
    some.assess("a", "feedback", "quality", "good")
    some.assess("b", "feedback", "quality", "bad")
    some.assess("a", "feedback", "score", 0.9)
    some.assess("b", "feedback", "score", 0.2)
    some.assess("a", "feedback", "safe", True)
    some.assess("c", "expectation", "answer", "Paris")
    for filter, found in [
        ("feedback.quality = 'good'", "a"),
        ("feedback.quality != 'good'", "b"),
        ("feedback.quality IS NULL", "c"),
        ("feedback.quality IS NOT NULL", "ba"),
        ("feedback.quality LIKE '%oo%'", "a"),
        ("feedback.score > 0.5", "a"),
        ("feedback.score <= 0.2", "b"),
        ("feedback.score = '0.9'", "a"),
        ("feedback.quality > 0", ""),
        ("feedback.safe = 'true'", "a"),
        ("expectation.answer = 'Paris'", "c"),
        ("feedback.answer = 'Paris'", ""),
        ("feedback.quality = 'good' AND feedback.score > 0.5 AND span.name = 'ask'", "a"),
    ]:
        assert some.found(filter) == found, filter


def test_assessments_that_are_overridden_do_not_count(some):
    first = some.assess("a", "feedback", "quality", "bad")
    some.assess("a", "feedback", "quality", "good", overrides=first)
    assert (some.found("feedback.quality = 'bad'"), some.found("feedback.quality = 'good'")) == ("", "a")


def test_assessments_of_a_session_count_for_all_its_traces(some):
    some.assess("a", "feedback", "polite", "yes", metadata={"mlflow.trace.session": "s1"})
    assert some.found("feedback.polite = 'yes'") == "ba"
    assert some.found("feedback.polite IS NULL") == "c"


def test_documents_are_equal_to_their_text(some):
    some.assess("a", "expectation", "facts", {"city": "Paris", "rivers": ["Seine"]})
    some.assess("b", "expectation", "facts", ["Seine"])
    assert some.found("""expectation.facts = '{"city": "Paris", "rivers": ["Seine"]}'""") == "a"
    assert some.found("""expectation.facts = '["Seine"]'""") == "b"
    assert some.found("""expectation.facts != '["Seine"]'""") == "a"


def test_what_went_wrong_is_found(traces):
    traces.add("a", 1, [("root", "CHAIN", {"code": 2, "message": "the tower is closed"})])
    traces.add("b", 2, [("root", "CHAIN", {"code": 2, "message": "no more tickets"})])
    assert traces.found("trace.text LIKE '%tower is%'") == "a"
    assert traces.found("span.content ILIKE '%NO MORE%' AND span.status = 'ERROR'") == "b"


def test_filters_on_runs_and_prompts(some, api, new_run):
    run, other = new_run(), new_run()
    some.add("d", 4, trace_metadata={"mlflow.sourceRun": run})
    api.post("traces/link-to-run", trace_ids=[some.ids["a"]], run_id=run).ok
    assert some.found(f"run_id = '{run}'") == "da"
    assert some.found(f"run_id = '{run}' AND status = 'OK' AND tags.env = 'prod'") == "a"
    assert some.found(f"run_id = '{other}'") == ""
    api.post(
        "traces/link-prompts", trace_id=some.ids["b"], prompt_versions=[{"name": "greet", "version": "2"}]
    ).ok
    assert (some.found("prompt = 'greet/2'"), some.found("prompt = 'greet/1'")) == ("b", "")
    some.search("prompt = 'greet'").invalid("Expected format")


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        (["timestamp ASC"], "abc"),
        (["timestamp_ms DESC"], "cba"),
        (["execution_time DESC"], "bca"),
        (["execution_time ASC", "timestamp ASC"], "acb"),
        (["status"], "bca"),
        (["name"], "bac"),
        (["name DESC"], "abc"),
        (["tag.env"], "bac"),
        (["tags.env DESC"], "abc"),
        (["tags.missing"], "cba"),
        (["tags.`mlflow.traceName`"], "bac"),
        (["metadata.team DESC"], "cab"),
        (["request_metadata.`mlflow.trace.session`"], "bac"),
        (["tags.missing", "metadata.team"], "acb"),
        pytest.param(["end_time_ms DESC"], "bca", marks=pytest.mark.stele_only),
    ],
)
def test_orders(some, order_by, found):
    assert some.found(order_by=order_by) == found


def test_pages(traces):
    for index, letter in enumerate("abcdefg"):
        tags = {"shelf": str(index % 3)} if index % 4 else {}
        traces.add(letter, index // 2, execution_duration=f"{index % 3}s", tags=tags)
    for order_by in [[], ["timestamp ASC"], ["execution_time DESC"], ["name"], ["tags.shelf"], ["tags.shelf DESC"]]:
        whole = traces.found(order_by=order_by)
        for size in [1, 2, 3, 7]:
            found, token = "", ""
            while True:
                answer = traces.search(order_by=order_by, max_results=size, page_token=token).ok
                assert len(answer.get("traces", [])) <= size
                found += traces.letters(answer)
                token = answer.get("next_page_token", "")
                if not token:
                    break
            assert found == whole, (order_by, size)


def test_traces_that_are_many(traces):
    """Filters that few traces fulfil and filters that most do."""
    for index in range(30):
        tags = {"rare": "yes"} if index == 17 else {"common": "yes"}
        traces.add(f"{index:02}", index, tags=tags)
    assert traces.found("tags.rare = 'yes'") == "17"
    assert traces.found("tags.common = 'yes'", max_results=2) == "2928"


def test_only_the_experiments_that_are_named(v3, some, new_experiment):
    other = Traces(v3, new_experiment())
    other.add("z", 9, tags={"env": "prod"})
    assert some.found("tags.env = 'prod'") == "a"
    both = v3.post("traces/search", locations=[location(some.experiment), location(other.experiment)]).ok
    other.ids.update(some.ids)
    assert other.letters(both) == "zcba"


def test_a_search_gives_all_that_is_known_of_a_trace(some):
    some.assess("a", "feedback", "quality", "good")
    [found] = some.search("name = 'chat'").ok["traces"]
    assert found["tags"]["env"] == "prod"
    assert found["trace_metadata"]["team"] == "x"
    assert found["assessments"][0]["feedback"] == {"value": "good"}
    assert (found["state"], found["execution_duration"]) == ("OK", "0.100s")


@pytest.mark.parametrize(
    "filter",
    [
        "foo = 'x'",
        "status > 3",
        pytest.param("timestamp_ms > 'x'", marks=pytest.mark.stele_only),
        "span.foo = 'x'",
        "span.content = 'x'",
        "feedback.q > 'x'",
        "metrics.x > 1",
        "name",
        "tags.a = b",
        pytest.param("issue.name = 'x'", marks=pytest.mark.stele_only),
        "span.name IS NULL",
    ],
)
def test_filters_that_are_refused(traces, filter):
    traces.search(filter).invalid()


@pytest.mark.parametrize(
    ("filter", "told"),
    [
        ("status < 'OK'", "Invalid comparator '<' not one of '{"),
        ("tags.a > 'b'", "Invalid comparator '>' not one of '{"),
        ("span.content = 'x'", "span.content comparator '=' not one of '{"),
        ("trace.text RLIKE 'x'", "span.content comparator 'RLIKE' not one of '{"),
        ("span.name IS NULL", "span.name comparator 'IS NULL' not one of '{"),
        ("prompt != 'a/1'", "Invalid comparator '!=' for prompts filter. Only '=' is supported with format: prompt = \"name/version\""),
    ],
)
def test_comparators_that_are_refused_are_named(traces, filter, told):
    traces.search(filter).invalid(told)


@pytest.mark.stele_only
@pytest.mark.parametrize("expression", ["(", "a{1000}{1000}", "(?=a)", "x" * 2000, "\\p{L}"])
def test_expressions_that_are_refused(traces, expression):
    traces.search(f"tags.a RLIKE '{expression}'").invalid("Invalid regular expression")


def test_searches_that_are_refused(v3, traces):
    v3.post("traces/search", {}).invalid(exactly=missing("locations"))
    traces.search(max_results=501).invalid("max_results")
    traces.search(order_by=["foo"]).invalid()
    traces.search(order_by=["feedback.quality"]).invalid("Invalid identifier type 'feedback'")
    for order in ["tags.`mlflow.linkedPrompts`", "metadata.`mlflow.trace.tokenUsage`"]:
        assert PEER or traces.search(order_by=[order]).status == 501
    traces.search(order_by=["timestamp", "timestamp"]).repeated_order()
    traces.search(page_token="?").invalid()


def test_how_filters_go_together(v3, some):
    def ask(first, second, **fields):
        body = {"experiment_ids": [some.experiment], "filter_string1": first, "filter_string2": second, **fields}
        return v3.post("traces/calculate-filter-correlation", body).ok

    same = ask("span.name = 'ask'", "tags.env IS NOT NULL")
    assert (same["npmi"], same["joint_count"], same["total_count"]) == (pytest.approx(1.0), 2, 3)
    never = ask("status = 'OK'", "status = 'ERROR'")
    assert (never["npmi"], never["filter1_count"], never["filter2_count"], never["joint_count"]) == (-1.0, 1, 1, 0)
    based = ask("status = 'OK'", "span.name = 'ask'", base_filter="tags.env IS NOT NULL")
    assert (based["total_count"], based["joint_count"], based["filter2_count"]) == (2, 1, 2)


def test_nothing_is_found_in_no_experiment(api):
    """As the page of judges asks before it knows its experiment."""
    v3 = api.under("/api/3.0/mlflow/")
    assert v3.post("traces/search", locations=[], max_results=1).ok == {}
    v3.post("traces/search", max_results=1).invalid(exactly=missing("locations"))

"""What every call has in common: how requests are read and how answers and errors look."""

import json

import pytest

from wire import Api, mapping, missing, wrong_type

JSON = "application/json"


@pytest.fixture
def tag_of(read_run, run):
    return lambda key="k": mapping(read_run(run)["data"]["tags"]).get(key)


class TestContentType:
    @pytest.mark.parametrize("content_type", [JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=UTF-8"])
    def test_accepted(self, api, run, tag_of, content_type):
        text = json.dumps({"run_id": run, "key": "k", "value": "v"})
        assert api.post_text("runs/set-tag", text, content_type).ok == {}
        assert tag_of() == "v"

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", "text/json"]
    )
    def test_refused(self, api, run, tag_of, content_type):
        text = json.dumps({"run_id": run, "key": "k", "value": "v"})
        api.post_text("runs/set-tag", text, content_type).invalid(
            exactly="Bad Request. Content-Type must be one of ['application/json']."
        )
        assert tag_of() is None

    def test_missing(self, api, run):
        text = json.dumps({"run_id": run, "key": "k", "value": "v"})
        api.post_text("runs/set-tag", text, None).invalid(exactly="Bad Request. Content-Type header is missing.")

    @pytest.mark.parametrize(
        "path",
        [
            "experiments/create", "experiments/search", "runs/create", "runs/log-batch", "runs/search", "logged-models",
            "logged-models/search", "registered-models/create", "model-versions/create", "registered-models/get-latest-versions",
        ],
    )  # fmt: skip
    def test_every_post_looks_at_it(self, api, path):
        api.post_text(path, "{}", "text/plain").invalid("Content-Type must be one of ['application/json']")

    def test_patch_and_delete_do_not(self, api, model):
        text = json.dumps({"name": model, "description": "x"}).encode()
        headers = {"Content-Type": "text/plain"}
        assert api.raw("PATCH", "registered-models/update", data=text, headers=headers).status == 200
        assert api.raw("DELETE", "registered-models/delete", data=text, headers=headers).status == 200


class TestBody:
    @pytest.mark.parametrize("text", ["", "null", "{}"])
    def test_nothing_counts_as_an_empty_object(self, api, text):
        api.post_text("runs/set-tag", text).invalid(exactly=missing("run_id"))

    @pytest.mark.parametrize("text", ["{bad", "{'run_id': 'x'}", '{"run_id": "x"', "run_id=x"])
    def test_malformed_json_is_refused(self, api, text):
        """MLflow takes it for an empty object; saying that it is malformed is as good."""
        answer = api.post_text("runs/set-tag", text)
        assert answer.status == 400
        assert answer.body["error_code"] in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")

    def test_json_inside_a_json_string(self, api, run, tag_of):
        text = json.dumps(json.dumps({"run_id": run, "key": "k", "value": "v"}))
        assert api.post_text("runs/set-tag", text).ok == {}
        assert tag_of() == "v"

    def test_unknown_fields_are_ignored(self, api, run, tag_of):
        api.post("runs/set-tag", run_id=run, key="k", value="v", extra={"deep": [1]}, databricks_thing=None).ok
        assert tag_of() == "v"

    def test_null_counts_as_absent(self, api, run, tag_of):
        api.post("runs/set-tag", run_id=run, key="k", value=None).ok
        assert tag_of() == ""
        api.post("runs/set-tag", run_id=run, key=None, value="v").invalid(exactly=missing("key"))

    def test_text_survives_as_sent(self, api, run, tag_of):
        text = "ünï 😀 \u2028 \"quoted\" \\ back / slash <tag> & 'x' \t\n end"
        api.post("runs/set-tag", run_id=run, key="k", value=text).ok
        assert tag_of() == text

    def test_escaped_and_raw_unicode(self, api, run, tag_of):
        for value in ("é😀", "\\u00e9\\ud83d\\ude00"):
            api.post_text("runs/set-tag", f'{{"run_id": "{run}", "key": "k", "value": "{value}"}}').ok
            assert tag_of() == "é😀"


class TestFieldNames:
    def test_camel_case_fills_optional_fields(self, api, unique, experiment):
        created = api.post("experiments/create", name=unique(), artifactLocation="s3://bucket/camel").ok
        found = api.get("experiments/get", experiment_id=created["experiment_id"]).ok["experiment"]
        assert found["artifact_location"] == "s3://bucket/camel"
        info = api.post("runs/create", experiment_id=experiment, startTime=5, runName="camel").ok["run"]["info"]
        assert (info["start_time"], info["run_name"]) == (5, "camel")

    def test_both_spellings_are_refused(self, api, unique):
        api.post("experiments/create", name=unique(), artifactLocation="s3://a", artifact_location="s3://b").invalid(
            exactly="Request specifies both 'artifact_location' and 'artifactLocation'; provide only one of them."
        )

    def test_both_spellings_inside_a_list(self, api, run):
        point = {"key": "m", "value": 1, "timestamp": 1, "modelId": "a", "model_id": "a"}
        api.post("runs/log-batch", run_id=run, metrics=[point]).invalid(
            exactly="Request specifies both 'model_id' and 'modelId'; provide only one of them."
        )


class TestGet:
    def test_query(self, api, run):
        assert api.get("runs/get", run_id=run).ok["run"]["info"]["run_id"] == run

    def test_body_when_there_is_no_query(self, api, run):
        assert api.get_with_body("runs/get", {"run_id": run}).ok == api.get("runs/get", run_id=run).ok

    def test_a_query_hides_the_body(self, api, run):
        api.raw("GET", "runs/get", params={"other": "x"}, json={"run_id": run}).invalid(exactly=missing("run_id"))

    def test_unknown_query_fields_are_ignored(self, api, run):
        assert api.get("runs/get", run_id=run, other="x").status == 200

    def test_repeated_fields(self, api, experiment, new_run):
        runs = [new_run() for _ in range(2)]
        for run_id in runs:
            api.post("runs/log-metric", run_id=run_id, key="m", value=1, timestamp=1).ok
        body = api.get("metrics/get-history-bulk-interval", run_ids=runs, metric_key="m").ok
        assert [metric["run_id"] for metric in body["metrics"]] == runs
        body = api.get("metrics/get-history-bulk-interval", run_ids=runs[0], metric_key="m").ok
        assert [metric["run_id"] for metric in body["metrics"]] == runs[:1]

    def test_escaped_values(self, api, unique):
        name = unique("a b&c=d/é%+")
        api.post("experiments/create", name=name).ok
        assert api.get("experiments/get-by-name", experiment_name=name).ok["experiment"]["name"] == name

    def test_values_are_text_in_errors(self, api):
        api.get("experiments/search", max_results="x").invalid(exactly=wrong_type("x", "max_results", "str"))


class TestNumbers:
    def test_integers_are_answered_as_numbers(self, api, experiment):
        info = api.post("runs/create", experiment_id=experiment, start_time=2**53 + 1).ok["run"]["info"]
        assert info["start_time"] == 2**53 + 1
        assert type(info["start_time"]) is int

    def test_integers_as_text(self, api, experiment):
        info = api.post("runs/create", experiment_id=experiment, start_time=str(2**53 + 1)).ok["run"]["info"]
        assert info["start_time"] == 2**53 + 1

    def test_whole_floats_are_integers(self, api, experiment):
        info = api.post("runs/create", experiment_id=experiment, start_time=5.0).ok["run"]["info"]
        assert info["start_time"] == 5
        assert '"start_time": 5.' not in json.dumps(info)


class TestAnswers:
    def test_empty_answers_are_empty_objects(self, api, run):
        answer = api.post("runs/set-tag", run_id=run, key="k", value="v")
        assert answer.text.strip() == "{}"

    @pytest.mark.parametrize("path", ["experiments/get", "experiments/none", "runs/get"])
    def test_headers_below_api(self, api, path):
        answer = api.get(path, experiment_id="0")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"

    @pytest.mark.parametrize("path", ["/health", "/version", "/api/3.0/mlflow/server-info", "/nothing"])
    def test_headers_elsewhere(self, api, path):
        answer = api.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"

    def test_json_content_type(self, api):
        assert api.get("experiments/get", experiment_id="0").headers["content-type"].startswith(JSON)
        assert api.get("experiments/get", experiment_id="x").headers["content-type"].startswith(JSON)


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "query", "expected"),
        [
            (
                "experiments/get",
                {"experiment_id": "x"},
                (400, "INVALID_PARAMETER_VALUE", "KAM00", "INVALID_PARAMETER_VALUE"),
            ),
            ("runs/get", {"run_id": "x"}, (404, "RESOURCE_DOES_NOT_EXIST", "KAM00", "RESOURCE_NOT_FOUND")),
        ],
    )
    def test_shape(self, api, path, query, expected):
        answer = api.get(path, **query)
        assert set(answer.body) == {"error_code", "message", "sqlstate", "error_class"}
        found = (answer.status, *(answer.body[key] for key in ("error_code", "sqlstate", "error_class")))
        assert found == expected

    def test_taken_names(self, api):
        answer = api.post("experiments/create", name="Default")
        assert answer.status == 400
        assert (answer.body["error_code"], answer.body["error_class"]) == ("RESOURCE_ALREADY_EXISTS",) * 2

    @pytest.mark.parametrize(
        ("value", "type_name"),
        [(5, "int"), (1.5, "float"), (True, "bool"), ([1, "a"], "list"), ({"b": [1, 2], "a": "é"}, "dict")],
    )
    def test_wrong_types_are_named_and_shown(self, api, value, type_name):
        api.post("registered-models/create", name=value).invalid(exactly=wrong_type(value, "name", type_name))


class TestRouting:
    @pytest.mark.parametrize(
        "path",
        [
            "nothing", "experiments", "experiments/get/", "runs/create/more", "/api/1.0/mlflow/experiments/get",
            "/api/3.0/mlflow/experiments/get", "/api/2.0/preview/mlflow/experiments/get", "/api/2.0/experiments/get", "/api", "/nope",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_unknown_paths(self, api, method, path):
        answer = api.raw(method, path, json={})
        assert answer.status == 404
        assert answer.body is None

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "runs/create"), ("GET", "experiments/create"), ("GET", "runs/search"), ("GET", "runs/log-batch"),
            ("POST", "runs/get"), ("POST", "experiments/get"), ("POST", "experiments/get-by-name"), ("POST", "metrics/get-history"),
            ("POST", "registered-models/get"), ("POST", "registered-models/search"), ("POST", "registered-models/update"),
            ("POST", "registered-models/delete"), ("POST", "model-versions/get"), ("POST", "model-versions/update"),
            ("POST", "model-versions/search"), ("DELETE", "runs/delete"), ("DELETE", "experiments/delete"), ("PUT", "runs/create"),
            ("PATCH", "registered-models/create"), ("GET", "logged-models"), ("GET", "model-versions/create"),
        ],
    )  # fmt: skip
    def test_wrong_methods(self, api, method, path):
        assert api.raw(method, path, json={}).status == 405


class TestAjaxTwins:
    """The web UI asks for the same calls below /ajax-api."""

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("experiments/get", {"experiment_id": "0"}),
            ("experiments/get-by-name", {"experiment_name": "Default"}),
            ("experiments/get", {"experiment_id": "x"}),
            ("runs/get", {"run_id": "nobody"}),
            ("registered-models/get", {"name": "nobody"}),
            ("model-versions/search", {"max_results": 0}),
            ("metrics/get-history", {"run_id": "nobody", "metric_key": "m"}),
        ],
    )
    def test_reads(self, api, ajax, path, query):
        here, there = api.get(path, **query), ajax.get(path, **query)
        assert (here.status, here.body) == (there.status, there.body)

    def test_writes(self, base_url, unique):
        ajax = Api(base_url, "/ajax-api/2.0/mlflow/")
        experiment = ajax.post("experiments/create", name=unique()).ok["experiment_id"]
        run = ajax.post("runs/create", experiment_id=experiment).ok["run"]["info"]["run_id"]
        ajax.post("runs/log-batch", run_id=run, params=[{"key": "p", "value": "v"}]).ok
        (found,) = ajax.post("runs/search", experiment_ids=[experiment]).ok["runs"]
        assert found["data"]["params"] == [{"key": "p", "value": "v"}]
        model = unique()
        ajax.post("registered-models/create", name=model).ok
        ajax.post("model-versions/create", name=model, source="s3://b/m").ok
        ajax.patch("model-versions/update", name=model, version="1", description="x").ok
        ajax.delete("registered-models/delete", name=model).ok

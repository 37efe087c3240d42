"""Every public method of the stock client, called at least once on the server.

A method that a later client brings fails here until it has a case, or stands among what this server does not do.
"""

import functools
import io
import os
import re
import uuid

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import RestException

pytestmark = pytest.mark.client("3.17")
os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
os.environ["MLFLOW_USE_BATCH_SPAN_PROCESSOR"] = "false"
# Told of nothing: what other tests make meanwhile would wait for an answer.
HOOK = {"url": "http://127.0.0.1:9/nobody", "status": "DISABLED"}


def name(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


class World:
    """Things to call methods about, made when a case asks for them."""

    def __init__(self, client, folder):
        self.client, self.folder = client, folder

    @functools.cached_property
    def experiment(self):
        return self.client.create_experiment(name("surface"), tags={"a": "b"})

    @functools.cached_property
    def run(self):
        return self.client.create_run(self.experiment, tags={"a": "b"}).info.run_id

    @functools.cached_property
    def child(self):
        return self.client.create_run(self.experiment, tags={"mlflow.parentRunId": self.run}).info.run_id

    @functools.cached_property
    def file(self):
        (self.folder / "some.txt").write_text("some")
        return str(self.folder / "some.txt")

    @functools.cached_property
    def stored(self):
        self.client.log_artifact(self.run, self.file)
        return "some.txt"

    @functools.cached_property
    def model(self):
        return self.client.create_registered_model(name("surface"), tags={"a": "b"}).name

    @functools.cached_property
    def version(self):
        made = self.client.create_model_version(self.model, "s3://bucket/model", tags={"a": "b"})
        self.client.set_registered_model_alias(self.model, "champion", made.version)
        return made.version

    @functools.cached_property
    def logged(self):
        made = self.client.create_logged_model(self.experiment, "some", tags={"a": "b"})
        self.client.log_model_artifact(made.model_id, self.file)
        return made.model_id

    @functools.cached_property
    def prompt(self):
        made = self.client.register_prompt(name("surface"), "Say {{what}}", tags={"a": "b"})
        self.client.set_prompt_tag(made.name, "a", "b")
        self.client.set_prompt_alias(made.name, "best", 1)
        return made.name

    @functools.cached_property
    def prompt_uri(self):
        return f"prompts:/{self.prompt}/1"

    @functools.cached_property
    def trace(self):
        root = self.client.start_trace("root", experiment_id=self.experiment, tags={"a": "b"})
        span = self.client.start_span("inner", root.trace_id, root.span_id, inputs={"q": 1})
        self.client.end_span(root.trace_id, span.span_id, outputs={"r": 2})
        self.client.end_trace(root.trace_id, outputs="done")
        return root.trace_id

    @functools.cached_property
    def dataset(self):
        made = self.client.create_dataset(name("surface"), [self.experiment], tags={"a": "b"})
        return made.dataset_id

    @functools.cached_property
    def webhook(self):
        return self.client.create_webhook(name("surface"), events=["prompt.created"], **HOOK).webhook_id

    @functools.cached_property
    def uri_of_version(self):
        return f"models:/{self.model}/{self.version}"


# What each method is called with, and something to be true of what it gives back.
CASES = {
    # Experiments and runs.
    "create_experiment": lambda c, w: c.create_experiment(name("made")),
    "get_experiment": lambda c, w: c.get_experiment(w.experiment).tags["a"] == "b",
    "get_experiment_by_name": lambda c, w: c.get_experiment_by_name(name("none")) is None,
    "search_experiments": lambda c, w: c.search_experiments(filter_string=f"experiment_id = '{w.experiment}'"),
    "rename_experiment": lambda c, w: c.rename_experiment(w.experiment, name("renamed")) is None,
    "set_experiment_tag": lambda c, w: c.set_experiment_tag(w.experiment, "k", 1) is None,
    "delete_experiment_tag": lambda c, w: c.delete_experiment_tag(w.experiment, "a") is None,
    "delete_experiment": lambda c, w: c.delete_experiment(w.experiment) is None,
    "restore_experiment": lambda c, w: (c.delete_experiment(w.experiment), c.restore_experiment(w.experiment)),
    "create_run": lambda c, w: c.create_run(w.experiment).info.status == "RUNNING",
    "get_run": lambda c, w: c.get_run(w.run).data.tags["a"] == "b",
    "get_parent_run": lambda c, w: c.get_parent_run(w.child).info.run_id == w.run,
    "search_runs": lambda c, w: w.run and c.search_runs([w.experiment], "tags.a = 'b'"),
    "update_run": lambda c, w: c.update_run(w.run, "FAILED", "named") is None,
    "set_terminated": lambda c, w: c.set_terminated(w.run) is None,
    "delete_run": lambda c, w: c.delete_run(w.run) is None,
    "restore_run": lambda c, w: (c.delete_run(w.run), c.restore_run(w.run)),
    "set_tag": lambda c, w: c.set_tag(w.run, "k", 1) is None,
    "delete_tag": lambda c, w: c.delete_tag(w.run, "a") is None,
    "log_param": lambda c, w: c.log_param(w.run, "p", 1) == 1,
    "log_metric": lambda c, w: c.log_metric(w.run, "m", 1) is None,
    "get_metric_history": lambda c, w: (c.log_metric(w.run, "m", 1), c.get_metric_history(w.run, "m"))[1],
    "log_batch": lambda c, w: c.log_batch(w.run, params=[mlflow.entities.Param("p", "1")]) is None,
    "log_inputs": lambda c, w: c.log_inputs(w.run, models=[mlflow.entities.LoggedModelInput(w.logged)]) is None,
    "log_outputs": lambda c, w: c.log_outputs(w.run, [mlflow.entities.LoggedModelOutput(w.logged, 1)]) is None,
    # Artifacts.
    "log_artifact": lambda c, w: c.log_artifact(w.run, w.file, "in") is None,
    "log_artifacts": lambda c, w: w.file and c.log_artifacts(w.run, str(w.folder)) is None,
    "log_text": lambda c, w: c.log_text(w.run, "text", "a/b.txt") is None,
    "log_dict": lambda c, w: c.log_dict(w.run, {"a": 1}, "a.json") is None,
    "log_stream": lambda c, w: c.log_stream(w.run, io.BytesIO(b"abc"), "a.bin") is None,
    "log_figure": lambda c, w: c.log_figure(w.run, figure(), "a.png") is None,
    "log_image": lambda c, w: c.log_image(w.run, picture(), "b.png") is None,
    "log_table": lambda c, w: c.log_table(w.run, {"a": [1]}, "t.json") is None,
    "load_table": lambda c, w: (c.log_table(w.run, {"a": [1]}, "t.json"), len(c.load_table(w.experiment, "t.json")))[1] == 1,
    "list_artifacts": lambda c, w: [found.path for found in c.list_artifacts(w.run) if w.stored] or w.stored,
    "download_artifacts": lambda c, w: open(c.download_artifacts(w.run, w.stored)).read() == "some",
    # Logged models.
    "create_logged_model": lambda c, w: c.create_logged_model(w.experiment).model_id,
    "get_logged_model": lambda c, w: c.get_logged_model(w.logged).tags["a"] == "b",
    "search_logged_models": lambda c, w: w.logged and c.search_logged_models([w.experiment], "name = 'some'"),
    "finalize_logged_model": lambda c, w: c.finalize_logged_model(w.logged, "READY"),
    "set_logged_model_tags": lambda c, w: c.set_logged_model_tags(w.logged, {"k": 1}) is None,
    "delete_logged_model_tag": lambda c, w: c.delete_logged_model_tag(w.logged, "a") is None,
    "log_model_params": lambda c, w: c.log_model_params(w.logged, {"p": "1"}) is None,
    "log_model_artifact": lambda c, w: c.log_model_artifact(w.logged, w.file, "in") is None,
    "log_model_artifacts": lambda c, w: w.file and c.log_model_artifacts(w.logged, str(w.folder)) is None,
    "list_logged_model_artifacts": lambda c, w: c.list_logged_model_artifacts(w.logged)[0].path == "some.txt",
    "delete_logged_model": lambda c, w: c.delete_logged_model(w.logged) is None,
    # The registry.
    "create_registered_model": lambda c, w: c.create_registered_model(name("made")).name,
    "get_registered_model": lambda c, w: c.get_registered_model(w.model).tags == {"a": "b"},
    "search_registered_models": lambda c, w: c.search_registered_models(f"name = '{w.model}'"),
    "rename_registered_model": lambda c, w: c.rename_registered_model(w.model, name("renamed")) is None,
    "update_registered_model": lambda c, w: c.update_registered_model(w.model, "what").description == "what",
    "set_registered_model_tag": lambda c, w: c.set_registered_model_tag(w.model, "k", 1) is None,
    "delete_registered_model_tag": lambda c, w: c.delete_registered_model_tag(w.model, "a") is None,
    "set_registered_model_alias": lambda c, w: c.set_registered_model_alias(w.model, "new", w.version) is None,
    "delete_registered_model_alias": lambda c, w: w.version and c.delete_registered_model_alias(w.model, "champion") is None,
    "delete_registered_model": lambda c, w: c.delete_registered_model(w.model) is None,
    "create_model_version": lambda c, w: c.create_model_version(w.model, "s3://bucket/x").version == "1",
    "copy_model_version": lambda c, w: c.copy_model_version(w.uri_of_version, name("copied")).version == "1",
    "get_model_version": lambda c, w: c.get_model_version(w.model, w.version).tags == {"a": "b"},
    "get_model_version_by_alias": lambda c, w: w.version and c.get_model_version_by_alias(w.model, "champion"),
    "get_model_version_download_uri": lambda c, w: c.get_model_version_download_uri(w.model, w.version) == "s3://bucket/model",
    "get_model_version_stages": lambda c, w: c.get_model_version_stages(w.model, w.version)[0] == "None",
    "get_latest_versions": lambda c, w: w.version and c.get_latest_versions(w.model)[0].version == w.version,
    "search_model_versions": lambda c, w: w.version and c.search_model_versions(f"name = '{w.model}'"),
    "update_model_version": lambda c, w: c.update_model_version(w.model, w.version, "what").description == "what",
    "transition_model_version_stage": lambda c, w: c.transition_model_version_stage(w.model, w.version, "Staging"),
    "set_model_version_tag": lambda c, w: c.set_model_version_tag(w.model, w.version, "k", 1) is None,
    "delete_model_version_tag": lambda c, w: c.delete_model_version_tag(w.model, w.version, "a") is None,
    "delete_model_version": lambda c, w: c.delete_model_version(w.model, w.version) is None,
    # Prompts.
    "register_prompt": lambda c, w: c.register_prompt(name("made"), "x", response_format={"type": "object"}).version == 1,
    "create_prompt": lambda c, w: c.create_prompt(name("made"), "what").description == "what",
    "create_prompt_version": lambda c, w: c.create_prompt_version(w.prompt, [{"role": "user", "content": "q"}]),
    "get_prompt": lambda c, w: c.get_prompt(w.prompt).tags["a"] == "b",
    "get_prompt_version": lambda c, w: c.get_prompt_version(w.prompt, 1).template == "Say {{what}}",
    "get_prompt_version_by_alias": lambda c, w: c.get_prompt_version_by_alias(w.prompt, "best").version == 1,
    "load_prompt": lambda c, w: c.load_prompt(w.prompt_uri).format(what="hi") == "Say hi",
    "parse_prompt_uri": lambda c, w: tuple(map(str, c.parse_prompt_uri(w.prompt_uri))) == (w.prompt, "1"),
    "search_prompts": lambda c, w: c.search_prompts(f"name = '{w.prompt}'"),
    "search_prompt_versions": lambda c, w: c.search_prompt_versions(w.prompt),
    "set_prompt_alias": lambda c, w: c.set_prompt_alias(w.prompt, "new", 1) is None,
    "delete_prompt_alias": lambda c, w: c.delete_prompt_alias(w.prompt, "best") is None,
    "set_prompt_tag": lambda c, w: c.set_prompt_tag(w.prompt, "k", "v") is None,
    "delete_prompt_tag": lambda c, w: c.delete_prompt_tag(w.prompt, "a") is None,
    "set_prompt_version_tag": lambda c, w: c.set_prompt_version_tag(w.prompt, 1, "k", "v") is None,
    "delete_prompt_version_tag": lambda c, w: c.delete_prompt_version_tag(w.prompt, 1, "a") is None,
    "delete_prompt_version": lambda c, w: c.delete_prompt_version(w.prompt, "1") is None,
    "delete_prompt": lambda c, w: (c.delete_prompt_version(w.prompt, "1"), c.delete_prompt(w.prompt)),
    "link_prompt_version_to_run": lambda c, w: c.link_prompt_version_to_run(w.run, w.prompt_uri) is None,
    "list_logged_prompts": lambda c, w: c.list_logged_prompts(w.run) == [],
    "link_prompt_version_to_model": lambda c, w: c.link_prompt_version_to_model(w.prompt, "1", w.logged) is None,
    "link_prompt_versions_to_trace": lambda c, w: c.link_prompt_versions_to_trace([c.load_prompt(w.prompt_uri)], w.trace) is None,
    # Traces.
    "start_trace": lambda c, w: c.start_trace("t", experiment_id=w.experiment).trace_id,
    "start_span": lambda c, w: w.trace,
    "end_span": lambda c, w: c.get_trace(w.trace).search_spans(name="inner")[0].outputs == {"r": 2},
    "end_trace": lambda c, w: c.get_trace(w.trace).info.state == "OK",
    "get_trace": lambda c, w: len(c.get_trace(w.trace).data.spans) == 2,
    "search_traces": lambda c, w: w.trace and c.search_traces([w.experiment], "tags.a = 'b'"),
    "set_trace_tag": lambda c, w: c.set_trace_tag(w.trace, "k", "v") is None,
    "delete_trace_tag": lambda c, w: c.delete_trace_tag(w.trace, "a") is None,
    "link_traces_to_run": lambda c, w: c.link_traces_to_run([w.trace], w.run) is None,
    "delete_traces": lambda c, w: c.delete_traces(w.experiment, trace_ids=[w.trace]) == 1,
    # Evaluation datasets.
    "create_dataset": lambda c, w: c.create_dataset(name("made"), w.experiment).dataset_id,
    "get_dataset": lambda c, w: c.get_dataset(w.dataset).tags["a"] == "b",
    "search_datasets": lambda c, w: w.dataset and c.search_datasets([w.experiment]),
    "set_dataset_tags": lambda c, w: c.set_dataset_tags(w.dataset, {"k": "v"}) is None,
    "delete_dataset_tag": lambda c, w: c.delete_dataset_tag(w.dataset, "a") is None,
    "add_dataset_to_experiments": lambda c, w: c.add_dataset_to_experiments(w.dataset, [c.create_experiment(name("more"))]),
    "remove_dataset_from_experiments": lambda c, w: c.remove_dataset_from_experiments(w.dataset, [w.experiment]),
    "delete_dataset": lambda c, w: c.delete_dataset(w.dataset) is None,
    # Webhooks.
    "create_webhook": lambda c, w: c.create_webhook(name("made"), events=["model_version.created"], **HOOK).webhook_id,
    "get_webhook": lambda c, w: c.get_webhook(w.webhook).url == HOOK["url"],
    "list_webhooks": lambda c, w: w.webhook and c.list_webhooks(1),
    "update_webhook": lambda c, w: c.update_webhook(w.webhook, description="d").description == "d",
    "test_webhook": lambda c, w: not c.test_webhook(w.webhook).success,
    "delete_webhook": lambda c, w: c.delete_webhook(w.webhook) is None,
    "tracking_uri": lambda c, w: c.tracking_uri,
}  # fmt: skip
# What `conformance/workspaces` calls, on servers that have workspaces.
ELSEWHERE = {"create_workspace", "delete_workspace", "get_workspace", "get_workspace_store_uri", "list_workspaces", "update_workspace"}
# What the client itself refuses to do over HTTP, or does to prompts that only clients before 3.0 link to runs.
UNABLE = {"unlink_traces_from_run", "detach_prompt_from_run"}
# What is answered 501.
REFUSED = {
    "search_mcp_servers": lambda c: c.search_mcp_servers(),
    "get_mcp_server": lambda c: c.get_mcp_server("com.example/x"),
    "create_mcp_server": lambda c: c.create_mcp_server("com.example/x"),
    "search_mcp_access_endpoints": lambda c: c.search_mcp_access_endpoints(),
}


def figure():
    from matplotlib.figure import Figure

    return Figure()


def picture():
    from PIL import Image

    return Image.new("RGB", (2, 2))


def test_every_method_has_a_case():
    methods = {method for method in dir(MlflowClient) if not method.startswith("_")}
    assert {method for method in methods if not re.search("_mcp_", method)} == set(CASES) | ELSEWHERE | UNABLE


@pytest.mark.parametrize("method", CASES)
def test_a_method(client, tmp_path, method):
    assert CASES[method](client, World(client, tmp_path))


@pytest.mark.stele_only
@pytest.mark.parametrize("method", REFUSED)
def test_a_registry_of_tool_servers_is_not_offered(client, method):
    with pytest.raises(RestException, match="NOT_IMPLEMENTED"):
        REFUSED[method](client)

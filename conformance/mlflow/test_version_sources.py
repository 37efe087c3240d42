"""Where a model version may come from, and what becomes of the address."""

import json

import pytest

from wire import mapping, pairs

LOCAL_TEXT = (
    "To use a local path as a model version source, the run_id request parameter has to be specified and the local "
    "path has to be contained within the artifact directory of the run specified by the run_id."
)
RELATIVE_TEXT = (
    "If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute "
    "path must be provided without relative path references present. Please provide an absolute path."
)
NEEDS = "The {} request parameter must identify the resource that contains the source."


@pytest.fixture
def create(api, model):
    return lambda source, **fields: api.post("model-versions/create", {"name": model, "source": source, **fields})


@pytest.fixture
def logged_model(api, experiment, run):
    """A finalized logged model that the run made: its info."""
    info = api.post("logged-models", experiment_id=experiment, name="lm", source_run_id=run).ok["model"]["info"]
    return api.patch(f"logged-models/{info['model_id']}", model_id=info["model_id"], status=2).ok["model"]["info"]


@pytest.fixture
def local_run(api, new_experiment, tmp_path):
    """A run whose artifacts are in a local folder: its info."""
    experiment = new_experiment(artifact_location=tmp_path.as_uri())
    return api.post("runs/create", experiment_id=experiment).ok["run"]["info"]


def refused(answer, source, text):
    answer.invalid(exactly=f"Invalid model version source: '{source}'. {text}")


@pytest.mark.parametrize(
    "source",
    [
        "s3://bucket/path",
        "s3://bucket/path/",
        "s3://bucket//double///slashes",
        "s3://bucket/path?region=eu",
        "s3://bucket/dots..in..names/x",
        "s3://bucket/..../x",
        "gs://bucket/path",
        "wasbs://container@account/path",
        "dbfs:/path",
    ],
)
def test_remote_storage_is_stored_as_given(api, create, model, source):
    assert create(source).ok["model_version"]["source"] == source
    assert api.get("model-versions/get-download-uri", name=model, version="1").ok["artifact_uri"] == source


@pytest.mark.parametrize("run_id", ["some-run", "no-such-run"])
def test_remote_storage_takes_any_run_id(create, run_id):
    assert create("s3://bucket/path", run_id=run_id).ok["model_version"]["run_id"] == run_id


@pytest.mark.parametrize(
    "source",
    [
        "s3://bucket/../path",
        "s3a://bucket/a/../../b",
        "s3://bucket/a%2f..%2fb",
        "s3://bucket/a/%2e%2e/b",
        "s3://bucket/a/%252e%252e/b",
        "s3://bucket/nul%00",
        "gs://bucket/..",
        "mlflow-artifacts:/1/../2",
    ],
)
def test_remote_storage_with_steps_upwards(create, source):
    refused(create(source, run_id="r"), source, RELATIVE_TEXT)


@pytest.mark.parametrize(
    ("source", "scheme"),
    [
        ("http://host/path", "http"),
        ("https://host/path", "https"),
        ("https://host/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts", "https"),
        ("ftp://host/path", "ftp"),
        ("sftp://host/path", "sftp"),
        ("hdfs://host/path", "hdfs"),
        ("mlflow-artifacts://host:5000/path", "mlflow-artifacts"),
    ],
)
def test_addresses_that_name_a_host(create, source, scheme):
    create(source).invalid(f"'source' cannot use the '{scheme}' scheme: ")


@pytest.mark.parametrize("scheme", ["http", "https", "ftp", "hdfs"])
def test_experiments_refuse_such_addresses_too(api, unique, scheme):
    api.post("experiments/create", name=unique(), artifact_location=f"{scheme}://host/path").invalid(
        f"'artifact_location' cannot use the '{scheme}' scheme: "
    )


class TestLocal:
    @pytest.mark.parametrize("source", ["/tmp", "/tmp/model", "file:///tmp/model", "relative/path", "./model", "model"])
    def test_without_a_run(self, create, source):
        refused(create(source), source, LOCAL_TEXT)

    @pytest.mark.parametrize("source", ["/tmp", "file:///tmp"])
    def test_outside_of_the_run(self, create, run, local_run, source):
        create(source, run_id=run).invalid(LOCAL_TEXT)
        create(source, run_id=local_run["run_id"]).invalid(LOCAL_TEXT)

    @pytest.mark.parametrize("below", ["", "/model", "/deep/model", "/.", "/model/.."])
    @pytest.mark.parametrize("plain", [True, False])
    def test_inside_of_the_run(self, create, local_run, below, plain):
        root = local_run["artifact_uri"]
        source = (root.removeprefix("file://") if plain else root) + below
        assert create(source, run_id=local_run["run_id"]).ok["model_version"]["source"] == source

    @pytest.mark.parametrize("below", ["/..", "/../x", "/model/../../x"])
    def test_climbing_out(self, create, local_run, below):
        create(local_run["artifact_uri"] + below, run_id=local_run["run_id"]).invalid(LOCAL_TEXT)

    def test_a_sibling_with_the_same_beginning(self, create, local_run):
        create(local_run["artifact_uri"] + "-other", run_id=local_run["run_id"]).invalid(LOCAL_TEXT)

    def test_unknown_run(self, create):
        answer = create("/tmp/model", run_id="nobody")
        refused(answer, "/tmp/model", NEEDS.format("run_id"))

    def test_file_on_another_host(self, create, local_run):
        create("file://123.456.789.123/path", run_id=local_run["run_id"]).refused(
            "INTERNAL_ERROR", "file://123.456.789.123/path is not a valid remote uri."
        )


class TestRuns:
    def test_the_run_must_be_named(self, create):
        assert create("runs:/abc/model", run_id="abc").ok["model_version"]["source"] == "runs:/abc/model"
        for fields in ({}, {"run_id": ""}, {"run_id": "other"}):
            refused(create("runs:/abc/model", **fields), "runs:/abc/model", NEEDS.format("run_id"))

    def test_download_address_is_the_source(self, api, create, model, run):
        create(f"runs:/{run}/model", run_id=run).ok
        uri = api.get("model-versions/get-download-uri", name=model, version="1").ok["artifact_uri"]
        assert uri == f"runs:/{run}/model"

    def test_proxied_artifacts(self, create, run, read_run):
        root = read_run(run)["info"]["artifact_uri"]
        if not root.startswith("mlflow-artifacts:"):
            pytest.skip("the server does not proxy artifacts")
        for source in (root, root + "/model", root + "/a//b"):
            assert create(source, run_id=run).ok["model_version"]["source"] == source
        for source, run_id in ((root, ""), (root, "nobody"), ("mlflow-artifacts:/0/x", run), (root + "x", run)):
            refused(create(source, run_id=run_id), source, NEEDS.format("run_id"))


class TestLoggedModels:
    def test_by_model_id(self, api, create, model, run, logged_model):
        source = f"models:/{logged_model['model_id']}"
        version = create(source, model_id=logged_model["model_id"]).ok["model_version"]
        assert (version["source"], version["run_id"]) == (source, run)
        assert "model_id" not in version
        uri = api.get("model-versions/get-download-uri", name=model, version="1").ok["artifact_uri"]
        assert uri == logged_model["artifact_uri"]

    def test_the_model_must_be_named(self, create, logged_model):
        source = f"models:/{logged_model['model_id']}"
        for fields in ({}, {"model_id": "m-other"}, {"run_id": "r"}):
            refused(create(source, **fields), source, NEEDS.format("model_id"))

    def test_artifacts_of_the_model(self, create, logged_model):
        root, model_id = logged_model["artifact_uri"], logged_model["model_id"]
        create(root, model_id=model_id).ok
        create(root + "/part", model_id=model_id).ok
        if root.startswith("mlflow-artifacts:"):
            refused(
                create("mlflow-artifacts:/0/x", model_id=model_id), "mlflow-artifacts:/0/x", NEEDS.format("model_id")
            )
        refused(create("runs:/abc/x", model_id=model_id), "runs:/abc/x", NEEDS.format("model_id"))

    def test_the_model_remembers_its_versions(self, api, create, model, logged_model):
        model_id = logged_model["model_id"]
        create("s3://bucket/other").ok
        create(f"models:/{model_id}", model_id=model_id).ok
        create("s3://bucket/copy", model_id=model_id).ok
        tags = mapping(api.get(f"logged-models/{model_id}").ok["model"]["info"]["tags"])
        assert json.loads(tags["mlflow.modelVersions"]) == [
            {"name": model, "version": 2},
            {"name": model, "version": 3},
        ]


class TestOtherVersions:
    def test_the_download_address_is_inherited(self, api, create, model, new_model):
        create("s3://bucket/first", run_id="run-1").ok
        copy = new_model()
        source = f"models:/{model}/1"
        version = api.post("model-versions/create", name=copy, source=source).ok["model_version"]
        assert (version["source"], version["run_id"], version["version"]) == (source, "run-1", "1")
        uri = api.get("model-versions/get-download-uri", name=copy, version="1").ok["artifact_uri"]
        assert uri == "s3://bucket/first"
        again = api.post("model-versions/create", name=copy, source=f"models:/{copy}/1").ok["model_version"]
        assert again["run_id"] == "run-1"
        uri = api.get("model-versions/get-download-uri", name=copy, version="2").ok["artifact_uri"]
        assert uri == "s3://bucket/first"

    def test_stages_aliases_and_latest_become_numbers(self, api, create, model):
        for _ in range(3):
            create("s3://bucket/x").ok
        api.post("registered-models/alias", name=model, alias="best", version="2").ok
        api.post("model-versions/transition-stage", name=model, version="1", stage="Staging").ok
        for word, number in (("/latest", 3), ("@best", 2), ("/Staging", 1)):
            assert create(f"models:/{model}{word}").ok["model_version"]["source"] == f"models:/{model}/{number}"

    def test_run_ids_must_agree(self, create, model):
        create("s3://bucket/x", run_id="run-1").ok
        source = f"models:/{model}/1"
        create(source, run_id="run-1").ok
        for run_id in ("run-2", ""):
            refused(
                create(source, run_id=run_id),
                source,
                "The run_id and model_id request parameters must match the referenced model version.",
            )

    def test_what_is_not_there(self, create, model):
        create("models:/nobody/1").absent(exactly="Registered Model with name=nobody not found")
        create(f"models:/{model}/9").absent(exactly=f"Model Version (name={model}, version=9) not found")
        create(f"models:/{model}@best").invalid(exactly="Registered model alias best not found.")
        create("models:/no-slash").invalid("Invalid model version source: 'models:/no-slash'.")
        refused(
            create(f"models://host/{model}/1"),
            f"models://host/{model}/1",
            "Registered model sources must use the active model registry.",
        )

    def test_client_copies(self, client, model, new_model):
        client.create_model_version(
            model, "s3://bucket/m", "run-1", {"a": "1"}, run_link="https://run", description="text"
        )
        client.set_registered_model_alias(model, "best", "1")
        client.transition_model_version_stage(model, "1", "Production")
        copy = client.copy_model_version(f"models:/{model}@best", new_model())
        assert (copy.current_stage, copy.aliases, copy.run_link) == ("None", [], "https://run")
        assert (copy.version, copy.source, copy.run_id) == ("1", f"models:/{model}/1", "run-1")
        assert (copy.description, copy.tags) == ("text", {"a": "1"})
        assert client.get_model_version_download_uri(copy.name, 1) == "s3://bucket/m"


def test_the_source_is_checked_before_the_model_name(api):
    api.post("model-versions/create", name="nobody", source="/tmp").invalid(LOCAL_TEXT)
    api.post("model-versions/create", name="nobody", source="s3://b/m", tags=pairs({"a(b)": "c"})).invalid(
        "Names may only"
    )

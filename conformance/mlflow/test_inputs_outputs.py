"""Datasets and models that a run reads, models it writes, and the search over datasets."""

import json

import pytest
from mlflow.entities import Dataset, DatasetInput, InputTag

from wire import mapping, missing, pairs, wrong_type

CONTEXT = "mlflow.data.context"


def dataset(name="data", digest="d1", tags=None, **fields):
    entry = {"dataset": {"name": name, "digest": digest, "source_type": "local", "source": "{}", **fields}}
    if tags is not None:
        entry["tags"] = pairs(tags)
    return entry


@pytest.fixture
def log(api, run):
    return lambda *datasets, **fields: api.post(
        "runs/log-inputs", {"run_id": run, "datasets": list(datasets), **fields}
    )


@pytest.fixture
def inputs(read_run, run):
    return lambda: read_run(run)["inputs"]


class TestInputs:
    def test_shape(self, log, inputs):
        full = dataset(tags={CONTEXT: "training", "b": "c"}, schema="{}", profile='{"num_rows": 2}')
        assert log(full).ok == {}
        assert log(dataset("bare")).ok == {}
        found = {entry["dataset"]["name"]: entry for entry in inputs()["dataset_inputs"]}
        assert mapping(found["data"].pop("tags")) == mapping(full.pop("tags"))
        assert found == {"data": full, "bare": dataset("bare")}

    def test_nothing_to_log(self, api, run, inputs):
        assert api.post("runs/log-inputs", run_id=run).ok == {}
        assert api.post("runs/log-inputs", run_id=run, datasets=[], models=[]).ok == {}
        assert inputs() == {}

    def test_a_repeated_dataset_stays_as_first(self, log, inputs):
        log(dataset(tags={"a": "1"}, profile="first")).ok
        log(dataset(tags={"a": "2", "b": "3"}, profile="second")).ok
        (entry,) = inputs()["dataset_inputs"]
        assert mapping(entry["tags"]) == {"a": "1"}
        assert entry["dataset"]["profile"] == "first"

    def test_repeats_within_one_call(self, log, inputs):
        log(dataset(tags={"a": "1"}), dataset(tags={"a": "2"}), dataset(digest="d2")).ok
        entries = inputs()["dataset_inputs"]
        assert sorted((entry["dataset"]["digest"], len(entry.get("tags", []))) for entry in entries) == [
            ("d1", 1),
            ("d2", 0),
        ]

    def test_name_and_digest_together_identify(self, log, inputs):
        log(dataset("x", "1"), dataset("x", "2"), dataset("y", "1")).ok
        found = {(entry["dataset"]["name"], entry["dataset"]["digest"]) for entry in inputs()["dataset_inputs"]}
        assert found == {("x", "1"), ("x", "2"), ("y", "1")}

    def test_runs_of_one_experiment_share_the_dataset_but_not_the_tags(self, api, new_run, read_run):
        first, second = new_run(), new_run()
        api.post("runs/log-inputs", run_id=first, datasets=[dataset(tags={"who": "first"}, profile="p")]).ok
        api.post("runs/log-inputs", run_id=second, datasets=[dataset(tags={"who": "second"}, profile="q")]).ok
        entries = [read_run(each)["inputs"]["dataset_inputs"] for each in (first, second)]
        assert [mapping(entry[0]["tags"]) for entry in entries] == [{"who": "first"}, {"who": "second"}]
        assert [entry[0]["dataset"]["profile"] for entry in entries] == ["p", "p"]

    def test_experiments_do_not_share_datasets(self, api, new_experiment, read_run):
        profiles = []
        for profile in ("p", "q"):
            run_id = api.post("runs/create", experiment_id=new_experiment()).ok["run"]["info"]["run_id"]
            api.post("runs/log-inputs", run_id=run_id, datasets=[dataset(profile=profile)]).ok
            profiles.append(read_run(run_id)["inputs"]["dataset_inputs"][0]["dataset"]["profile"])
        assert profiles == ["p", "q"]

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            (dataset("n" * 501), "'name' exceeds the maximum length of 500 characters"),
            (dataset(digest="d" * 37), "'digest' exceeds the maximum length of 36 characters"),
            (dataset(source="s" * 65536), "'source' exceeds the maximum length of 65535 characters"),
            (dataset(schema="s" * 1048576), "'schema' exceeds the maximum length of 1048575 characters"),
            (dataset(profile="p" * 16777216), "'profile' exceeds the maximum length of 16777215 characters"),
            (dataset(tags={"k" * 256: "v"}), "'key' exceeds the maximum length of 255 characters"),
            (dataset(tags={"k": "v" * 501}), "'value' exceeds the maximum length of 500 characters"),
        ],
        ids=["name", "digest", "source", "schema", "profile", "tag key", "tag value"],
    )
    def test_limits(self, log, inputs, entry, message):
        log(dataset("good"), entry).invalid(exactly=message)
        assert inputs() == {}

    def test_longest_fields(self, log, inputs):
        entry = dataset("n" * 500, "d" * 36, {"k" * 255: "v" * 500}, source="s" * 65535, schema="c" * 100_000)
        log(entry).ok
        assert inputs()["dataset_inputs"] == [entry]

    def test_refusals(self, api, log):
        api.post("runs/log-inputs", datasets=[dataset()]).invalid(exactly=missing("run_id"))
        log(datasets="x").invalid(exactly=wrong_type("x", "datasets", "str"))
        log(models="x").invalid(exactly=wrong_type("x", "models", "str"))
        api.post("runs/log-inputs", run_id="nobody", datasets=[dataset()]).absent(
            exactly="Run with id=nobody not found"
        )

    def test_client(self, client, run):
        entity = Dataset(name="n", digest="d", source_type="local", source="{}", schema="{}", profile="{}")
        client.log_inputs(run, [DatasetInput(dataset=entity, tags=[InputTag(key=CONTEXT, value="eval")])])
        (found,) = client.get_run(run).inputs.dataset_inputs
        assert found.dataset.to_dictionary() == entity.to_dictionary()
        assert [(tag.key, tag.value) for tag in found.tags] == [(CONTEXT, "eval")]

    def test_models_read(self, api, run, read_run):
        api.post("runs/log-inputs", run_id=run, models=[{"model_id": "m-1"}, {"model_id": "m-2"}]).ok
        found = read_run(run)["inputs"]
        assert sorted(found["model_inputs"], key=str) == [{"model_id": "m-1"}, {"model_id": "m-2"}]
        assert "dataset_inputs" not in found


class TestOutputs:
    def test_shape(self, api, experiment, run, read_run):
        assert read_run(run)["outputs"] == {}
        models = [{"model_id": "m-1", "step": 3}, {"model_id": "m-2", "step": 0}]
        assert api.post("runs/outputs", run_id=run, models=models).ok == {}
        assert sorted(read_run(run)["outputs"]["model_outputs"], key=str) == models
        (found,) = api.post("runs/search", experiment_ids=[experiment]).ok["runs"]
        assert sorted(found["outputs"]["model_outputs"], key=str) == models

    def test_step_defaults_to_zero(self, api, run, read_run):
        api.post("runs/outputs", run_id=run, models=[{"model_id": "m-1"}]).ok
        assert read_run(run)["outputs"] == {"model_outputs": [{"model_id": "m-1", "step": 0}]}

    def test_refusals(self, api, run):
        assert api.post("runs/outputs", run_id=run, models=[]).ok == {}
        api.post("runs/outputs", run_id=run).invalid(exactly=missing("models"))
        api.post("runs/outputs", models=[]).invalid(exactly=missing("run_id"))
        api.post("runs/outputs", run_id=run, models="x").invalid(exactly=wrong_type("x", "models", "str"))

    @pytest.mark.client("3.0")
    def test_client(self, client, experiment, run):
        from mlflow.entities import LoggedModelInput, LoggedModelOutput

        model_id = client.create_logged_model(experiment, source_run_id=run).model_id
        client.log_outputs(run, [LoggedModelOutput(model_id, 4)])
        client.log_inputs(run, models=[LoggedModelInput(model_id)])
        found = client.get_run(run)
        assert [(each.model_id, each.step) for each in found.outputs.model_outputs] == [(model_id, 4)]
        assert [each.model_id for each in found.inputs.model_inputs] == [model_id]


class TestDatasetSearch:
    PATH = "experiments/search-datasets"

    def test_summaries(self, ajax, log, experiment):
        log(dataset("a", "1", {CONTEXT: "train"}), dataset("b", "2"), dataset("c", "3", {"other": "tag"})).ok
        body = ajax.post(self.PATH, experiment_ids=[experiment]).ok
        assert sorted(body["dataset_summaries"], key=lambda entry: entry["name"]) == [
            {"experiment_id": experiment, "name": "a", "digest": "1", "context": "train"},
            {"experiment_id": experiment, "name": "b", "digest": "2"},
            {"experiment_id": experiment, "name": "c", "digest": "3"},
        ]

    def test_each_context_once(self, api, ajax, experiment, new_run):
        for context in ("train", "train", "eval"):
            api.post("runs/log-inputs", run_id=new_run(), datasets=[dataset(tags={CONTEXT: context})]).ok
        body = ajax.post(self.PATH, experiment_ids=[experiment]).ok
        assert sorted(entry["context"] for entry in body["dataset_summaries"]) == ["eval", "train"]

    def test_several_experiments(self, api, ajax, new_experiment):
        experiments = [new_experiment() for _ in range(2)]
        for experiment in experiments:
            run_id = api.post("runs/create", experiment_id=experiment).ok["run"]["info"]["run_id"]
            api.post("runs/log-inputs", run_id=run_id, datasets=[dataset()]).ok
        found = ajax.post(self.PATH, experiment_ids=experiments).ok["dataset_summaries"]
        assert sorted(entry["experiment_id"] for entry in found) == sorted(experiments)
        found = ajax.post(self.PATH, experiment_ids=experiments[:1]).ok["dataset_summaries"]
        assert [entry["experiment_id"] for entry in found] == experiments[:1]

    def test_at_most_a_thousand(self, ajax, log, experiment):
        log(*(dataset(f"name {i}", f"digest {i}") for i in range(1010))).ok
        assert len(ajax.post(self.PATH, experiment_ids=[experiment]).ok["dataset_summaries"]) == 1000

    def test_nothing(self, ajax, experiment):
        assert ajax.post(self.PATH, experiment_ids=[experiment, "987654321"]).ok == {}

    def test_refusals(self, api, ajax):
        for body in ({}, {"experiment_ids": []}):
            ajax.post(self.PATH, body).invalid(
                exactly="SearchDatasets request must specify at least one experiment_id."
            )
        ajax.post(self.PATH, experiment_ids=[str(i) for i in range(21)]).invalid(
            exactly="SearchDatasets request cannot specify more than 20 experiment_ids. Received 21 experiment_ids."
        )
        assert api.post(self.PATH, experiment_ids=["0"]).status == 404


class TestRunSearchByDataset:
    @pytest.fixture
    def found(self, api, experiment, new_run):
        """Search for runs a, b, c of which a and b read datasets."""
        letters = {}
        for start, (letter, entries) in enumerate(
            {
                "a": [
                    dataset("train set", "x1", {CONTEXT: "training"}),
                    dataset("test set", "x2", {CONTEXT: "testing"}),
                ],
                "b": [dataset("Train Set", "y1", {CONTEXT: "training"})],
                "c": [],
            }.items()
        ):
            run_id = new_run(start_time=start + 1)
            letters[run_id] = letter
            api.post("runs/log-inputs", run_id=run_id, datasets=entries).ok

        def search(filter_string):
            body = api.post("runs/search", experiment_ids=[experiment], filter=filter_string).ok
            return "".join(letters[each["info"]["run_id"]] for each in body.get("runs", []))

        return search

    @pytest.mark.parametrize(
        ("filter_string", "expected"),
        [
            ("datasets.name = 'train set'", "a"),
            ("dataset.name = 'train set'", "a"),
            ("datasets.name LIKE 'Train%'", "b"),
            ("datasets.name ILIKE 'train%'", "ba"),
            ("datasets.name != 'train set'", "ba"),
            ("datasets.name IN ('train set', 'Train Set')", "ba"),
            ("datasets.digest = 'x2'", "a"),
            ("datasets.digest IN ('x1', 'x2')", "a"),
            ("datasets.digest LIKE 'y%'", "b"),
            ("datasets.context = 'training'", "ba"),
            ("datasets.context = 'testing'", "a"),
            ("dataset.context IN ('testing', 'none')", "a"),
            ("datasets.context ILIKE 'TEST%'", "a"),
            ("datasets.name = 'train set' AND datasets.context = 'training'", "a"),
            ("datasets.digest = 'y1' AND start_time > 1", "b"),
            ("datasets.name = 'absent'", ""),
        ],
    )
    def test_filters(self, found, filter_string, expected):
        assert found(filter_string) == expected


class TestLogModel:
    """The older way to note a model on a run: a tag with a JSON list."""

    def history(self, read_run, run):
        return json.loads(mapping(read_run(run)["data"]["tags"])["mlflow.log-model.history"])

    def test_history_grows(self, api, run, read_run):
        for path in ("one", "two"):
            text = json.dumps(
                {
                    "run_id": run,
                    "artifact_path": path,
                    "utc_time_created": "2026-01-01 00:00:00",
                    "flavors": {"sklearn": {"pickled_model": "model.pkl"}},
                    "model_uuid": f"uuid {path}",
                }
            )
            assert api.post("runs/log-model", run_id=run, model_json=text).ok == {}
        first, second = self.history(read_run, run)
        assert (first["artifact_path"], second["artifact_path"]) == ("one", "two")
        assert second["run_id"] == run
        assert second["model_uuid"] == "uuid two"
        assert second["flavors"] == {"sklearn": {"pickled_model": "model.pkl"}}
        assert second["utc_time_created"] == "2026-01-01 00:00:00"

    def test_refusals(self, api, run):
        api.post("runs/log-model", model_json="{}").invalid(exactly=missing("run_id"))
        api.post("runs/log-model", run_id=run).invalid(exactly=missing("model_json"))
        api.post("runs/log-model", run_id=run, model_json=5).invalid(exactly=wrong_type(5, "model_json", "int"))
        api.post("runs/log-model", run_id=run, model_json="no json").invalid(
            "Malformed model info.", "is not a valid JSON."
        )
        partial = json.dumps({"artifact_path": "a", "flavors": {}, "run_id": run})
        api.post("runs/log-model", run_id=run, model_json=partial).invalid(
            exactly="Model json is missing mandatory fields: {'utc_time_created'}"
        )

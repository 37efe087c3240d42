"""What any script writes, every script reads: each fact of the record, by each script that can write it, read by all of them.

`docs/MAPPING.md` says how a fact reads in a script. A fact has writers, which give back what they wrote in plain words, and
readers, which give the same words.
"""

import time
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from conftest import arn
from mlflow.entities import Dataset, DatasetInput, LoggedModelOutput
from mlflow.entities import InputTag as Tag


@dataclass
class World:
    sm: Any
    metrics: Any
    mlflow: Any
    url: str
    name: str

    def native(self, method, path, body=None):
        answer = requests.request(method, f"{self.url}/api/stele/v1/{path}", json=body, timeout=30)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.content else None

    @property
    def package(self):
        return arn("model-package", f"{self.name}/1")

    # What facts are about, made where a writer does not make it itself.

    def with_model(self):
        self.mlflow.create_registered_model(self.name)

    def with_version(self):
        self.with_model()
        self.mlflow.create_model_version(self.name, "s3://bucket/model")

    def with_tagged_model(self):
        self.mlflow.create_registered_model(self.name, tags={"team": "fraud", "owner": "ann"})

    def with_two_versions(self):
        self.with_version()
        self.mlflow.create_model_version(self.name, "s3://bucket/model")

    def with_aliases(self):
        self.with_version()
        for alias in ("champion", "kept"):
            self.mlflow.set_registered_model_alias(self.name, alias, "1")

    def with_model_and_run(self):
        self.with_model()
        self.with_run()

    def with_run(self):
        """A run that is both scripts' from the start: a component with the name `NAME-c` in an experiment."""
        self.sm.create_experiment(ExperimentName=self.name)
        self.sm.create_trial(TrialName=f"{self.name}-t", ExperimentName=self.name)
        self.sm.create_trial_component(TrialComponentName=f"{self.name}-c")
        self.sm.associate_trial_component(TrialName=f"{self.name}-t", TrialComponentName=f"{self.name}-c")

    def with_status(self, status):
        self.sm.update_trial_component(TrialComponentName=f"{self.name}-c", Status={"PrimaryStatus": status})

    @property
    def run(self):
        experiment = self.mlflow.get_experiment_by_name(self.name)
        (run,) = self.mlflow.search_runs([experiment.experiment_id])
        return run

    @property
    def component(self):
        return self.sm.describe_trial_component(TrialComponentName=f"{self.name}-c")


@pytest.fixture
def world(server, sm, sm_metrics, mlflow_client, name):
    return World(sm, sm_metrics, mlflow_client, server.url, name)


def tags_of(world, resource):
    return {tag["Key"]: tag["Value"] for tag in world.sm.list_tags(ResourceArn=resource)["Tags"]}


def version(world):
    return world.native("GET", f"models/{world.name}/versions/1")


def native_run(world):
    return world.native("GET", f"runs/{world.run.info.run_id}")


def described(world):
    return world.sm.describe_model_package(ModelPackageName=world.package)


def produced_by(world):
    """The run that the lineage of the package leads to, if it is that of the component."""
    found = world.sm.query_lineage(StartArns=[world.package], Direction="Ascendants", MaxDepth=1)["Vertices"]
    assert [vertex["Arn"] for vertex in found] == [world.component["TrialComponentArn"]]
    return world.run.info.run_id


def statistics(world, key):
    (found,) = [metric for metric in world.component["Metrics"] if metric["MetricName"] == key]
    return {"last": found["Last"], "min": found["Min"], "max": found["Max"], "count": found["Count"]}


def history(world, key):
    values = [metric.value for metric in world.mlflow.get_metric_history(world.run.info.run_id, key)]
    return {"last": values[-1], "min": min(values), "max": max(values), "count": len(values)}


def envelope(world, key):
    drawn = world.native("GET", f"runs/{world.run.info.run_id}/metrics/envelope?key={key}")
    least, most = ([bucket[end]["value"] for bucket in drawn["buckets"]] for end in ("min", "max"))
    return {"last": drawn["buckets"][-1]["last"]["value"], "min": min(least), "max": max(most), "count": drawn["points"]}


VALUES = [3.0, 1.0, 2.0]


def log_metrics(world):
    for step, value in enumerate(VALUES):
        world.mlflow.log_metric(world.run.info.run_id, "loss", value, step=step)


def put_metrics(world):
    at = time.time()
    data = [{"MetricName": "loss", "Timestamp": at, "Step": step, "Value": value} for step, value in enumerate(VALUES)]
    world.metrics.batch_put_metrics(TrialComponentName=f"{world.name}-c", MetricData=data)


def component_of(world, **fields):
    world.sm.update_trial_component(TrialComponentName=f"{world.name}-c", **fields)


def log_dataset(world):
    dataset = Dataset(name="holdout", digest="d1", source_type="s3", source='{"uri": "s3://bucket/data"}')
    world.mlflow.log_inputs(world.run.info.run_id, [DatasetInput(dataset, [Tag("mlflow.data.context", "training")])])


def log_model(world):
    run = world.run
    model = world.mlflow.create_logged_model(run.info.experiment_id, name="net", source_run_id=run.info.run_id)
    world.mlflow.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 1)])
    world.logged_model = model


STATUSES = {"FINISHED": "completed", "FAILED": "failed", "KILLED": "stopped", "RUNNING": "running"}
SM_STATUSES = {"Completed": "completed", "Failed": "failed", "Stopped": "stopped", "InProgress": "running"}


def decision(review, status):
    """What everybody reads of a version that was decided on by one of its ways."""
    return (
        World.with_version,
        lambda _: status.lower(),
        {
            "sagemaker": lambda w: w.sm.update_model_package(ModelPackageArn=w.package, ModelApprovalStatus=status),
            "native": lambda w: w.native("POST", f"models/{w.name}/versions/1/reviews", {"review": review, "reason": "x"}),
        },
        {
            "mlflow": lambda w: w.mlflow.get_model_version(w.name, "1").tags["stele.approval"],
            "sagemaker": lambda w: described(w)["ModelApprovalStatus"].lower(),
            "native": lambda w: version(w)["approval"],
        },
    )


# Of each fact: what must be there before, what is written, who writes it, and who reads it.
FACTS = {
    "model": (
        None,
        lambda w: w.name,
        {
            "mlflow": lambda w: w.mlflow.create_registered_model(w.name),
            "sagemaker": lambda w: w.sm.create_model_package_group(ModelPackageGroupName=w.name),
        },
        {
            "mlflow": lambda w: w.mlflow.get_registered_model(w.name).name,
            "sagemaker": lambda w: w.sm.describe_model_package_group(ModelPackageGroupName=w.name)["ModelPackageGroupName"],
            "native": lambda w: w.native("GET", f"models/{w.name}")["name"],
        },
    ),
    "model description": (
        None,
        lambda _: "what it is",
        {
            "mlflow": lambda w: w.mlflow.create_registered_model(w.name, description="what it is"),
            "sagemaker": lambda w: w.sm.create_model_package_group(
                ModelPackageGroupName=w.name, ModelPackageGroupDescription="what it is"
            ),
        },
        {
            "mlflow": lambda w: w.mlflow.get_registered_model(w.name).description,
            "sagemaker": lambda w: w.sm.describe_model_package_group(ModelPackageGroupName=w.name)[
                "ModelPackageGroupDescription"
            ],
            "native": lambda w: w.native("GET", f"models/{w.name}")["description"],
        },
    ),
    "model tags": (
        World.with_model,
        lambda _: {"team": "fraud"},
        {
            "mlflow": lambda w: w.mlflow.set_registered_model_tag(w.name, "team", "fraud"),
            "sagemaker": lambda w: w.sm.add_tags(
                ResourceArn=arn("model-package-group", w.name), Tags=[{"Key": "team", "Value": "fraud"}]
            ),
        },
        {
            "mlflow": lambda w: w.mlflow.get_registered_model(w.name).tags,
            "sagemaker": lambda w: tags_of(w, arn("model-package-group", w.name)),
            "native": lambda w: w.native("GET", f"models/{w.name}")["tags"],
        },
    ),
    "version": (
        World.with_model,
        lambda _: (1, "from there", "s3://bucket/model"),
        {
            "mlflow": lambda w: w.mlflow.create_model_version(w.name, "s3://bucket/model", description="from there"),
            "sagemaker": lambda w: w.sm.create_model_package(
                ModelPackageGroupName=w.name, ModelPackageDescription="from there", SourceUri="s3://bucket/model"
            ),
        },
        {
            "mlflow": lambda w: (
                (found := w.mlflow.get_model_version(w.name, "1")) and (int(found.version), found.description, found.source)
            ),
            "sagemaker": lambda w: (
                (found := described(w))
                and (found["ModelPackageVersion"], found["ModelPackageDescription"], found["SourceUri"])
            ),
            "native": lambda w: tuple(version(w)[field] for field in ("version", "description", "source")),
        },
    ),
    "version tags": (
        World.with_version,
        lambda _: {"ticket": "T-1"},
        {
            "mlflow": lambda w: w.mlflow.set_model_version_tag(w.name, "1", "ticket", "T-1"),
            "sagemaker": lambda w: w.sm.add_tags(ResourceArn=w.package, Tags=[{"Key": "ticket", "Value": "T-1"}]),
        },
        {
            "mlflow": lambda w: w.mlflow.get_model_version(w.name, "1").tags,
            "sagemaker": lambda w: tags_of(w, w.package),
            "native": lambda w: version(w)["tags"],
        },
    ),
    "approval": decision("approve", "Approved"),
    "rejection": decision("reject", "Rejected"),
    "removed model tag": (
        World.with_tagged_model,
        lambda _: {"owner": "ann"},
        {
            "mlflow": lambda w: w.mlflow.delete_registered_model_tag(w.name, "team"),
            "sagemaker": lambda w: w.sm.delete_tags(ResourceArn=arn("model-package-group", w.name), TagKeys=["team"]),
        },
        {
            "mlflow": lambda w: w.mlflow.get_registered_model(w.name).tags,
            "sagemaker": lambda w: tags_of(w, arn("model-package-group", w.name)),
            "native": lambda w: w.native("GET", f"models/{w.name}")["tags"],
        },
    ),
    "removed alias": (
        World.with_aliases,
        lambda _: ["kept"],
        {
            "mlflow": lambda w: w.mlflow.delete_registered_model_alias(w.name, "champion"),
            "native": lambda w: w.native("DELETE", f"models/{w.name}/aliases/champion"),
        },
        {
            "mlflow": lambda w: w.mlflow.get_model_version(w.name, "1").aliases,
            "sagemaker": lambda w: described(w)["CustomerMetadataProperties"]["stele.aliases"].split(","),
            "native": lambda w: version(w)["aliases"],
        },
    ),
    "deleted version": (
        World.with_two_versions,
        lambda _: [2],
        {
            "mlflow": lambda w: w.mlflow.delete_model_version(w.name, "1"),
            "sagemaker": lambda w: w.sm.delete_model_package(ModelPackageName=w.package),
        },
        {
            "mlflow": lambda w: [int(one.version) for one in w.mlflow.search_model_versions(f"name = '{w.name}'")],
            "sagemaker": lambda w: [
                one["ModelPackageVersion"]
                for one in w.sm.list_model_packages(ModelPackageGroupName=w.name)["ModelPackageSummaryList"]
            ],
            "native": lambda w: [one["version"] for one in w.native("GET", f"models/{w.name}/versions")["versions"]],
        },
    ),
    "run of a version": (
        World.with_model_and_run,
        lambda w: w.run.info.run_id,
        {
            "mlflow": lambda w: w.mlflow.create_model_version(
                w.name, f"runs:/{w.run.info.run_id}/model", run_id=w.run.info.run_id
            ),
            "sagemaker": lambda w: w.sm.create_model_package(
                ModelPackageGroupName=w.name, SourceUri=f"runs:/{w.run.info.run_id}/model"
            ),
        },
        {
            "mlflow": lambda w: w.mlflow.get_model_version(w.name, "1").run_id,
            "sagemaker": produced_by,
            "native": lambda w: version(w)["run_id"],
        },
    ),
    "stage": (
        World.with_version,
        lambda _: "staging",
        {
            "mlflow": lambda w: w.mlflow.transition_model_version_stage(w.name, "1", "Staging"),
            "mlflow by alias": lambda w: w.mlflow.set_registered_model_alias(w.name, "staging", "1"),
            "sagemaker": lambda w: w.sm.update_model_package(
                ModelPackageArn=w.package, ModelLifeCycle={"Stage": "Staging", "StageStatus": "Live"}
            ),
            "native": lambda w: w.native("PUT", f"models/{w.name}/versions/1/stage", {"stage": "staging"}),
            "native by alias": lambda w: w.native("PUT", f"models/{w.name}/aliases/staging", {"version": 1}),
        },
        {
            "mlflow": lambda w: w.mlflow.get_model_version(w.name, "1").current_stage.lower(),
            "mlflow by alias": lambda w: (
                w.mlflow.get_model_version_by_alias(w.name, "staging").version == "1" and "staging"
            ),
            "sagemaker": lambda w: described(w)["ModelLifeCycle"]["Stage"].lower(),
            "sagemaker by alias": lambda w: described(w)["CustomerMetadataProperties"]["stele.aliases"],
            "native": lambda w: version(w)["stage"],
            "native by alias": lambda w: (
                w.native("GET", f"models/{w.name}/aliases/staging")["version"] == 1 and "staging"
            ),
        },
    ),
    "alias": (
        World.with_version,
        lambda _: ["champion"],
        {
            "mlflow": lambda w: w.mlflow.set_registered_model_alias(w.name, "champion", "1"),
            "native": lambda w: w.native("PUT", f"models/{w.name}/aliases/champion", {"version": 1}),
        },
        {
            "mlflow": lambda w: w.mlflow.get_model_version_by_alias(w.name, "champion").aliases,
            "sagemaker": lambda w: described(w)["CustomerMetadataProperties"]["stele.aliases"].split(","),
            "native": lambda w: w.native("GET", f"models/{w.name}/aliases/champion")["aliases"],
        },
    ),
    "experiment": (
        None,
        lambda w: w.name,
        {
            "mlflow": lambda w: w.mlflow.create_experiment(w.name),
            "sagemaker": lambda w: w.sm.create_experiment(ExperimentName=w.name),
            "native": lambda w: w.native("POST", "experiments", {"name": w.name}),
        },
        {
            "mlflow": lambda w: w.mlflow.get_experiment_by_name(w.name).name,
            "sagemaker": lambda w: w.sm.describe_experiment(ExperimentName=w.name)["ExperimentName"],
            "native": lambda w: w.native(
                "GET", f"experiments/{w.mlflow.get_experiment_by_name(w.name).experiment_id}"
            )["name"],
        },
    ),
    "run name": (
        World.with_run,
        lambda _: "my-run",
        {
            "mlflow": lambda w: w.mlflow.update_run(w.run.info.run_id, name="my-run"),
            "mlflow by tag": lambda w: w.mlflow.set_tag(w.run.info.run_id, "mlflow.runName", "my-run"),
            "sagemaker": lambda w: component_of(w, DisplayName="my-run"),
        },
        {
            "mlflow": lambda w: w.run.info.run_name,
            "sagemaker": lambda w: w.component["DisplayName"],
            "native": lambda w: native_run(w)["name"],
        },
    ),
    **{
        f"run {status}": (
            World.with_run,
            lambda _, status=status: status,
            {
                "mlflow": lambda w, word=word: w.mlflow.update_run(w.run.info.run_id, status=word),
                "sagemaker": lambda w, other=other: w.with_status(other),
            },
            {
                "mlflow": lambda w: STATUSES[w.run.info.status],
                "sagemaker": lambda w: SM_STATUSES[w.component["Status"]["PrimaryStatus"]],
                "native": lambda w: native_run(w)["status"],
            },
        )
        for (word, status), other in zip(STATUSES.items(), SM_STATUSES, strict=True)
    },
    "param": (
        World.with_run,
        lambda _: {"optimizer": "adam"},
        {
            "mlflow": lambda w: w.mlflow.log_param(w.run.info.run_id, "optimizer", "adam"),
            "sagemaker": lambda w: component_of(w, Parameters={"optimizer": {"StringValue": "adam"}}),
        },
        {
            "mlflow": lambda w: w.run.data.params,
            "sagemaker": lambda w: {key: given["StringValue"] for key, given in w.component["Parameters"].items()},
            "native": lambda w: native_run(w)["params"],
        },
    ),
    "metric": (
        World.with_run,
        lambda _: {"last": 2.0, "min": 1.0, "max": 3.0, "count": 3},
        {"mlflow": log_metrics, "sagemaker": put_metrics},
        {
            "mlflow": lambda w: history(w, "loss"),
            "sagemaker": lambda w: statistics(w, "loss"),
            "native": lambda w: envelope(w, "loss"),
        },
    ),
    "run tags": (
        World.with_run,
        lambda _: "fraud",
        {
            "mlflow": lambda w: w.mlflow.set_tag(w.run.info.run_id, "team", "fraud"),
            "sagemaker": lambda w: w.sm.add_tags(
                ResourceArn=w.component["TrialComponentArn"], Tags=[{"Key": "team", "Value": "fraud"}]
            ),
        },
        {
            "mlflow": lambda w: w.run.data.tags["team"],
            "sagemaker": lambda w: tags_of(w, w.component["TrialComponentArn"])["team"],
            "native": lambda w: native_run(w)["tags"]["team"],
        },
    ),
    "dataset input": (
        World.with_run,
        lambda _: ["holdout"],
        {"mlflow": log_dataset},
        {
            "mlflow": lambda w: [given.dataset.name for given in w.run.inputs.dataset_inputs],
            "sagemaker": lambda w: list(w.component["InputArtifacts"]),
            "native": lambda w: [given["name"] for given in native_run(w)["datasets"]],
        },
    ),
    "model output": (
        World.with_run,
        lambda w: [w.logged_model.model_id],
        {"mlflow": log_model},
        {
            "mlflow": lambda w: [made.model_id for made in w.run.outputs.model_outputs],
            "sagemaker": lambda w: list(w.component["OutputArtifacts"]),
            "native": lambda w: [made["model_id"] for made in native_run(w)["model_outputs"]],
        },
    ),
}


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage")
@pytest.mark.parametrize(("fact", "writer"), [(fact, writer) for fact, row in FACTS.items() for writer in row[2]])
def test_what_one_script_writes_every_script_reads(world, fact, writer):
    prepare, written, writers, readers = FACTS[fact]
    if prepare:
        prepare(world)
    writers[writer](world)
    read = {reader: read(world) for reader, read in readers.items()}
    assert read == dict.fromkeys(readers, written(world))


def test_every_script_reads_every_fact():
    for fact, (_, _, writers, readers) in FACTS.items():
        assert writers, fact
        assert {reader.split()[0] for reader in readers} == {"mlflow", "sagemaker", "native"}, fact

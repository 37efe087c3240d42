"""Tags of everything that has an ARN."""

import pytest
from conftest import arn, refused


def with_tags(*keys, value="v"):
    return [{"Key": key, "Value": value} for key in keys]


def in_experiment(sm, name, tags):
    sm.create_experiment(ExperimentName=name)
    return sm.create_trial(TrialName=name, ExperimentName=name, Tags=tags)["TrialArn"]


SOURCE = {"SourceUri": "s3://bucket/thing"}
MAKERS = {
    "model package group": lambda sm, name, tags: sm.create_model_package_group(ModelPackageGroupName=name, Tags=tags)[
        "ModelPackageGroupArn"
    ],
    "model package": lambda sm, name, tags: sm.create_model_package(ModelPackageName=name, Tags=tags)["ModelPackageArn"],
    "model": lambda sm, name, tags: sm.create_model(ModelName=name, Tags=tags)["ModelArn"],
    "model card": lambda sm, name, tags: sm.create_model_card(
        ModelCardName=name, Content="{}", ModelCardStatus="Draft", Tags=tags
    )["ModelCardArn"],
    "experiment": lambda sm, name, tags: sm.create_experiment(ExperimentName=name, Tags=tags)["ExperimentArn"],
    "trial": in_experiment,
    "trial component": lambda sm, name, tags: sm.create_trial_component(TrialComponentName=name, Tags=tags)[
        "TrialComponentArn"
    ],
    "artifact": lambda sm, name, tags: sm.create_artifact(
        ArtifactType="Data", Source={"SourceUri": f"s3://{name}"}, Tags=tags
    )["ArtifactArn"],
    "action": lambda sm, name, tags: sm.create_action(ActionName=name, ActionType="Deploy", Source=SOURCE, Tags=tags)[
        "ActionArn"
    ],
    "context": lambda sm, name, tags: sm.create_context(
        ContextName=name, ContextType="Endpoint", Source=SOURCE, Tags=tags
    )["ContextArn"],
}


def keys_of(sm, resource):
    pages = sm.get_paginator("list_tags").paginate(ResourceArn=resource, PaginationConfig={"PageSize": 50})
    return [tag["Key"] for page in pages for tag in page["Tags"]]


@pytest.mark.parametrize("kind", MAKERS)
def test_tags_are_listed_in_the_order_in_which_they_came(sm, name, kind):
    resource = MAKERS[kind](sm, name, with_tags("m", "z", "a"))
    assert keys_of(sm, resource) == ["m", "z", "a"]
    sm.add_tags(ResourceArn=resource, Tags=with_tags("q", "b"))
    assert keys_of(sm, resource) == ["m", "z", "a", "q", "b"]
    sm.add_tags(ResourceArn=resource, Tags=with_tags("z", "c", value="new"))
    assert keys_of(sm, resource) == ["m", "z", "a", "q", "b", "c"], "one that is set anew keeps its place"
    assert {"Key": "z", "Value": "new"} in sm.list_tags(ResourceArn=resource)["Tags"]
    sm.delete_tags(ResourceArn=resource, TagKeys=["m", "nothing"])
    sm.add_tags(ResourceArn=resource, Tags=with_tags("m"))
    assert keys_of(sm, resource) == ["z", "a", "q", "b", "c", "m"], "one that was removed comes anew"


@pytest.mark.parametrize("kind", MAKERS)
def test_tags_are_set_all_or_none(sm, name, kind):
    resource = MAKERS[kind](sm, name, with_tags("kept"))
    with refused("ValidationException", "reserved"):
        sm.add_tags(ResourceArn=resource, Tags=with_tags("new", "aws:not", "newer"))
    assert sm.list_tags(ResourceArn=resource)["Tags"] == with_tags("kept")


def test_versions_keep_the_order_too_whoever_adds_the_tags(sm, mlflow_client, name):
    mlflow_client.create_registered_model(name)
    mlflow_client.create_model_version(name, "s3://bucket/model")
    package = arn("model-package", f"{name}/1")
    for key in ("z", "a"):
        mlflow_client.set_model_version_tag(name, "1", key, "v")
    sm.add_tags(ResourceArn=package, Tags=with_tags("m", "b"))
    assert keys_of(sm, package) == ["z", "a", "m", "b"]


def test_tags_of_runs_that_other_clients_set_come_first(sm, mlflow_client, name):
    experiment = mlflow_client.create_experiment(name)
    run = mlflow_client.create_run(experiment, tags={"z": "1", "a": "1"}).info.run_id
    component = sm.describe_trial_component(TrialComponentName=run)["TrialComponentArn"]
    sm.add_tags(ResourceArn=component, Tags=with_tags("q", "b"))
    mlflow_client.set_tag(run, "y", "1")
    own = [key for key in keys_of(sm, component) if not key.startswith("mlflow.")]
    assert own == ["a", "y", "z", "q", "b"]

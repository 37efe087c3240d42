"""Groups, packages, models and cards through the resources of `sagemaker.core`."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from sagemaker.core.model_registry import create_model_package_from_containers, get_model_package_args
from sagemaker.core.resources import Model, ModelCard, ModelCardExportJob, ModelPackage, ModelPackageGroup, Tag
from sagemaker.core.shapes import (
    ContainerDefinition,
    ModelCardExportOutputConfig,
    ModelLifeCycle,
)
from sagemaker.core.shapes import Tag as TagShape

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/serve:1"
ROLE = "arn:aws:iam::123456789012:role/registrar"
ARCHIVE = "s3://somewhere/model.tar.gz"


def is_gone(get, **arguments):
    with pytest.raises(ClientError) as refusal:
        get(**arguments)
    assert refusal.value.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException")
    return True


def package_of(name, **more):
    """Made with boto3, since `ModelPackage.create` of 3.27 reads a field of the answer that no server of SageMaker sends."""
    made = boto3.client("sagemaker").create_model_package(
        ModelPackageGroupName=name,
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": ARCHIVE}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        **more,
    )
    return ModelPackage.get(made["ModelPackageArn"])


def test_a_group_from_its_making_to_its_end(name):
    group = ModelPackageGroup.create(
        model_package_group_name=name,
        model_package_group_description="tells fraud from what is none",
        tags=[TagShape(key="team", value="fraud")],
    )
    assert (group.model_package_group_name, group.model_package_group_status) == (name, "Completed")
    assert ModelPackageGroup.get(name).model_package_group_description == "tells fraud from what is none"
    listed = ModelPackageGroup.get_all(name_contains=name, sort_by="Name", sort_order="Ascending")
    assert [one.model_package_group_name for one in listed] == [name]
    arn = group.model_package_group_arn
    Tag.add_tags(resource_arn=arn, tags=[TagShape(key="tier", value="1")])
    assert {tag.key: tag.value for tag in Tag.get_all(resource_arn=arn)} == {"team": "fraud", "tier": "1"}
    Tag.delete_tags(resource_arn=arn, tag_keys=["team"])
    assert {tag.key: tag.value for tag in Tag.get_all(resource_arn=arn)} == {"tier": "1"}
    policy = {"Version": "2012-10-17", "Statement": []}
    group.put_policy(resource_policy=json.dumps(policy))
    assert json.loads(group.get_policy()) == policy
    group.delete_policy()
    group.delete()
    assert is_gone(ModelPackageGroup.get, model_package_group_name=name)


def test_a_package_is_approved_moved_and_deleted(name):
    ModelPackageGroup.create(model_package_group_name=name)
    package = package_of(
        name, ModelApprovalStatus="PendingManualApproval", CustomerMetadataProperties={"team": "fraud"}
    )
    found = ModelPackage.get(package.model_package_arn)
    assert (found.model_package_group_name, found.model_package_version) == (name, 1)
    assert found.inference_specification.containers[0].model_data_url == ARCHIVE
    found.update(model_approval_status="Approved", approval_description="looks good")
    found.update(
        customer_metadata_properties={"tier": "1"},
        customer_metadata_properties_to_remove=["team"],
    )
    found.refresh()
    assert found.customer_metadata_properties == {"tier": "1"}
    found.update(model_life_cycle=ModelLifeCycle(stage="Staging", stage_status="Approved"))
    found.refresh()
    assert (found.model_approval_status, found.approval_description) == ("Approved", "looks good")
    # The stage is an alias in the record, which packages show.
    assert found.customer_metadata_properties == {"tier": "1", "stele.aliases": "staging"}
    assert found.model_life_cycle.stage == "Staging"
    second = package_of(name)
    listed = ModelPackage.get_all(model_package_group_name=name, sort_by="CreationTime", sort_order="Ascending")
    assert [one.model_package_version for one in listed] == [1, 2]
    approved = ModelPackage.get_all(model_package_group_name=name, model_approval_status="Approved")
    assert [one.model_package_version for one in approved] == [1]
    with pytest.raises(ClientError):
        ModelPackageGroup.get(name).delete()
    # `ModelPackage.delete` names the package, and one of a group has no name.
    boto3.client("sagemaker").delete_model_package(ModelPackageName=second.model_package_arn)
    assert is_gone(ModelPackage.get, model_package_name=second.model_package_arn)
    assert ModelPackage.get(package.model_package_arn).model_package_version == 1


def test_the_registry_helper_makes_the_group_and_the_package(session, name):
    arguments = get_model_package_args(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name=name,
        container_def_list=[{"Image": IMAGE, "ModelDataUrl": ARCHIVE}],
        approval_status="Approved",
        description="the first",
    )
    create_model_package_from_containers(session, **arguments)
    (one,) = ModelPackage.get_all(model_package_group_name=name)
    one.refresh()
    assert (one.model_approval_status, one.model_package_description) == ("Approved", "the first")


def test_a_model_that_is_served(name):
    model = Model.create(
        model_name=name,
        primary_container=ContainerDefinition(image=IMAGE, model_data_url=ARCHIVE, environment={"A": "b"}),
        execution_role_arn=ROLE,
    )
    found = Model.get(name)
    assert found.model_arn == model.model_arn
    assert (found.primary_container.image, found.primary_container.environment) == (IMAGE, {"A": "b"})
    assert [one.model_name for one in Model.get_all(name_contains=name)] == [name]
    model.delete()
    assert is_gone(Model.get, model_name=name)


def test_a_card_has_versions_and_is_exported(session, name):
    overview = {"model_overview": {"model_name": name, "model_description": "tells fraud from what is none"}}
    card = ModelCard.create(model_card_name=name, content=json.dumps(overview), model_card_status="Draft")
    first = ModelCard.get(name)
    overview["model_overview"]["model_description"] = "better"
    card.update(content=json.dumps(overview))
    card.update(model_card_status="PendingReview")
    found = ModelCard.get(name)
    assert json.loads(found.content) == overview
    assert found.model_card_status == "PendingReview"
    # The resource asks for the versions that have the status of the card.
    assert [one.model_card_version for one in found.get_all_versions(sort_by="Version")] == [2]
    assert [one.model_card_version for one in first.get_all_versions(sort_by="Version")] == [1]
    assert [one.model_card_name for one in ModelCard.get_all(name_contains=name)] == [name]
    output = ModelCardExportOutputConfig(s3_output_path=f"s3://{session.default_bucket()}/{name}")
    job = ModelCardExportJob.create(
        model_card_name=name, model_card_export_job_name=f"{name}-export", output_config=output
    )
    job.wait()
    bucket, key = job.export_artifacts.s3_export_artifacts.removeprefix("s3://").split("/", 1)
    assert boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(5) == b"%PDF-"
    card.delete()
    assert is_gone(ModelCard.get, model_card_name=name)

"""Models that the SDK registers, approves and describes in cards."""

import io
import tarfile

import pytest
from sagemaker.model import Model, ModelPackage
from sagemaker.model_card import ModelCard, ModelCardStatusEnum, ModelOverview, ModelPackage as CardModelPackage
from sagemaker.model_metrics import MetricsSource, ModelMetrics

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/serve:1"
ROLE = "arn:aws:iam::123456789012:role/registrar"


@pytest.fixture
def archive(session, name):
    """A model that was uploaded the way that the SDK does it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("model.bin"), io.BytesIO())
    bucket = session.default_bucket()
    session.boto_session.client("s3").put_object(Bucket=bucket, Key=f"{name}/model.tar.gz", Body=packed.getvalue())
    return f"s3://{bucket}/{name}/model.tar.gz"


def register(session, name, archive, **more):
    model = Model(image_uri=IMAGE, model_data=archive, role=ROLE, sagemaker_session=session)
    return model.register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name=name,
        **more,
    )


def test_register_makes_the_group_and_a_package_that_waits(session, name, archive):
    package = register(session, name, archive, approval_status="PendingManualApproval", description="the first")
    found = session.sagemaker_client.describe_model_package(ModelPackageName=package.model_package_arn)
    assert (found["ModelPackageGroupName"], found["ModelPackageVersion"]) == (name, 1)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelPackageDescription"] == "the first"
    container = found["InferenceSpecification"]["Containers"][0]
    assert (container["Image"], container["ModelDataUrl"]) == (IMAGE, archive)


def test_metrics_and_properties_come_back(session, name, archive):
    statistics = f"s3://{session.default_bucket()}/{name}/statistics.json"
    source = MetricsSource(content_type="application/json", s3_uri=statistics)
    package = register(
        session,
        name,
        archive,
        model_metrics=ModelMetrics(model_statistics=source),
        customer_metadata_properties={"team": "fraud"},
    )
    found = session.sagemaker_client.describe_model_package(ModelPackageName=package.model_package_arn)
    assert found["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == statistics
    assert found["CustomerMetadataProperties"]["team"] == "fraud"


def test_a_package_is_approved_and_told_more_about(session, name, archive):
    arn = register(session, name, archive).model_package_arn
    package = ModelPackage(role=ROLE, model_package_arn=arn, sagemaker_session=session)
    package.update_approval_status("Approved", approval_description="looks good")
    package.update_customer_metadata({"team": "fraud", "tier": "1"})
    package.remove_customer_metadata_properties(["tier"])
    found = session.sagemaker_client.describe_model_package(ModelPackageName=arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Approved", "looks good")
    assert found["CustomerMetadataProperties"] == {"team": "fraud"}


def test_inference_specifications_are_added_beside_the_first(session, name, archive):
    arn = register(session, name, archive).model_package_arn
    package = ModelPackage(role=ROLE, model_package_arn=arn, sagemaker_session=session)
    package.add_inference_specification(
        name="small", image_uris=[IMAGE], content_types=["text/csv"], response_types=["text/csv"]
    )
    found = session.sagemaker_client.describe_model_package(ModelPackageName=arn)
    assert [one["Name"] for one in found["AdditionalInferenceSpecifications"]] == ["small"]


def test_a_card_is_written_read_changed_and_exported(session, name):
    card = ModelCard(
        name=name,
        status=ModelCardStatusEnum.DRAFT,
        model_overview=ModelOverview(model_name=name, model_description="tells fraud from what is none"),
        sagemaker_session=session,
    )
    card.create()
    found = ModelCard.load(name=name, sagemaker_session=session)
    assert found.model_overview.model_description == "tells fraud from what is none"
    found.update(status=ModelCardStatusEnum.APPROVED)
    assert [one["ModelCardVersion"] for one in found.get_version_history()] != []
    again = ModelCard.load(name=name, sagemaker_session=session)
    assert again.status == ModelCardStatusEnum.APPROVED
    uri = again.export_pdf(s3_output_path=f"s3://{session.default_bucket()}/{name}", export_job_name=f"{name}-export")
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    assert session.boto_session.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read(5) == b"%PDF-"


def test_a_card_takes_what_the_package_says(session, name, archive):
    arn = register(session, name, archive, approval_status="Approved").model_package_arn
    details = CardModelPackage.from_model_package_arn(model_package_arn=arn, sagemaker_session=session)
    assert details.model_package_group_name == name
    assert details.model_approval_status == "Approved"

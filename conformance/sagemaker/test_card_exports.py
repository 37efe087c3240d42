"""Export jobs of model cards, whose documents lie in buckets of the server."""

import json
import os

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

CONTENT = {
    "model_overview": {
        "model_name": "churn",
        "model_description": "Says which customers are about to leave. " * 8,
        "problem_type": "Binary classification",
        "algorithm_type": "Logistic regression",
        "model_creator": "Ada",
        "model_artifact": ["s3://models/churn/model.tar.gz", "s3://models/churn/code.tar.gz"],
        "inference_environment": {"container_image": ["123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1"]},
    },
    "intended_uses": {
        "purpose_of_model": "Retention calls",
        "risk_rating": "Low",
        "explanations_for_risk_rating": "Nobody is refused anything; ünïcode and ελληνικά are fine.",
    },
    "training_details": {
        "training_job_details": {
            "training_metrics": [
                {"name": "loss", "value": 0.31, "notes": "last epoch"},
                {"name": "accuracy", "value": 0.93},
            ],
            "hyper_parameters": [{"name": "C", "value": "0.5"}, {"name": "penalty", "value": "l2"}],
        }
    },
    "evaluation_details": [
        {
            "name": "holdout",
            "datasets": ["s3://data/holdout.csv"],
            "metric_groups": [
                {
                    "name": "quality",
                    "metric_data": [
                        {"name": "auc", "type": "number", "value": 0.91, "notes": "above the one in production"},
                        {"name": "recall", "type": "number", "value": 0.8},
                        {"name": "confusion", "type": "matrix", "value": [[90, 10], [12, 88]]},
                    ],
                }
            ],
        }
    ],
    "additional_information": {"custom_details": {"owner": "retention"}},
}


@pytest.fixture
def s3(server):
    session = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name="eu-west-1")
    config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return session.client("s3", endpoint_url=server.url, config=config)


def export(sm, card, job, path, **more):
    arn = sm.create_model_card_export_job(
        ModelCardName=card, ModelCardExportJobName=job, OutputConfig={"S3OutputPath": path}, **more
    )["ModelCardExportJobArn"]
    return sm.describe_model_card_export_job(ModelCardExportJobArn=arn)


def test_a_card_is_exported_as_pdf(sm, s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    sm.create_model_card(ModelCardName=name, Content=json.dumps(CONTENT), ModelCardStatus="Draft")
    sm.update_model_card(ModelCardName=name, Content=json.dumps(CONTENT), ModelCardStatus="Approved")
    job = export(sm, name, "first", f"s3://{name}/cards/")
    assert (job["Status"], job["ModelCardVersion"], job["ModelCardName"]) == ("Completed", 2, name)
    bucket, key = job["ExportArtifacts"]["S3ExportArtifacts"].removeprefix("s3://").split("/", 1)
    assert (bucket, key) == (name, f"cards/first/{name}-2.pdf")
    stored = s3.get_object(Bucket=bucket, Key=key)
    whole = stored["Body"].read()
    assert stored["ContentType"] == "application/pdf"
    assert whole.startswith(b"%PDF-") and whole.rstrip().endswith(b"%%EOF")
    if folder := os.environ.get("KEEP_CARDS"):
        with open(f"{folder}/card.pdf", "wb") as file:
            file.write(whole)
    assert export(sm, name, "second", f"s3://{name}", ModelCardVersion=1)["ModelCardVersion"] == 1

    def listed(**filters):
        found = sm.list_model_card_export_jobs(ModelCardName=name, SortBy="Name", SortOrder="Ascending", **filters)
        return [job["ModelCardExportJobName"] for job in found["ModelCardExportJobSummaries"]]

    assert listed() == ["first", "second"]
    assert listed(ModelCardVersion=1) == ["second"]
    assert listed(ModelCardExportJobNameContains="irs") == ["first"]
    assert listed(StatusEquals="Failed") == []
    assert listed(MaxResults=1) == ["first"]


def test_what_cannot_be_exported_says_why(sm, name):
    sm.create_model_card(ModelCardName=name, Content="{}", ModelCardStatus="Draft")
    job = export(sm, name, "nowhere", "s3://there-is-no-such-bucket/x")
    assert job["Status"] == "Failed" and "ExportArtifacts" not in job
    assert job["FailureReason"] == "The bucket there-is-no-such-bucket does not exist on this server."
    for code, call in (
        ("ConflictException", lambda: export(sm, name, "nowhere", "s3://there-is-no-such-bucket/x")),
        ("ResourceNotFound", lambda: export(sm, name, "other", "s3://x", ModelCardVersion=7)),
        ("ResourceNotFound", lambda: export(sm, f"{name}x", "other", "s3://x")),
        ("ResourceNotFound", lambda: sm.list_model_card_export_jobs(ModelCardName=f"{name}x")),
        (
            "ResourceNotFound",
            lambda: sm.describe_model_card_export_job(
                ModelCardExportJobArn=job["ModelCardExportJobArn"].replace("nowhere", "elsewhere")
            ),
        ),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == code

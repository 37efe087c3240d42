"""Export jobs of model cards, whose documents lie in buckets of the server and are read by pypdf."""

import io
import json
import os

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pypdf import PdfReader

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
                        {
                            "name": "confusion",
                            "type": "matrix",
                            "value": [[90, 10], [12, 88]],
                            "x_axis_name": ["predicted to stay", "predicted to leave"],
                            "y_axis_name": ["stayed", "left"],
                        },
                        {"name": "by region", "type": "bar_chart", "value": [0.9, 0.7], "x_axis_name": ["north", "south"]},
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
    reader = PdfReader(io.BytesIO(whole))
    assert reader.metadata.title == f"{name}, version 2"
    text = "\n".join(page.extract_text() for page in reader.pages)
    lines = text.splitlines()
    sections = ["Model overview", "Intended uses", "Training details", "Evaluation details", "Additional information"]
    assert [line for line in lines if line in sections] == sections
    for line in (
        "Model card, version 2",
        "Status Approved",
        "Explanations for risk rating Nobody is refused anything; ünïcode and ελληνικά are fine.",
        "accuracy 0.93",
        "auc number 0.91 above the one in production",
        "predicted to stay predicted to leave",
        "stayed 90 10",
        "left 12 88",
        "south 0.7",
        "Owner retention",
    ):
        assert line in lines, text
    said = " ".join(text.split())
    assert CONTENT["model_overview"]["model_description"].strip() in said
    for number, page in enumerate(reader.pages, 1):
        assert f"page {number} of {len(reader.pages)}" in page.extract_text()
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


def test_a_long_card_goes_on_over_many_pages(sm, s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    metrics = [{"name": f"metric {number:04}", "type": "number", "value": number / 7} for number in range(600)]
    words = " ".join(f"word{number:05}" for number in range(3_000))
    content = {
        "model_overview": {"model_description": words, "model_name": "x" * 400},
        "evaluation_details": [{"name": "all", "metric_groups": [{"name": "many", "metric_data": metrics}]}],
        "additional_information": {"caveats_and_recommendations": "the last words"},
    }
    sm.create_model_card(ModelCardName=name, Content=json.dumps(content), ModelCardStatus="Draft")
    job = export(sm, name, "long", f"s3://{name}/deep/in/it")
    assert job["Status"] == "Completed", job
    stored = s3.get_object(Bucket=name, Key=f"deep/in/it/long/{name}-1.pdf")["Body"].read()
    if folder := os.environ.get("KEEP_CARDS"):
        with open(f"{folder}/long.pdf", "wb") as file:
            file.write(stored)
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(stored)).pages]
    text = " ".join(" ".join(pages).split())
    assert len(pages) > 15
    for number in range(3_000):
        assert f"word{number:05}" in text
    for metric in metrics:
        assert metric["name"] in text
    with_metrics = [page for page in pages if "metric 0" in page]
    assert len(with_metrics) > 5 and all("Name Type Value" in page for page in with_metrics)
    assert "the last words" in pages[-1]


def test_jobs_are_sorted_and_listed_in_pages(sm, s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    sm.create_model_card(ModelCardName=name, Content="{}", ModelCardStatus="Draft")
    for job in ("a", "b", "c"):
        export(sm, name, job, f"s3://{name}")
    export(sm, name, "d", "s3://there-is-no-such-bucket")

    def pages(**sort):
        pages, token = [], {}
        while True:
            page = sm.list_model_card_export_jobs(ModelCardName=name, MaxResults=3, **sort, **token)
            pages.append([job["ModelCardExportJobName"] for job in page["ModelCardExportJobSummaries"]])
            if "NextToken" not in page:
                return pages
            token = {"NextToken": page["NextToken"]}

    assert pages(SortBy="Name", SortOrder="Descending") == [["d", "c", "b"], ["a"]]
    assert pages(SortBy="CreationTime", SortOrder="Ascending") == [["a", "b", "c"], ["d"]]
    assert pages(SortBy="Status", SortOrder="Descending")[0][0] == "d"
    assert pages(StatusEquals="Failed") == [["d"]]
    with pytest.raises(ClientError) as refused:
        sm.list_model_card_export_jobs(ModelCardName=name, NextToken="x" * 20)
    assert refused.value.response["Error"]["Code"] == "ValidationException"

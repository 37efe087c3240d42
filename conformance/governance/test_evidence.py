"""Where gates get what they judge: documents in buckets and `mlflow.models.evaluate`, with the stock clients."""

import json

import boto3
import mlflow
import pandas as pd
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from mlflow.exceptions import MlflowException

REGION = "eu-west-1"
APPROVED = {"ModelApprovalStatus": "Approved"}


@pytest.fixture(scope="session")
def s3(server):
    session = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name=REGION)
    config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return session.client("s3", endpoint_url=server.url, config=config)


@pytest.fixture
def bucket(s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def source(uri, content_type="application/json"):
    return {"ContentType": content_type, "S3Uri": uri}


def refusal_of(sm, arn):
    with pytest.raises(ClientError) as refused:
        sm.update_model_package(ModelPackageArn=arn, **APPROVED)
    return refused.value.response["Error"]["Message"]


def test_model_metrics_of_a_package_are_read_from_the_bucket(native, sm, s3, bucket, name):
    sm.create_model_package_group(ModelPackageGroupName=name)
    rules = [
        {"metric": "auc", "at_least": 0.8},
        {"metric": "DPPL", "slice": "Sex=0", "at_most": 0.1},
    ]
    native.gate(f"{name}-g", name, {"approval": "approved"}, {"evaluation": {"digest": "d1", "thresholds": rules}})
    statistics, bias = f"s3://{bucket}/statistics.json", f"s3://{bucket}/bias.json"
    arn = sm.create_model_package(
        ModelPackageGroupName=name,
        ModelMetrics={"ModelQuality": {"Statistics": source(statistics)}, "Bias": {"Report": source(bias)}},
    )["ModelPackageArn"]
    message = refusal_of(sm, arn)
    for part in (f"ModelMetrics.ModelQuality.Statistics at {statistics}", f"ModelMetrics.Bias.Report at {bias}"):
        assert f"{part} could not be read: there is no such object" in message

    def put(key, document, **more):
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document), **more)

    put("statistics.json", {"binary_classification_metrics": {"auc": {"value": 0.9, "standard_deviation": "NaN"}}})
    assert "does not name its data set by digest" in refusal_of(sm, arn)
    said = {"dataset-digest": "d1", "dataset-name": "holdout"}
    put("statistics.json", {"binary_classification_metrics": {"auc": {"value": 0.9}}}, Metadata=said)
    assert "DPPL of slice 'Sex=0' is not measured" in refusal_of(sm, arn)
    facets = {"Sex": [{"value_or_threshold": "0", "metrics": [{"name": "DPPL", "value": 0.2}]}]}
    dataset = {"name": "holdout", "digest": "d1"}
    put("bias.json", {"dataset": dataset, "post_training_bias_metrics": {"facets": facets}})
    assert "DPPL of slice 'Sex=0' is 0.2 and must be at most 0.1" in refusal_of(sm, arn)
    facets["Sex"][0]["metrics"][0]["value"] = 0.05
    put("bias.json", {"dataset": dataset, "post_training_bias_metrics": {"facets": facets}})
    sm.update_model_package(ModelPackageArn=arn, **APPROVED)
    assert sm.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"
    _, listed = native("GET", f"models/{name}/versions/1/evaluations")
    [found] = listed["evaluations"]
    assert found["reports"] == ["model_quality", "bias"]
    assert found["metrics"] == {"auc": 0.9} and found["slices"] == {"Sex=0": {"DPPL": 0.05}}


def test_documents_that_cannot_be_read_are_named_and_refuse_no_registration(native, sm, s3, bucket, name):
    sm.create_model_package_group(ModelPackageGroupName=name)
    native.gate(f"{name}-g", name, {"approval": "approved"}, {"evaluation": {"report": "model_quality"}})
    s3.put_object(Bucket=bucket, Key="list.json", Body="[1]")
    s3.put_object(Bucket=bucket, Key="large.json", Body=b" " * (8 * 1024 * 1024 + 1))
    s3.put_object(Bucket=bucket, Key="data.csv", Body="a,b")
    for document, why in (
        (source(f"s3://{bucket}/list.json"), "it is not a JSON object"),
        (source(f"s3://{bucket}/large.json"), "at most 8388608 are read"),
        (source(f"s3://{bucket}/data.csv", "text/csv"), "its content type is text/csv"),
        (source("s3://elsewhere-entirely/x.json"), "there is no such object in the buckets of this server"),
        (source("https://example.com/x.json"), "it lies outside of this server"),
        (source(f"s3://{bucket}/list.json") | {"ContentDigest": "sha256:" + "0" * 64}, "not that of its ContentDigest"),
    ):
        package = sm.create_model_package(
            ModelPackageGroupName=name, ModelMetrics={"ModelQuality": {"Statistics": document}}
        )
        assert why in refusal_of(sm, package["ModelPackageArn"])
    s3.put_object(Bucket=bucket, Key="good.json", Body=json.dumps({"regression_metrics": {"mse": {"value": 1.5}}}))
    good = source(f"s3://{bucket}/good.json")
    package = sm.create_model_package(
        ModelPackageGroupName=name, ModelMetrics={"ModelQuality": {"Statistics": good}}, **APPROVED
    )
    described = sm.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    assert described["ModelApprovalStatus"] == "Approved"


@pytest.fixture
def classifier(server, name):
    """Data, and what fits a model to a share of its columns and registers it."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    mlflow.set_experiment(name)
    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.assign(label=bunch.target).iloc[:300]

    def register(columns):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        # A model must take the columns that the data set has, also those that it does not look at.
        data = frame.drop(columns="label")
        model.fit(data * [float(column in columns) for column in data.columns], frame["label"])
        place = {"name": "model"} if mlflow.__version__ >= "3" else {"artifact_path": "model"}
        with mlflow.start_run():
            mlflow.sklearn.log_model(model, registered_model_name=name, **place)

    return frame, register


def evaluate(name, version, frame, data_name="holdout", slices=None):
    dataset = mlflow.data.from_pandas(frame, targets="label", name=data_name)
    with mlflow.start_run():
        evaluated = getattr(mlflow.models, "evaluate", mlflow.evaluate)(
            model=f"models:/{name}/{version}",
            data=dataset,
            model_type="classifier",
            evaluator_config={"log_model_explainability": False},
        )
        for key, value in (slices or {}).items():
            mlflow.log_metric(key, value)
    return evaluated.metrics["accuracy_score"], dataset.digest


def test_what_mlflow_evaluates_is_what_the_gate_judges(native, mlflow_client, stele, name, classifier):
    frame, register = classifier
    digest = mlflow.data.from_pandas(frame, targets="label", name="holdout").digest
    rule = {
        "dataset": "holdout",
        "digest": digest,
        "thresholds": [
            {"metric": "accuracy_score", "at_least": 0.8},
            {"metric": "accuracy_score", "at_least_production_plus": 0.0},
            {"metric": "accuracy_score", "slice": "large", "at_least": 0.5},
        ],
    }
    native.gate(f"{name}-g", name, {"stage": "production"}, {"evaluation": rule})

    def produce(version):
        mlflow_client.transition_model_version_stage(name, version, "Production", True)

    register(set(frame.columns))
    with pytest.raises(MlflowException, match=f"no evaluation of the version on data set 'holdout' .'{digest}'."):
        produce(1)
    # Other rows are another data set.
    evaluate(name, 1, frame.iloc[:200])
    with pytest.raises(MlflowException, match="no evaluation of the version"):
        produce(1)
    good, found = evaluate(name, 1, frame)
    assert found == digest
    with pytest.raises(MlflowException, match="accuracy_score of slice 'large' is not measured"):
        produce(1)
    good, _ = evaluate(name, 1, frame, slices={"slice/large/accuracy_score": 0.9})
    produce(1)
    _, listed = native("GET", f"models/{name}/versions/1/evaluations")
    newest = listed["evaluations"][0]
    assert newest["metrics"]["accuracy_score"] == pytest.approx(good)
    assert newest["slices"] == {"large": {"accuracy_score": 0.9}}
    shown = stele("evaluation", "list", name, "1")
    assert shown.returncode == 0, shown.stderr
    listed = json.loads(stele("evaluation", "list", name, "1", "--json").stdout)["evaluations"]
    assert listed[0]["slices"] == newest["slices"]

    register({"mean texture"})
    worse, _ = evaluate(name, 2, frame, slices={"slice/large/accuracy_score": 0.9})
    assert worse < good
    with pytest.raises(MlflowException, match="must be at least .*, by version 1 in production"):
        produce(2)


def test_nobody_approved_the_bytes_that_came_later(native, mlflow_client, name, classifier):
    _, register = classifier
    rule = {"digest": "d1", "thresholds": [{"metric": "auc", "at_least": 0.8}]}
    native.gate(f"{name}-g", name, {"stage": "production"}, {"evaluation": rule})
    register({"mean radius"})
    version = mlflow_client.get_model_version(name, 1)
    body = {"dataset": "holdout", "digest": "d1", "metrics": {"auc": 0.9}}
    status, recorded = native("POST", f"models/{name}/versions/1/evaluations", body)
    assert status == 200, recorded
    files = mlflow.artifacts.list_artifacts(f"models:/{name}/1")
    path = next(file.path for file in files if file.path.endswith("MLmodel"))
    whole = mlflow.artifacts.load_text(f"models:/{name}/1/{path}")
    assert version.run_id and whole
    root = mlflow_client.get_model_version_download_uri(name, 1)

    def upload(text, tmp):
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        file = tmp / "MLmodel"
        file.write_text(text)
        get_artifact_repository(root).log_artifact(str(file))

    import pathlib
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        upload(whole + "\n# other\n", pathlib.Path(folder))
        with pytest.raises(MlflowException, match="artifacts of the version changed since evaluation"):
            mlflow_client.transition_model_version_stage(name, 1, "Production", True)
        upload(whole, pathlib.Path(folder))
    mlflow_client.transition_model_version_stage(name, 1, "Production", True)

"""boto3, unmodified, against a server of its own: on SQLite, or on the database that STELE_DATABASE names."""

import os
import uuid

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import servers

REGION = "eu-west-1"
ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    database = os.environ.get("STELE_DATABASE") or None
    with servers.running(tmp_path_factory.mktemp("sagemaker"), database=database) as running:
        yield running


def client_of(service, server, region=REGION):
    # Nothing of the machine's own configuration, and no second tries that would hide a failure.
    return boto3.session.Session(
        aws_access_key_id="any", aws_secret_access_key="any", region_name=region
    ).client(service, endpoint_url=server.url, config=Config(retries={"max_attempts": 0}))


@pytest.fixture(scope="session")
def sm(server):
    return client_of("sagemaker", server)


@pytest.fixture(scope="session")
def sm_metrics(server):
    return client_of("sagemaker-metrics", server)


@pytest.fixture(scope="session")
def mlflow_client(server):
    from mlflow import MlflowClient

    return MlflowClient(server.url, server.url)


@pytest.fixture
def name():
    """A name that no other test has."""
    return f"n{uuid.uuid4().hex[:16]}"


@pytest.fixture
def group(sm, name):
    sm.create_model_package_group(ModelPackageGroupName=name)
    return name


def arn(kind, rest, region=REGION):
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{kind}/{rest}"


class refused:
    """Expects a ClientError with this code and a message that has this text."""

    def __init__(self, code, text=""):
        self.code, self.text = code, text

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert isinstance(error, ClientError), f"expected {self.code}, got {error!r}"
        told = error.response["Error"]
        assert told["Code"] == self.code, told
        assert self.text in told["Message"], told
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        return True

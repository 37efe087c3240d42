"""The SageMaker SDK, unmodified, against a server of its own: on SQLite, or on the database that STELE_DATABASE names."""

import os
import uuid

import boto3
import pytest
from sagemaker.session import Session

import servers

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    database = os.environ.get("STELE_DATABASE") or None
    with servers.running(tmp_path_factory.mktemp("sagemaker-sdk"), database=database) as running:
        yield running


@pytest.fixture(scope="session")
def session(server):
    """What a user has: a session whose clients find the server through the variable that boto3 reads."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        boto = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name=REGION)
        yield Session(boto_session=boto, default_bucket=f"sdk-{uuid.uuid4().hex[:16]}")


@pytest.fixture
def name():
    """A name that no other test has."""
    return f"n{uuid.uuid4().hex[:16]}"

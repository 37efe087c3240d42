"""The SageMaker SDK 3, unmodified, against a server of its own: on SQLite, or on the database that STELE_DATABASE names."""

import os
import uuid

import boto3
import pytest
from sagemaker.core.helper.session_helper import Session

import servers

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    database = os.environ.get("STELE_DATABASE") or None
    with servers.running(tmp_path_factory.mktemp("sagemaker-sdk3"), database=database) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def runbook(server):
    """What docs/SAGEMAKER.md tells users to set, and nothing else: its resources find the server by it."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_S3_ADDRESSING_STYLE": "path",
        }.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def session():
    return Session(boto_session=boto3.session.Session(), default_bucket=f"sdk3-{uuid.uuid4().hex[:16]}")


@pytest.fixture
def name():
    """A name that no other test has."""
    return f"n{uuid.uuid4().hex[:16]}"

"""boto3, unmodified, against S3, STS and IAM of a server of its own: on SQLite, or on the database that STELE_DATABASE names."""

import os
import uuid

import boto3
import pytest
from botocore.config import Config

import servers

REGION = "eu-west-1"
ACCOUNT = "123456789012"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    database = os.environ.get("STELE_DATABASE") or None
    with servers.running(tmp_path_factory.mktemp("aws"), database=database) as running:
        yield running


@pytest.fixture(scope="session")
def client_of(server):
    def make(service, **config):
        session = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name=REGION)
        config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, **config)
        return session.client(service, endpoint_url=server.url, config=config)

    return make


@pytest.fixture(scope="session")
def s3(client_of):
    return client_of("s3")


@pytest.fixture
def bucket(s3):
    """A bucket of the test's own."""
    name = f"b-{uuid.uuid4().hex[:20]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name

"""MLflow's client, boto3 and the command line against one server: on SQLite, or on the database that STELE_DATABASE names."""

import json
import os
import subprocess
import uuid
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config

import servers
from people import hire

PASSWORD = "first among equals"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    database = os.environ.get("STELE_DATABASE") or None
    with servers.running(tmp_path_factory.mktemp("governance"), database=database) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with authentication and workspaces, and the credentials of somebody of each role."""
    data, url = tmp_path_factory.mktemp("escape"), os.environ.get("STELE_DATABASE")

    def run(database):
        place = ["--data", str(data), *(["--database", database] if database else [])]
        command = [str(servers.stele_binary()), "auth", "init", "--password-stdin", *place]
        subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True, timeout=60)
        settings = {"database": database, "environment": {"STELE_WORKSPACES": "true"}}
        with servers.running(data, **settings) as server:
            yield server, hire(server.url, "admin", PASSWORD)

    if not url:
        yield from run(None)
        return
    with servers.fresh_postgres_database(url) as fresh:
        yield from run(fresh)


@pytest.fixture(scope="session")
def sm(server):
    return boto3.session.Session(
        aws_access_key_id="any", aws_secret_access_key="any", region_name="eu-west-1"
    ).client("sagemaker", endpoint_url=server.url, config=Config(retries={"max_attempts": 0}))


@pytest.fixture(scope="session")
def mlflow_client(server):
    from mlflow import MlflowClient

    return MlflowClient(server.url, server.url)


@dataclass
class Native:
    url: str

    def __call__(self, method, path, body=None):
        """Gives back the status and the document."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/api/stele/v1/{path}", data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=30) as response:
                return response.status, json.loads(response.read() or b"null")
        except HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def gate(self, name, models, target, *rules):
        status, answer = self("POST", "gates", {"name": name, "models": models, "target": target, "rules": list(rules)})
        assert status == 200, answer
        return answer


@pytest.fixture(scope="session")
def native(server):
    return Native(server.url)


@pytest.fixture(scope="session")
def stele(server):
    def run(*arguments):
        command = [str(servers.stele_binary()), *arguments]
        environment = {**os.environ, "STELE_SERVER": server.url, "NO_COLOR": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def name():
    """A name that no other test has."""
    return f"n{uuid.uuid4().hex[:16]}"


@pytest.fixture
def model(name, native, mlflow_client):
    """A model whose gates in front of production, champion and approval want a tag and a measured AUC."""
    rules = (
        {"tag": {"key": "ticket"}},
        {"evaluation": {"digest": "d1", "thresholds": [{"metric": "auc", "at_least": 0.8}]}},
    )
    native.gate(f"{name}-production", name, {"stage": "production"}, *rules)
    native.gate(f"{name}-champion", name, {"alias": "champion"}, *rules)
    native.gate(f"{name}-approval", name, {"approval": "approved"}, *rules)
    mlflow_client.create_registered_model(name)
    yield name
    for gate in ("production", "champion", "approval"):
        native("DELETE", f"gates/{name}-{gate}")

"""Stock clients against a server with workspaces: on SQLite, or on a database of its own where STELE_DATABASE names a cluster."""

from __future__ import annotations

import os
import uuid

import mlflow
import pytest
import requests
import servers
from mlflow import MlflowClient


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A folder of its own in the artifact destination, and a database of its own, since names of workspaces are global."""
    data, url = tmp_path_factory.mktemp("workspaces"), os.environ.get("STELE_DATABASE")
    settings = {"environment": {"STELE_WORKSPACES": "true"}}
    if not url:
        with servers.running(data, **settings) as running:
            yield running
        return
    with servers.fresh_postgres_database(url) as fresh, servers.running(data, database=fresh, **settings) as running:
        yield running


@pytest.fixture
def client(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(server.url)
    yield MlflowClient(server.url)
    mlflow.set_workspace(None)


@pytest.fixture
def two(client):
    """The names of two fresh workspaces."""
    names = [f"team-{uuid.uuid4().hex[:12]}" for _ in range(2)]
    for name in names:
        mlflow.create_workspace(name)
    return names


@pytest.fixture
def ask(server):
    """Plain HTTP in a workspace; a path that is not whole is one of MLflow's second version."""

    def send(workspace, method, path, **arguments):
        path = path if path.startswith("/") else f"/api/2.0/mlflow/{path}"
        headers = {"X-MLFLOW-WORKSPACE": workspace} if workspace else {}
        return requests.request(method, server.url + path, headers=headers, timeout=60, **arguments)

    return send

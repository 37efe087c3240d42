"""A release binary to talk to: on SQLite, or on the database that STELE_DATABASE names."""

import os

import pytest

import servers


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    database = os.environ.get("STELE_DATABASE") or None
    # The receivers of tests are on this machine.
    environment = {"STELE_WEBHOOK_ALLOWED_SCHEMES": "http", "STELE_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}
    data = tmp_path_factory.mktemp("native")
    with servers.running(data, database=database, environment=environment) as running:
        yield running

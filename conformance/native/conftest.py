"""A release binary to talk to: on SQLite, or on the database that STELE_DATABASE names."""

import os

import pytest

import servers


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    database = os.environ.get("STELE_DATABASE") or None
    with servers.running(tmp_path_factory.mktemp("native"), database=database) as running:
        yield running

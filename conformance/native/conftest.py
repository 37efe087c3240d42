"""A release binary to talk to: on SQLite, or on the database that STELE_DATABASE names."""

import os
import subprocess

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


def stele(*arguments, code=0):
    line = [str(servers.stele_binary()), *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STELE_")}
    ran = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout

"""Stock clients against a server with authentication: on SQLite, or on a database of its own where STELE_DATABASE names a cluster."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import uuid

import boto3
import pytest
import requests
from botocore.config import Config

import servers

ADMIN = "admin"
PASSWORD = "first among equals"
REGION = "eu-west-1"


@pytest.fixture(scope="module")
def database():
    """Authentication is a matter of the whole database, so this suite does not share one with others."""
    url = os.environ.get("STELE_DATABASE")
    if not url:
        yield None
        return
    with servers.fresh_postgres_database(url) as fresh:
        yield fresh


class Cli:
    """The command line, against a server or over a data folder."""

    def __init__(self, home, **environment):
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STELE_", "MLFLOW_", "XDG_"))}
        self.environment = kept | {"HOME": str(home)} | environment

    def __call__(self, *arguments, stdin="", code=0):
        ran = subprocess.run(
            [str(servers.stele_binary()), *map(str, arguments)],
            cwd=self.home, env=self.environment, input=stdin, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert ran.returncode == code, f"{arguments} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
        return ran

    def json(self, *arguments, stdin=""):
        return json.loads(self(*arguments, "--json", stdin=stdin).stdout)


@contextlib.contextmanager
def administered(data, database, **settings):
    """A server whose first administrator was made before it started."""
    place = ["--data", data] + (["--database", database] if database else [])
    Cli(data)("auth", "init", "--password-stdin", *place, stdin=PASSWORD)
    with servers.running(data, database=database, **settings) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory, database):
    """One a file, since failed logins are counted."""
    # Tests come from other addresses by saying so, like a proxy.
    environment = {"STELE_TRUSTED_PROXIES": "127.0.0.1"}
    with administered(tmp_path_factory.mktemp("identity"), database, environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def cli(server, tmp_path_factory):
    """The command line of the administrator."""
    home = tmp_path_factory.mktemp("home")
    cli = Cli(home, STELE_SERVER=server.url)
    cli("login", "--user", ADMIN, "--password-stdin", stdin=PASSWORD)
    return cli


@pytest.fixture
def name():
    return f"n{uuid.uuid4().hex[:12]}"


@pytest.fixture
def user(cli, name):
    """An account that may do everything, with the password PASSWORD."""
    cli("auth", "user", "create", name, "--password-stdin", stdin=PASSWORD)
    cli("auth", "grant", "create", "administrator", "--account", name, "--organisation")
    return name


@pytest.fixture
def key(cli, user):
    """An access key of the user."""
    return cli.json("auth", "key", "create", "tests", "--account", user)


@pytest.fixture
def token(cli, user):
    """A token of the user, and its id."""
    return cli.json("auth", "token", "create", "tests", "--account", user)


def aws(server, service, key_id, secret, **config):
    # Nothing of the machine's own configuration, and no second tries that would hide a failure.
    return boto3.session.Session(
        aws_access_key_id=key_id, aws_secret_access_key=secret, region_name=REGION
    ).client(service, endpoint_url=server.url, config=Config(retries={"max_attempts": 0}, **config))


@contextlib.contextmanager
def mlflow_as(**environment):
    """MLflow's client takes its credentials from the environment at each request."""
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        for name in names:
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            patch.setenv(f"MLFLOW_TRACKING_{name}", value)
        yield


def native(server, path, *arguments, method="GET", **options):
    return requests.request(method, f"{server.url}/api/stele/v1/{path}", *arguments, timeout=30, **options)

"""People with a role each, who ask one server through every script, with plain requests where credentials must not come from the environment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, urlencode

import boto3
from botocore.config import Config
from raw_http import Answer, Wire

ROLES = ("viewer", "contributor", "approver", "deployer", "administrator")
REGION = "eu-west-1"


@dataclass(frozen=True)
class Credentials:
    role: str
    token: str
    key: str
    secret: str


@dataclass
class Person:
    """One client: not for two threads at once."""

    url: str
    credentials: Credentials

    @cached_property
    def wire(self) -> Wire:
        return Wire(self.url)

    def aws(self, service: str, **config: object):
        return boto3.session.Session(
            aws_access_key_id=self.credentials.key,
            aws_secret_access_key=self.credentials.secret,
            region_name=REGION,
        ).client(service, endpoint_url=self.url, config=Config(retries={"max_attempts": 0}, **config))

    @cached_property
    def sm(self):
        return self.aws("sagemaker", parameter_validation=False)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        headers = {"Authorization": f"Bearer {self.credentials.token}", **headers}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        try:
            return self.wire.send(method, path, data, headers)
        except ConnectionError:
            # The server ends connections that were idle for long.
            return self.wire.send(method, path, data, headers)

    def mlflow(
        self, method: str, route: str, fields: dict[str, object], version: str = "2.0", workspace: str | None = None
    ) -> Answer:
        headers = {"X-MLFLOW-WORKSPACE": workspace} if workspace else {}
        path = f"/api/{version}/mlflow/{route}"
        if method == "GET":
            return self.ask(method, f"{path}?{urlencode(fields)}", **headers)
        return self.ask(method, path, fields, **headers)

    def native(self, method: str, path: str, body: object = None) -> Answer:
        return self.ask(method, f"/api/stele/v1/{quote(path, safe='/?=&')}", body)


def hire(url: str, administrator: str, password: str) -> list[Credentials]:
    """Makes an account for each role, in the whole organisation, with a token and an access key."""
    import base64

    basic = base64.b64encode(f"{administrator}:{password}".encode()).decode()
    wire = Wire(url)

    def ask(method, path, body):
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        answer = wire.send(method, f"/api/stele/v1/{path}", json.dumps(body).encode(), headers)
        assert answer.status == 200, answer
        return answer.json()

    hired = []
    for role in ROLES:
        ask("POST", "accounts", {"name": role})
        ask("POST", "grants", {"account": role, "role": role, "scope": "organisation"})
        token = ask("POST", f"accounts/{role}/tokens", {"name": "tests"})["token"]
        key = ask("POST", f"accounts/{role}/access-keys", {"name": "tests"})
        hired.append(Credentials(role, token, key["id"], key["secret"]))
    return hired


def employ(administrator: Person, name: str, role: str, *groups: str) -> Person:
    """Makes an account with a role in the whole organisation, in groups that are there."""

    def ask(method, path, body=None):
        answer = administrator.native(method, path, body)
        assert answer.status in (200, 204), answer
        return answer.json() if answer.status == 200 else None

    ask("POST", "accounts", {"name": name})
    ask("POST", "grants", {"account": name, "role": role, "scope": "organisation"})
    for group in groups:
        ask("PUT", f"groups/{group}/members/{name}")
    token = ask("POST", f"accounts/{name}/tokens", {"name": "tests"})["token"]
    key = ask("POST", f"accounts/{name}/access-keys", {"name": "tests"})
    return Person(administrator.url, Credentials(role, token, key["id"], key["secret"]))

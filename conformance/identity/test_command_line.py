"""The command line, the native API and the address that a server listens on."""

import stat
import subprocess

import pytest
import requests

import servers
from conftest import ADMIN, PASSWORD, Cli, native


def test_no_other_address_without_authentication(tmp_path):
    cli = Cli(tmp_path)
    refused = cli("serve", "--host", "0.0.0.0", "--port", "0", "--data", tmp_path / "d", code=2)
    assert "refusing to listen on 0.0.0.0" in refused.stderr and "stele auth init" in refused.stderr
    cli("auth", "init", "--name", "ann", "--password-stdin", "--data", tmp_path / "d", stdin=PASSWORD)
    port = servers.free_port()
    line = [str(servers.stele_binary()), "serve", "--host", "0.0.0.0", "--port", str(port), "--data", str(tmp_path / "d")]
    server = subprocess.Popen(line, env=cli.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert b"Stele" in server.stdout.readline()
        assert requests.get(f"http://127.0.0.1:{port}/api/stele/v1/runs", timeout=30).status_code == 401
        assert requests.get(f"http://127.0.0.1:{port}/api/stele/v1/runs", auth=("ann", PASSWORD), timeout=30).ok
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_authentication_can_be_turned_on_while_a_server_runs(tmp_path):
    with servers.running(tmp_path / "d") as server:
        cli = Cli(tmp_path, STELE_SERVER=server.url)
        assert cli("whoami").stdout == "local-owner (local-owner)\n"
        assert native(server, "authentication").json() == {"required": False}
        cli("auth", "init", "--password-stdin", stdin=PASSWORD)
        assert native(server, "authentication").status_code == 401
        told = cli("runs", "list", code=1)
        assert "stele login" in told.stderr
        cli("login", "--user", "admin", "--password-stdin", stdin="wrong guess", code=1)
        cli("login", "--user", "admin", "--password-stdin", stdin=PASSWORD)
        assert "administrator of organisation" in cli("whoami").stdout
        kept = tmp_path / ".config/stele/logins.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        cli("logout")
        cli("whoami", code=1)


def test_who_may_open_the_record_owns_it(tmp_path):
    """The way back for somebody who is locked out."""
    cli = Cli(tmp_path)
    place = ("--data", tmp_path / "d")
    cli("auth", "init", "--password-stdin", *place, stdin=PASSWORD)
    assert cli("whoami", *place).stdout == "local-owner (local-owner)\n"
    cli("auth", "user", "password", "admin", "--password-stdin", *place, stdin="another password")
    with servers.running(tmp_path / "d") as server:
        assert native(server, "identity", auth=("admin", PASSWORD)).status_code == 401
        assert native(server, "identity", auth=("admin", "another password")).json()["name"] == "admin"


def test_accounts_groups_and_roles(cli, server, name):
    cli("auth", "user", "create", name, "--display-name", "Ann", "--password-stdin", stdin=PASSWORD)
    cli("auth", "user", "create", f"{name}-bot", "--service")
    cli("auth", "group", "create", f"{name}-team", "--description", "who train")
    cli("auth", "group", "add", f"{name}-team", name)
    granted = cli.json("auth", "grant", "create", "contributor", "--group", f"{name}-team", "--workspace", "default")
    assert (granted["group"], granted["role"], granted["of"]) == (f"{name}-team", "contributor", "default")
    assert granted["granted_by"] == ADMIN
    who = native(server, "identity", auth=(name, PASSWORD)).json()
    assert who["groups"] == [f"{name}-team"]
    assert who["roles"] == [{"role": "contributor", "scope": "workspace", "of": "default"}]
    assert name in cli("auth", "user", "list", "-n", "1000").stdout
    assert name in cli("auth", "group", "members", f"{name}-team").stdout
    assert "contributor" in cli("auth", "grant", "list", "--group", f"{name}-team").stdout
    cli("auth", "grant", "delete", granted["id"])
    assert native(server, "identity", auth=(name, PASSWORD)).json()["roles"] == []
    cli("auth", "user", "delete", name)
    assert native(server, "identity", auth=(name, PASSWORD)).status_code == 401
    again = cli("auth", "user", "create", name, "--no-password", code=1)
    assert "already exists" in again.stderr
    assert "`stele auth users list`" in cli("auth", "user", "show", name, code=3).stderr


def test_everybody_looks_after_their_own(cli, server, name):
    cli("auth", "user", "create", name, "--password-stdin", stdin=PASSWORD)
    own = (name, PASSWORD)
    made = native(server, f"accounts/{name}/tokens", method="POST", json={"name": "mine", "roles": ["viewer"]}, auth=own)
    assert made.status_code == 200, made.text
    token = {"Authorization": f"Bearer {made.json()['token']}"}
    assert native(server, f"accounts/{name}/tokens", headers=token).json()["tokens"][0]["id"] == made.json()["id"]
    assert "token" not in native(server, f"accounts/{name}/tokens", headers=token).json()["tokens"][0]
    for path in (f"accounts/{ADMIN}/tokens", "accounts", "groups", "grants", f"accounts/{ADMIN}"):
        assert native(server, path, auth=own).status_code == 403, path
    assert native(server, f"accounts/{ADMIN}/tokens", method="POST", json={}, auth=own).status_code == 403
    password = f"accounts/{name}/password"
    assert native(server, password, method="PUT", json={"password": "another password"}, auth=own).status_code == 400
    change = {"password": "another password", "current_password": PASSWORD}
    assert native(server, password, method="PUT", json=change, auth=own).status_code == 204
    assert native(server, "identity", auth=own).status_code == 401
    assert native(server, "identity", auth=(name, "another password")).status_code == 200


def test_the_last_administrator_stays(tmp_path):
    cli = Cli(tmp_path)
    place = ("--data", tmp_path / "d")
    cli("auth", "init", "--password-stdin", *place, stdin=PASSWORD)
    for action in ("disable", "delete"):
        told = cli("auth", "user", action, "admin", *place, code=1)
        assert "nobody would be left" in told.stderr


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("accounts", {"name": "a b"}, 400),
        ("accounts", {"name": "local-owner"}, 400),
        ("accounts", {"name": "x", "kind": "robot"}, 400),
        ("accounts", {"name": "short-password", "password": "1234567"}, 400),
        ("accounts", {"name": "x\u0000"}, 400),
        ("accounts", {"name": "bot", "kind": "service", "password": "has a password"}, 400),
        ("groups", {"name": ""}, 400),
        ("groups", {"name": "long-description", "description": "x" * 1025}, 400),
        ("grants", {"role": "viewer", "scope": "organisation"}, 400),
        ("grants", {"role": "king", "scope": "organisation", "account": "admin"}, 400),
        ("grants", {"role": "viewer", "scope": "organisation", "of": "x", "account": "admin"}, 400),
        ("grants", {"role": "viewer", "scope": "experiment", "of": "0", "account": "nobody"}, 404),
        ("grants", {"role": "viewer", "scope": "experiment", "of": "x", "account": "admin"}, 404),
        ("accounts/admin/tokens", {"roles": []}, 400),
        ("accounts/admin/tokens", {"roles": ["king"]}, 400),
        ("accounts/admin/tokens", {"expires_at": 1}, 400),
        ("accounts/admin/tokens", {"name": "x" * 129}, 400),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(server, path, document, status):
    auth = (ADMIN, PASSWORD)
    before = native(server, path, auth=auth).json()
    answer = native(server, path, method="POST", json=document, auth=auth)
    assert answer.status_code == status, answer.text
    assert native(server, path, auth=auth).json() == before

"""Logging in through an identity provider: the npm package oidc-provider, on loopback.

OIDC_PROVIDER names the folder where it is installed (`npm install oidc-provider@8`); scripts/test.sh does that.
"""

import html
import json
import os
import re
import subprocess
import threading
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

import servers
from conftest import ADMIN, PASSWORD, Cli, administered, native

FOLDER = os.environ.get("OIDC_PROVIDER")
pytestmark = pytest.mark.skipif(not FOLDER, reason="OIDC_PROVIDER names no folder with oidc-provider")


@pytest.fixture(scope="module")
def port():
    return servers.free_port()


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """The file with the groups of each user at the provider."""
    file = tmp_path_factory.mktemp("groups") / "groups.json"
    file.write_text("{}")
    return file


@pytest.fixture(scope="module")
def provider(port, groups):
    own = servers.free_port()
    script = Path(__file__).with_name("provider.mjs")
    line = ["node", str(script), str(own), f"http://127.0.0.1:{port}/oauth/callback", str(groups)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"OIDC_PROVIDER": FOLDER})
    try:
        for said in process.stdout:
            if said.strip() == b"ready":
                break
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield f"http://127.0.0.1:{own}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory, database, provider, port):
    settings = {"STELE_OIDC_ISSUER": provider, "STELE_OIDC_CLIENT_ID": "stele", "STELE_OIDC_CLIENT_SECRET": "of the test"}
    with administered(tmp_path_factory.mktemp("oidc"), database, port=port, environment=settings) as running:
        yield running


def submit(browser, answer, **typed):
    """Sends the first form of a page, with what is typed into it."""
    page = answer.text
    form = re.search(r"<form[^>]*action=\"([^\"]+)\"", page)
    assert form, page
    hidden = re.findall(r"<input[^>]*type=\"hidden\"[^>]*name=\"([^\"]+)\"[^>]*value=\"([^\"]*)\"", page)
    address = urljoin(answer.url, html.unescape(form.group(1)))
    return browser.post(address, data=dict(hidden) | typed, timeout=30)


def confirm(browser, answer, name):
    """Logs in at the provider and allows what is asked for."""
    answer = submit(browser, answer, login=name, password="any")
    return submit(browser, answer)


def log_in(server, name, wanted="/"):
    browser = requests.Session()
    answer = browser.get(f"{server.url}/oauth/login", params={"next": wanted}, timeout=30)
    return browser, confirm(browser, answer, name)


def test_a_browser_logs_in_and_out(server, provider):
    browser = requests.Session()
    # A person who opens a page is sent to the provider, and comes back to the page.
    sent = browser.get(f"{server.url}/metrics", headers={"Accept": "text/html"}, timeout=30)
    assert sent.url.startswith(provider)
    back = confirm(browser, sent, "ann")
    assert back.status_code == 200 and back.url == f"{server.url}/metrics"
    cookie = next(cookie for cookie in browser.cookies if cookie.name == "stele_session")
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Lax"
    who = browser.get(f"{server.url}/api/stele/v1/identity", timeout=30).json()
    assert (who["name"], who["kind"], who["roles"]) == ("ann", "user", [])
    account = native(server, "accounts/ann", auth=(ADMIN, PASSWORD)).json()
    assert account["issuer"] == provider and not account["has_password"]
    assert account["display_name"] == "The one called ann"
    # A page of somebody else cannot use the session to change anything.
    foreign = browser.post(
        f"{server.url}/api/2.0/mlflow/experiments/create", json={"name": "x"}, headers={"Origin": "https://evil.example"}, timeout=30
    )
    assert foreign.status_code == 403 and "Cross-origin" in foreign.text
    session = browser.cookies["stele_session"]
    browser.post(f"{server.url}/oauth/logout", timeout=30, allow_redirects=False)
    assert "stele_session" not in browser.cookies
    again = requests.get(f"{server.url}/api/stele/v1/identity", cookies={"stele_session": session}, timeout=30)
    assert again.status_code == 401


def test_groups_follow_the_provider(server, groups):
    auth = (ADMIN, PASSWORD)
    for group in ("readers", "writers", "own"):
        native(server, "groups", method="POST", json={"name": group}, auth=auth)
    grant = {"group": "readers", "role": "viewer", "scope": "organisation"}
    assert native(server, "grants", method="POST", json=grant, auth=auth).status_code == 200
    groups.write_text(json.dumps({"bob": ["readers", "nowhere"]}))
    browser, _ = log_in(server, "bob")
    who = browser.get(f"{server.url}/api/stele/v1/identity", timeout=30).json()
    assert who["groups"] == ["readers"]
    assert who["roles"] == [{"role": "viewer", "scope": "organisation", "of": None}]
    assert native(server, "groups/own/members/bob", method="PUT", auth=auth).status_code == 204
    groups.write_text(json.dumps({"bob": ["writers"]}))
    browser, _ = log_in(server, "bob")
    who = browser.get(f"{server.url}/api/stele/v1/identity", timeout=30).json()
    assert who["groups"] == ["own", "writers"]


def test_a_name_is_not_taken_over(server):
    """That somebody is called admin at the provider makes them no administrator."""
    _, answer = log_in(server, ADMIN)
    assert answer.status_code in (401, 403) and "another account" in answer.text


def test_a_disabled_account_is_not_let_in(server):
    log_in(server, "cyd")
    native(server, "accounts/cyd", method="PATCH", json={"disabled": True}, auth=(ADMIN, PASSWORD))
    _, answer = log_in(server, "cyd")
    assert answer.status_code == 403


def test_only_who_began_a_login_ends_it(server):
    """Somebody who makes a browser open the end of their own login does not log it in as them."""
    browser = requests.Session()
    begun = browser.get(f"{server.url}/oauth/login", timeout=30, allow_redirects=False)
    query = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"] and query["nonce"] and "openid" in query["scope"][0]
    state = query["state"][0]
    end = f"{server.url}/oauth/callback"
    for client, parameters in (
        (requests, {"code": "c", "state": state}),
        (browser, {"code": "c", "state": "another"}),
        (browser, {"code": "c"}),
        (browser, {}),
    ):
        assert client.get(end, params=parameters, timeout=30).status_code == 400
    assert browser.get(end, params={"error": "access_denied", "state": state}, timeout=30).status_code == 401
    assert browser.get(end, params={"code": "made up", "state": state}, timeout=30).status_code == 502
    for wanted in ("https://evil.example", "//evil.example", "/\\evil.example"):
        _, answer = log_in(server, "dan", wanted)
        assert answer.url == f"{server.url}/"


def test_logins_are_not_mixed_up(server):
    """The code of one login is no good in another one, since each has a nonce and a verifier of its own."""

    def begin():
        browser = requests.Session()
        sent = browser.get(f"{server.url}/oauth/login", timeout=30)
        return browser, submit(browser, sent, login="fay", password="any")

    def code_of(browser, asked):
        """Stops where the provider sends the browser back."""
        form = re.search(r"<form[^>]*action=\"([^\"]+)\"", asked.text).group(1)
        hidden = re.findall(r"<input[^>]*type=\"hidden\"[^>]*name=\"([^\"]+)\"[^>]*value=\"([^\"]*)\"", asked.text)
        answer = browser.post(urljoin(asked.url, html.unescape(form)), data=dict(hidden), timeout=30, allow_redirects=False)
        while not (place := urljoin(answer.url, answer.headers["Location"])).startswith(f"{server.url}/oauth/callback"):
            answer = browser.get(place, timeout=30, allow_redirects=False)
        query = parse_qs(urlsplit(place).query)
        return query["code"][0], query["state"][0]

    (one, one_asked), (other, other_asked) = begin(), begin()
    (code, state), (others_code, others_state) = code_of(one, one_asked), code_of(other, other_asked)
    end = f"{server.url}/oauth/callback"
    for browser, given, status in (
        (one, {"code": others_code, "state": others_state}, 400),
        (one, {"code": others_code, "state": state}, 502),
        (other, {"code": code, "state": others_state}, 502),
    ):
        assert browser.get(end, params=given, timeout=30).status_code == status, given
        assert "stele_session" not in browser.cookies


def test_an_account_that_was_deleted_does_not_come_back(server):
    """Its name stays taken, so that nobody inherits what was said of it."""
    log_in(server, "gus")
    assert native(server, "accounts/gus", method="DELETE", auth=(ADMIN, PASSWORD)).status_code == 204
    browser, answer = log_in(server, "gus")
    assert answer.status_code in (401, 403), answer.text
    assert "stele_session" not in browser.cookies


def test_a_command_logs_in_with_a_device_code(server, tmp_path):
    cli = Cli(tmp_path, STELE_SERVER=server.url)
    line = [str(servers.stele_binary()), "login", "--oidc"]
    waiting = subprocess.Popen(line, env=cli.environment, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        told = waiting.stderr.readline()
        place = re.search(r"open (\S+) and", told).group(1)
        browser = requests.Session()
        answer = submit(browser, browser.get(place, timeout=30))
        for typed in ({}, {"login": "eve", "password": "any"}, {}):
            if "<form" in answer.text:
                answer = submit(browser, answer, **typed)
        assert waiting.wait(timeout=60) == 0, waiting.stderr.read()
    finally:
        waiting.kill()
    assert cli("whoami").stdout.startswith("eve (user)")
    cli("logout")

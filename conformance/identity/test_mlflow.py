"""MLflow's client with a name and password, and with a token."""

import base64
import threading

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

from conftest import ADMIN, PASSWORD, mlflow_as


def test_a_name_and_password_log_a_run(server, name):
    with mlflow_as(USERNAME=ADMIN, PASSWORD=PASSWORD):
        client = MlflowClient(server.url, server.url)
        run = client.create_run(client.create_experiment(name))
        client.log_metric(run.info.run_id, "loss", 0.5)
        client.log_text(run.info.run_id, "text", "a.txt")
        assert client.get_run(run.info.run_id).data.metrics == {"loss": 0.5}
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["a.txt"]


def test_a_token_stands_alone_or_in_place_of_the_password(server, user, token):
    for environment in (
        {"TOKEN": token["token"]},
        {"USERNAME": user, "PASSWORD": token["token"]},
        {"USERNAME": "token", "PASSWORD": token["token"]},
    ):
        with mlflow_as(**environment):
            assert MlflowClient(server.url).search_experiments()
    with mlflow_as(USERNAME="somebody-else", PASSWORD=token["token"]), pytest.raises(RestException):
        MlflowClient(server.url).search_experiments()


def test_who_does_not_prove_who_they_are_is_refused(server):
    for environment in ({}, {"USERNAME": ADMIN, "PASSWORD": "a wrong guess"}, {"TOKEN": "stele_" + "0" * 64}):
        with mlflow_as(**environment), pytest.raises(RestException) as refused:
            MlflowClient(server.url).search_experiments()
        assert refused.value.error_code == "UNAUTHENTICATED"
        assert refused.value.get_http_status_code() == 401
    answer = requests.get(f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0", timeout=30)
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_who_sends_a_large_file_hears_the_refusal(server):
    url = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/0/large.bin"
    answer = requests.put(url, data=bytes(50_000_000), auth=("admin", "not the password"), timeout=60)
    assert answer.status_code == 401


def test_what_is_said_of_an_account_is_said_of_none(server, cli, name):
    """A wrong password, an unknown account and a disabled one are answered alike."""
    cli("auth", "user", "create", name, "--password-stdin", stdin=PASSWORD)
    cli("auth", "user", "disable", name)
    answers = [
        requests.get(f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0", auth=auth, timeout=30)
        for auth in ((name, PASSWORD), (name + "x", PASSWORD), (ADMIN, "a wrong guess"))
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_what_is_open_is_open(server):
    for path in ("/health", "/version", "/api/3.0/mlflow/server-info", "/api/stele/v1/server"):
        assert requests.get(server.url + path, timeout=30).status_code == 200, path
    for path in ("/", "/metrics", "/mlflow/", "/api/stele/v1/runs", "/graphql", "/get-artifact?path=a&run_id=b"):
        answer = requests.get(server.url + path, timeout=30)
        assert answer.status_code in (401, 404), path
        assert answer.status_code == 401 or path == "/mlflow/", path
    assert requests.get(server.url + "/metrics", auth=(ADMIN, PASSWORD), timeout=30).status_code == 200
    assert requests.get(server.url + "/", auth=(ADMIN, PASSWORD), timeout=30).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Bearer", "Digest a=b", "Bearer \xe9", "x" * 20_000],
)
def test_odd_headers_are_refused(server, header):
    answer = requests.get(
        f"{server.url}/api/2.0/mlflow/experiments/search?max_results=1",
        headers={"Authorization": header.encode("latin-1")},
        timeout=30,
    )
    assert answer.status_code in (401, 429, 431), answer.text


def test_a_revoked_token_is_refused_at_once(server, cli, user, token):
    with mlflow_as(TOKEN=token["token"]):
        assert MlflowClient(server.url).search_experiments()
        cli("auth", "token", "revoke", token["id"], "--account", user)
        with pytest.raises(MlflowException):
            MlflowClient(server.url).search_experiments()


def test_a_disabled_account_is_refused_at_once(server, cli, user, token):
    with mlflow_as(USERNAME=user, PASSWORD=PASSWORD):
        assert MlflowClient(server.url).search_experiments()
        cli("auth", "user", "disable", user)
        for environment in ({"USERNAME": user, "PASSWORD": PASSWORD}, {"TOKEN": token["token"]}):
            with mlflow_as(**environment), pytest.raises(RestException):
                MlflowClient(server.url).search_experiments()
        cli("auth", "user", "enable", user)
        assert MlflowClient(server.url).search_experiments()


def test_a_token_expires(server, cli, user):
    import time

    token = cli.json("auth", "token", "create", "short", "--account", user, "--expires", "3s")["token"]
    with mlflow_as(TOKEN=token):
        assert MlflowClient(server.url).search_experiments()
        time.sleep(3.2)
        with pytest.raises(RestException):
            MlflowClient(server.url).search_experiments()


def test_many_requests_with_a_password_do_not_hash_each_time(server, user):
    """Hashing one takes tens of milliseconds, so 200 that were hashed would take many seconds."""
    import time

    with requests.Session() as session:
        session.auth = (user, PASSWORD)
        assert session.get(f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0", timeout=30).ok
        begun = time.monotonic()
        for _ in range(200):
            assert session.get(f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0", timeout=30).ok
        assert time.monotonic() - begun < 3


def test_many_workers_may_start_at_once(server, user):
    """None of their passwords is known yet, and none of them is wrong."""
    codes = []

    def ask():
        path = f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0"
        codes.append(requests.get(path, auth=(user, PASSWORD), timeout=60).status_code)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 32


def test_guesses_are_limited(server, cli, name):
    cli("auth", "user", "create", name, "--password-stdin", stdin=PASSWORD)
    ask = lambda guess, address="192.0.2.66": requests.get(  # noqa: E731
        f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0",
        auth=(name, guess), headers={"X-Forwarded-For": address}, timeout=60,
    )  # fmt: skip
    # Many at once are counted as well.
    answers = []
    threads = [threading.Thread(target=lambda n=n: answers.append(ask(f"guess {n}"))) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [answer.status_code for answer in answers]
    assert codes.count(401) <= 11 and set(codes) <= {401, 429}, codes
    limited = ask(PASSWORD)
    assert limited.status_code == 429, "also the right one is not looked at there"
    assert 0 < int(limited.headers["Retry-After"]) <= 60
    # 403: the account has no role, but it was let in.
    assert ask(PASSWORD, "192.0.2.1").status_code in (200, 403, 404), "what others guess locks nobody out elsewhere"
    assert limited.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert requests.get(f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0", auth=(ADMIN, PASSWORD), timeout=30).ok

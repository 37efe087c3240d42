"""What a client asks of the server itself."""

import re

import pytest

from wire import Api


def test_health(api):
    answer = api.get("/health")
    assert (answer.status, answer.text) == (200, "OK")


def test_version_is_one_that_clients_understand(api):
    """Clients compare it: span logging wants 3.4 and more, and nothing but the number may be there."""
    answer = api.get("/version")
    assert answer.status == 200
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", answer.text)
    assert match
    assert (int(match[1]), int(match[2])) >= (3, 17)


@pytest.mark.parametrize("prefix", ["/api/3.0/mlflow/", "/ajax-api/3.0/mlflow/"])
def test_server_info(base_url, prefix):
    info = Api(base_url, prefix).get("server-info").ok
    assert info["store_type"] == "SqlStore"
    assert {type(info["features_enabled"][key]) for key in ("gateway",)} == {bool}
    for key in (
        "workspaces_enabled",
        "trace_archival_enabled",
        "multipart_uploads_enabled",
        "multipart_downloads_enabled",
        "presigned_upload_run_id_supported",
        "presigned_upload_model_id_supported",
    ):
        assert type(info[key]) is bool, key


def test_server_info_is_of_version_3_only(api):
    assert api.get("server-info").status == 404


def test_head(api):
    assert api.raw("HEAD", "/health").status == 200


def test_cross_origin_writes_are_refused(api, unique):
    answer = api.raw(
        "POST", "experiments/create", json={"name": unique()}, headers={"Origin": "https://elsewhere.example"}
    )
    assert answer.status == 403


def test_same_machine_origins_are_fine(api, unique):
    for origin in ("http://localhost:3000", "http://127.0.0.1:8080"):
        answer = api.raw("POST", "experiments/create", json={"name": unique()}, headers={"Origin": origin})
        assert answer.status == 200


def test_foreign_host_names_are_refused(api):
    answer = api.raw("GET", "experiments/get", params={"experiment_id": "0"}, headers={"Host": "elsewhere.example"})
    assert answer.status == 403
    for host in ("localhost", "127.0.0.1:5000", "192.168.1.5", "10.0.0.7:80"):
        answer = api.raw("GET", "experiments/get", params={"experiment_id": "0"}, headers={"Host": host})
        assert answer.status == 200, host


def test_health_answers_any_host(api):
    assert api.raw("GET", "/health", headers={"Host": "elsewhere.example"}).status == 200

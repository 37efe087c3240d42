"""boto3, and whoever else signs as AWS wants it."""

import datetime
import json
import time

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from conftest import REGION, aws


def signed(server, key, method, path, body=b"", headers=None, service="sagemaker-mlflow", secret=None, query=False):
    """A request as sagemaker-mlflow signs it, ready to be sent."""
    credentials = Credentials(key["id"], secret or key["secret"])
    request = AWSRequest(method=method, url=server.url + path, data=body, headers=headers or {})
    signer = SigV4QueryAuth(credentials, service, REGION, expires=60) if query else SigV4Auth(credentials, service, REGION)
    signer.add_auth(request)
    return request.prepare()


def send(prepared, **changes):
    return requests.request(
        changes.get("method", prepared.method),
        changes.get("url", prepared.url),
        data=changes.get("body", prepared.body),
        headers=changes.get("headers", dict(prepared.headers.items())),
        timeout=30,
    )


class refused:
    def __init__(self, code, status=403):
        self.code, self.status = code, status

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert isinstance(error, ClientError), f"expected {self.code}, got {error!r}"
        assert error.response["Error"]["Code"] == self.code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == self.status
        return True


def test_boto3_with_an_access_key(server, key, name):
    sagemaker = aws(server, "sagemaker", key["id"], key["secret"])
    sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=[{"Key": "ü", "Value": "a b+c"}])
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupName"] == name
    metrics = aws(server, "sagemaker-metrics", key["id"], key["secret"])
    data = [{"MetricName": "m", "Timestamp": 1, "Value": 1}]
    told = metrics.batch_put_metrics(TrialComponentName="nothing", MetricData=data)
    assert told["Errors"] == [{"Code": "VALIDATION_ERROR", "MetricIndex": 0}]


def test_what_does_not_match_is_refused(server, key):
    for service in ("sagemaker",):
        with refused("InvalidSignatureException"):
            aws(server, service, key["id"], key["secret"][:-1] + "x").list_models()
        with refused("UnrecognizedClientException"):
            aws(server, service, "AKIA" + "A" * 16, key["secret"]).list_models()
    for auth in (None, "AWS4-HMAC-SHA256 Credential=x"):
        answer = requests.post(
            server.url + "/",
            headers={"X-Amz-Target": "SageMaker.ListModels"} | ({"Authorization": auth} if auth else {}),
            data="{}",
            timeout=30,
        )
        expected = "IncompleteSignatureException" if auth else "MissingAuthenticationTokenException"
        assert (answer.status_code, answer.json()["__type"]) == (403, expected)
        assert answer.headers["x-amzn-ErrorType"] == expected


def test_a_revoked_key_is_refused_at_once(server, cli, user, key):
    sagemaker = aws(server, "sagemaker", key["id"], key["secret"])
    sagemaker.list_models()
    cli("auth", "key", "revoke", key["id"], "--account", user)
    with refused("UnrecognizedClientException"):
        sagemaker.list_models()


@pytest.mark.parametrize(("minutes", "good"), [(-4, True), (4, True), (-6, False), (6, False)])
def test_clocks_may_be_five_minutes_apart(server, key, monkeypatch, minutes, good):
    import botocore.auth

    at = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: at)
    answer = send(signed(server, key, "GET", "/api/2.0/mlflow/experiments/get?experiment_id=0"))
    assert answer.status_code == (200 if good else 401), answer.text


def test_mlflow_requests_may_be_signed(server, key, name):
    """As sagemaker-mlflow does it."""
    body = b'{"name": "%s"}' % name.encode()
    created = send(signed(server, key, "POST", "/api/2.0/mlflow/experiments/create", body, {"Content-Type": "application/json"}))
    assert created.status_code == 200, created.text
    for query in (f"experiment_name={name}", f"b=%20&experiment_name={name}&a=x+y&c=%C3%BC"):
        found = send(signed(server, key, "GET", f"/api/2.0/mlflow/experiments/get-by-name?{query}"))
        assert found.json()["experiment"]["experiment_id"] == created.json()["experiment_id"], found.text
    # A tracking address that ends in a slash asks for two of them.
    assert send(signed(server, key, "GET", "//api/2.0/mlflow/experiments/get?experiment_id=0")).status_code == 200


def test_what_was_signed_is_what_is_asked(server, key, name):
    path = "/api/2.0/mlflow/experiments/create"
    body = b'{"name": "%s"}' % name.encode()
    good = signed(server, key, "POST", path, body, {"Content-Type": "application/json"})
    for change in (
        {"body": body.replace(b"n", b"m", 1)},
        {"body": body + b" "},
        {"url": good.url + "?x=1"},
        {"url": good.url.replace("create", "update")},
        {"headers": dict(good.headers.items()) | {"X-Amz-Date": "20200101T000000Z"}},
        {"headers": dict(good.headers.items()) | {"X-Amz-Target": "SageMaker.DeleteModel"}},
    ):
        assert send(good, **change).status_code == 401, change
    found = send(signed(server, key, "GET", f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={name}"))
    assert found.status_code == 404
    assert send(good).status_code == 200


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_body_is_the_one_whose_hash_was_signed(server, key, name, size):
    """Large bodies are hashed while they are stored; one that is another leaves nothing behind."""
    import hashlib

    body = b"a" * size
    path = f"/api/2.0/mlflow-artifacts/artifacts/signed/{name}"
    headers = {"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
    upload = signed(server, key, "PUT", path, body, headers)
    assert send(upload, body=b"b" + body[1:]).status_code in (400, 401, 500)
    assert send(signed(server, key, "GET", path)).status_code == 404
    assert send(upload).status_code == 200
    assert send(signed(server, key, "GET", path)).content == body


def test_a_body_must_be_signed(server, key):
    headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    answer = send(signed(server, key, "POST", "/api/2.0/mlflow/experiments/search", b'{"max_results": 1}', headers))
    assert answer.status_code == 401 and "signed" in answer.text


def test_presigned_addresses(server, key):
    path = "/api/2.0/mlflow/experiments/get?experiment_id=0"
    good = signed(server, key, "GET", path, query=True)
    assert requests.get(good.url, timeout=30).status_code == 200
    assert requests.get(good.url.replace("experiment_id=0", "experiment_id=1"), timeout=30).status_code == 401
    assert requests.get(good.url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"), timeout=30).status_code == 401
    assert requests.get(good.url.split("&X-Amz-Signature")[0], timeout=30).status_code == 401
    assert requests.post(good.url.replace("/get?", "/search?"), timeout=30).status_code == 401


def test_a_presigned_address_whose_time_is_over_says_so(server, key):
    s3 = aws(server, "s3", key["id"], key["secret"], signature_version="s3v4")
    late = s3.generate_presigned_url("list_buckets", ExpiresIn=1)
    time.sleep(2.1)
    answer = requests.get(late, timeout=30)
    assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)
    assert "Request has expired" in answer.text


def test_a_narrowed_key_and_token_hold_less(server, cli, user):
    token = cli.json("auth", "token", "create", "--account", user, "--read-only")
    who = requests.get(
        f"{server.url}/api/stele/v1/identity", headers={"Authorization": f"Bearer {token['token']}"}, timeout=30
    ).json()
    assert who["roles"] == [{"role": "viewer", "scope": "organisation", "of": None}]
    made = requests.post(
        f"{server.url}/api/2.0/mlflow/experiments/create",
        headers={"Authorization": f"Bearer {token['token']}"},
        json={"name": "from a reader"},
        timeout=30,
    )
    assert (made.status_code, made.json()["error_code"]) == (403, "PERMISSION_DENIED")


def lent(answer):
    """Credentials of STS, for boto3 and for requests that are signed by hand."""
    given = answer["Credentials"]
    assert given["AccessKeyId"].startswith("ASIA")
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def client(server, service, key, secret, token, **more):
    session = boto3.session.Session(
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, region_name=REGION
    )
    config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, **more)
    return session.client(service, endpoint_url=server.url, config=config)


def sts_answers(server, key):
    sts = aws(server, "sts", key["id"], key["secret"])
    yield sts.get_session_token(DurationSeconds=900)
    yield sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/trainer", RoleSessionName="job-1")


def test_credentials_of_sts_hold_what_the_key_holds(server, key, user, name):
    for number, answer in enumerate(sts_answers(server, key)):
        credentials = lent(answer)
        group = f"{name}-{number}"
        client(server, "sagemaker", *credentials).create_model_package_group(ModelPackageGroupName=group)
        s3 = client(server, "s3", *credentials, signature_version="s3v4")
        s3.create_bucket(Bucket=f"b-{group}", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=f"b-{group}", Key="k", Body=b"text")
        address = s3.generate_presigned_url("get_object", Params={"Bucket": f"b-{group}", "Key": "k"})
        assert requests.get(address, timeout=30).content == b"text"
        assert client(server, "sts", *credentials).get_caller_identity()["Arn"].endswith(f"user/{user}")
    chained = client(server, "sts", *credentials).assume_role(
        RoleArn="arn:aws:iam::123456789012:role/other", RoleSessionName="job-2", DurationSeconds=43_200
    )
    left = chained["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert left <= datetime.timedelta(hours=1)
    client(server, "sagemaker", *lent(chained)).describe_model_package_group(ModelPackageGroupName=group)
    with refused("AccessDenied"):
        client(server, "sts", *credentials).get_session_token()


def test_credentials_of_sts_need_their_own_token(server, key):
    one, other = (lent(answer) for answer in sts_answers(server, key))
    for wrong in (
        (one[0], one[1], None),
        (one[0], one[1], other[2]),
        (one[0], one[1], one[2][:-4] + "AAAA"),
        (key["id"], key["secret"], one[2]),
    ):
        with refused("UnrecognizedClientException"):
            client(server, "sagemaker", *wrong).list_experiments()
    with refused("InvalidSignatureException"):
        client(server, "sagemaker", one[0], other[1], one[2]).list_experiments()


def test_credentials_of_sts_end_with_the_key(server, cli, key, user):
    credentials = lent(next(sts_answers(server, key)))
    client(server, "sagemaker", *credentials).list_experiments()
    cli("auth", "key", "revoke", key["id"], "--account", user)
    with refused("UnrecognizedClientException"):
        client(server, "sagemaker", *credentials).list_experiments()


def test_credentials_of_sts_make_none_that_last(server, key, user):
    access, secret, token = lent(next(sts_answers(server, key)))
    request = AWSRequest(method="GET", url=f"{server.url}/api/stele/v1/identity", data=b"", headers={})
    SigV4Auth(Credentials(access, secret, token), "sagemaker", REGION).add_auth(request)
    assert send(request.prepare()).status_code == 401


def test_credentials_of_sts_let_in_nobody_who_stays(server, key, user, cli, name):
    """Accounts and passwords are made in MLflow's script too."""
    credentials = Credentials(*lent(next(sts_answers(server, key))))
    other = f"{name}-other"
    cli("auth", "user", "create", other, "--password-stdin", stdin="correct horse battery")
    for method, call, document in (
        ("POST", "create", {"username": f"{name}-mole", "password": "correct horse battery"}),
        ("PATCH", "update-admin", {"username": other, "is_admin": True}),
        ("PATCH", "update-password", {"username": other, "password": "another horse battery"}),
    ):
        request = AWSRequest(
            method=method, url=f"{server.url}/api/2.0/mlflow/users/{call}", data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        SigV4Auth(credentials, "sagemaker-mlflow", REGION).add_auth(request)
        answer = send(request.prepare())
        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED"), (call, answer.text)
    left = requests.get(f"{server.url}/api/stele/v1/identity", auth=(other, "correct horse battery"), timeout=30)
    assert left.json()["roles"] == []


@pytest.mark.parametrize(
    "narrowing",
    [{"Policy": '{"Version": "2012-10-17", "Statement": []}'}, {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]}],
)
def test_a_session_policy_is_refused_rather_than_passed_over(server, key, narrowing):
    sts = aws(server, "sts", key["id"], key["secret"])
    with refused("ValidationError", 400):
        sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="job", **narrowing)


@pytest.mark.parametrize("seconds", [129_601, 10**9])
def test_sessions_are_of_a_bounded_length(server, key, seconds):
    with refused("ValidationError", 400):
        aws(server, "sts", key["id"], key["secret"]).get_session_token(DurationSeconds=seconds)

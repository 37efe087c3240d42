"""Clients of AWS cannot name a workspace: an access key is in the one that its account holds all of its roles in."""

import base64
import json
import os
import subprocess
import uuid

import boto3
import pytest
import requests
import servers
from botocore.config import Config
from botocore.exceptions import ClientError
from receivers import Receiver

PASSWORD = "first among equals"
# Events are told to a receiver on this machine.
ENVIRONMENT = {
    "STELE_WORKSPACES": "true",
    "STELE_WEBHOOK_ALLOWED_SCHEMES": "http",
    "STELE_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    data, cluster = tmp_path_factory.mktemp("accounts"), os.environ.get("STELE_DATABASE")

    def start(database=None):
        place = ["--data", str(data)] + (["--database", database] if database else [])
        command = [str(servers.stele_binary()), "auth", "init", "--password-stdin", *place]
        subprocess.run(command, input=PASSWORD, text=True, check=True, cwd=data, capture_output=True)
        return servers.running(data, database=database, environment=ENVIRONMENT)

    if not cluster:
        with start() as running:
            yield running
        return
    with servers.fresh_postgres_database(cluster) as fresh, start(fresh) as running:
        yield running


@pytest.fixture(scope="module")
def admin(server):
    def send(method, path, body):
        answer = requests.request(method, server.url + path, json=body, auth=("admin", PASSWORD), timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    return send


@pytest.fixture
def account(server, admin):
    """A factory of clients of a service account that contributes to one workspace."""

    def make(workspace):
        name = f"a{uuid.uuid4().hex[:10]}"
        admin("POST", "/api/stele/v1/accounts", {"name": name, "kind": "service"})
        grant = {"account": name, "role": "contributor", "scope": "workspace", "of": workspace}
        admin("POST", "/api/stele/v1/grants", grant)
        key = admin("POST", f"/api/stele/v1/accounts/{name}/access-keys", {"name": "k"})

        def client(service):
            return boto3.client(
                service, endpoint_url=server.url, region_name="eu-west-1", aws_access_key_id=key["id"],
                aws_secret_access_key=key["secret"],
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )  # fmt: skip

        return client

    return make


@pytest.fixture
def sides(admin, account):
    names = ["default", *(f"team-{uuid.uuid4().hex[:10]}" for _ in range(2))]
    for name in names[1:]:
        admin("POST", "/api/3.0/mlflow/workspaces", {"name": name})
    return {name: account(name) for name in names}


def refused(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_each_workspace_is_an_account(sides):
    numbers = [client("sts").get_caller_identity()["Account"] for client in sides.values()]
    assert len(set(numbers)) == 3 and all(len(number) == 12 for number in numbers)
    assert numbers[0] == "123456789012", "as without workspaces"


def test_nothing_crosses_accounts(sides):
    secret, bucket = uuid.uuid4().hex, {name: f"b-{uuid.uuid4().hex}" for name in sides}
    arns = {}
    for name, client in sides.items():
        sagemaker, s3 = client("sagemaker"), client("s3")
        group = sagemaker.create_model_package_group(
            ModelPackageGroupName="shared", ModelPackageGroupDescription=f"{secret} {name}"
        )
        sagemaker.create_experiment(ExperimentName="shared", Description=f"{secret} {name}")
        arns[name] = group["ModelPackageGroupArn"]
        s3.create_bucket(Bucket=bucket[name])
        s3.put_object(Bucket=bucket[name], Key="k", Body=f"{secret} {name}".encode())
    assert len(set(arns.values())) == 3
    for name, client in sides.items():
        sagemaker, s3 = client("sagemaker"), client("s3")
        described = sagemaker.describe_model_package_group(ModelPackageGroupName="shared")
        assert described["ModelPackageGroupDescription"] == f"{secret} {name}"
        listed = sagemaker.list_model_package_groups(NameContains="shared")["ModelPackageGroupSummaryList"]
        assert [group["ModelPackageGroupArn"] for group in listed] == [arns[name]]
        found = sagemaker.search(Resource="Experiment")["Results"]
        told = [found["Experiment"]["Description"] for found in found if "Description" in found["Experiment"]]
        assert [text for text in told if text.startswith(secret)] == [f"{secret} {name}"]
        names = {found["Name"] for found in s3.list_buckets()["Buckets"]}
        assert names & set(bucket.values()) == {bucket[name]}
        assert s3.get_object(Bucket=bucket[name], Key="k")["Body"].read() == f"{secret} {name}".encode()
        for other in sides.keys() - {name}:
            assert refused(s3.get_object, Bucket=bucket[other], Key="k") == "NoSuchBucket"
            assert refused(s3.put_object, Bucket=bucket[other], Key="k", Body=b"") == "NoSuchBucket"
            assert refused(s3.create_bucket, Bucket=bucket[other]) == "BucketAlreadyExists"
            assert refused(sagemaker.describe_model_package_group, ModelPackageGroupName=arns[other])
            assert refused(sagemaker.delete_model_package_group, ModelPackageGroupName=arns[other])
            assert refused(sagemaker.add_tags, ResourceArn=arns[other], Tags=[{"Key": "k", "Value": "v"}])


def test_mlflow_sees_the_account_of_its_workspace_alone(server, sides):
    name = list(sides)[1]
    sides[name]("sagemaker").create_experiment(ExperimentName="by-boto3")

    def experiments(workspace):
        headers = {"X-MLFLOW-WORKSPACE": workspace}
        url = f"{server.url}/api/2.0/mlflow/experiments/search?max_results=1000"
        answer = requests.get(url, headers=headers, auth=("admin", PASSWORD), timeout=60)
        return [found["name"] for found in json.loads(answer.text).get("experiments", [])]

    assert {workspace: "by-boto3" in experiments(workspace) for workspace in sides} == {
        workspace: workspace == name for workspace in sides
    }


def test_events_name_the_account_of_their_workspace(server, sides):
    receiver = Receiver()

    def send(workspace, method, path, body=None):
        headers = {"stele-workspace": workspace}
        answer = requests.request(
            method, server.url + path, headers=headers, json=body, auth=("admin", PASSWORD), timeout=60
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    hook = {"name": "hook", "url": receiver.url, "format": "eventbridge", "events": ["*"], "secret": secret}
    made = {name: send(name, "POST", "/api/stele/v1/webhooks", hook)["id"] for name in sides}
    group = f"m-{uuid.uuid4().hex[:12]}"
    arns = set()
    for client in sides.values():
        sagemaker = client("sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
        arns.add(sagemaker.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"])
    try:
        told = [json.loads(body) for _, body in receiver.about_model(group, 3)]
    finally:
        for name, webhook in made.items():
            send(name, "DELETE", f"/api/stele/v1/webhooks/{webhook}")
        receiver.server.shutdown()
    assert {one["account"] for one in told} == {arn.split(":")[4] for arn in arns}
    # The record has no regions, so that documents name one of their own.
    assert {one["resources"][0].split(":", 4)[4] for one in told} == {arn.split(":", 4)[4] for arn in arns}
    assert all(one["detail"]["ModelPackageArn"] == one["resources"][0] for one in told)

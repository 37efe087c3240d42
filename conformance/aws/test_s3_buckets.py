import json
import re
import urllib.error
import urllib.request
from xml.etree import ElementTree

import boto3
import mlflow
import pytest
from botocore.exceptions import ClientError

REGION = "eu-west-1"


def refused(code, status, call, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    told = refusal.value.response
    assert (told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), told


def test_a_bucket_from_its_making_to_its_end(s3, bucket):
    assert bucket in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == REGION
    refused("BucketAlreadyOwnedByYou", 409, s3.create_bucket, Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    refused("404", 404, s3.head_bucket, Bucket=bucket)
    refused("NoSuchBucket", 404, s3.delete_bucket, Bucket=bucket)
    refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket=bucket)
    refused("NoSuchBucket", 404, s3.put_object, Bucket=bucket, Key="k", Body=b"x")
    refused("NoSuchBucket", 404, s3.get_object, Bucket=bucket, Key="k")


def test_making_sure_of_a_bucket_where_sdks_begin(server, bucket):
    session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=server.url)
    s3.create_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


def test_what_buckets_do_not_have(s3, bucket):
    refused("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket=bucket)
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    versioning = {"Status": "Enabled"}
    refused("NotImplemented", 501, s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=versioning)
    refused("NotImplemented", 501, s3.put_bucket_policy, Bucket=bucket, Policy=json.dumps({}))


def test_tags_of_a_bucket(s3, bucket):
    tags = [{"Key": "cost center", "Value": "fraud/1"}, {"Key": "équipe", "Value": ""}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags[:1]})
    for code, refusable in (
        ("InvalidTag", [{"Key": "aws:a", "Value": ""}]),
        ("InvalidTag", [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]),
        ("InvalidTag", [{"Key": "k" * 128, "Value": "v" * 257}]),
        ("InvalidTag", [{"Key": "a#b", "Value": ""}]),
        ("BadRequest", [{"Key": str(number), "Value": ""} for number in range(51)]),
    ):
        refused(code, 400, s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": refusable})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags[:1]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": str(n), "Value": ""} for n in range(50)]})
    assert len(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 50
    s3.delete_bucket_tagging(Bucket=bucket)
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)
    s3.delete_bucket_tagging(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": []})
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)
    refused("NoSuchBucket", 404, s3.put_bucket_tagging, Bucket=f"{bucket}-not", Tagging={"TagSet": tags})


def test_a_side_of_a_bucket_that_is_not_offered_never_reaches_the_bucket(s3, bucket):
    refused("NotImplemented", 501, s3.delete_bucket_inventory_configuration, Bucket=bucket, Id="i")
    refused("NotImplemented", 501, s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": [
        {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    ]})
    s3.head_bucket(Bucket=bucket)


def test_names(client_of, server):
    # The client refuses such names itself, so they are asked for as they would go over the wire.
    s3 = client_of("s3", signature_version="s3v4")
    s3.meta.events.unregister("before-parameter-build.s3", None)
    url = s3.generate_presigned_url("head_bucket", Params={"Bucket": "abc"})
    assert "X-Amz-Signature" in url
    for name in ["A_bad.Name", "xn--name", "sthree-name", "name-s3alias", "name--x-s3"]:
        refused("InvalidBucketName", 400, s3.create_bucket, Bucket=name)


def test_requests_without_a_signature_are_not_of_s3(server, bucket):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"{server.url}/{bucket}/k")
    assert refusal.value.code == 404


def test_mlflow_keeps_artifacts_in_a_bucket(server, bucket, monkeypatch, tmp_path):
    for name, value in {
        "MLFLOW_S3_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    client = mlflow.MlflowClient(server.url)
    experiment = client.create_experiment(f"in {bucket}", artifact_location=f"s3://{bucket}/some/where")
    run = client.create_run(experiment)
    (tmp_path / "file.txt").write_text("content")
    client.log_artifact(run.info.run_id, str(tmp_path / "file.txt"), "folder")
    assert [found.path for found in client.list_artifacts(run.info.run_id, "folder")] == ["folder/file.txt"]
    path = client.download_artifacts(run.info.run_id, "folder", str(tmp_path / "down" if not (tmp_path / "down").mkdir() else ""))
    assert open(f"{path}/file.txt").read() == "content"


def test_who_asks(client_of):
    told = client_of("sts").get_caller_identity()
    assert told["Account"] == "123456789012"
    assert told["Arn"].startswith("arn:aws:iam::123456789012:")
    assert client_of("sts").get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE")["Account"] == "123456789012"
    refused("ValidationError", 400, client_of("sts").get_access_key_info, AccessKeyId="not an id of a key")
    role = client_of("iam").get_role(RoleName="SageMakerRole")["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/SageMakerRole"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] == "sagemaker.amazonaws.com"
    results = client_of("iam").simulate_principal_policy(
        PolicySourceArn=role["Arn"], ActionNames=["s3:GetObject", "sagemaker:CreateModel"]
    )["EvaluationResults"]
    assert [(result["EvalActionName"], result["EvalDecision"]) for result in results] == [
        ("s3:GetObject", "allowed"),
        ("sagemaker:CreateModel", "allowed"),
    ]


def test_roles_of_iam_have_ids_of_their_own(client_of):
    iam = client_of("iam")
    ids = [iam.get_role(RoleName=name)["Role"]["RoleId"] for name in ["RoleA", "RoleB", "RoleA"]]
    assert ids[0] == ids[2] != ids[1]
    assert all(re.fullmatch("AROA[A-Z2-7]{17}", id) for id in ids)


def test_policies_are_simulated_for_every_resource(client_of):
    iam = client_of("iam")
    resources = ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]
    asked = {"PolicySourceArn": "arn:aws:iam::123456789012:role/R", "ActionNames": ["s3:GetObject", "s3:PutObject"]}
    results = iam.simulate_principal_policy(**asked, ResourceArns=resources)["EvaluationResults"]
    assert [(result["EvalActionName"], result["EvalResourceName"]) for result in results] == [
        (action, resource) for action in asked["ActionNames"] for resource in resources
    ]
    with pytest.raises(ClientError) as refusal:
        iam.simulate_principal_policy(**asked, ResourceArns=[f"arn:aws:s3:::{n}" for n in range(501)])
    assert refusal.value.response["Error"]["Code"] == "ValidationError"


def test_identities_that_others_vouch_for_are_refused_in_the_words_of_sts(client_of):
    sts = client_of("sts")
    role = {"RoleArn": "arn:aws:iam::123456789012:role/R", "RoleSessionName": "me"}
    refused("InvalidAction", 400, sts.assume_role_with_web_identity, **role, WebIdentityToken="a.b.c.d")
    provider = "arn:aws:iam::123456789012:saml-provider/P"
    refused(
        "InvalidAction", 400, sts.assume_role_with_saml,
        RoleArn=role["RoleArn"], PrincipalArn=provider, SAMLAssertion="PHNhbWw+",
    )


@pytest.mark.parametrize(
    ("form", "namespace"),
    [
        ("Action=DecodeAuthorizationMessage&Version=2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"),
        ("Action=ListRoles&Version=2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/"),
        ("Action=SendMessage&Version=2012-11-05", "http://webservices.amazon.com/AWSFault/2005-15-09"),
        ("", "http://webservices.amazon.com/AWSFault/2005-15-09"),
    ],
)
def test_forms_that_nobody_signed_are_answered_in_the_words_of_their_service(server, form, namespace):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"{server.url}/", data=form.encode())
    told = refusal.value
    assert (told.code, told.headers["content-type"]) == (400, "text/xml")
    root = ElementTree.fromstring(told.read())
    assert root.tag == f"{{{namespace}}}ErrorResponse"
    assert root.findtext(f".//{{{namespace}}}Code") == "InvalidAction"


def test_assumed_roles(client_of, server, bucket):
    sts = client_of("sts")
    # There is nothing to narrow while everybody may do everything.
    narrowed = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": []})}
    role = {"RoleArn": "arn:aws:iam::123456789012:role/R", "RoleSessionName": "me"}
    given = sts.assume_role(**role, **narrowed)["Credentials"]
    session = boto3.session.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=REGION,
    )
    session.client("s3", endpoint_url=server.url).head_bucket(Bucket=bucket)
    refused("ValidationError", 400, sts.assume_role, RoleArn="arn:aws:iam::123456789012:user/R", RoleSessionName="me")
    refused("InvalidAction", 400, sts.get_federation_token, Name="me")
    assert sts.get_session_token()["Credentials"]["SessionToken"]

"""The session: its bucket, what it sends there and fetches, and the role that it runs with."""

import json

from sagemaker.core.helper import session_helper
from sagemaker.core.s3 import S3Downloader, S3Uploader

ROLE = "arn:aws:iam::123456789012:role/any"


def test_a_folder_goes_to_the_default_bucket_and_back(session, name, tmp_path):
    (tmp_path / "data").mkdir()
    for file in ("a.csv", "b.csv"):
        (tmp_path / "data" / file).write_text(file)
    uri = session.upload_data(str(tmp_path / "data"), key_prefix=name)
    bucket = session.default_bucket()
    assert uri == f"s3://{bucket}/{name}"
    assert sorted(session.list_s3_files(bucket, name)) == [f"{name}/a.csv", f"{name}/b.csv"]
    (tmp_path / "back").mkdir()
    session.download_data(str(tmp_path / "back"), bucket, key_prefix=name)
    assert (tmp_path / "back" / "b.csv").read_text() == "b.csv"
    assert session.read_s3_file(bucket, f"{name}/a.csv") == "a.csv"


def test_the_helpers_of_s3(session, name, tmp_path):
    uri = f"s3://{session.default_bucket()}/{name}"
    S3Uploader.upload_string_as_file_body("text", f"{uri}/text.txt", sagemaker_session=session)
    assert S3Downloader.list(uri, sagemaker_session=session) == [f"{uri}/text.txt"]
    assert S3Downloader.read_file(f"{uri}/text.txt", sagemaker_session=session) == "text"


def test_a_session_with_a_role_that_is_named_needs_no_other_service(session):
    """The SDK asks STS at an address of AWS whatever variables say, so that the runbook names bucket and role."""
    assert session.boto_session.client("sts").get_caller_identity()["Account"] == "123456789012"
    role = session.boto_session.client("iam").get_role(RoleName="any")["Role"]["Arn"]
    assert role == "arn:aws:iam::123456789012:role/any"


def test_the_role_of_a_notebook_is_its_execution_role(session, monkeypatch, tmp_path):
    metadata = tmp_path / "resource-metadata.json"
    metadata.write_text(json.dumps({"ResourceName": "n", "ExecutionRoleArn": ROLE}))
    monkeypatch.setattr(session_helper, "NOTEBOOK_METADATA_FILE", str(metadata))
    assert session_helper.get_execution_role(session) == ROLE

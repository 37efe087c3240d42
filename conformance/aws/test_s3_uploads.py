import base64
import hashlib
import os
import zlib

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def test_a_large_file_goes_up_in_parts_and_comes_back(s3, bucket, tmp_path):
    content = os.urandom(30 * MIB + 17)
    (tmp_path / "up").write_bytes(content)
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
    s3.upload_file(str(tmp_path / "up"), bucket, "large", Config=config, ExtraArgs={"Metadata": {"a": "1"}})
    head = s3.head_object(Bucket=bucket, Key="large")
    assert (head["ContentLength"], head["Metadata"]) == (len(content), {"a": "1"})
    assert head["ETag"].endswith('-4"')
    s3.download_file(bucket, "large", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == content
    middle = s3.get_object(Bucket=bucket, Key="large", Range=f"bytes={8 * MIB - 5}-{16 * MIB + 5}")["Body"].read()
    assert middle == content[8 * MIB - 5 : 16 * MIB + 6]
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copied", Config=config)
    assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == content
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_parts_one_by_one(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ContentType="text/x")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    bodies = {1: b"a" * 5 * MIB, 3: b"b" * 5 * MIB, 7: b"c"}
    etags = {number: s3.upload_part(**named, PartNumber=number, Body=body)["ETag"] for number, body in bodies.items()}
    s3.upload_part(**named, PartNumber=5, Body=b"left out")
    listed = s3.list_parts(**named, MaxParts=2)
    assert ([part["PartNumber"] for part in listed["Parts"]], listed["IsTruncated"]) == ([1, 3], True)
    rest = s3.list_parts(**named, PartNumberMarker=listed["NextPartNumberMarker"])
    assert [part["PartNumber"] for part in rest["Parts"]] == [5, 7]
    assert [found["UploadId"] for found in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]

    def complete(*numbers, **changed):
        parts = [{"PartNumber": number, "ETag": changed.get(f"p{number}", etags[number])} for number in numbers]
        return s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})

    for numbers, changed, code in [
        ((3, 1), {}, "InvalidPartOrder"),
        ((1, 3), {"p3": '"0"'}, "InvalidPart"),
        ((7, ), {"p7": etags[1]}, "InvalidPart"),
    ]:
        with pytest.raises(ClientError) as refusal:
            complete(*numbers, **changed)
        assert refusal.value.response["Error"]["Code"] == code
    complete(1, 3, 7)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentType"]) == (b"".join(bodies.values()), "text/x")
    with pytest.raises(ClientError) as refusal:
        complete(1, 3, 7)
    assert refusal.value.response["Error"]["Code"] == "NoSuchUpload"


def test_small_parts_and_aborted_uploads(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etags = [s3.upload_part(**named, PartNumber=number, Body=b"small")["ETag"] for number in (1, 2)]
    parts = [{"PartNumber": number + 1, "ETag": etag} for number, etag in enumerate(etags)]
    with pytest.raises(ClientError) as refusal:
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert refusal.value.response["Error"]["Code"] == "EntityTooSmall"
    with pytest.raises(ClientError) as refusal:
        s3.delete_bucket(Bucket=bucket)
    assert refusal.value.response["Error"]["Code"] == "BucketNotEmpty"
    s3.abort_multipart_upload(**named)
    with pytest.raises(ClientError) as refusal:
        s3.upload_part(**named, PartNumber=1, Body=b"late")
    assert refusal.value.response["Error"]["Code"] == "NoSuchUpload"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


def crc32(body):
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


BODIES = [b"a" * 5 * MIB, b"the rest"]
WRONG = crc32(b"other")


@pytest.mark.parametrize(
    ("whole", "of_part", "code"),
    [
        (crc32(b"".join(BODIES)), None, None),
        (crc32(b"".join(base64.b64decode(crc32(body)) for body in BODIES)) + "-2", crc32(BODIES[1]), None),
        (None, crc32(BODIES[1]), None),
        (WRONG, None, "BadDigest"),
        (WRONG + "-2", None, "BadDigest"),
        (None, WRONG, "InvalidPart"),
        (WRONG[1:], None, "InvalidRequest"),
        (WRONG + "-x", None, "InvalidRequest"),
    ],
)
def test_checksums_of_parts_and_of_what_they_come_to(s3, bucket, whole, of_part, code):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = []
    for number, body in enumerate(BODIES, 1):
        etag = s3.upload_part(**named, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    assert [part["ChecksumCRC32"] for part in s3.list_parts(**named)["Parts"]] == [crc32(body) for body in BODIES]
    if of_part:
        parts[1]["ChecksumCRC32"] = of_part
    ask = {**named, "MultipartUpload": {"Parts": parts}, **({"ChecksumCRC32": whole} if whole else {})}
    if code:
        with pytest.raises(ClientError) as refusal:
            s3.complete_multipart_upload(**ask)
        assert refusal.value.response["Error"]["Code"] == code
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    else:
        # Parts that all came with one come to one of their own.
        whole = whole or crc32(b"".join(base64.b64decode(crc32(body)) for body in BODIES)) + "-2"
        kind = "COMPOSITE" if "-" in whole else "FULL_OBJECT"
        made = s3.complete_multipart_upload(**ask)
        assert (made["ChecksumCRC32"], made["ChecksumType"]) == (whole, kind)
        assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumType"] == kind
        got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert (got["Body"].read(), got["ChecksumCRC32"]) == (b"".join(BODIES), whole)
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
        copied = s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED").get("ChecksumCRC32")
        assert copied == (None if "-" in whole else whole)


def test_a_checksum_that_cannot_be_compared_is_not_taken(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**named, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")["ETag"]}
    sha256 = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    with pytest.raises(ClientError) as refusal:
        s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [part]}, ChecksumSHA256=sha256)
    assert refusal.value.response["Error"]["Code"] == "NotImplemented"

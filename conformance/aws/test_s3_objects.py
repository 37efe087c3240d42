import base64
import hashlib
import threading
import urllib.error
import urllib.request
import zlib
from collections import Counter

import pytest
from botocore.exceptions import ClientError

KEYS = ["plain", "with space", "a%20b", "a+b", "ü/ö", "a//b", "/lead", "../x", "./x", "folder/", "a", "a/b", "#?&=:", "x" * 1024]


def code_of(refusal):
    return refusal.value.response["Error"]["Code"], refusal.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_keeps_what_was_put_there(s3, bucket, key):
    body = key.encode() * 3
    put = s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/x", Metadata={"who": "me"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key=key)
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (body, "text/x", {"who": "me"})
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (len(body), put["ETag"])
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(ClientError) as refusal:
        s3.get_object(Bucket=bucket, Key=key)
    assert code_of(refusal) == ("NoSuchKey", 404)


def test_a_key_beside_keys_below_it(s3, bucket):
    for key in ["a", "a/b", "a/b/c"]:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in ["a", "a/b", "a/b/c"]:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()


def test_keys_that_are_too_long(s3, bucket):
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket=bucket, Key="x" * 1025, Body=b"")
    assert code_of(refusal) == ("KeyTooLongError", 400)


def test_parts_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    for asked, bytes_, shown in [
        ("bytes=0-4", b"01234", "bytes 0-4/10"),
        ("bytes=5-", b"56789", "bytes 5-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
    ]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert (got["Body"].read(), got["ContentRange"]) == (bytes_, shown)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    with pytest.raises(ClientError) as refusal:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")
    assert code_of(refusal) == ("InvalidRange", 416)
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""


def test_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(refusal) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as refusal:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)
    assert code_of(refusal)[1] == 304
    with pytest.raises(ClientError) as refusal:
        s3.get_object(Bucket=bucket, Key="k", IfMatch='"other"')
    assert code_of(refusal) == ("PreconditionFailed", 412)
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Body=b"4", IfMatch=etag)
    assert code_of(refusal) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_looked_at_and_given_back(s3, bucket, algorithm):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"content", ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"content"
    member = f"Checksum{algorithm}"
    assert got[member] == put[member]
    assert (put["ChecksumType"], got["ChecksumType"]) == ("FULL_OBJECT", "FULL_OBJECT")
    (listed,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], "FULL_OBJECT")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"] == {member: put[member], "ChecksumType": "FULL_OBJECT"}
    other = base64.b64encode(bytes(len(base64.b64decode(put[member])))).decode()
    for wrong, code in [(other, "BadDigest"), (put[member][::-1], "InvalidRequest"), (other[4:], "InvalidRequest")]:
        with pytest.raises(ClientError) as refusal:
            s3.put_object(Bucket=bucket, Key="other", Body=b"content", **{member: wrong})
        assert code_of(refusal) == (code, 400), wrong
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="other")


def test_a_checksum_that_trails_the_body_is_kept(server, s3, bucket):
    body = b"content"
    checksum = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(body)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    chunks = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(body), body, checksum.encode())
    urllib.request.urlopen(urllib.request.Request(url, data=chunks, method="PUT", headers=headers))
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ChecksumCRC32"]) == (body, checksum)
    with pytest.raises(urllib.error.HTTPError):
        broken = chunks.replace(b"content", b"cantent")
        urllib.request.urlopen(urllib.request.Request(url, data=broken, method="PUT", headers=headers))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_wrong_md5(s3, bucket):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Body=b"content", ContentMD5=wrong)
    assert code_of(refusal) == ("BadDigest", 400)
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Body=b"content", ContentMD5="no")
    assert code_of(refusal) == ("InvalidDigest", 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_listing_in_pages_and_folders(s3, bucket):
    keys = [f"{folder}/{number:03}" for folder in ["a", "b", "b/c", "d é"] for number in range(30)] + ["top"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    found = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert found == sorted(keys, key=str.encode)
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, Prefix="b/", PaginationConfig={"PageSize": 11})
    pages = list(pages)
    assert len([item for page in pages for item in page["Contents"]]) == 60
    assert not any("NextMarker" in page for page in pages), "only a delimiter makes one"
    folded = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=1)
    assert (folded["NextMarker"], s3.list_objects(Bucket=bucket, Delimiter="/", Marker="a/", MaxKeys=1)["NextMarker"]) == ("a/", "b/")
    for size in [1, 2, 1000]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size})
        pages = list(pages)
        folders = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        assert folders == ["a/", "b/", "d é/"]
        assert [item["Key"] for page in pages for item in page.get("Contents", [])] == ["top"]
    inside = s3.list_objects_v2(Bucket=bucket, Prefix="b/", Delimiter="/")
    assert ([item["Prefix"] for item in inside["CommonPrefixes"]], inside["KeyCount"]) == (["b/c/"], 31)
    assert s3.list_objects_v2(Bucket=bucket, StartAfter="b/c/029")["Contents"][0]["Key"] == "d é/000"
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0
    with pytest.raises(ClientError) as refusal:
        s3.list_objects_v2(Bucket=bucket, ContinuationToken="!")
    assert code_of(refusal) == ("InvalidArgument", 400)


def test_removing_many(s3, bucket):
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    asked = {"Objects": [{"Key": f"k{number}"} for number in range(4)] + [{"Key": "not there"}]}
    told = s3.delete_objects(Bucket=bucket, Delete=asked)
    assert len(told["Deleted"]) == 5
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k4"]


def test_keys_that_cannot_be_are_refused_one_by_one(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    told = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "x" * 1025}, {"Key": "k"}]})
    assert [error["Code"] for error in told["Errors"]] == ["KeyTooLongError"]
    assert [done["Key"] for done in told["Deleted"]] == ["k"]


def test_metadata_that_is_too_large(s3, bucket):
    with pytest.raises(ClientError) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2048})
    assert code_of(refusal) == ("MetadataTooLarge", 400)


def test_copies(s3, bucket):
    s3.put_object(Bucket=bucket, Key="ü from", Body=b"content", Metadata={"a": "1"}, ContentType="text/x", Tagging="t=1")
    told = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "ü from"})
    assert told["CopyObjectResult"]["ETag"] == s3.head_object(Bucket=bucket, Key="ü from")["ETag"]
    got = s3.get_object(Bucket=bucket, Key="to")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"content", {"a": "1"}, "text/x")
    assert s3.get_object_tagging(Bucket=bucket, Key="to")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(
        Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "to"}, Metadata={"b": "2"}, MetadataDirective="REPLACE"
    )
    got = s3.get_object(Bucket=bucket, Key="to")
    assert (got["Body"].read(), got["Metadata"]) == (b"content", {"b": "2"})
    s3.delete_object(Bucket=bucket, Key="ü from")
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == b"content"
    with pytest.raises(ClientError) as refusal:
        s3.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "not there"})
    assert code_of(refusal) == ("NoSuchKey", 404)


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    with pytest.raises(ClientError) as refusal:
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": f"{n}", "Value": ""} for n in range(11)]})
    assert code_of(refusal) == ("BadRequest", 400)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls(client_of, bucket, version):
    s3 = client_of("s3", signature_version=version)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b"})
    urllib.request.urlopen(urllib.request.Request(url, data=b"content", method="PUT"))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b", "ResponseContentType": "text/y"})
    got = urllib.request.urlopen(url)
    assert (got.read(), got.headers["content-type"]) == (b"content", "text/y")


def at_once(*calls):
    """How often each code came of calls that start together; 'ok' for those that went well."""
    start, codes = threading.Barrier(len(calls)), []

    def one(call):
        start.wait()
        try:
            call()
            codes.append("ok")
        except ClientError as refusal:
            codes.append(refusal.response["Error"]["Code"])

    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(codes)


def files_of_buckets(server):
    return {path for path in (server.artifact_root / "buckets").rglob("*") if path.is_file()}


def test_one_of_many_who_add_a_key_wins_and_no_file_is_left(client_of, server, bucket):
    s3 = client_of("s3", max_pool_connections=8)
    before = files_of_buckets(server)
    for number in range(10):
        key = f"k{number}"
        put = [lambda i=i: s3.put_object(Bucket=bucket, Key=key, Body=b"%d" % i, IfNoneMatch="*") for i in range(8)]
        assert at_once(*put) == {"ok": 1, "PreconditionFailed": 7}
    assert len(files_of_buckets(server) - before) == 10


def test_one_of_many_uploads_that_add_a_key_wins(client_of, server, bucket):
    s3 = client_of("s3", max_pool_connections=8)
    before = files_of_buckets(server)
    complete = []
    for number in range(8):
        named = {"Bucket": bucket, "Key": "k", "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]}
        part = {"PartNumber": 1, "ETag": s3.upload_part(**named, PartNumber=1, Body=b"%d" % number)["ETag"]}
        ask = {**named, "MultipartUpload": {"Parts": [part]}, "IfNoneMatch": "*"}
        complete.append(lambda ask=ask: s3.complete_multipart_upload(**ask))
    assert at_once(*complete) == {"ok": 1, "PreconditionFailed": 7}
    # The parts of the others wait for another try.
    assert len(s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 7
    assert len(files_of_buckets(server) - before) == 8


def test_writers_at_once_leave_one_of_what_they_wrote(s3, bucket):
    bodies = [bytes([number]) * 200_000 for number in range(8)]
    threads = [threading.Thread(target=s3.put_object, kwargs={"Bucket": bucket, "Key": "k", "Body": body}) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() in bodies

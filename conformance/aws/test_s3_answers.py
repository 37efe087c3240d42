"""What clients compare word by word, and what they ask about objects besides their bytes."""

import base64
import hashlib
import urllib.error
import urllib.request
import zlib

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def told(call, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    return refusal.value.response["Error"]


def test_refusals_say_what_s3_says_and_what_they_are_about(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    named = {"Bucket": bucket, "Key": "k"}
    missing = told(s3.get_object, Bucket=bucket, Key="no")
    assert missing == {"Code": "NoSuchKey", "Message": "The specified key does not exist.", "Key": "no", **rest(missing)}
    missing = told(s3.list_objects_v2, Bucket=f"{bucket}x")
    assert (missing["Message"], missing["BucketName"]) == ("The specified bucket does not exist", f"{bucket}x")
    taken = told(s3.create_bucket, Bucket=bucket)
    assert taken["Message"] == "Your previous request to create the named bucket succeeded and you already own it."
    assert told(s3.delete_bucket, Bucket=bucket)["Message"] == "The bucket you tried to delete is not empty"
    beyond = told(s3.get_object, **named, Range="bytes=10-")
    assert (beyond["Message"], beyond["ActualObjectSize"]) == ("The requested range is not satisfiable", "10")
    etag = s3.head_object(**named)["ETag"]
    for asked, condition in [
        ({"IfMatch": '"other"'}, "If-Match"),
        ({"IfUnmodifiedSince": "Thu, 01 Jan 1970 00:00:00 GMT"}, "If-Unmodified-Since"),
    ]:
        refused = told(s3.get_object, **named, **asked)
        assert (refused["Code"], refused["Condition"]) == ("PreconditionFailed", condition)
        assert refused["Message"] == "At least one of the pre-conditions you specified did not hold"
    assert told(s3.put_object, **named, Body=b"", IfNoneMatch="*")["Condition"] == "If-None-Match"
    assert told(s3.put_object, **named, Body=b"", IfMatch='"other"')["Condition"] == "If-Match"
    copied = told(s3.copy_object, Bucket=bucket, Key="c", CopySource=named, CopySourceIfNoneMatch=etag)
    assert copied["Condition"] == "x-amz-copy-source-If-None-Match"
    itself = told(s3.copy_object, **named, CopySource=named)
    assert (itself["Code"], "without changing the object's metadata" in itself["Message"]) == ("InvalidRequest", True)
    listed = told(s3.list_parts, **named, UploadId="none")
    assert (listed["Code"], listed["UploadId"]) == ("NoSuchUpload", "none")
    for most, message in [
        (-1, "Argument max-parts must be an integer between 0 and 2147483647"),
        (2**31, "Provided max-parts not an integer or within integer range"),
    ]:
        assert told(s3.list_parts, **named, UploadId="none", MaxParts=most)["Message"] == message
    part = told(s3.upload_part, **named, UploadId="none", PartNumber=10_001, Body=b"")
    assert (part["ArgumentName"], part["ArgumentValue"]) == ("partNumber", "10001")
    for version, code in [("v", "400"), ("v" * 32, "404")]:
        assert told(s3.head_object, **named, VersionId=version)["Code"] == code
    assert told(s3.get_bucket_policy, Bucket=bucket)["Message"] == "The bucket policy does not exist"


def rest(error):
    return {name: error[name] for name in ("Resource", "RequestId") if name in error}


def test_removals_with_conditions(s3, bucket):
    etags = {key: s3.put_object(Bucket=bucket, Key=key, Body=key.encode())["ETag"] for key in ("a", "b", "c")}
    refused = told(s3.delete_object, Bucket=bucket, Key="a", IfMatch=etags["b"])
    assert (refused["Code"], refused["Condition"]) == ("PreconditionFailed", "If-Match")
    s3.delete_object(Bucket=bucket, Key="a", IfMatch=etags["a"])
    assert told(s3.delete_object, Bucket=bucket, Key="a", IfMatch="*")["Code"] == "NoSuchKey"
    objects = [{"Key": "b", "ETag": etags["b"]}, {"Key": "c", "ETag": etags["b"]}]
    many = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [done["Key"] for done in many["Deleted"]] == ["b"]
    assert [(error["Key"], error["Code"]) for error in many["Errors"]] == [("c", "PreconditionFailed")]
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]


def test_each_object_is_its_only_version(s3, bucket):
    keys = ["a", "b/1", "b/2", "c d", "e"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"xy")
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    versions = [version for page in pages for version in page["Versions"]]
    assert [version["Key"] for version in versions] == keys
    assert {(version["VersionId"], version["IsLatest"], version["Size"]) for version in versions} == {("null", True, 2)}
    folded = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in folded["CommonPrefixes"]] == ["b/"]
    assert [version["Key"] for version in folded["Versions"]] == ["a", "c d", "e"]
    assert [version["Key"] for version in s3.list_object_versions(Bucket=bucket, Prefix="b/")["Versions"]] == keys[1:3]
    alone = told(s3.list_object_versions, Bucket=bucket, VersionIdMarker="null")
    assert (alone["Code"], alone["ArgumentName"]) == ("InvalidArgument", "version-id-marker")
    # As scripts empty a bucket.
    named = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": named})["Deleted"]) == len(keys)
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def uploaded(s3, bucket, key, *bodies, **arguments):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **arguments)["UploadId"]
    named = {"Bucket": bucket, "Key": key, "UploadId": upload}
    parts = []
    for number, body in enumerate(bodies, 1):
        part = s3.upload_part(**named, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    return s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})


def test_parts_by_number_and_attributes(s3, bucket):
    bodies = [b"a" * 5 * MIB, b"b" * 5 * MIB, b"c"]
    uploaded(s3, bucket, "parts", *bodies)
    start = 0
    for number, body in enumerate(bodies, 1):
        got = s3.get_object(Bucket=bucket, Key="parts", PartNumber=number)
        assert (got["Body"].read() == body, got["PartsCount"]) == (True, 3)
        assert got["ContentRange"] == f"bytes {start}-{start + len(body) - 1}/{10 * MIB + 1}"
        start += len(body)
    head = s3.head_object(Bucket=bucket, Key="parts", PartNumber=2)
    assert (head["ContentLength"], head["PartsCount"]) == (5 * MIB, 3)
    assert told(s3.get_object, Bucket=bucket, Key="parts", PartNumber=4)["Code"] == "InvalidPartNumber"
    both = told(s3.get_object, Bucket=bucket, Key="parts", PartNumber=1, Range="bytes=0-1")
    assert both["Code"] == "InvalidRequest"
    s3.put_object(Bucket=bucket, Key="whole", Body=b"xy", StorageClass="STANDARD_IA")
    whole = s3.get_object(Bucket=bucket, Key="whole", PartNumber=1)
    assert (whole["Body"].read(), "PartsCount" in whole) == (b"xy", False)
    assert told(s3.get_object, Bucket=bucket, Key="whole", PartNumber=2)["Code"] == "InvalidPartNumber"

    def attributes(key, *asked, **arguments):
        found = s3.get_object_attributes(Bucket=bucket, Key=key, ObjectAttributes=list(asked), **arguments)
        return {name: found[name] for name in found if name not in ("ResponseMetadata", "LastModified")}

    etag = hashlib.md5(b"xy").hexdigest()
    assert attributes("whole", "ETag", "StorageClass", "ObjectSize", "ObjectParts") == {
        "ETag": etag, "StorageClass": "STANDARD_IA", "ObjectSize": 2
    }
    crc = base64.b64encode(zlib.crc32(b"xy").to_bytes(4, "big")).decode()
    assert attributes("whole", "Checksum")["Checksum"]["ChecksumCRC32"] == crc
    parts = attributes("parts", "ObjectParts", MaxParts=2)["ObjectParts"]
    assert (parts["TotalPartsCount"], parts["IsTruncated"], parts["NextPartNumberMarker"]) == (3, True, 2)
    parts = attributes("parts", "ObjectParts", PartNumberMarker=2)["ObjectParts"]
    assert ([part["Size"] for part in parts["Parts"]], parts["IsTruncated"]) == ([1], False)
    assert told(s3.get_object_attributes, Bucket=bucket, Key="no", ObjectAttributes=["ETag"])["Code"] == "NoSuchKey"
    unknown = told(s3.get_object_attributes, Bucket=bucket, Key="whole", ObjectAttributes=["Colour"])
    assert unknown["Code"] == "InvalidArgument"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_of_copies(s3, bucket, algorithm):
    member = f"Checksum{algorithm}"
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"content", ChecksumAlgorithm=algorithm)
    copied = s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    assert copied["CopyObjectResult"][member] == put[member]
    s3.put_object(Bucket=bucket, Key="other", Body=b"content", ChecksumAlgorithm="SHA1" if algorithm == "CRC32" else "CRC32")
    source = {"Bucket": bucket, "Key": "other"}
    copied = s3.copy_object(Bucket=bucket, Key="c", CopySource=source, ChecksumAlgorithm=algorithm)["CopyObjectResult"]
    told = {name: value for name, value in copied.items() if name.startswith("Checksum")}
    assert told == {member: put[member], "ChecksumType": "FULL_OBJECT"}
    assert s3.head_object(Bucket=bucket, Key="c", ChecksumMode="ENABLED")[member] == put[member]


def test_uploads_are_folded_at_a_delimiter(s3, bucket):
    for key in ["a", "b/1", "b/2", "b/c/3", "d"]:
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    for size in [1, 2, 10]:
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size}
        )
        pages = list(pages)
        assert [upload["Key"] for page in pages for upload in page.get("Uploads", [])] == ["a", "d"]
        assert [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])] == ["b/"]
    inside = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/", Delimiter="/")
    assert [upload["Key"] for upload in inside["Uploads"]] == ["b/1", "b/2"]
    assert [item["Prefix"] for item in inside["CommonPrefixes"]] == ["b/c/"]


def test_storage_classes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="ONEZONE_IA", WebsiteRedirectLocation="/there")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["StorageClass"], head["WebsiteRedirectLocation"]) == ("ONEZONE_IA", "/there")
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="c")
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [(found["Key"], found["StorageClass"]) for found in listed] == [("c", "STANDARD"), ("k", "ONEZONE_IA")]
    s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"}, StorageClass="STANDARD")
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="k")
    assert told(s3.put_object, Bucket=bucket, Key="k", Body=b"", StorageClass="COLD")["Code"] == "InvalidStorageClass"
    # Nothing has to be brought back here before it can be read.
    assert told(s3.put_object, Bucket=bucket, Key="k", Body=b"", StorageClass="GLACIER")["Code"] == "NotImplemented"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_tags_that_cannot_be(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused = told(s3.put_object, Bucket=bucket, Key="k", Body=b"y", Tagging="aws:a=b")
    assert (refused["Code"], refused["Message"]) == ("InvalidTag", "Your TagKey cannot be prefixed with aws:")
    tags = [{"Key": f"{number}", "Value": ""} for number in range(11)]
    refused = told(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert (refused["Code"], refused["Message"]) == ("BadRequest", "Object tags cannot be greater than 10")
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert told(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": twice})["Code"] == "InvalidTag"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_presigned_urls_say_what_the_object_is(client_of, bucket):
    # These put into the URL what others leave to headers.
    s3 = client_of("s3", signature_version="s3")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k", "Metadata": {"venue": "123"}})
    urllib.request.urlopen(urllib.request.Request(url, data=b"content", method="PUT"))
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"venue": "123"}
    for version in ("s3", "s3v4"):
        late = client_of("s3", signature_version=version).generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=-1
        )
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(late)
        assert (refusal.value.code, b"Request has expired" in refusal.value.read()) == (403, True)


def test_sides_of_a_bucket_that_were_never_given(s3, bucket):
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    for remove in [s3.delete_bucket_policy, s3.delete_bucket_cors, s3.delete_bucket_tagging, s3.delete_bucket_lifecycle]:
        remove(Bucket=bucket)
    assert told(s3.delete_bucket_policy, Bucket=f"{bucket}x")["Code"] == "NoSuchBucket"
    prefix = bucket[:-1]
    listed = s3.list_buckets(Prefix=prefix)
    assert ([found["Name"] for found in listed["Buckets"]], listed["Prefix"]) == ([bucket], prefix)
    assert s3.list_buckets(Prefix=f"{bucket}x")["Buckets"] == []

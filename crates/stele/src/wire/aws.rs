//! Requests to S3, STS and IAM, as they are signed: an operation is a method, a path and a query.

use axum::http::Request;
use axum::http::header;
use stele_app::SignedBy;
use stele_domain::authz::Action::*;

use super::cases::Needs::*;
use super::cases::{Case, cases};
use super::things::Things;

#[rustfmt::skip]
pub(super) static CASES: &[Case] = cases! { Aws;
    "ListBuckets" => Sight, "s3 GET /";
    "CreateBucket" => Verb(ManageBucket), "s3 PUT /$new";
    "HeadBucket" => Sight, "s3 HEAD /$bucket";
    "GetBucketLocation" => Sight, "s3 GET /$bucket?location";
    "GetBucketAcl" => Sight, "s3 GET /$bucket?acl";
    "GetBucketVersioning" => Sight, "s3 GET /$bucket?versioning";
    "PutBucketPolicy" => Unoffered, "s3 PUT /$bucket?policy {}";
    "PutBucketTagging" => Verb(ManageBucket), "s3 PUT /$bucket?tagging <Tagging><TagSet><Tag><Key>veiled-key</Key><Value>veiled-value</Value></Tag></TagSet></Tagging>";
    "GetBucketTagging" => Sight, "s3 GET /$bucket?tagging";
    "DeleteBucketTagging" => Verb(ManageBucket), "s3 DELETE /veiled-spare-bucket?tagging";
    "GetBucketPolicy" => Lack, "s3 GET /$bucket?policy";
    "GetBucketPolicyStatus" => Lack, "s3 GET /$bucket?policyStatus";
    "GetBucketCors" => Lack, "s3 GET /$bucket?cors";
    "GetBucketLifecycleConfiguration" => Lack, "s3 GET /$bucket?lifecycle";
    "GetBucketWebsite" => Lack, "s3 GET /$bucket?website";
    "GetBucketEncryption" => Lack, "s3 GET /$bucket?encryption";
    "GetBucketReplication" => Lack, "s3 GET /$bucket?replication";
    "GetObjectLockConfiguration" => Lack, "s3 GET /$bucket?object-lock";
    "GetPublicAccessBlock" => Lack, "s3 GET /$bucket?publicAccessBlock";
    "GetBucketOwnershipControls" => Lack, "s3 GET /$bucket?ownershipControls";
    "DeleteBucketPolicy" => Power(ManageBucket), "s3 DELETE /$bucket?policy";
    "DeleteBucketCors" => Power(ManageBucket), "s3 DELETE /$bucket?cors";
    "DeleteBucketLifecycle" => Power(ManageBucket), "s3 DELETE /$bucket?lifecycle";
    "DeleteBucketWebsite" => Power(ManageBucket), "s3 DELETE /$bucket?website";
    "DeleteBucketEncryption" => Power(ManageBucket), "s3 DELETE /$bucket?encryption";
    "DeleteBucketReplication" => Power(ManageBucket), "s3 DELETE /$bucket?replication";
    "DeletePublicAccessBlock" => Power(ManageBucket), "s3 DELETE /$bucket?publicAccessBlock";
    "DeleteBucketOwnershipControls" => Power(ManageBucket), "s3 DELETE /$bucket?ownershipControls";
    "GetBucketLogging" => Sight, "s3 GET /$bucket?logging";
    "GetBucketNotificationConfiguration" => Sight, "s3 GET /$bucket?notification";
    "GetBucketAccelerateConfiguration" => Sight, "s3 GET /$bucket?accelerate";
    "GetBucketRequestPayment" => Sight, "s3 GET /$bucket?requestPayment";
    "ListObjectVersions" => Sight, "s3 GET /$bucket?versions";
    "ListObjectsV2" => Sight, "s3 GET /$bucket?list-type=2";
    "ListObjects" => Sight, "s3 GET /$bucket";
    "PutObject" => Verb(WriteObject), "s3 PUT /$bucket/other.txt other";
    "CopyObject" => Verb(WriteObject), "s3 PUT /$bucket/copy.txt x-amz-copy-source:/$bucket/veiled.txt";
    "GetObject" => Sight, "s3 GET /$bucket/veiled.txt";
    "HeadObject" => Sight, "s3 HEAD /$bucket/veiled.txt";
    "GetObjectAcl" => Sight, "s3 GET /$bucket/veiled.txt?acl";
    "PutObjectTagging" => Verb(WriteObject), "s3 PUT /$bucket/veiled.txt?tagging <Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    "GetObjectTagging" => Sight, "s3 GET /$bucket/veiled.txt?tagging";
    "DeleteObjectTagging" => Verb(WriteObject), "s3 DELETE /$bucket/veiled.txt?tagging";
    "GetObjectAttributes" => Sight, "s3 GET /$bucket/veiled.txt?attributes x-amz-object-attributes:ObjectSize";
    "DeleteObject" => Verb(WriteObject), "s3 DELETE /$bucket/other.txt";
    "ListMultipartUploads" => Sight, "s3 GET /$bucket?uploads";
    "CreateMultipartUpload" => Verb(WriteObject), "s3 POST /$bucket/large?uploads";
    "UploadPart" => Verb(WriteObject), "s3 PUT /$bucket/veiled-large?partNumber=2&uploadId=$upload veiled-part";
    "UploadPartCopy" => Verb(WriteObject), "s3 PUT /$bucket/veiled-large?partNumber=3&uploadId=$upload x-amz-copy-source:/$bucket/veiled.txt";
    "ListParts" => Sight, "s3 GET /$bucket/veiled-large?uploadId=$upload";
    "CompleteMultipartUpload" => Verb(WriteObject), "s3 POST /$bucket/veiled-large?uploadId=$upload <CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>$part</ETag></Part></CompleteMultipartUpload>";
    "AbortMultipartUpload" => Verb(WriteObject), "s3 DELETE /$bucket/veiled-left?uploadId=$left_upload";
    "DeleteObjects" => Verb(WriteObject), "s3 POST /$bucket?delete <Delete><Object><Key>veiled.txt</Key></Object></Delete>";
    "DeleteBucket" => Verb(ManageBucket), "s3 DELETE /veiled-spare-bucket";
    "GetCallerIdentity" => Account, "sts POST / Action=GetCallerIdentity";
    "AssumeRole" => Own, "sts POST / Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/r&RoleSessionName=session";
    "GetSessionToken" => Own, "sts POST / Action=GetSessionToken";
    "GetAccessKeyInfo" => Account, "sts POST / Action=GetAccessKeyInfo&AccessKeyId=AKIAIOSFODNN7EXAMPLE";
    "AssumeRoleWithWebIdentity" => Unknown, "sts POST / Action=AssumeRoleWithWebIdentity";
    "GetRole" => Account, "iam POST / Action=GetRole&RoleName=r";
    "SimulatePrincipalPolicy" => Account, "iam POST / Action=SimulatePrincipalPolicy&PolicySourceArn=a&ActionNames.member.1=b";
};

/// `with` is a service, a method and a path, and then headers and a body if there are any.
pub(super) fn request(with: &str, things: &Things) -> Request<String> {
    let mut words = with.splitn(4, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (service, method, path, mut body) = (word(), word(), word(), word());
    let key = things.get("own_key");
    let signature = format!("AWS4-HMAC-SHA256 Credential={key}/20261128/eu-west-1/{service}/aws4_request, Signature=0");
    let mut request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, signature);
    while body.starts_with("x-amz-") {
        let (named, rest) = body.split_once(' ').unwrap_or((body, ""));
        let (name, value) = named.split_once(':').unwrap();
        request = request.header(name, value);
        body = rest;
    }
    // What the login would have found out.
    let request = request.extension(SignedBy { key: key.to_owned(), token: None });
    request.header(header::CONTENT_LENGTH, body.len()).body(body.to_owned()).unwrap()
}

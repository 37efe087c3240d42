//! Requests to S3, STS and IAM, as they are signed: an operation is a method, a path and a query.

use axum::http::Request;
use axum::http::header;
use stele_domain::authz::Action::*;

use super::cases::Needs::*;
use super::cases::{Case, cases};
use super::things::KEY;

#[rustfmt::skip]
pub(super) static CASES: &[Case] = cases! { Aws;
    "ListBuckets" => Sight, "s3 GET /";
    "CreateBucket" => Verb(ManageBucket), "s3 PUT /$new";
    "HeadBucket" => Sight, "s3 HEAD /$bucket";
    "GetBucketLocation" => Sight, "s3 GET /$bucket?location";
    "ListObjectsV2" => Sight, "s3 GET /$bucket?list-type=2";
    "ListObjects" => Sight, "s3 GET /$bucket";
    "PutObject" => Verb(WriteObject), "s3 PUT /$bucket/other.txt other";
    "GetObject" => Sight, "s3 GET /$bucket/veiled.txt";
    "HeadObject" => Sight, "s3 HEAD /$bucket/veiled.txt";
    "GetObjectTagging" => Sight, "s3 GET /$bucket/veiled.txt?tagging";
    "DeleteObject" => Verb(WriteObject), "s3 DELETE /$bucket/other.txt";
    "DeleteObjects" => Verb(WriteObject), "s3 POST /$bucket?delete <Delete><Object><Key>veiled.txt</Key></Object></Delete>";
    "ListMultipartUploads" => Sight, "s3 GET /$bucket?uploads";
    "CreateMultipartUpload" => Verb(WriteObject), "s3 POST /$bucket/large?uploads";
    "DeleteBucket" => Verb(ManageBucket), "s3 DELETE /veiled-spare-bucket";
    "GetCallerIdentity" => Account, "sts POST / Action=GetCallerIdentity";
    "GetRole" => Account, "iam POST / Action=GetRole&RoleName=r";
    "SimulatePrincipalPolicy" => Account, "iam POST / Action=SimulatePrincipalPolicy&PolicySourceArn=a&ActionNames.member.1=b";
};

/// `with` is a service, a method, a path and a body.
pub(super) fn request(with: &str) -> Request<String> {
    let mut words = with.splitn(4, ' ');
    let (service, method) = (words.next().unwrap(), words.next().unwrap());
    let (path, body) = (words.next().unwrap(), words.next().unwrap_or_default());
    let scope = format!("AWS4-HMAC-SHA256 Credential={KEY}/20261128/eu-west-1/{service}/aws4_request, Signature=0");
    let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, scope);
    request.header(header::CONTENT_LENGTH, body.len()).body(body.to_owned()).unwrap()
}

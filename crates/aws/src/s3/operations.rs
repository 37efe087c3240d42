//! The table of S3's operations, which yields the dispatcher and the list that tests walk. An operation is told by what
//! it is about, its method, and what its query or its headers must have.

use std::pin::Pin;

use axum::http::Method;
use axum::response::Response;

use super::call::Call;
use super::error::{Failure, Result};
use super::{attributes, buckets, copy, listing, objects, read, tags, uploads};

type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// All buckets.
    Service,
    Bucket,
    Object,
}

impl About {
    fn of(call: &Call) -> About {
        match (call.bucket.is_empty(), call.key.is_empty()) {
            (true, _) => About::Service,
            (false, true) => About::Bucket,
            (false, false) => About::Object,
        }
    }

    /// Sides of the thing of which nothing is offered. Asking for one must not reach the thing itself.
    fn unoffered(self) -> &'static [&'static str] {
        match self {
            About::Service => &[],
            About::Bucket => &["inventory", "analytics", "metrics", "intelligent-tiering"],
            About::Object => &["legal-hold", "retention", "torrent", "restore", "select", "renameObject", "encryption"],
        }
    }

    fn plural(self) -> &'static str {
        match self {
            About::Service => "the service",
            About::Bucket => "buckets",
            About::Object => "objects",
        }
    }
}

pub(super) struct Operation {
    pub(super) name: &'static str,
    about: About,
    method: &'static str,
    /// Names of the query; those that begin with `x-amz-` are names of headers.
    marks: &'static [&'static str],
    pub(super) handler: fn(Call) -> Answer,
}

/// `About METHOD marks => Name, handler;`
macro_rules! operations {
    ($($about:ident $method:ident [$($mark:literal),*] => $name:ident, $handler:expr;)+) => {
        &[$(Operation {
            name: stringify!($name),
            about: About::$about,
            method: stringify!($method),
            marks: &[$($mark),*],
            handler: |call| Box::pin(($handler)(call)),
        }),+]
    };
}

/// The first that fits is the one, so that more marks stand before fewer.
#[rustfmt::skip]
static OPERATIONS: &[Operation] = operations! {
    Service GET [] => ListBuckets, buckets::list;

    Bucket GET ["location"] => GetBucketLocation, buckets::location;
    Bucket GET ["uploads"] => ListMultipartUploads, uploads::list;
    Bucket GET ["versions"] => ListObjectVersions, listing::versions;
    Bucket POST ["delete"] => DeleteObjects, objects::delete_many;
    Bucket GET ["tagging"] => GetBucketTagging, tags::of_bucket;
    Bucket PUT ["tagging"] => PutBucketTagging, tags::set_of_bucket;
    Bucket DELETE ["tagging"] => DeleteBucketTagging, tags::delete_of_bucket;
    Bucket GET ["acl"] => GetBucketAcl, buckets::acl;
    Bucket GET ["policy"] => GetBucketPolicy, |call| buckets::missing(call, buckets::POLICY);
    Bucket DELETE ["policy"] => DeleteBucketPolicy, buckets::unset;
    Bucket GET ["policyStatus"] => GetBucketPolicyStatus, |call| buckets::missing(call, buckets::POLICY);
    Bucket GET ["cors"] => GetBucketCors, |call| buckets::missing(call, buckets::CORS);
    Bucket DELETE ["cors"] => DeleteBucketCors, buckets::unset;
    Bucket GET ["lifecycle"] => GetBucketLifecycleConfiguration, |call| buckets::missing(call, buckets::LIFECYCLE);
    Bucket DELETE ["lifecycle"] => DeleteBucketLifecycle, buckets::unset;
    Bucket GET ["website"] => GetBucketWebsite, |call| buckets::missing(call, buckets::WEBSITE);
    Bucket DELETE ["website"] => DeleteBucketWebsite, buckets::unset;
    Bucket GET ["encryption"] => GetBucketEncryption, |call| buckets::missing(call, buckets::ENCRYPTION);
    Bucket DELETE ["encryption"] => DeleteBucketEncryption, buckets::unset;
    Bucket GET ["replication"] => GetBucketReplication, |call| buckets::missing(call, buckets::REPLICATION);
    Bucket DELETE ["replication"] => DeleteBucketReplication, buckets::unset;
    Bucket GET ["object-lock"] => GetObjectLockConfiguration, |call| buckets::missing(call, buckets::OBJECT_LOCK);
    Bucket GET ["publicAccessBlock"] => GetPublicAccessBlock, |call| buckets::missing(call, buckets::PUBLIC_ACCESS);
    Bucket DELETE ["publicAccessBlock"] => DeletePublicAccessBlock, buckets::unset;
    Bucket GET ["ownershipControls"] => GetBucketOwnershipControls, |call| buckets::missing(call, buckets::OWNERSHIP);
    Bucket DELETE ["ownershipControls"] => DeleteBucketOwnershipControls, buckets::unset;
    Bucket GET ["versioning"] => GetBucketVersioning, |call| buckets::plain(call, "VersioningConfiguration", "");
    Bucket GET ["logging"] => GetBucketLogging, |call| buckets::plain(call, "BucketLoggingStatus", "");
    Bucket GET ["notification"] => GetBucketNotificationConfiguration, |call| buckets::plain(call, "NotificationConfiguration", "");
    Bucket GET ["accelerate"] => GetBucketAccelerateConfiguration, |call| buckets::plain(call, "AccelerateConfiguration", "");
    Bucket GET ["requestPayment"] => GetBucketRequestPayment, |call| buckets::plain(call, "RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>");
    Bucket GET ["list-type"] => ListObjectsV2, listing::objects;
    Bucket GET [] => ListObjects, listing::objects;
    Bucket HEAD [] => HeadBucket, buckets::head;
    Bucket PUT [] => CreateBucket, buckets::create;
    Bucket DELETE [] => DeleteBucket, buckets::delete;

    Object GET ["uploadId"] => ListParts, uploads::list_parts;
    Object GET ["tagging"] => GetObjectTagging, tags::get;
    Object GET ["attributes"] => GetObjectAttributes, attributes::get;
    Object GET ["acl"] => GetObjectAcl, objects::acl;
    Object GET [] => GetObject, read::get;
    Object HEAD [] => HeadObject, read::head;
    Object PUT ["uploadId", "x-amz-copy-source"] => UploadPartCopy, uploads::copy_part;
    Object PUT ["uploadId"] => UploadPart, uploads::put_part;
    Object PUT ["tagging"] => PutObjectTagging, tags::set;
    Object PUT ["x-amz-copy-source"] => CopyObject, copy::copy;
    Object PUT [] => PutObject, objects::put;
    Object POST ["uploads"] => CreateMultipartUpload, uploads::create;
    Object POST ["uploadId"] => CompleteMultipartUpload, uploads::complete;
    Object DELETE ["uploadId"] => AbortMultipartUpload, uploads::abort;
    Object DELETE ["tagging"] => DeleteObjectTagging, tags::delete;
    Object DELETE [] => DeleteObject, objects::delete;
};

/// The name of every operation.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|operation| operation.name)
}

/// The operation that a request is for.
pub(super) fn find(method: &Method, call: &Call) -> Result<&'static Operation> {
    let about = About::of(call);
    let here = || OPERATIONS.iter().filter(move |operation| operation.about == about);
    let has = |mark: &str| if is_header(mark) { call.headers.contains_key(mark) } else { call.asks(mark) };
    let fits =
        |operation: &&Operation| operation.method == method.as_str() && operation.marks.iter().all(|mark| has(mark));
    let found = here().find(fits);
    // A side of the thing that is asked for, and that this method does not reach.
    let is_side = |name: &str| {
        about.unoffered().contains(&name) || here().any(|operation| operation.marks.contains(&name) && !is_header(name))
    };
    let is_meant = |name: &str| found.is_some_and(|operation| operation.marks.contains(&name));
    match call.query.keys().find(|name| is_side(name) && !is_meant(name)) {
        Some(side) => Err(Failure::not_offered(&format!("{method} of '{side}' of {}", about.plural()))),
        None => found.ok_or_else(Failure::not_allowed),
    }
}

fn is_header(mark: &str) -> bool {
    mark.starts_with("x-amz-")
}

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stele_domain::Error;
use stele_domain::bucket::check_bucket_name;

use super::NAMESPACE;
use super::call::Call;
use super::error::{Failure, Result, xml_response};
use crate::xml::{Xml, time};

/// The most buckets in one answer.
const MOST_BUCKETS: i64 = 10_000;

/// Where SDKs make buckets without naming a place.
const FIRST_REGION: &str = "us-east-1";

pub(super) async fn list(call: Call) -> Result<Response> {
    let most = match call.parameter("max-buckets") {
        "" => MOST_BUCKETS,
        text => text.parse().ok().filter(|most| (1..=MOST_BUCKETS).contains(most)).ok_or_else(|| {
            Failure::argument(format!("max-buckets is a number from 1 to {MOST_BUCKETS}, not '{text}'"))
        })?,
    };
    let (after, prefix) = (call.parameter("continuation-token").to_owned(), call.parameter("prefix").to_owned());
    let mut buckets = call.app.buckets_list(&call.ctx, prefix.clone(), after, most + 1).await?;
    let more = buckets.len() as i64 > most;
    buckets.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    let next = buckets.last().filter(|_| more).map(|bucket| bucket.name.clone());
    let document = Xml::document("ListAllMyBucketsResult", NAMESPACE, |xml| {
        owner(xml, &call);
        xml.element("Buckets", |xml| {
            for bucket in &buckets {
                xml.element("Bucket", |xml| {
                    xml.text("Name", &bucket.name).text("CreationDate", time(bucket.created_at));
                });
            }
        });
        xml.text_if("Prefix", Some(prefix).filter(|prefix| !prefix.is_empty()));
        xml.text_if("ContinuationToken", next);
    });
    Ok(xml_response(StatusCode::OK, document))
}

pub(super) fn owner(xml: &mut Xml, call: &Call) {
    xml.element("Owner", |xml| {
        xml.text("ID", &call.account).text("DisplayName", call.ctx.principal.name());
    });
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct CreateBucketConfiguration {
    /// Any place will do, since there is one.
    #[serde(rename = "LocationConstraint")]
    _location: Option<String>,
}

pub(super) async fn create(mut call: Call) -> Result<Response> {
    if check_bucket_name(&call.bucket).is_err() {
        let failure = Failure::bad("InvalidBucketName", "The specified bucket is not valid.");
        return Err(failure.about("BucketName", call.bucket));
    }
    if call.header("content-length").is_some_and(|length| length != "0") {
        let _: CreateBucketConfiguration = call.document().await?;
    }
    let name = call.bucket.clone();
    match call.app.bucket_create(&call.ctx, name.clone()).await {
        Err(Error::AlreadyExists { kind, id }) => match call.app.bucket_get(&call.ctx, name.clone()).await {
            // As S3 has it there, for clients that make sure of a bucket.
            Ok(_) if call.region == FIRST_REGION => {}
            Ok(_) => return Err(Error::AlreadyExists { kind, id }.into()),
            // Names of buckets are unique in the whole record.
            Err(Error::NotFound { .. }) => {
                let message = "The requested bucket name is not available. The bucket namespace is shared by all users of \
                               the system. Please select a different name and try again.";
                let failure = Failure::new(StatusCode::CONFLICT, "BucketAlreadyExists", message);
                return Err(failure.about("BucketName", name));
            }
            Err(error) => return Err(error.into()),
        },
        made => made?,
    }
    let mut response = StatusCode::OK.into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/{name}")) {
        response.headers_mut().insert("location", location);
    }
    Ok(response)
}

pub(super) async fn head(call: Call) -> Result<Response> {
    call.app.bucket_get(&call.ctx, call.bucket.clone()).await?;
    let mut response = Response::new(Body::empty());
    if let Ok(region) = HeaderValue::from_str(&call.region) {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
    Ok(response)
}

pub(super) async fn delete(call: Call) -> Result<Response> {
    call.app.bucket_delete(&call.ctx, call.bucket).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn location(call: Call) -> Result<Response> {
    call.app.bucket_get(&call.ctx, call.bucket.clone()).await?;
    let region = if call.region == FIRST_REGION { "" } else { &call.region };
    let document = Xml::document("LocationConstraint", NAMESPACE, |xml| {
        xml.raw(region);
    });
    Ok(xml_response(StatusCode::OK, document))
}

/// The code and the message of the error of a bucket that was never given something.
pub(super) type Missing = (&'static str, &'static str);

pub(super) const POLICY: Missing = ("NoSuchBucketPolicy", "The bucket policy does not exist");
pub(super) const CORS: Missing = ("NoSuchCORSConfiguration", "The CORS configuration does not exist");
pub(super) const LIFECYCLE: Missing = ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
pub(super) const WEBSITE: Missing =
    ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration");
pub(super) const ENCRYPTION: Missing =
    ("ServerSideEncryptionConfigurationNotFoundError", "The server side encryption configuration was not found");
pub(super) const REPLICATION: Missing =
    ("ReplicationConfigurationNotFoundError", "The replication configuration was not found");
pub(super) const OBJECT_LOCK: Missing =
    ("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket");
pub(super) const PUBLIC_ACCESS: Missing =
    ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found");
pub(super) const OWNERSHIP: Missing =
    ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found");
pub(super) const TAGS: Missing = ("NoSuchTagSet", "The TagSet does not exist");

/// What is told of a side that no bucket is given.
pub(super) async fn missing(call: Call, missing: Missing) -> Result<Response> {
    let bucket = call.app.bucket_get(&call.ctx, call.bucket).await?;
    Err(lacks(missing, bucket.name))
}

pub(super) fn lacks((code, message): Missing, bucket: String) -> Failure {
    Failure::not_found(code, message).about("BucketName", bucket)
}

/// A side that buckets have in its first state, as a document with this root and what is in it.
pub(super) async fn plain(call: Call, root: &str, inner: &str) -> Result<Response> {
    call.app.bucket_get(&call.ctx, call.bucket).await?;
    let document = Xml::document(root, NAMESPACE, |xml| {
        xml.raw(inner);
    });
    Ok(xml_response(StatusCode::OK, document))
}

/// Takes away what no bucket is given, which is done already.
pub(super) async fn unset(call: Call) -> Result<Response> {
    call.app.bucket_to_change(&call.ctx, call.bucket).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn acl(call: Call) -> Result<Response> {
    call.app.bucket_get(&call.ctx, call.bucket.clone()).await?;
    Ok(access(&call))
}

/// What there is of access control lists: whoever is let in to the workspace owns what is in it.
pub(super) fn access(call: &Call) -> Response {
    let document = Xml::document("AccessControlPolicy", NAMESPACE, |xml| {
        owner(xml, call);
        xml.element("AccessControlList", |xml| {
            xml.element("Grant", |xml| {
                xml.raw("<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">");
                xml.text("ID", &call.account).text("DisplayName", call.ctx.principal.name());
                xml.raw("</Grantee>").text("Permission", "FULL_CONTROL");
            });
        });
    });
    xml_response(StatusCode::OK, document)
}

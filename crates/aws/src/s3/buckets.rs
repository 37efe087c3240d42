use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stele_domain::Error;
use stele_domain::authz::ManageBucket;
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
                let message = format!("the bucket name '{name}' is taken");
                return Err(Failure::new(StatusCode::CONFLICT, "BucketAlreadyExists", message));
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

/// A side of buckets that has a request of its own, with what is told of a bucket that was never given any.
pub(super) struct Aspect {
    name: &'static str,
    unset: Unset,
}

enum Unset {
    /// An error with this code and message.
    Missing(&'static str, &'static str),
    /// A document with this root and what is in it.
    Document(&'static str, &'static str),
    Owned,
    /// Nothing is known of it.
    Unknown,
}

const ASPECTS: &[Aspect] = &[
    Aspect { name: "acl", unset: Unset::Owned },
    Aspect { name: "policy", unset: Unset::Missing("NoSuchBucketPolicy", "The bucket policy does not exist") },
    Aspect { name: "policyStatus", unset: Unset::Missing("NoSuchBucketPolicy", "The bucket policy does not exist") },
    Aspect { name: "tagging", unset: Unset::Missing("NoSuchTagSet", "The TagSet does not exist") },
    Aspect { name: "cors", unset: Unset::Missing("NoSuchCORSConfiguration", "The CORS configuration does not exist") },
    Aspect {
        name: "lifecycle",
        unset: Unset::Missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    },
    Aspect {
        name: "website",
        unset: Unset::Missing(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
    },
    Aspect {
        name: "encryption",
        unset: Unset::Missing(
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        ),
    },
    Aspect {
        name: "replication",
        unset: Unset::Missing("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    },
    Aspect {
        name: "object-lock",
        unset: Unset::Missing(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
    },
    Aspect {
        name: "publicAccessBlock",
        unset: Unset::Missing(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
    },
    Aspect {
        name: "ownershipControls",
        unset: Unset::Missing("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
    },
    Aspect { name: "versioning", unset: Unset::Document("VersioningConfiguration", "") },
    Aspect { name: "logging", unset: Unset::Document("BucketLoggingStatus", "") },
    Aspect { name: "notification", unset: Unset::Document("NotificationConfiguration", "") },
    Aspect { name: "accelerate", unset: Unset::Document("AccelerateConfiguration", "") },
    Aspect {
        name: "requestPayment",
        unset: Unset::Document("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    },
    Aspect { name: "inventory", unset: Unset::Unknown },
    Aspect { name: "analytics", unset: Unset::Unknown },
    Aspect { name: "metrics", unset: Unset::Unknown },
    Aspect { name: "intelligent-tiering", unset: Unset::Unknown },
];

/// The side of a bucket that a request is about.
pub(super) fn aspect(call: &Call) -> Option<&'static Aspect> {
    ASPECTS.iter().find(|aspect| call.asks(aspect.name))
}

pub(super) async fn answer_aspect(method: &Method, call: Call, aspect: &Aspect) -> Result<Response> {
    let is_asked = *method == Method::GET && !matches!(aspect.unset, Unset::Unknown);
    // What was never given is removed already.
    let is_removed = *method == Method::DELETE && matches!(aspect.unset, Unset::Missing(..));
    if !is_asked && !is_removed {
        return Err(Failure::not_offered(&format!("'{}' of buckets", aspect.name)));
    }
    let bucket = call.app.bucket_get(&call.ctx, call.bucket.clone()).await?;
    if is_removed {
        if !call.app.may_in_workspace::<ManageBucket>(&call.ctx).await? {
            let message = format!("{} may not change the bucket '{}'", call.ctx.principal.name(), bucket.name);
            return Err(Error::Forbidden { message }.into());
        }
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    match aspect.unset {
        Unset::Missing(code, message) => Err(Failure::not_found(code, message).about("BucketName", bucket.name)),
        Unset::Document(root, inner) => {
            let document = Xml::document(root, NAMESPACE, |xml| {
                xml.raw(inner);
            });
            Ok(xml_response(StatusCode::OK, document))
        }
        Unset::Owned | Unset::Unknown => Ok(access(&call)),
    }
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

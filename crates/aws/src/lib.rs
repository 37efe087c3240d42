//! The services around SageMaker that unmodified SDKs of AWS ask: S3 over the buckets of the record, and of STS and IAM
//! what says who asks.
//!
//! Their paths are anybody's (`/`, `/<bucket>/<key>`), so a request is one of theirs by the service that its signature
//! is for; forms that nobody signed are of STS and IAM too. Such requests are led to a path of their own before routing;
//! what was asked for travels along as [`Sent`].

mod iam;
mod query;
mod s3;
mod sts;
mod xml;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Uri, header};
use axum::routing::{any, post};
use stele_app::App;

/// The URI that the client asked for.
#[derive(Debug, Clone)]
pub struct Sent(pub Uri);

/// Marks an answer with the operation that gave it.
#[derive(Debug, Clone, Copy)]
pub struct Operation(pub &'static str);

/// The name of every operation that is offered.
pub fn operation_names() -> impl Iterator<Item = &'static str> {
    let of_queries = [&sts::SERVICE, &iam::SERVICE].into_iter().flat_map(|service| service.operations);
    s3::operations::names().chain(of_queries.map(|row| row.name))
}

/// Paths that no client asks for.
const S3: &str = "/.aws/s3";
const STS: &str = "/.aws/sts";
const IAM: &str = "/.aws/iam";
const QUERY: &str = "/.aws/query";

#[derive(Clone)]
pub(crate) struct Server {
    app: App,
    account: Arc<str>,
}

/// The routes that [`route`] leads to. `account` is the twelve digits of the account.
pub fn router(app: App, account: &str) -> Router {
    Router::new()
        .route(S3, any(s3::dispatch).layer(DefaultBodyLimit::disable()))
        .route(STS, post(sts::dispatch))
        .route(IAM, post(iam::dispatch))
        .route(QUERY, post(query::dispatch))
        .with_state(Server { app, account: account.into() })
}

/// Where a request is answered that is signed for one of these services, or that speaks as theirs do.
pub fn route(uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    if is_of_version_2(uri, headers) {
        return Some(S3);
    }
    let scope = scope(uri, headers);
    match scope.as_deref().and_then(|scope| scope.rsplit('/').nth(1)) {
        Some("s3") => Some(S3),
        Some("sts") => Some(STS),
        Some("iam") => Some(IAM),
        _ => query::is_form(uri, headers).then_some(QUERY),
    }
}

/// Whether a request has a signature of version 2, which was S3's alone; clients still make such URLs.
fn is_of_version_2(uri: &Uri, headers: &HeaderMap) -> bool {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let query = uri.query().unwrap_or("");
    authorization.is_some_and(|value| value.starts_with("AWS "))
        || ["AWSAccessKeyId=", "Signature=", "Expires="].iter().all(|part| query.contains(part))
}

/// The region that a request is signed for.
fn region(uri: &Uri, headers: &HeaderMap) -> String {
    let region = scope(uri, headers).and_then(|scope| scope.rsplit('/').nth(2).map(str::to_owned));
    let is_plain = |region: &String| {
        (1..=32).contains(&region.len()) && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    region.filter(is_plain).unwrap_or_else(|| "us-east-1".to_owned())
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`, of a signed header or of a presigned URL.
fn scope(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some((_, rest)) = authorization.and_then(|value| value.split_once("Credential=")) {
        return rest.split([',', ' ']).next().map(str::to_owned);
    }
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(name, _)| name == "X-Amz-Credential").map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_by_the_service_that_they_are_signed_for() {
        let of_header = |service: &str| {
            let mut headers = HeaderMap::new();
            let value =
                format!("AWS4-HMAC-SHA256 Credential=AK/IA/20261128/eu-west-1/{service}/aws4_request, Signature=0");
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            (route(&Uri::from_static("/"), &headers), region(&Uri::from_static("/"), &headers))
        };
        assert_eq!(of_header("s3"), (Some(S3), "eu-west-1".to_owned()));
        assert_eq!(of_header("iam").0, Some(IAM));
        assert_eq!(of_header("sagemaker").0, None);
        let presigned = Uri::from_static("/b/k?X-Amz-Credential=A%2F20261128%2Fus-east-1%2Fs3%2Faws4_request");
        assert_eq!(route(&presigned, &HeaderMap::new()), Some(S3));
        let form = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=utf-8".parse().unwrap(),
        )]);
        assert_eq!(route(&Uri::from_static("/"), &form), Some(QUERY));
        assert_eq!(route(&Uri::from_static("/login"), &form), None);
        assert_eq!(route(&Uri::from_static("/api/2.0/mlflow/runs/get?run_id=x"), &HeaderMap::new()), None);
    }
}

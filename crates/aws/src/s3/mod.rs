//! S3, path-style: buckets, objects and uploads in parts. A table in [`handle`] says which request is which operation.

mod attributes;
mod body;
mod buckets;
mod call;
mod checksum;
mod chunks;
mod copy;
mod error;
mod listing;
mod objects;
mod read;
mod tags;
mod uploads;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use parking_lot::Mutex;
use stele_app::{Admission, Refusal, RequestId, Script, SignedBody};

use self::call::Call;
use self::error::{Failure, Result};
use crate::{Sent, Server, is_of_version_2, region};

pub(super) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

pub(crate) async fn dispatch(State(server): State<Server>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let request_id = server.app.request_id(head.extensions.remove::<RequestId>());
    let admission = head.extensions.remove::<Admission>();
    let signed = head.extensions.remove::<SignedBody>();
    // Whoever asks for the path itself has no bucket in mind.
    let uri = head.extensions.remove::<Sent>().map_or_else(axum::http::Uri::default, |Sent(uri)| uri);
    let is_old = is_of_version_2(&uri, &head.headers);
    let method = head.method.clone();
    let answered = async {
        let ctx = server.app.admit(admission, Script::Aws, request_id.clone()).map_err(|refusal| match refusal {
            Refusal::Missing if is_old => Failure::bad(
                "InvalidRequest",
                "signatures of version 2 are not accepted: sign with AWS4-HMAC-SHA256 (signature_version 's3v4')",
            ),
            other => other.into(),
        })?;
        let ctx = server.app.at_home(ctx).await?;
        let (bucket, key) = call::place(uri.path())?;
        let account = server.app.account_number(&ctx, &server.account);
        let query = call::query(&uri);
        call::hoist(&query, &mut head.headers);
        let call = Call {
            app: server.app.clone(),
            ctx,
            account,
            region: region(&uri, &head.headers),
            bucket,
            key,
            query,
            headers: head.headers,
            body: Mutex::new(body),
            signed,
        };
        handle(&method, call).await
    };
    let mut response = answered.await.unwrap_or_else(|failure| failure.into_response(uri.path(), &request_id));
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    if method == Method::HEAD && !response.status().is_success() {
        response.headers_mut().remove(header::CONTENT_TYPE);
        *response.body_mut() = Body::empty();
    }
    response
}

async fn handle(method: &Method, call: Call) -> Result<Response> {
    match (call.bucket.is_empty(), call.key.is_empty()) {
        (true, _) => match *method {
            Method::GET => buckets::list(call).await,
            _ => Err(Failure::not_allowed()),
        },
        (false, true) => on_bucket(method, call).await,
        (false, false) => on_object(method, call).await,
    }
}

async fn on_bucket(method: &Method, call: Call) -> Result<Response> {
    if *method == Method::GET && call.asks("location") {
        return buckets::location(call).await;
    }
    if *method == Method::GET && call.asks("uploads") {
        return uploads::list(call).await;
    }
    if *method == Method::GET && call.asks("versions") {
        return listing::versions(call).await;
    }
    if *method == Method::POST && call.asks("delete") {
        return objects::delete_many(call).await;
    }
    if let Some(aspect) = buckets::aspect(&call) {
        return buckets::answer_aspect(method, call, aspect).await;
    }
    match *method {
        Method::GET => listing::objects(call).await,
        Method::HEAD => buckets::head(call).await,
        Method::PUT => buckets::create(call).await,
        Method::DELETE => buckets::delete(call).await,
        _ => Err(Failure::not_allowed()),
    }
}

async fn on_object(method: &Method, call: Call) -> Result<Response> {
    const UNKNOWN: [&str; 7] =
        ["legal-hold", "retention", "torrent", "restore", "select", "renameObject", "encryption"];
    if let Some(aspect) = UNKNOWN.iter().find(|aspect| call.asks(aspect)) {
        return Err(Failure::not_offered(&format!("'{aspect}' of objects")));
    }
    call.only_version()?;
    let copies = call.headers.contains_key("x-amz-copy-source");
    match *method {
        Method::GET if call.asks("uploadId") => uploads::list_parts(call).await,
        Method::GET if call.asks("tagging") => tags::get(call).await,
        Method::GET if call.asks("attributes") => attributes::get(call).await,
        Method::GET if call.asks("acl") => objects::acl(call).await,
        Method::GET | Method::HEAD => read::get(method, call).await,
        Method::PUT if call.asks("uploadId") && copies => uploads::copy_part(call).await,
        Method::PUT if call.asks("uploadId") => uploads::put_part(call).await,
        Method::PUT if call.asks("tagging") => tags::set(call).await,
        Method::PUT if call.asks("acl") => Err(Failure::not_offered("access control lists")),
        Method::PUT if copies => copy::copy(call).await,
        Method::PUT => objects::put(call).await,
        Method::POST if call.asks("uploads") => uploads::create(call).await,
        Method::POST if call.asks("uploadId") => uploads::complete(call).await,
        Method::DELETE if call.asks("uploadId") => uploads::abort(call).await,
        Method::DELETE if call.asks("tagging") => tags::delete(call).await,
        Method::DELETE => objects::delete(call).await,
        _ => Err(Failure::not_allowed()),
    }
}

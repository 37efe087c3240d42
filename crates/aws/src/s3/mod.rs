//! S3, path-style: buckets, objects and uploads in parts. The table in [`operations`] says which request is which operation.

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
pub(crate) mod operations;
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
use crate::{Operation, Sent, Server, is_of_version_2, region};

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
    let mut reached = None;
    let answered = async {
        // A signature whose time is over is wrong as well, which says less.
        let query = call::query(&uri);
        call::refuse_late(&query, server.app.now())?;
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
        let operation = operations::find(&method, &call)?;
        reached = Some(Operation(operation.name));
        // Objects have one version each.
        if !call.key.is_empty() {
            call.only_version()?;
        }
        (operation.handler)(call).await
    };
    let answered: Result<Response> = answered.await;
    let mut response = answered.unwrap_or_else(|failure| failure.into_response(uri.path(), &request_id));
    if let Some(operation) = reached {
        response.extensions_mut().insert(operation);
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    if method == Method::HEAD && !response.status().is_success() {
        response.headers_mut().remove(header::CONTENT_TYPE);
        *response.body_mut() = Body::empty();
    }
    response
}

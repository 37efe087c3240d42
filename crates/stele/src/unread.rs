//! What a refused request still has to say is read before it hears of the refusal: many clients look for the answer only
//! when they have sent everything, and would report a broken connection instead of what is wrong.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use parking_lot::Mutex;

/// Nobody may keep the server busy for ever with what it does not want.
const MOST: usize = 256 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(60);

/// Lends the body to what answers, and reads the rest of it away if the answer is a refusal.
pub(crate) async fn read_away(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let waits = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let lent = Lent(Arc::new(Mutex::new(Inner { body, begun: false })));
    let mut response = next.run(Request::from_parts(head, Body::new(lent.clone()))).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let is_sending = !waits || lent.0.lock().begun;
    match (refused, is_sending) {
        (true, true) => {
            let _ = tokio::time::timeout(LONGEST, lent.finish()).await;
        }
        // A client that waits to be asked for the body need not send it, after which nobody could tell where the next
        // request begins.
        (true, false) => {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        (false, _) => {}
    }
    response
}

#[derive(Clone)]
struct Lent(Arc<Mutex<Inner>>);

struct Inner {
    body: Body,
    begun: bool,
}

impl Lent {
    async fn finish(mut self) {
        let mut read = 0;
        while let Some(Ok(frame)) = self.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MOST {
                return;
            }
        }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut inner = self.0.lock();
        inner.begun = true;
        Pin::new(&mut inner.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use futures::{StreamExt, stream};
    use tower::ServiceExt;

    use super::*;

    /// Posts four parts and says how many of them were taken.
    async fn taken(path: &str, expects: bool) -> (StatusCode, usize) {
        let router = Router::new()
            .route("/refused", post(|| async { StatusCode::UNAUTHORIZED }))
            .route("/begun", post(begun))
            .route("/fine", post(|| async { StatusCode::OK }))
            .layer(from_fn(read_away));
        let count = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&count);
        let parts = stream::iter(0..4).map(move |_| {
            counting.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_static(b"part"))
        });
        let mut request = Request::post(path).body(Body::from_stream(parts)).unwrap();
        if expects {
            request.headers_mut().insert(header::EXPECT, "100-continue".parse().unwrap());
        }
        let response = router.oneshot(request).await.unwrap();
        (response.status(), count.load(Ordering::Relaxed))
    }

    async fn begun(body: Body) -> StatusCode {
        body.into_data_stream().next().await;
        StatusCode::BAD_REQUEST
    }

    #[tokio::test]
    async fn what_is_refused_is_read_to_the_end() {
        assert_eq!(taken("/refused", false).await, (StatusCode::UNAUTHORIZED, 4));
        assert_eq!(taken("/begun", false).await, (StatusCode::BAD_REQUEST, 4));
        assert_eq!(taken("/begun", true).await, (StatusCode::BAD_REQUEST, 4), "it is being sent already");
        assert_eq!(taken("/nowhere", false).await, (StatusCode::NOT_FOUND, 4));
    }

    #[tokio::test]
    async fn what_is_not_sent_yet_is_not_asked_for() {
        assert_eq!(taken("/refused", true).await, (StatusCode::UNAUTHORIZED, 0));
        assert_eq!(taken("/fine", false).await, (StatusCode::OK, 0), "nothing is wrong");
    }
}

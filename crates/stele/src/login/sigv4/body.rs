//! Bodies whose hash is signed.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use stele_app::Refusal;

/// The SHA-256 of bytes, in hex.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// Reads a body whole.
pub(super) async fn whole(body: Body, most: usize) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, most).await.map_err(|_| {
        let message = format!(
            "the body broke off, or is larger than {most} bytes and has no X-Amz-Content-Sha256 header to check it by"
        );
        Refusal::Signature(message)
    })
}

/// The body, which ends with an error unless its hash is the expected one.
pub(super) fn while_read(body: Body, expected: String) -> Body {
    Body::new(Hashed { body, hashed: Some(digest::Context::new(&digest::SHA256)), expected })
}

struct Hashed {
    body: Body,
    /// Until the end has been seen.
    hashed: Option<digest::Context>,
    expected: String,
}

impl Hashed {
    fn finish(&mut self) -> Result<(), axum::Error> {
        let Some(hashed) = self.hashed.take() else { return Ok(()) };
        match hex::encode(hashed.finish()) == self.expected {
            true => Ok(()),
            false => Err(axum::Error::new("the body is not the one that was signed")),
        }
    }
}

impl http_body::Body for Hashed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                if let (Some(hashed), Some(data)) = (&mut self.hashed, frame.data_ref()) {
                    hashed.update(data);
                }
                // Whoever knows the length may not ask for more, so the last part is not given away unchecked.
                let ended = if self.body.is_end_stream() { self.finish() } else { Ok(()) };
                Some(ended.map(|()| frame))
            }
            Some(Err(error)) => Some(Err(error)),
            None => self.finish().err().map(Err),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.hashed.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

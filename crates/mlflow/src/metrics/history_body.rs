//! The answer of metrics/get-history, which may be larger than memory: pages are read from the store as the client
//! takes them, and each is written to the body in pieces.

use std::io;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use stele_app::{App, Ctx, HistoryPage, HistoryStart};
use stele_domain::id::RunId;
use stele_domain::{Error, Point};

use crate::call::Call;
use crate::error::{Result, json_response};
use crate::page_token;

/// The most points read at once: each reading has a snapshot of its own, which a slow client must not hold.
const POINTS_READ: usize = 128 * 1024;

/// Points written at once, a few hundred kilobytes.
const POINTS_WRITTEN: usize = 4096;

/// A body on its way, up to the end of the points that are in memory.
pub(super) struct HistoryBody {
    app: App,
    ctx: Ctx,
    run: RunId,
    key: String,
    /// How the key begins each point.
    start_of_point: Vec<u8>,
    page: HistoryPage,
    /// Where the page begins, in points of the series and in points of the answer.
    offset: usize,
    before_page: usize,
    most: usize,
    written: usize,
    is_complete: bool,
}

impl HistoryBody {
    /// Answers with the points of a metric from `offset` on, at most `most`. Fails only before the answer begins.
    pub(super) async fn answer(call: Call, run: RunId, key: String, offset: usize, most: usize) -> Result<Response> {
        let Call { app, ctx, .. } = call;
        let start = HistoryStart::Offset(offset);
        let page = app.metric_history(&ctx, run.clone(), key.clone(), start, most.min(POINTS_READ)).await?;
        let start_of_point = format!(r#"{{"key":{},"value":"#, Value::from(key.as_str())).into_bytes();
        let body = HistoryBody {
            app,
            ctx,
            run,
            key,
            start_of_point,
            page,
            offset,
            before_page: 0,
            most,
            written: 0,
            is_complete: false,
        };
        Ok(json_response(StatusCode::OK, body.into_body().await?))
    }

    /// One piece where that is all, so that its length is known; a stream otherwise.
    async fn into_body(mut self) -> Result<Body> {
        let first = self.next_piece().await?;
        if self.is_complete {
            return Ok(first.into());
        }
        let rest = stream::try_unfold(self, |mut body| async move {
            if body.is_complete {
                return Ok(None);
            }
            match body.next_piece().await {
                Ok(piece) => Ok(Some((piece, body))),
                // The status is on its way already; a body that breaks off is how the client learns of it.
                Err(error) => {
                    tracing::error!(%error, "a history broke off");
                    Err(io::Error::other(error))
                }
            }
        });
        Ok(Body::from_stream(futures::StreamExt::chain(stream::iter([Ok(first)]), rest)))
    }

    async fn next_piece(&mut self) -> Result<Bytes, Error> {
        if self.written == self.page.points.len() && self.page.has_more && self.left() > 0 {
            self.turn_page().await?;
        }
        let points = &self.page.points[self.written..];
        let points = &points[..points.len().min(POINTS_WRITTEN)];
        let mut out = Vec::with_capacity(64 + points.len() * (self.start_of_point.len() + 64));
        let is_first = self.before_page + self.written == 0;
        if is_first {
            out.extend(if points.is_empty() { &b"{"[..] } else { br#"{"metrics":["# });
        }
        for (index, point) in points.iter().enumerate() {
            if !is_first || index > 0 {
                out.push(b',');
            }
            write_point(&self.start_of_point, point, &mut out)?;
        }
        self.written += points.len();
        if self.written == self.page.points.len() && (!self.page.has_more || self.left() == 0) {
            self.is_complete = true;
            if self.before_page + self.written > 0 {
                out.push(b']');
            }
            if self.page.has_more && self.before_page + self.written > 0 {
                let token = page_token::encode(self.offset + self.before_page + self.written);
                out.extend(format!(r#","next_page_token":"{token}""#).into_bytes());
            }
            out.push(b'}');
        }
        Ok(out.into())
    }

    /// How many points may still be read.
    fn left(&self) -> usize {
        self.most - self.before_page - self.page.points.len()
    }

    async fn turn_page(&mut self) -> Result<(), Error> {
        let Some(last) = self.page.points.last() else { return Ok(()) };
        let (start, most) = (HistoryStart::After(*last), self.left().min(POINTS_READ));
        self.before_page += self.page.points.len();
        self.written = 0;
        self.page = HistoryPage::default();
        self.page = self.app.metric_history(&self.ctx, self.run.clone(), self.key.clone(), start, most).await?;
        Ok(())
    }
}

/// As [`crate::dto::MetricDto`] reads, which a test compares.
fn write_point(start: &[u8], point: &Point, out: &mut Vec<u8>) -> Result<(), Error> {
    out.extend(start);
    if point.value.is_nan() {
        out.extend(br#""NaN""#);
    } else {
        write_number(&point.value.clamp(f64::MIN, f64::MAX), out)?;
    }
    out.extend(br#","timestamp":"#);
    write_number(&point.timestamp, out)?;
    out.extend(br#","step":"#);
    write_number(&point.step, out)?;
    out.push(b'}');
    Ok(())
}

fn write_number(number: &impl serde::Serialize, out: &mut Vec<u8>) -> Result<(), Error> {
    serde_json::to_writer(out, number).map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dto::MetricDto;

    #[test]
    fn points_are_written_as_metrics_are_everywhere() {
        for value in [1.0, -0.0, 0.1, 1e300, 1e-7, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 123_456_789.0] {
            let point = Point::new(-3, 1_790_000_000_000, value);
            let mut written = Vec::new();
            write_point(br#"{"key":"a/\"b","value":"#, &point, &mut written).unwrap();
            assert_eq!(written, serde_json::to_vec(&MetricDto::new("a/\"b", point)).unwrap());
        }
    }
}

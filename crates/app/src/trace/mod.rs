//! Traces: recorded span by span or as a whole, read, searched, tagged, linked, assessed and deleted.

mod assess;
mod log;
mod remove;
mod start;
mod tag;

use std::collections::HashMap;

use stele_domain::id::ExperimentId;
use stele_domain::otlp::Span;
use stele_domain::search::{Page, TraceSearch};
use stele_domain::trace::{Statistics, StatisticsGroup, TraceId, TraceInfo};
use stele_domain::{Error, Result};

pub(crate) use assess::check_assessment;
pub(crate) use log::check_span;
pub use log::{LoggedSpans, MOST_SPANS_AT_ONCE};
pub use remove::TracesToDelete;
pub(crate) use start::check_facts;
pub use start::{StartedTrace, TraceEnd};

use crate::{App, Ctx};

/// A trace with its spans, roots first, then by start.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeTrace {
    pub info: TraceInfo,
    pub spans: Vec<Span>,
}

/// How many traces there are that fulfil filters alone and together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceCounts {
    pub total: i64,
    pub first: i64,
    pub second: i64,
    pub both: i64,
}

impl App {
    pub async fn trace_get(&self, ctx: &Ctx, id: TraceId) -> Result<TraceInfo> {
        let visible = ctx.visible();
        self.read(move |tx| tx.trace_get(&visible, &id)).await
    }

    /// Those of these traces that are there, in this order; only of these experiments, if any are named.
    pub async fn traces_get(
        &self,
        ctx: &Ctx,
        ids: Vec<TraceId>,
        among: Option<Vec<ExperimentId>>,
    ) -> Result<Vec<TraceInfo>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.traces_get(&visible, &ids, among.as_deref())).await
    }

    /// As [`App::traces_get`], with their spans.
    pub async fn traces_whole(
        &self,
        ctx: &Ctx,
        ids: Vec<TraceId>,
        among: Option<Vec<ExperimentId>>,
    ) -> Result<Vec<WholeTrace>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let infos = tx.traces_get(&visible, &ids, among.as_deref())?;
            let rows: Vec<_> = infos.iter().map(|info| info.row).collect();
            let mut spans: HashMap<_, _> = tx.spans_of(&visible, &rows)?;
            let whole = |info: TraceInfo| WholeTrace { spans: spans.remove(&info.row).unwrap_or_default(), info };
            Ok(infos.into_iter().map(whole).collect())
        })
        .await
    }

    /// A trace with its spans.
    pub async fn trace_whole(&self, ctx: &Ctx, id: TraceId) -> Result<WholeTrace> {
        let missing = Error::not_found(stele_domain::Kind::Trace, id.as_str());
        self.traces_whole(ctx, vec![id], None).await?.pop().ok_or(missing)
    }

    pub async fn trace_search(&self, ctx: &Ctx, search: TraceSearch) -> Result<Page<TraceInfo>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.traces_search(&visible, &search)).await
    }

    pub async fn trace_statistics(&self, ctx: &Ctx, asked: Statistics) -> Result<Vec<StatisticsGroup>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.trace_statistics(&visible, &asked)).await
    }

    /// Counts the traces of four searches in one snapshot.
    pub async fn trace_counts(&self, ctx: &Ctx, searches: [TraceSearch; 4]) -> Result<TraceCounts> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let mut count = |search: &TraceSearch| tx.traces_count(&visible, search);
            let [total, first, second, both] = &searches;
            Ok(TraceCounts { total: count(total)?, first: count(first)?, second: count(second)?, both: count(both)? })
        })
        .await
    }
}

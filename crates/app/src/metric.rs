use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use stele_domain::id::RunId;
use stele_domain::{Error, Kind, Point, Result};
use stele_store::{Chart, HistoryPage, HistoryStart};

use crate::transact::check_text;
use crate::{App, Ctx};

impl App {
    /// At most `most` points of the metric `key` of a run, by time; none if there is no such run or metric.
    ///
    /// A history longer than fits in memory is read page by page, each page after the last point of the one before.
    pub async fn metric_history(
        &self,
        ctx: &Ctx,
        run: RunId,
        key: String,
        start: HistoryStart,
        most: usize,
    ) -> Result<HistoryPage> {
        let visible = ctx.visible();
        self.read(move |tx| match tx.run_info(&visible, &run) {
            Ok(run) => tx.metric_history(run.row, &key, start, most),
            Err(Error::NotFound { .. }) => Ok(HistoryPage::default()),
            Err(error) => Err(error),
        })
        .await
    }

    /// Of the points of the metric `key` of each run with a step in `steps`, those at the ranks that `choose` gives when
    /// it is told how many there are. Runs that do not exist are left out.
    pub async fn metric_samples(
        &self,
        ctx: &Ctx,
        runs: Vec<RunId>,
        key: String,
        steps: RangeInclusive<i64>,
        choose: impl Fn(usize) -> Vec<usize> + Send + 'static,
    ) -> Result<Vec<(RunId, Vec<Point>)>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let mut samples = Vec::with_capacity(runs.len());
            for id in runs {
                match tx.run_info(&visible, &id) {
                    Ok(run) => samples.push((id, tx.metric_points_at(run.row, &key, &steps, &choose)?)),
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(samples)
        })
        .await
    }

    /// The exact first, last, least and greatest value of the metric `key` of a run in each of so many equal ranges of
    /// steps, from the first step given, or of the series, to the last.
    pub async fn metric_envelope(
        &self,
        ctx: &Ctx,
        run: RunId,
        key: String,
        first: Option<i64>,
        last: Option<i64>,
        buckets: NonZeroUsize,
    ) -> Result<Chart> {
        check_text("the id of the run", run.as_str())?;
        check_text("the key of the metric", &key)?;
        if first.zip(last).is_some_and(|(first, last)| first > last) {
            return Err(Error::invalid("the first step is greater than the last"));
        }
        let visible = ctx.visible();
        self.read(move |tx| {
            let run = tx.run_info(&visible, &run)?;
            let chart = tx.metric_envelope(run.row, &key, first, last, buckets)?;
            chart.ok_or_else(|| Error::not_found(Kind::Metric, key))
        })
        .await
    }
}

use std::ops::RangeInclusive;

use stele_domain::id::RunId;
use stele_domain::{Error, Point, Result};

use crate::{App, Ctx};

impl App {
    /// Every point of the metric `key` of each run, in the order of points. Runs that do not exist are left out.
    pub async fn metric_histories(&self, ctx: &Ctx, runs: Vec<RunId>, key: String) -> Result<Vec<(RunId, Vec<Point>)>> {
        self.metric_histories_between(ctx, runs, key, i64::MIN..=i64::MAX, |points| points).await
    }

    /// As [`App::metric_histories`], for what `keep` keeps of the points with a step in `steps`, so that no more
    /// than one whole history is in memory at a time.
    pub async fn metric_histories_between(
        &self,
        ctx: &Ctx,
        runs: Vec<RunId>,
        key: String,
        steps: RangeInclusive<i64>,
        mut keep: impl FnMut(Vec<Point>) -> Vec<Point> + Send + 'static,
    ) -> Result<Vec<(RunId, Vec<Point>)>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let mut histories = Vec::with_capacity(runs.len());
            for id in runs {
                match tx.run_info(visible, &id) {
                    Ok(run) => {
                        let points = tx.metric_points_between(run.row, &key, *steps.start(), *steps.end())?;
                        let mut points = keep(points);
                        points.shrink_to_fit();
                        histories.push((id, points));
                    }
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(histories)
        })
        .await
    }
}

use std::ops::RangeInclusive;

use stele_domain::id::RunId;
use stele_domain::{Error, Point, Result};

use crate::{App, Ctx};

impl App {
    /// Every point of the metric `key` of each run, in the order of points. Runs that do not exist are left out.
    pub async fn metric_histories(&self, ctx: &Ctx, runs: Vec<RunId>, key: String) -> Result<Vec<(RunId, Vec<Point>)>> {
        self.metric_histories_between(ctx, runs, key, i64::MIN..=i64::MAX).await
    }

    /// As [`App::metric_histories`], for the points with a step in `steps`.
    pub async fn metric_histories_between(
        &self,
        ctx: &Ctx,
        runs: Vec<RunId>,
        key: String,
        steps: RangeInclusive<i64>,
    ) -> Result<Vec<(RunId, Vec<Point>)>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let mut histories = Vec::with_capacity(runs.len());
            for id in runs {
                match tx.run_info(visible, &id) {
                    Ok(run) => {
                        let points = tx.metric_points_between(run.row, &key, *steps.start(), *steps.end())?;
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

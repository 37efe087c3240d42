//! Points of loaded runs whose histories are too long to come with the run.

use stele_domain::authz::{LogRun, Permit};
use stele_domain::record::{MetricValue, RunInfo};
use stele_domain::{MetricValues, Point, Result};

use crate::Tx;
use crate::engine::params;
use crate::series::CHUNK_POINTS;

impl Tx<'_> {
    /// Adds points to a metric of a run, in the trash or not; those that it has already are left out. Says how many
    /// were new. Points in order, and in multiples of the size of a chunk, are stored best.
    pub fn run_points_load(
        &mut self,
        permit: &Permit<LogRun>,
        run: &RunInfo,
        key: &str,
        points: &[Point],
    ) -> Result<usize> {
        let before = self.series_points(run, key)?;
        for chunk in points.chunks(CHUNK_POINTS.get()) {
            let values = chunk.iter().map(|point| MetricValue { key: key.to_owned(), point: *point, subject: None });
            self.run_metrics_append(permit, run, &values.collect::<MetricValues>())?;
        }
        Ok(usize::try_from(self.series_points(run, key)? - before).unwrap_or_default())
    }

    fn series_points(&mut self, run: &RunInfo, key: &str) -> Result<i64> {
        const POINTS: &str = "SELECT points FROM series WHERE run_id = $1 AND key = $2";
        Ok(self.query_opt(POINTS, params![run.row, key], |row| row.int(0))?.unwrap_or_default())
    }
}

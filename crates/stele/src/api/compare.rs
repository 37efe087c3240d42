//! Runs side by side.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use serde::Serialize;
use stele_domain::Point;
use stele_domain::id::RunId;
use stele_domain::record::Run;
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, reply};
use super::metrics::PointDto;
use super::problem::Problem;
use super::route::Parameter;
use super::runs::RunInfoDto;

const MOST_RUNS: usize = 100;

pub(super) const QUERY: &[Parameter] =
    &[Parameter::text("runs", "Ids of 2 to 100 runs, with commas between them.").required()];

pub(super) async fn compare(call: Call) -> Result<Response> {
    let ids: Vec<RunId> = call.query.list("runs").into_iter().map(RunId).collect();
    let different: BTreeSet<&RunId> = ids.iter().collect();
    if !(2..=MOST_RUNS).contains(&ids.len()) || different.len() < ids.len() {
        let detail = format!("the query parameter 'runs' must have from 2 to {MOST_RUNS} ids, each of them once");
        return Err(Problem::invalid(detail));
    }
    reply(&ComparisonDto::from(call.app.runs_get(&call.ctx, ids).await?))
}

/// The values of some runs, a column a run, in the order in which the runs were named. Keys whose values differ come
/// first; a run without the key has null.
#[derive(Serialize, ToSchema)]
#[schema(as = Comparison)]
pub(super) struct ComparisonDto {
    runs: Vec<RunInfoDto>,
    params: Vec<TextRowDto>,
    metrics: Vec<MetricRowDto>,
    tags: Vec<TextRowDto>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ComparedText)]
pub(super) struct TextRowDto {
    key: String,
    differs: bool,
    values: Vec<Option<String>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ComparedMetric)]
pub(super) struct MetricRowDto {
    key: String,
    /// Whether the newest values differ, whatever their steps.
    differs: bool,
    values: Vec<Option<PointDto>>,
}

impl From<Vec<Run>> for ComparisonDto {
    fn from(runs: Vec<Run>) -> ComparisonDto {
        let texts = |rows: Vec<(String, bool, Vec<Option<String>>)>| {
            rows.into_iter().map(|(key, differs, values)| TextRowDto { key, differs, values }).collect()
        };
        let params = side_by_side(
            &runs,
            |run| run.params.iter().map(|param| (param.key.clone(), param.value.clone())).collect(),
            |one, other| one == other,
        );
        let tags = side_by_side(
            &runs,
            |run| run.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
            |one, other| one == other,
        );
        let metrics = side_by_side(
            &runs,
            |run| run.metrics.iter().map(|metric| (metric.key.clone(), metric.point)).collect(),
            same_value,
        );
        let metric_row = |(key, differs, values): (String, bool, Vec<Option<Point>>)| {
            let values = values.into_iter().map(|point| point.map(PointDto::from)).collect();
            MetricRowDto { key, differs, values }
        };
        ComparisonDto {
            params: texts(params),
            metrics: metrics.into_iter().map(metric_row).collect(),
            tags: texts(tags),
            runs: runs.into_iter().map(|run| run.info.into()).collect(),
        }
    }
}

fn same_value(one: &Point, other: &Point) -> bool {
    one.value == other.value || one.value.is_nan() && other.value.is_nan()
}

/// For each key of any run its values, run by run, and whether they differ.
fn side_by_side<T: Clone>(
    runs: &[Run],
    values_of: impl Fn(&Run) -> Vec<(String, T)>,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(String, bool, Vec<Option<T>>)> {
    let mut table: BTreeMap<String, Vec<Option<T>>> = BTreeMap::new();
    for (column, run) in runs.iter().enumerate() {
        for (key, value) in values_of(run) {
            table.entry(key).or_insert_with(|| vec![None; runs.len()])[column] = Some(value);
        }
    }
    let differ = |values: &[Option<T>]| {
        values.windows(2).any(|pair| match pair {
            [Some(one), Some(other)] => !same(one, other),
            [None, None] => false,
            _ => true,
        })
    };
    let mut rows: Vec<_> = table.into_iter().map(|(key, values)| (key, differ(&values), values)).collect();
    // Stable, so the keys stay sorted on either side.
    rows.sort_by_key(|(_, differs, _)| !differs);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_point_is_compared_and_not_its_step() {
        let point = |step, value| Point::new(step, step, value);
        assert!(same_value(&point(1, 0.5), &point(2, 0.5)));
        assert!(same_value(&point(1, f64::NAN), &point(2, f64::NAN)));
        assert!(!same_value(&point(1, 0.5), &point(1, 0.25)));
        assert!(!same_value(&point(1, 0.5), &point(1, f64::NAN)));
    }
}

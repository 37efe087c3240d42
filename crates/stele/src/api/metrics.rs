use std::num::NonZeroUsize;

use axum::response::Response;
use serde::{Serialize, Serializer};
use stele_app::{Bucket, Chart, Summary};
use stele_domain::Point;
use stele_domain::id::RunId;

use super::Result;
use super::call::{Call, reply};
use super::problem::Problem;

const MOST_BUCKETS: usize = 10_000;

/// The buckets of a chart as wide as most screens.
const USUAL_BUCKETS: i64 = 1_000;

/// `GET runs/{run_id}/metrics/envelope?key=K[&buckets=N][&first_step=A][&last_step=B]`: a metric in N equal ranges of
/// steps from A to B, both included, by default the whole series in 1,000.
///
/// Each range with points has the true first and last point (by step, then time, then value) and the true least and
/// greatest value with the first point that has it; these two are null if all values are NaN.
pub(super) async fn envelope(call: Call) -> Result<Response> {
    let mut query = call.query(&["key", "buckets", "first_step", "last_step"])?;
    let key = query.required("key")?;
    let buckets = usize::try_from(query.int("buckets")?.unwrap_or(USUAL_BUCKETS)).ok();
    let buckets = buckets.and_then(NonZeroUsize::new).filter(|buckets| buckets.get() <= MOST_BUCKETS);
    let buckets = buckets.ok_or_else(|| {
        Problem::invalid(format!("the query parameter 'buckets' must be between 1 and {MOST_BUCKETS}"))
    })?;
    let (first, last) = (query.int("first_step")?, query.int("last_step")?);
    let run = RunId(call.path("run_id").to_owned());
    let chart = call.app.metric_envelope(&call.ctx, run, key.clone(), first, last, buckets).await?;
    reply(&EnvelopeDto::new(call.path("run_id"), &key, buckets.get(), chart))
}

#[derive(Serialize)]
struct EnvelopeDto<'a> {
    run_id: &'a str,
    key: &'a str,
    first_step: i64,
    last_step: i64,
    points: usize,
    bucket_count: usize,
    /// Only those that have points.
    buckets: Vec<BucketDto>,
}

impl<'a> EnvelopeDto<'a> {
    fn new(run_id: &'a str, key: &'a str, bucket_count: usize, chart: Chart) -> EnvelopeDto<'a> {
        let Chart { steps, buckets } = chart;
        EnvelopeDto {
            run_id,
            key,
            first_step: *steps.start(),
            last_step: *steps.end(),
            points: buckets.iter().map(|bucket| bucket.summary.points).sum(),
            bucket_count,
            buckets: buckets.into_iter().map(BucketDto::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct BucketDto {
    index: usize,
    first_step: i64,
    last_step: i64,
    points: usize,
    nan: usize,
    first: PointDto,
    last: PointDto,
    min: Option<PointDto>,
    max: Option<PointDto>,
}

impl From<Bucket> for BucketDto {
    fn from(bucket: Bucket) -> BucketDto {
        let Bucket { index, steps, summary: Summary { points, nan, first, last, min, max } } = bucket;
        BucketDto {
            index,
            first_step: *steps.start(),
            last_step: *steps.end(),
            points,
            nan,
            first: first.into(),
            last: last.into(),
            min: min.map(PointDto::from),
            max: max.map(PointDto::from),
        }
    }
}

#[derive(Serialize)]
struct PointDto {
    step: i64,
    timestamp: i64,
    #[serde(serialize_with = "number")]
    value: f64,
}

impl From<Point> for PointDto {
    fn from(Point { step, timestamp, value }: Point) -> PointDto {
        PointDto { step, timestamp, value }
    }
}

fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match *value {
        value if value.is_nan() => serializer.serialize_str("NaN"),
        f64::INFINITY => serializer.serialize_str("Infinity"),
        f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
        value => serializer.serialize_f64(value),
    }
}

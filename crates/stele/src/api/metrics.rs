use std::num::NonZeroUsize;

use axum::response::Response;
use serde::{Serialize, Serializer};
use stele_app::{Bucket, Chart, Summary};
use stele_domain::Point;
use stele_domain::id::RunId;

use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Result;
use super::call::{Call, reply};
use super::route::Parameter;

const MOST_BUCKETS: i64 = 10_000;

/// The buckets of a chart as wide as most screens.
const USUAL_BUCKETS: i64 = 1_000;

/// `GET runs/{run_id}/metrics/envelope?key=K[&buckets=N][&first_step=A][&last_step=B]`: a metric in N equal ranges of
/// steps from A to B, both included, by default the whole series in 1,000.
///
/// Each range with points has the true first and last point (by step, then time, then value) and the true least and
/// greatest value with the first point that has it; these two are null if all values are NaN.
pub(super) async fn envelope(call: Call) -> Result<Response> {
    let key = call.query.text("key").unwrap_or_default().to_owned();
    let buckets = usize::try_from(call.query.int("buckets").unwrap_or(USUAL_BUCKETS)).ok();
    let buckets = buckets.and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
    let (first, last) = (call.query.int("first_step"), call.query.int("last_step"));
    let run = RunId(call.path("run_id").to_owned());
    let chart = call.app.metric_envelope(&call.ctx, run, key.clone(), first, last, buckets).await?;
    reply(&EnvelopeDto::new(call.path("run_id"), &key, buckets.get(), chart))
}

pub(super) const ENVELOPE: &[Parameter] = &[
    Parameter::text("key", "The metric.").required(),
    Parameter::integer("buckets", 1, MOST_BUCKETS, "How many ranges of steps; 1,000 unless given."),
    Parameter::integer("first_step", i64::MIN, i64::MAX, "Where the ranges begin; with the series unless given."),
    Parameter::integer("last_step", i64::MIN, i64::MAX, "Where the ranges end; with the series unless given."),
];

/// A metric in so many equal ranges of steps.
#[derive(Serialize, ToSchema)]
#[schema(as = MetricEnvelope)]
pub(super) struct EnvelopeDto<'a> {
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

/// A range of steps, both ends included, with what lies in it. Least and greatest are null if all values are NaN.
#[derive(Serialize, ToSchema)]
#[schema(as = MetricBucket)]
pub(super) struct BucketDto {
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

/// A logged value.
#[derive(Serialize, ToSchema)]
#[schema(as = Point)]
pub(super) struct PointDto {
    step: i64,
    /// Milliseconds since 1970.
    timestamp: i64,
    value: Number,
}

impl From<Point> for PointDto {
    fn from(Point { step, timestamp, value }: Point) -> PointDto {
        PointDto { step, timestamp, value: Number(value) }
    }
}

/// A number of JSON, or the text `NaN`, `Infinity` or `-Infinity`.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            value => serializer.serialize_f64(value),
        }
    }
}

impl ToSchema for Number {}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["NaN", "Infinity", "-Infinity"]));
        OneOfBuilder::new().item(f64::schema()).item(text).into()
    }
}

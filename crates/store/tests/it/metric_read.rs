//! Histories, samples and charts against the raw points, however these are spread over chunks.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stele_domain::Point;
use stele_store::series::{Bucket, Summary};
use stele_store::{Chart, DatabaseUrl, HistoryStart};

use crate::metrics::Logger;

/// How a batch of points looks.
#[derive(Debug, Clone)]
struct Batch {
    first_step: i64,
    count: usize,
    stride: i64,
    /// The clock of the batch: batches with the same one interleave in time.
    clock: i64,
    seed: u64,
    /// Whether the chunks made so far lose their summaries, as those have that an older version wrote.
    forget: bool,
    merge: bool,
}

impl Batch {
    fn points(&self) -> Vec<Point> {
        let mut noise = self.seed | 1;
        (0..self.count)
            .map(|index| {
                noise ^= noise << 13;
                noise ^= noise >> 7;
                noise ^= noise << 17;
                let value = match noise % 23 {
                    0 => f64::NAN,
                    1 => f64::INFINITY,
                    2 => f64::NEG_INFINITY,
                    3 => 1e9 * (noise % 7) as f64,
                    other => other as f64 / 10.0,
                };
                // Every step is logged twice, at other times.
                let step = self.first_step.saturating_add((index as i64 / 2) * self.stride);
                Point::new(step, self.clock + (noise % 3) as i64 + 2 * index as i64, value)
            })
            .collect()
    }
}

fn batch() -> impl Strategy<Value = Batch> {
    let count = prop_oneof![4 => 1usize..20, 2 => 200usize..1500, 1 => 4000usize..9000];
    let first_step = prop_oneof![8 => -3000i64..9000, 1 => Just(i64::MIN), 1 => Just(i64::MAX - 5)];
    let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    (first_step, count, 0i64..4, 0i64..20_000, any::<u64>(), flags).prop_map(
        |(first_step, count, stride, clock, seed, (forget, merge))| Batch {
            first_step,
            count,
            stride,
            clock,
            seed,
            forget,
            merge,
        },
    )
}

/// A summary as its documentation says, of sorted points.
fn naive_summary(points: &[Point]) -> Option<Summary> {
    let by_value = |a: &Point, b: &Point| a.value.partial_cmp(&b.value).unwrap_or(Ordering::Equal);
    let numbers = || points.iter().filter(|point| !point.value.is_nan()).copied();
    Some(Summary {
        points: points.len(),
        nan: points.len() - numbers().count(),
        first: *points.first()?,
        last: *points.last()?,
        min: numbers().min_by(by_value),
        max: numbers().rev().max_by(by_value),
    })
}

fn naive_chart(points: &[Point], steps: RangeInclusive<i64>, buckets: usize) -> Chart {
    let (start, span) = (i128::from(*steps.start()), i128::from(*steps.end()) - i128::from(*steps.start()) + 1);
    let from = |bucket: usize| start + (bucket as i128 * span + buckets as i128 - 1) / buckets as i128;
    let found = (0..buckets).filter_map(|index| {
        let range = from(index)..from(index + 1);
        let inside: Vec<Point> =
            points.iter().filter(|point| range.contains(&i128::from(point.step))).copied().collect();
        let steps = range.start as i64..=(range.end - 1) as i64;
        Some(Bucket { index, steps, summary: naive_summary(&inside)? })
    });
    Chart { buckets: found.collect(), steps }
}

/// Leaves the chunks as a version without summaries wrote them.
fn forget_summaries(database: &DatabaseUrl) {
    const FORGET: &str = "DELETE FROM chunk_summary";
    match database {
        DatabaseUrl::Sqlite(path) => {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
            connection.execute(FORGET, []).unwrap();
        }
        DatabaseUrl::Postgres(url) => {
            postgres::Client::connect(url, postgres::NoTls).unwrap().batch_execute(FORGET).unwrap();
        }
    }
}

async fn history(logger: &Logger, start: usize, page: usize) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let mut next = HistoryStart::Offset(start);
    loop {
        let read = logger.read(move |tx, run| tx.metric_history(run, "loss", next, page)).await;
        assert!(read.points.len() == page || !read.has_more, "a page before the last is full");
        points.extend(read.points);
        match points.last() {
            Some(last) if read.has_more => next = HistoryStart::After(*last),
            _ => return points,
        }
    }
}

#[test]
fn what_is_read_is_what_was_logged_however_it_is_stored() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for database in runtime.block_on(stele_testkit::databases()) {
        let cases = (
            prop::collection::vec(batch(), 1..12),
            1usize..400,
            prop::option::of(-4000i64..12_000),
            prop::option::of(-4000i64..12_000),
            any::<prop::sample::Index>(),
            1usize..6000,
        );
        let mut runner = TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() });
        let names = std::cell::Cell::new(0);
        runner
            .run(&cases, |(batches, buckets, one, other, offset, page)| {
                names.set(names.get() + 1);
                runtime.block_on(async {
                    let logger = Logger::new(database.store.clone(), format!("read-{}", names.get())).await;
                    let mut all = BTreeSet::new();
                    for batch in &batches {
                        all.extend(batch.points());
                        logger.log(batch.points()).await;
                        // Again, as after a lost answer.
                        logger.log(batch.points()[..batch.count / 3].to_vec()).await;
                        if batch.merge {
                            // As many as make the merger look.
                            for step in 0..33 {
                                let single = Point::new(batch.first_step.saturating_add(step), 7, 0.5);
                                all.insert(single);
                                logger.log(vec![single]).await;
                            }
                            logger.merge().await;
                        }
                        if batch.forget {
                            let url = database.url.clone();
                            tokio::task::spawn_blocking(move || forget_summaries(&url)).await.unwrap();
                        }
                    }
                    let points: Vec<Point> = all.into_iter().collect();

                    let (first, last) = match (one, other) {
                        (Some(one), Some(other)) => (Some(one.min(other)), Some(one.max(other))),
                        ends => ends,
                    };
                    let count = NonZeroUsize::new(buckets).unwrap();
                    let chart = logger.read(move |tx, run| tx.metric_envelope(run, "loss", first, last, count)).await;
                    let chart = chart.unwrap();
                    let default = points[0].step..=points[points.len() - 1].step;
                    let steps = match (first, last) {
                        (Some(first), Some(last)) => first..=last,
                        (Some(first), None) => first..=first.max(*default.end()),
                        (None, Some(last)) => last.min(*default.start())..=last,
                        (None, None) => default,
                    };
                    prop_assert_eq!(&chart, &naive_chart(&points, steps.clone(), buckets), "on {}", database.engine);

                    let ranged: Vec<Point> =
                        points.iter().filter(|point| steps.contains(&point.step)).copied().collect();
                    let expected: Vec<Point> = ranged.iter().step_by(buckets).copied().collect();
                    let sample = logger.read(move |tx, run| {
                        tx.metric_points_at(run, "loss", &steps, |count| (0..count).step_by(buckets).collect())
                    });
                    prop_assert_eq!(sample.await, expected, "sampled on {}", database.engine);

                    let mut by_time = points;
                    by_time.sort_by(Point::cmp_by_time);
                    let start = offset.index(by_time.len() + 2);
                    let expected = by_time.get(start..).unwrap_or_default();
                    prop_assert_eq!(history(&logger, start, page).await, expected, "history on {}", database.engine);
                    Ok(())
                })
            })
            .unwrap();
    }
}

#[tokio::test]
async fn a_metric_that_was_never_logged_has_nothing_to_read() {
    for database in stele_testkit::databases().await {
        let logger = Logger::new(database.store.clone(), "empty".to_owned()).await;
        let count = NonZeroUsize::new(10).unwrap();
        assert_eq!(logger.read(move |tx, run| tx.metric_envelope(run, "loss", None, None, count)).await, None);
        assert_eq!(history(&logger, 0, 5).await, []);
    }
}

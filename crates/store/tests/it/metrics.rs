use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stele_domain::authz::{
    LogRun, ManageExperiment, Permit, Principal, Rules, Subject, Visibility, authorize, visible,
};
use stele_domain::id::{RunId, RunRow, Timestamp};
use stele_domain::lifecycle::{RunKind, RunStatus};
use stele_domain::record::MetricValue;
use stele_domain::{MetricValues, Point, Result};
use stele_store::{DatabaseUrl, NewExperiment, NewRun, Store, Tx};

/// A run to log to, and what allows it.
#[derive(Clone)]
pub(crate) struct Logger {
    pub(crate) store: Store,
    permit: Permit<LogRun>,
    visible: Visibility,
    run: RunId,
}

impl Logger {
    pub(crate) async fn new(store: Store, name: String) -> Logger {
        let workspace = store.write(|tx| tx.bootstrap("mlflow-artifacts:/0", Timestamp(0))).await.unwrap();
        let subject = Subject { principal: Principal::LocalOwner, workspace, workspace_name: "default".into() };
        let (manage, permit) =
            (authorize::<ManageExperiment>(&subject, Rules::none()), authorize::<LogRun>(&subject, Rules::none()));
        let run = RunId(name.clone());
        let logger = Logger { store, permit, visible: visible(&subject), run };
        let (allowed, id) = (logger.permit.clone(), logger.run.clone());
        logger
            .store
            .write(move |tx| {
                let experiment = NewExperiment {
                    name: name.clone(),
                    artifact_location: None,
                    default_root: "mlflow-artifacts:/".to_owned(),
                    tags: Vec::new(),
                };
                let experiment = tx.experiment_create(&manage, &experiment, Timestamp(0))?;
                let run = NewRun {
                    id: id.clone(),
                    experiment,
                    kind: RunKind::Training,
                    parent: None,
                    name: name.clone(),
                    status: RunStatus::Running,
                    user: String::new(),
                    artifact_uri: String::new(),
                    started_at: None,
                    tags: Vec::new(),
                };
                tx.run_create(&allowed, &run, Timestamp(0))
            })
            .await
            .unwrap();
        logger
    }

    pub(crate) async fn log(&self, points: Vec<Point>) {
        let Logger { permit, run, .. } = self.clone();
        self.store
            .write(move |tx| {
                let run = tx.run_open(&permit, &run)?;
                let values: MetricValues = points
                    .iter()
                    .map(|point| MetricValue { key: "loss".to_owned(), point: *point, subject: None })
                    .collect();
                tx.run_metrics_append(&permit, &run, &values)
            })
            .await
            .unwrap();
    }

    /// Reads from the series as `read` does.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Tx, RunRow) -> Result<T> + Send + 'static,
    ) -> T {
        let Logger { visible, run, .. } = self.clone();
        let read = self.store.read(move |tx| {
            let run = tx.run_info(&visible, &run)?;
            read(tx, run.row)
        });
        read.await.unwrap()
    }

    pub(crate) async fn merge(&self) {
        while self.store.series_merge_one().await.unwrap() {}
    }

    /// Every stored point, and the newest one as the run shows it.
    async fn stored(&self) -> (Vec<Point>, Option<Point>) {
        let Logger { visible, run, .. } = self.clone();
        self.store
            .read(move |tx| {
                let run = tx.run_get(&visible, &run)?;
                let row: RunRow = run.info.row;
                let points = tx.metric_points_at(row, "loss", &(i64::MIN..=i64::MAX), |count| (0..count).collect())?;
                Ok((points, run.metrics.first().map(|metric| metric.point)))
            })
            .await
            .unwrap()
    }
}

/// Few different points, so that batches overlap.
fn point() -> impl Strategy<Value = Point> {
    let value = prop_oneof![Just(0.0), Just(-0.0), Just(1.5), Just(f64::NAN), Just(f64::INFINITY), Just(-2.0)];
    (-3_i64..6, 0_i64..4, value).prop_map(|(step, timestamp, value)| Point::new(step, timestamp, value))
}

#[test]
fn a_series_is_the_set_of_its_points_however_they_arrive() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for database in runtime.block_on(stele_testkit::databases()) {
        let batches = prop::collection::vec((prop::collection::vec(point(), 1..12), any::<bool>()), 1..50);
        let mut names = 0..;
        let mut runner = TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() });
        let names = std::cell::RefCell::new(&mut names);
        runner
            .run(&batches, |batches| {
                let name = format!("run-{}", names.borrow_mut().next().unwrap_or(0));
                runtime.block_on(async {
                    let logger = Logger::new(database.store.clone(), name).await;
                    let mut expected = BTreeSet::new();
                    for (batch, again) in batches {
                        expected.extend(batch.iter().copied());
                        logger.log(batch.clone()).await;
                        if again {
                            logger.log(batch).await;
                        }
                    }
                    let expected: Vec<Point> = expected.into_iter().collect();
                    let newest = expected.last().copied();
                    prop_assert_eq!(logger.stored().await, (expected.clone(), newest));
                    while logger.store.series_merge_one().await.unwrap() {}
                    prop_assert_eq!(logger.stored().await, (expected, newest), "after merging");
                    Ok(())
                })
            })
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn merging_while_everybody_logs_loses_and_repeats_nothing() {
    for database in stele_testkit::databases().await {
        let logger = Logger::new(database.store.clone(), "busy".to_owned()).await;
        let writers: Vec<_> = (0..4_i64)
            .map(|writer| {
                let logger = logger.clone();
                tokio::spawn(async move {
                    for step in 0..60_i64 {
                        logger.log(vec![Point::new(step * 4 + writer, step, 0.5)]).await;
                    }
                })
            })
            .collect();
        let merger = tokio::spawn({
            let store = logger.store.clone();
            async move {
                let mut merged = 0;
                for _ in 0..200 {
                    merged += u32::from(store.series_merge_one().await.unwrap());
                }
                merged
            }
        });
        for writer in writers {
            writer.await.unwrap();
        }
        merger.await.unwrap();
        let (points, newest) = logger.stored().await;
        let steps: Vec<i64> = points.iter().map(|point| point.step).collect();
        assert_eq!(steps, (0..240).collect::<Vec<_>>(), "on {}", database.engine);
        assert_eq!(newest.map(|point| point.step), Some(239));
    }
}

/// How many chunks the database has.
fn chunks(database: &DatabaseUrl) -> i64 {
    const COUNT: &str = "SELECT COUNT(*) FROM chunk";
    match database {
        DatabaseUrl::Sqlite(path) => {
            rusqlite::Connection::open(path).unwrap().query_row(COUNT, [], |row| row.get(0)).unwrap()
        }
        DatabaseUrl::Postgres(url) => {
            postgres::Client::connect(url, postgres::NoTls).unwrap().query_one(COUNT, &[]).unwrap().get(0)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_logged_one_by_one_are_read_at_once_and_share_chunks() {
    for database in stele_testkit::databases().await {
        let logger = Logger::new(database.store.clone(), "one by one".to_owned()).await;
        let mut expected = BTreeSet::new();
        // Out of order, and each sent again.
        for step in (0..100).map(|index| (index * 37) % 100) {
            let point = Point::new(step, 0, step as f64);
            expected.insert(point);
            logger.log(vec![point]).await;
            logger.log(vec![point]).await;
            let newest = expected.last().copied();
            assert_eq!(logger.stored().await, (expected.iter().copied().collect(), newest), "on {}", database.engine);
        }
        let url = database.url.clone();
        let count = tokio::task::spawn_blocking(move || chunks(&url)).await.unwrap();
        assert_eq!(count, 3, "100 points in chunks of 32, and a tail, on {}", database.engine);
        let chart = logger
            .read(|tx, run| tx.metric_envelope(run, "loss", None, None, std::num::NonZeroUsize::new(4).unwrap()))
            .await
            .unwrap();
        assert_eq!(chart.steps, 0..=99);
        assert_eq!(chart.buckets.iter().map(|bucket| bucket.summary.points).collect::<Vec<_>>(), [25; 4]);
    }
}

use stele_domain::authz::{
    LogRun, ManageExperiment, Permit, Principal, Rules, Subject, Visibility, authorize, visible,
};
use stele_domain::id::{ExperimentId, RunId, RunRow, Timestamp};
use stele_domain::lifecycle::{Presence, RunKind, RunStatus};
use stele_domain::record::{Experiment, MetricValue, Param, Run, Tag};
use stele_domain::search::{Attribute, Comparison, Direction, Field, Filter, Order, Predicate, Presences, RunSearch};
use stele_domain::{MetricValues, Point, Result};
use stele_store::{LoadedLineage, LoadedMetric, LoadedRun, LoadedRuns, NewExperiment, NewRun, RunBatch, Store, Tx};

/// A database with one experiment, and what allows to fill it.
#[derive(Clone)]
struct Record {
    store: Store,
    permit: Permit<LogRun>,
    visible: Visibility,
    experiment: Experiment,
}

impl Record {
    async fn new(store: Store) -> Record {
        let workspace = store.write(|tx| tx.bootstrap("mlflow-artifacts:/0", Timestamp(0))).await.unwrap();
        let subject = Subject { principal: Principal::LocalOwner, workspace, workspace_name: "default".into() };
        let manage = authorize::<ManageExperiment>(&subject, Rules::none());
        let visible = visible(&subject);
        let seen = visible.clone();
        let make = move |tx: &mut Tx| {
            let new = NewExperiment {
                name: "loaded".to_owned(),
                artifact_location: None,
                default_root: "mlflow-artifacts:/".to_owned(),
                tags: Vec::new(),
            };
            let id = tx.experiment_create(&manage, &new, Timestamp(0))?;
            tx.experiment_get(&seen, id)
        };
        let experiment = store.write(make).await.unwrap();
        Record { store, permit: authorize(&subject, Rules::none()), visible, experiment }
    }

    async fn load(&self, runs: Vec<LoadedRun>) -> Result<LoadedRuns> {
        let (batch, Record { permit, experiment, .. }) = (RunBatch::new(runs), self.clone());
        self.store.write(move |tx| tx.runs_load(&permit, &experiment, &batch, Timestamp(50))).await
    }

    async fn runs(&self) -> Vec<Run> {
        let search = RunSearch {
            experiments: vec![self.experiment.id].into(),
            presences: Presences::All,
            ..RunSearch::default()
        };
        let visible = self.visible.clone();
        self.store.read(move |tx| tx.runs_search(&visible, &search)).await.unwrap().items
    }

    async fn points(&self, run: &Run, key: &'static str) -> Vec<Point> {
        let row = run.info.row;
        let all = |count| (0..count).collect();
        self.store.read(move |tx| tx.metric_points_at(row, key, &(i64::MIN..=i64::MAX), all)).await.unwrap()
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

fn param(key: &str, value: &str) -> Param {
    Param { key: key.to_owned(), value: value.to_owned() }
}

fn loaded(number: i64) -> LoadedRun {
    LoadedRun {
        id: RunId(format!("run{number:04}")),
        kind: RunKind::Training,
        parent: None,
        name: format!("run {number}"),
        status: RunStatus::Completed,
        presence: Presence::Active,
        deleted_at: None,
        user: "somebody".to_owned(),
        artifact_uri: None,
        started_at: Some(Timestamp(1_000 + number)),
        ended_at: Some(Timestamp(2_000 + number)),
        created_at: Timestamp(number),
        tags: vec![tag("model", "resnet"), tag("a", &number.to_string())],
        params: vec![param("lr", &format!("0.{number}")), param("depth", "12")],
        metrics: vec![
            LoadedMetric { key: "loss".to_owned(), points: vec![Point::new(1, 10, 0.5), Point::new(0, 9, f64::NAN)] },
            LoadedMetric { key: "accuracy".to_owned(), points: vec![Point::new(7, 10, number as f64)] },
        ],
        lineage: LoadedLineage::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_run_reads_as_one_that_was_logged() {
    for database in stele_testkit::databases().await {
        let record = Record::new(database.store.clone()).await;
        let long = (0..10_000).map(|step| Point::new(step, step * 3, 1.0 / step as f64)).collect::<Vec<_>>();
        let mut run = loaded(1);
        run.metrics.push(LoadedMetric { key: "long".to_owned(), points: long.iter().rev().copied().collect() });
        record.load(vec![run.clone()]).await.unwrap();

        let (logged, Record { permit, experiment, visible, .. }) = (run.clone(), record.clone());
        let log = move |tx: &mut Tx| {
            let id = RunId("logged".to_owned());
            let new = NewRun {
                id: id.clone(),
                experiment: experiment.id,
                kind: logged.kind,
                parent: None,
                name: logged.name.clone(),
                status: logged.status,
                user: logged.user.clone(),
                artifact_uri: "mlflow-artifacts:/1/logged/artifacts".to_owned(),
                started_at: logged.started_at,
                tags: logged.tags.clone(),
            };
            tx.run_create(&permit, &new, Timestamp(0))?;
            let mut info = tx.run_info(&visible, &id)?;
            info.ended_at = logged.ended_at;
            tx.run_update(&permit, &info)?;
            tx.run_params_set(&permit, &info, &logged.params)?;
            let value = |key: &str, point: &Point| MetricValue { key: key.to_owned(), point: *point, subject: None };
            let values: MetricValues =
                logged.metrics.iter().flat_map(|metric| metric.points.iter().map(|p| value(&metric.key, p))).collect();
            tx.run_metrics_append(&permit, &info, &values)
        };
        record.store.write(log).await.unwrap();

        let [mut first, mut second] = <[Run; 2]>::try_from(record.runs().await).unwrap();
        for key in ["loss", "accuracy", "long"] {
            assert_eq!(record.points(&first, key).await, record.points(&second, key).await, "{}", database.engine);
        }
        assert_eq!(record.points(&first, "long").await, long);
        for run in [&mut first, &mut second] {
            let id = run.info.id.clone();
            assert_eq!(run.info.artifact_uri, format!("mlflow-artifacts:/{}/{id}/artifacts", record.experiment.id));
            (run.info.row, run.info.id) = (stele_domain::id::RunRow(0), RunId(String::new()));
            run.info.artifact_uri.clear();
        }
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "on {}", database.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_can_be_started_again() {
    for database in stele_testkit::databases().await {
        let record = Record::new(database.store.clone()).await;
        let runs = |numbers: std::ops::Range<i64>| numbers.map(loaded).collect::<Vec<_>>();
        record.load(runs(0..40)).await.unwrap();
        let again = record.load(runs(0..100)).await.unwrap();
        let expected = LoadedRuns { runs: 60, known: 40, tags: 120, params: 120, metrics: 120, points: 180 };
        assert_eq!(again, expected, "on {}", database.engine);
        let found = record.runs().await;
        assert_eq!(found.len(), 100);
        assert!(found.iter().all(|run| run.tags.len() == 2 && run.params.len() == 2 && run.metrics.len() == 2));
        assert!(record.load(runs(100..10_101)).await.is_err(), "a batch has a bound");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_twice_counts_once_and_parents_are_found() {
    for database in stele_testkit::databases().await {
        let record = Record::new(database.store.clone()).await;
        record.load(vec![loaded(0)]).await.unwrap();
        let nested = |number, parent: &str| LoadedRun { parent: Some(RunId(parent.to_owned())), ..loaded(number) };
        let mut child = nested(1, "run0000");
        child.tags.extend([tag("model", "vit"), tag("model", "bert")]);
        child.params.push(param("depth", "24"));
        child.metrics.push(LoadedMetric { key: "loss".to_owned(), points: vec![Point::new(1, 10, 0.5)] });
        child.metrics.push(LoadedMetric { key: "nothing".to_owned(), points: vec![] });
        let loaded = record.load(vec![child, nested(2, "run0001"), nested(3, "unknown"), loaded(1)]).await.unwrap();
        assert_eq!((loaded.runs, loaded.metrics, loaded.points), (3, 6, 9));
        let runs = record.runs().await;
        let child = runs.iter().find(|run| run.info.id.as_str() == "run0001").unwrap();
        assert_eq!(child.tags, [tag("a", "1"), tag("model", "bert")]);
        assert_eq!(child.params, [param("depth", "24"), param("lr", "0.1")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_find_parents_that_came_after_them() {
    for database in stele_testkit::databases().await {
        let record = Record::new(database.store.clone()).await;
        let nested = |number, parent: &str| {
            let mut run = LoadedRun { parent: Some(RunId(parent.to_owned())), ..loaded(number) };
            run.tags.push(tag("parent", parent));
            run
        };
        // A chain whose top comes last, one that names nobody, and one that names itself.
        let chain =
            vec![nested(0, "run0001"), nested(1, "run0002"), loaded(2), nested(3, "unknown"), nested(4, "run0004")];
        record.load(chain).await.unwrap();
        let link = async |after, last| {
            let permit = record.permit.clone();
            let link = move |tx: &mut Tx| tx.run_parents_link(&permit, "parent", RunRow(after), RunRow(last));
            record.store.write(link).await.unwrap().values().sum::<usize>()
        };
        assert_eq!(record.store.read(|tx| tx.run_newest()).await.unwrap(), RunRow(5));
        let linked = [link(3, 5).await, link(1, 3).await, link(0, 1).await];
        assert_eq!(linked, [0, 1, 1], "on {}", database.engine);
        assert_eq!(link(0, 5).await, 0, "all are where they belong");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_load_ends_with_every_index() {
    for database in stele_testkit::databases().await {
        let record = Record::new(database.store.clone()).await;
        record.store.load_begin().await.unwrap();
        let deleted = LoadedRun { presence: Presence::Deleted, ..loaded(0) };
        record.load(vec![deleted]).await.unwrap();
        record.load((1..50).map(loaded).collect()).await.unwrap();
        assert_eq!(by_accuracy_above(&record, 45.5).await, ["run0049", "run0048", "run0047", "run0046"]);
        // As the next start does after a load that was killed.
        record.store.load_finish().await.unwrap();
        assert_eq!(by_accuracy_above(&record, 45.5).await, ["run0049", "run0048", "run0047", "run0046"]);
        record.store.load_begin().await.unwrap();
        record.load((50..60).map(loaded).collect()).await.unwrap();
        assert_eq!(by_accuracy_above(&record, 57.5).await, ["run0059", "run0058"], "on {}", database.engine);
    }
}

async fn by_accuracy_above(record: &Record, least: f64) -> Vec<String> {
    let accuracy = || Field::Metric("accuracy".to_owned());
    let mut search = RunSearch { experiments: vec![record.experiment.id].into(), ..RunSearch::default() };
    search.query.filter = Filter::And(vec![
        Filter::Test(accuracy(), Predicate::Number(Comparison::Greater, least)),
        Filter::Test(Field::Attribute(Attribute::User), Predicate::IsNotNull),
    ]);
    search.query.order_by = vec![Order { field: accuracy(), direction: Direction::Descending }];
    let visible = record.visible.clone();
    let found = record.store.read(move |tx| tx.runs_search(&visible, &search)).await.unwrap();
    found.items.into_iter().map(|run| run.info.id.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_another_experiment_keeps_its_place() {
    for database in stele_testkit::databases().await {
        let record = Record::new(database.store.clone()).await;
        record.load(vec![loaded(0)]).await.unwrap();
        let elsewhere =
            Record { experiment: Experiment { id: ExperimentId(0), ..record.experiment.clone() }, ..record.clone() };
        let again = elsewhere.load(vec![loaded(0)]).await.unwrap();
        assert_eq!((again.runs, again.known), (0, 1), "on {}", database.engine);
        assert_eq!(record.runs().await.len(), 1);
    }
}

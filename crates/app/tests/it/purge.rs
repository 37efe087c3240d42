//! Freeing what is in the trash: rows, files, and what a purge that was killed left.

use bytes::Bytes;
use stele_app::{ArtifactRoot, LoadedModel, LoadedVersion, NewAccount, NewExperiment, NewRun, RunValues};
use stele_domain::directory::Holder;
use stele_domain::id::{ExperimentId, GrantRow, RunId, Timestamp};
use stele_domain::identity::{Role, Scope};
use stele_domain::lifecycle::Stage;
use stele_domain::record::{MetricValue, Param, Tag};
use stele_domain::{ArtifactPath, Error, Point};
use stele_testkit::TestApp;

const DAY: i64 = 24 * 60 * 60 * 1000;

async fn experiment(test: &TestApp, name: &str) -> ExperimentId {
    let new = NewExperiment { name: name.to_owned(), artifact_location: None, tags: Vec::new() };
    test.app.experiment_create(&test.ctx, new).await.unwrap()
}

/// A run with values of every kind and a file.
async fn run(test: &TestApp, experiment: ExperimentId, parent: Option<RunId>) -> RunId {
    let new = NewRun {
        experiment,
        parent,
        name: "run".to_owned(),
        user: String::new(),
        started_at: Some(Timestamp(1)),
        tags: vec![Tag { key: "a".to_owned(), value: "b".to_owned() }],
    };
    let id = test.app.run_create(&test.ctx, new).await.unwrap().info.id;
    let points = (0..2000).map(|step| MetricValue {
        key: "loss".to_owned(),
        point: Point::new(step, step, step as f64),
        subject: None,
    });
    let values = RunValues {
        params: vec![Param { key: "p".to_owned(), value: "1".to_owned() }],
        metrics: points.collect(),
        ..RunValues::default()
    };
    test.app.run_log(&test.ctx, id.clone(), values).await.unwrap();
    put(test, &id).await;
    id
}

async fn put(test: &TestApp, run: &RunId) {
    let content = futures::stream::iter([Ok::<_, Error>(Bytes::from_static(b"weights"))]);
    let path = ArtifactPath::parse("model/weights.bin").unwrap();
    test.app.artifact_put(&test.ctx, &ArtifactRoot::Run(run.clone()), &path, None, content).await.unwrap();
}

fn folder_of(test: &TestApp, experiment: ExperimentId, run: &RunId) -> std::path::PathBuf {
    test.artifacts.path().join(experiment.to_string()).join(run.as_str())
}

async fn is_there(test: &TestApp, run: &RunId) -> bool {
    match test.app.run_get(&test.ctx, run.clone()).await {
        Ok(_) => true,
        Err(Error::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_for_long_goes_with_its_files_and_nothing_else_does() {
    for test in stele_testkit::apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let experiment = experiment(&test, "e").await;
        let old = run(&test, experiment, None).await;
        let child = run(&test, experiment, Some(old.clone())).await;
        let recent = run(&test, experiment, None).await;
        app.run_delete(ctx, old.clone()).await.unwrap();
        test.clock.advance(30 * DAY);
        app.run_delete(ctx, recent.clone()).await.unwrap();

        let cutoff = Timestamp(ctx.now().0 - 10 * DAY);
        let due = app.trash_due(ctx, cutoff).await.unwrap();
        assert_eq!((due.runs, due.experiments), (1, 0), "{}", test.engine);
        let report = app.purge(ctx, cutoff, |_| ()).await.unwrap();
        assert_eq!((report.runs, report.roots, report.left.len()), (1, 1, 0), "{}", test.engine);
        assert!(!is_there(&test, &old).await);
        assert!(!folder_of(&test, experiment, &old).exists());
        for kept in [&child, &recent] {
            assert!(is_there(&test, kept).await);
            assert!(folder_of(&test, experiment, kept).join("artifacts/model/weights.bin").is_file());
        }
        app.run_restore(ctx, recent.clone()).await.unwrap();
        let again = app.purge(ctx, cutoff, |_| ()).await.unwrap();
        assert_eq!((again.runs, again.roots), (0, 0), "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_experiment_goes_whole_and_its_name_is_free() {
    for test in stele_testkit::apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let gone = experiment(&test, "gone").await;
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.push(run(&test, gone, runs.last().cloned()).await);
        }
        app.experiment_delete(ctx, gone).await.unwrap();
        let report = app.purge(ctx, ctx.now(), |_| ()).await.unwrap();
        assert_eq!((report.runs, report.experiments, report.roots), (3, 1, 3), "{}", test.engine);
        assert!(app.experiment_get(ctx, gone).await.is_err());
        assert_ne!(experiment(&test, "gone").await, gone, "{}", test.engine);
    }
}

/// An import may bring an experiment of the same id, which is another one.
#[tokio::test(flavor = "multi_thread")]
async fn roles_on_an_experiment_go_with_it() {
    for test in stele_testkit::apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let (gone, kept) = (experiment(&test, "gone").await, experiment(&test, "kept").await);
        app.account_create(ctx, NewAccount::user("ann")).await.unwrap();
        let ann = || Holder::Account("ann".to_owned());
        let on = |experiment: ExperimentId| Scope::Experiment(experiment.to_string());
        for scope in [on(gone), on(kept), Scope::Workspace("default".to_owned())] {
            app.grant_create(ctx, ann(), Role::Viewer, scope).await.unwrap();
        }
        let held = || async {
            let held = app.grants_list(ctx, Some(ann()), GrantRow(0), 10).await.unwrap().items;
            held.into_iter().map(|grant| grant.scope).collect::<Vec<_>>()
        };
        app.experiment_delete(ctx, gone).await.unwrap();
        assert_eq!(held().await.len(), 3, "{}: it may still be restored", test.engine);
        app.purge(ctx, ctx.now(), |_| ()).await.unwrap();
        assert_eq!(held().await, [on(kept), Scope::Workspace("default".to_owned())], "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_was_made_from_is_kept() {
    for test in stele_testkit::apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let experiment = experiment(&test, "e").await;
        let used = run(&test, experiment, None).await;
        let model = LoadedModel {
            name: "m".to_owned(),
            description: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            tags: Vec::new(),
            aliases: Vec::new(),
            last_number: 1,
        };
        let version = LoadedVersion {
            number: 1,
            description: None,
            user: None,
            stage: Stage::Production,
            source: "s".to_owned(),
            storage_uri: "s".to_owned(),
            run: Some(used.clone()),
            run_link: None,
            logged_model: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            tags: Vec::new(),
        };
        assert!(app.model_load(ctx, model, vec![version]).await.unwrap());
        app.experiment_delete(ctx, experiment).await.unwrap();
        let due = app.trash_due(ctx, ctx.now()).await.unwrap();
        assert_eq!((due.runs, due.runs_kept, due.experiments), (0, 1, 0), "{}", test.engine);
        let report = app.purge(ctx, ctx.now(), |_| ()).await.unwrap();
        assert_eq!((report.runs, report.experiments, report.roots), (0, 0, 0), "{}", test.engine);
        assert!(is_there(&test, &used).await && folder_of(&test, experiment, &used).exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_killed_purge_left_go_with_the_next_one() {
    for test in stele_testkit::apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let experiment = experiment(&test, "e").await;
        let gone = run(&test, experiment, None).await;
        app.run_delete(ctx, gone.clone()).await.unwrap();
        // A kill between the two halves: the first is the transaction of the rows.
        let (killed_app, killed_ctx, cutoff) = (app.clone(), ctx.clone(), ctx.now());
        let killed = tokio::spawn(async move {
            killed_app.purge(&killed_ctx, cutoff, |removed| panic!("killed after {removed} runs")).await
        });
        assert!(killed.await.unwrap_err().is_panic());
        assert!(!is_there(&test, &gone).await && folder_of(&test, experiment, &gone).exists(), "{}", test.engine);
        let report = app.purge(ctx, ctx.now(), |_| ()).await.unwrap();
        assert_eq!((report.runs, report.roots), (0, 1), "{}", test.engine);
        assert!(!folder_of(&test, experiment, &gone).exists());
    }
}

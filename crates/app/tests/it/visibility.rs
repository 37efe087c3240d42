//! What one may not read does not exist for one: every read of the use cases, by somebody with a role on one experiment
//! and one model, beside which there is a hidden one of everything.

use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, stream};
use stele_app::{
    App, ArtifactRoot, CheckedSource, ComponentChange, Ctx, Faceted, HistoryStart, LineageWalk, NewComponent,
    NewEvaluationDataset, NewExperiment, NewIssue, NewLabelSchema, NewLoggedModel, NewModel, NewModelVersion,
    NewResource, NewRun, Owner, RunInputs, RunUpdate, RunValues, ScorersOf, Script, SourceError, SourceProblem,
    SourceRequest, StartedTrace, TRIAL, VersionChange,
};
use stele_domain::authz::Principal;
use stele_domain::id::{
    ArtifactRow, EvaluationDatasetRow, ExperimentId, IssueRow, LabelSchemaRow, LoggedModelId, ModelRow, ReviewQueueRow,
    RunId, RunRow, Timestamp, TraceRow,
};
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::lineage::LineageNode;
use stele_domain::record::{Dataset, DatasetInput, MetricValue, Tag};
use stele_domain::registry::Occupants;
use stele_domain::resource::Document;
use stele_domain::review::{IssueSearch, IssueStatus, LabelInput, LabelKind};
use stele_domain::search::{
    EvaluationDatasetSearch, ExperimentSearch, LoggedModelSearch, Query, ResourceSearch, RunSearch, Window,
};
use stele_domain::trace::{TraceFacts, TraceId, TraceState};
use stele_domain::{ArtifactPath, Error, Point, Result};
use stele_testkit::{TestApp, apps};

/// One of everything, whose names and values all begin with `side`.
#[derive(Debug, Clone)]
pub(crate) struct Things {
    pub(crate) side: &'static str,
    pub(crate) experiment: ExperimentId,
    pub(crate) run: RunId,
    logged_model: LoggedModelId,
    dataset: String,
    pub(crate) model: String,
    pub(crate) file: ArtifactPath,
}

impl Things {
    /// Both ways from an edge that somebody has drawn, and from what the record itself knows the lineage of.
    fn walk(&self) -> LineageWalk {
        let nodes = [
            LineageNode::Run { id: self.run.clone(), name: self.run.0.clone() },
            LineageNode::LoggedModel(self.logged_model.clone()),
            LineageNode::Version { model: self.model.clone(), number: 1, group: self.model.clone() },
        ];
        let mut starts = vec![format!("{}/a", self.side), format!("{}/b", self.side)];
        starts.extend(nodes.iter().map(LineageNode::end));
        LineageWalk { starts, origins: true, products: true, depth: 20 }
    }
}

pub(crate) fn somebody(test: &TestApp, grants: &[(Role, Scope)]) -> Ctx {
    let grants = grants.iter().map(|(role, scope)| Grant { role: *role, scope: scope.clone() }).collect();
    let account = Account::new("ann", AccountKind::User, Vec::new(), grants);
    test.app.context_of(Principal::Account(Arc::new(account)), Script::Mlflow, "test")
}

/// Holds a role on the experiment and the model of one side.
fn holder(test: &TestApp, role: Role, of: &Things) -> Ctx {
    somebody(test, &[(role, Scope::Experiment(of.experiment.to_string())), (role, Scope::Model(of.model.clone()))])
}

async fn fill(test: &TestApp, side: &'static str) -> Things {
    fill_in(&test.app, &test.ctx, side).await
}

pub(crate) async fn fill_in(app: &App, ctx: &Ctx, side: &'static str) -> Things {
    let named = |what: &str| format!("{side}-{what}");
    let tags = || vec![Tag { key: "k".to_owned(), value: named("tag") }];
    let new = NewExperiment { name: named("experiment"), artifact_location: None, tags: tags() };
    let experiment = app.experiment_create(ctx, new).await.unwrap();
    let new = NewRun {
        experiment,
        parent: None,
        name: named("run"),
        user: named("user"),
        started_at: Some(Timestamp(7)),
        tags: tags(),
    };
    let run = app.run_create(ctx, new).await.unwrap().info.id;
    let metrics = [MetricValue { key: named("metric"), point: Point::new(1, 1, 0.5), subject: None }];
    let values = RunValues { metrics: metrics.into_iter().collect(), ..RunValues::default() };
    app.run_log(ctx, run.clone(), values).await.unwrap();
    let dataset = Dataset {
        name: named("data"),
        digest: "1".to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: None,
        profile: None,
    };
    let inputs = RunInputs { datasets: vec![DatasetInput { dataset, tags: Vec::new() }], models: Vec::new() };
    app.run_inputs_log(ctx, run.clone(), inputs).await.unwrap();
    let new = NewLoggedModel {
        experiment,
        name: Some(named("logged")),
        model_type: None,
        source_run: Some(run.clone()),
        params: Vec::new(),
        tags: tags(),
    };
    let logged_model = app.logged_model_create(ctx, new).await.unwrap().id;
    app.scorer_register(ctx, experiment, named("scorer"), "{}".to_owned()).await.unwrap();
    app.issue_create(ctx, issue(experiment, named("issue"))).await.unwrap();
    app.review_queue_of_user(ctx, experiment, named("reviewer")).await.unwrap();
    let question = NewLabelSchema {
        experiment,
        name: named("question"),
        kind: LabelKind::Feedback,
        input: LabelInput::Text { max_length: None },
        instruction: None,
        has_comment: false,
    };
    app.label_schema_create(ctx, question).await.unwrap();
    let trace = StartedTrace {
        id: Some(TraceId::parse(&named("trace")).unwrap()),
        experiment,
        facts: TraceFacts::new(Timestamp(7), TraceState::Ok),
        tags: tags(),
        metadata: tags(),
        assessments: Vec::new(),
    };
    app.trace_start(ctx, trace).await.unwrap();
    let file = ArtifactPath::parse_file(&format!("{side}.txt")).unwrap();
    let content = stream::iter([Ok::<_, Error>(Bytes::from(named("content")))]);
    app.artifact_put(ctx, &ArtifactRoot::Run(run.clone()), &file, None, content).await.unwrap();
    let model = named("model");
    let new = NewModel { name: model.clone(), description: None, tags: tags() };
    app.model_create(ctx, new).await.unwrap();
    let source = app.run_get(ctx, run.clone()).await.unwrap().info.artifact_uri;
    let request = SourceRequest { source, run: Some(run.to_string()), logged_model: None };
    let source = app.model_source_check(ctx, request).await.unwrap();
    let new = NewModelVersion { model: model.clone(), source, run_link: None, description: None, tags: tags() };
    app.model_version_create(ctx, new).await.unwrap();
    app.model_alias_set(ctx, model.clone(), "champion".to_owned(), 1).await.unwrap();
    let trial = NewResource {
        kind: TRIAL,
        name: Some(named("trial")),
        experiment: Some(experiment),
        document: Document::new(),
        tags: Vec::new(),
    };
    app.resource_create(ctx, trial).await.unwrap();
    let new = NewEvaluationDataset {
        name: named("examples"),
        tags: tags(),
        experiments: vec![experiment.to_string()],
        user: None,
    };
    let dataset = app.evaluation_dataset_create(ctx, new).await.unwrap().id;
    app.association_add(ctx, format!("{side}/a"), format!("{side}/b"), "t".to_owned()).await.unwrap();
    Things { side, experiment, run, logged_model, dataset, model, file }
}

fn issue(experiment: ExperimentId, name: String) -> NewIssue {
    NewIssue {
        experiment,
        name,
        description: "d".to_owned(),
        status: IssueStatus::Pending,
        severity: None,
        root_causes: Vec::new(),
        categories: Vec::new(),
        source_run: None,
        created_by: None,
    }
}

pub(crate) type Answers = Vec<(&'static str, Result<String>)>;

fn told<T: Debug>(answer: Result<T>) -> Result<String> {
    answer.map(|answer| format!("{answer:?}"))
}

macro_rules! answers {
    ($($name:ident($($argument:expr),* $(,)?) of $app:ident for $ctx:ident;)+) => {
        vec![$((stringify!($name), told($app.$name($ctx, $($argument),*).await))),+]
    };
}

/// Every read that is about one thing.
pub(crate) async fn reads(app: &App, ctx: &Ctx, of: &Things) -> Answers {
    let Things { side, experiment, run, logged_model, model, file, .. } = of.clone();
    let of_run = ArtifactRoot::Run(run.clone());
    let of_version = ArtifactRoot::ModelVersion { model: model.clone(), number: 1 };
    let root = ArtifactPath::root();
    let behind = ArtifactPath::parse_file(&format!("{experiment}/{run}/artifacts/{file}")).unwrap();
    let folder = ArtifactPath::parse_directory(&format!("{experiment}")).unwrap();
    answers! {
        experiment_get(experiment) of app for ctx;
        experiment_get_by_name(format!("{side}-experiment")) of app for ctx;
        run_get(run.clone()) of app for ctx;
        runs_get(vec![run.clone()]) of app for ctx;
        component_get(run.to_string()) of app for ctx;
        metric_envelope(run.clone(), format!("{side}-metric"), None, None, NonZeroUsize::MIN) of app for ctx;
        logged_model_get(logged_model.clone()) of app for ctx;
        logged_model_get_any(logged_model.clone()) of app for ctx;
        lineage_end(format!("runs:/{run}")) of app for ctx;
        lineage_end(format!("models:/{logged_model}")) of app for ctx;
        lineage_end(format!("models:/{model}/1")) of app for ctx;
        model_get(model.clone()) of app for ctx;
        model_version_get(model.clone(), 1) of app for ctx;
        model_version_by_alias(model.clone(), "champion".to_owned()) of app for ctx;
        model_version_by_alias(model.clone(), "latest".to_owned()) of app for ctx;
        model_versions_latest(model.clone(), vec![Stage::None]) of app for ctx;
        resource_get(TRIAL, format!("{side}-trial")) of app for ctx;
        resource_history(TRIAL, format!("{side}-trial")) of app for ctx;
        scorers_list(ScorersOf::One(experiment)) of app for ctx;
        scorer_versions(experiment, format!("{side}-scorer")) of app for ctx;
        label_schemas_list(experiment, Window { offset: 0, limit: 2 }) of app for ctx;
        review_queue_by_name(experiment, format!("{side}-reviewer")) of app for ctx;
        review_queues_list(experiment, None, None, Window { offset: 0, limit: 2 }) of app for ctx;
        artifact_list(&of_run, &root) of app for ctx;
        artifact_at(&of_run, &root) of app for ctx;
        artifact_head(&of_run, &file) of app for ctx;
        artifact_list(&of_version, &root) of app for ctx;
        artifact_head(&of_version, &file) of app for ctx;
        artifact_root_uri(&ArtifactRoot::LoggedModel(logged_model)) of app for ctx;
        artifact_head(&ArtifactRoot::Server, &behind) of app for ctx;
        artifact_list(&ArtifactRoot::Server, &folder) of app for ctx;
    }
}

/// Every read that is about many things, among which only those count that are seen. The pages hold one thing each.
pub(crate) async fn lists(app: &App, ctx: &Ctx, sides: &[Things]) -> Answers {
    let experiments: Vec<ExperimentId> = sides.iter().map(|things| things.experiment).collect();
    let runs: Vec<RunId> = sides.iter().map(|things| things.run.clone()).collect();
    let query = || Query { window: Window { offset: 0, limit: 2 }, ..Query::default() };
    let run_search = RunSearch { experiments: experiments.clone().into(), query: query(), ..RunSearch::default() };
    let logged = LoggedModelSearch { experiments: experiments.clone(), query: query(), ..LoggedModelSearch::default() };
    let mut answers = answers! {
        experiment_search(ExperimentSearch { query: query(), ..ExperimentSearch::default() }) of app for ctx;
        run_search(run_search) of app for ctx;
        logged_model_search(logged) of app for ctx;
        model_search(query()) of app for ctx;
        model_version_search(query()) of app for ctx;
        resource_search(ResourceSearch { kind: TRIAL.to_owned(), query: query() }) of app for ctx;
        datasets_used(experiments.clone(), "context") of app for ctx;
        scorers_list(ScorersOf::All) of app for ctx;
        issue_search(IssueSearch { query: query(), ..IssueSearch::default() }) of app for ctx;
        scorers_list(ScorersOf::Some(experiments.clone())) of app for ctx;
        experiments_after(ExperimentId(0), 10) of app for ctx;
        runs_after(RunRow(0), 10) of app for ctx;
        datasets_after(ArtifactRow(0), 10) of app for ctx;
        logged_models_after(ArtifactRow(0), 10) of app for ctx;
        models_after(ModelRow(0), 10) of app for ctx;
        scorers_whole(experiments.clone()) of app for ctx;
        traces_after(TraceRow(0), 10) of app for ctx;
        issues_after(IssueRow(0), 10) of app for ctx;
        label_schemas_after(LabelSchemaRow(0), 10) of app for ctx;
        review_queues_after(ReviewQueueRow(0), 10) of app for ctx;
    };
    answers.push((
        "runs_known",
        app.runs_known(ctx, runs.clone()).await.map(|known| {
            let known = sides.iter().filter(|things| known.contains(&things.run)).map(|things| things.side);
            format!("{:?}", known.collect::<Vec<_>>())
        }),
    ));
    let trace = |things: &Things| TraceId::parse(&format!("{}-trace", things.side)).unwrap();
    answers.push((
        "traces_known",
        app.traces_known(ctx, sides.iter().map(trace).collect()).await.map(|known| {
            let known = sides.iter().filter(|things| known.contains(&trace(things))).map(|things| things.side);
            format!("{:?}", known.collect::<Vec<_>>())
        }),
    ));
    answers.push(("metric_history", {
        let mut points = Vec::new();
        for things in sides {
            let key = format!("{}-metric", things.side);
            let page =
                app.metric_history(ctx, things.run.clone(), key.clone(), HistoryStart::Offset(0), 9).await.unwrap();
            points.extend(page.points.iter().map(|_| key.clone()));
        }
        Ok(format!("{points:?}"))
    }));
    answers
}

/// The reads of what is in no experiment and no model, which need a role on the workspace.
pub(crate) async fn reads_of_the_workspace(app: &App, ctx: &Ctx, of: &Things) -> Answers {
    let search = EvaluationDatasetSearch::default();
    let mut answers = answers! {
        evaluation_dataset_get(of.dataset.clone()) of app for ctx;
        evaluation_dataset_search(search) of app for ctx;
        evaluation_dataset_experiments(of.dataset.clone()) of app for ctx;
        evaluation_datasets_after(EvaluationDatasetRow(0), 10) of app for ctx;
        evaluation_records_list(of.dataset.clone(), None, 9) of app for ctx;
        association_list(None, None) of app for ctx;
        association_list(Some(format!("{}/a", of.side)), None) of app for ctx;
        association_list(None, Some(format!("{}/b", of.side))) of app for ctx;
        lineage_walk(of.walk()) of app for ctx;
        webhooks_list(None, Window { offset: 0, limit: 9 }) of app for ctx;
        trash_due(Timestamp(i64::MAX)) of app for ctx;
        artifact_list(&ArtifactRoot::Server, &ArtifactPath::root()) of app for ctx;
    };
    answers.retain(|(_, answer)| !matches!(answer, Err(Error::NotFound { .. })));
    answers
}

#[tokio::test]
async fn what_may_not_be_read_does_not_exist() {
    for test in &apps().await {
        let (app, sides) = (&test.app, [fill(test, "seen").await, fill(test, "hidden").await]);
        let [seen, hidden] = &sides;
        for role in Role::ALL {
            let ctx = &holder(test, role, seen);
            for (name, answer) in reads(app, ctx, seen).await {
                let answer = answer.unwrap_or_else(|error| panic!("{name} of the seen: {error} on {}", test.engine));
                assert!(!answer.contains("hidden"), "{name}: {answer}");
            }
            for (name, answer) in reads(app, ctx, hidden).await {
                assert!(matches!(answer, Err(Error::NotFound { .. })), "{name}: {answer:?} on {}", test.engine);
            }
            for (name, answer) in lists(app, ctx, &sides).await {
                let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(answer.contains("seen") && !answer.contains("hidden"), "{name}: {answer} on {}", test.engine);
            }
            for (name, answer) in reads_of_the_workspace(app, ctx, hidden).await {
                let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(!answer.contains("seen") && !answer.contains("hidden"), "{name}: {answer} on {}", test.engine);
            }
            let none = app.runs_count(ctx).await.unwrap();
            assert_eq!(none, 1, "the hidden run is not counted");
        }
        let everywhere = &somebody(test, &[(Role::Viewer, Scope::Workspace("default".to_owned()))]);
        for (name, answer) in lists(app, everywhere, &sides).await {
            let answer = answer.unwrap();
            assert!(answer.contains("seen") && answer.contains("hidden"), "{name}: {answer} on {}", test.engine);
        }
        let stranger = &somebody(test, &[]);
        for things in &sides {
            for (name, answer) in reads(app, stranger, things).await {
                assert!(matches!(answer, Err(Error::NotFound { .. })), "{name}: {answer:?} on {}", test.engine);
            }
        }
        for (name, answer) in lists(app, stranger, &sides).await {
            let answer = answer.unwrap();
            assert!(!answer.contains("seen") && !answer.contains("hidden"), "{name}: {answer} on {}", test.engine);
        }
    }
}

pub(crate) type Attempt = (&'static str, Role, for<'a> fn(&'a App, &'a Ctx, &'a Things) -> BoxFuture<'a, Result<()>>);

macro_rules! attempts {
    ($($role:ident $name:ident($($argument:expr),* $(,)?) on $things:ident;)+) => {
        &[$((stringify!($name), Role::$role, |app, ctx, $things| {
            async move { app.$name(ctx, $($argument),*).await.map(|_| ()) }.boxed()
        })),+]
    };
}

fn value(key: &str) -> Tag {
    Tag { key: key.to_owned(), value: "changed".to_owned() }
}

fn content() -> stream::Iter<std::array::IntoIter<Result<Bytes, Error>, 1>> {
    stream::iter([Ok(Bytes::from_static(b"changed"))])
}

/// Changes of one thing, with the role that may make them. Those that come first leave what the later ones need.
pub(crate) const ATTEMPTS: &[Attempt] = attempts! {
    Contributor experiment_tag_set(t.experiment, value("new")) on t;
    Contributor experiment_tag_delete(t.experiment, "k".to_owned()) on t;
    Contributor experiment_rename(t.experiment, format!("{}-renamed", t.side)) on t;
    Contributor run_create(NewRun {
        experiment: t.experiment, parent: None, name: "n".to_owned(), user: String::new(), started_at: None, tags: Vec::new(),
    }) on t;
    Contributor run_update(t.run.clone(), RunUpdate { name: Some("changed".to_owned()), ..RunUpdate::default() }) on t;
    Contributor run_log(t.run.clone(), RunValues { tags: vec![value("new")], ..RunValues::default() }) on t;
    Contributor run_tag_delete(t.run.clone(), "k".to_owned()) on t;
    Contributor run_outputs_log(t.run.clone(), Vec::new()) on t;
    Contributor run_inputs_log(t.run.clone(), RunInputs::default()) on t;
    Contributor component_change(t.run.to_string(), ComponentChange::default(), |_| Ok(())) on t;
    Contributor trial_add_run(format!("{}-trial", t.side), t.run.to_string()) on t;
    Contributor trial_remove_run(format!("{}-trial", t.side), t.run.to_string()) on t;
    Contributor resource_rewrite(TRIAL, format!("{}-trial", t.side), |_| Ok(())) on t;
    Contributor resource_tags_change(TRIAL, format!("{}-trial", t.side), vec![value("new")], Vec::new()) on t;
    Contributor resource_delete(TRIAL, format!("{}-trial", t.side)) on t;
    Contributor experiment_facets_rewrite(t.experiment, |_| Ok(())) on t;
    Contributor logged_model_tags_set(t.logged_model.clone(), vec![value("new")]) on t;
    Contributor logged_model_tag_delete(t.logged_model.clone(), "k".to_owned()) on t;
    Contributor scorer_register(t.experiment, "another".to_owned(), "{}".to_owned()) on t;
    Contributor issue_create(issue(t.experiment, "another".to_owned())) on t;
    Contributor review_queue_of_user(t.experiment, "another".to_owned()) on t;
    Contributor scorer_delete(t.experiment, "another".to_owned(), None) on t;
    Contributor artifact_put(&ArtifactRoot::Run(t.run.clone()), &t.file, None, content()) on t;
    Contributor artifact_put(&ArtifactRoot::Server, &behind(t), None, content()) on t;
    Contributor artifact_delete(&ArtifactRoot::Server, &behind(t)) on t;
    Contributor model_describe(t.model.clone(), Some("changed".to_owned())) on t;
    Contributor model_tag_set(t.model.clone(), value("new")) on t;
    Contributor model_tag_delete(t.model.clone(), "k".to_owned()) on t;
    Contributor model_facets_rewrite(t.model.clone(), |_| Ok(())) on t;
    Contributor model_version_create(NewModelVersion {
        model: t.model.clone(), source: CheckedSource::none(), run_link: None, description: None, tags: Vec::new(),
    }) on t;
    Contributor model_version_describe(t.model.clone(), 1, Some("changed".to_owned())) on t;
    Contributor model_version_tag_set(t.model.clone(), 1, value("new")) on t;
    Approver model_version_change(t.model.clone(), 1, decided(), |_| Ok(())) on t;
    Deployer model_version_transition(t.model.clone(), 1, Stage::Staging, Occupants::Archive) on t;
    Deployer model_alias_set(t.model.clone(), "best".to_owned(), 1) on t;
    Deployer model_alias_delete(t.model.clone(), "best".to_owned()) on t;
    Contributor model_version_delete(t.model.clone(), 1) on t;
    Contributor model_delete(t.model.clone()) on t;
    Contributor logged_model_delete(t.logged_model.clone()) on t;
    Contributor run_delete(t.run.clone()) on t;
    Contributor run_restore(t.run.clone()) on t;
    Contributor experiment_delete(t.experiment) on t;
    Contributor experiment_restore(t.experiment) on t;
};

fn behind(things: &Things) -> ArtifactPath {
    ArtifactPath::parse_file(&format!("{}/{}/artifacts/new.txt", things.experiment, things.run)).unwrap()
}

fn decided() -> VersionChange {
    VersionChange { approval: Some(ApprovalStatus::Approved), stage: None, ..VersionChange::default() }
}

#[tokio::test]
async fn who_may_not_change_a_thing_changes_nothing() {
    for test in &apps().await {
        let (app, sides) = (&test.app, [fill(test, "seen").await, fill(test, "hidden").await]);
        let [seen, hidden] = &sides;
        let before = lists(app, &test.ctx, &sides).await;
        for role in Role::ALL {
            let ctx = &holder(test, role, seen);
            for (name, needed, attempt) in ATTEMPTS {
                let answer = attempt(app, ctx, hidden).await;
                assert!(
                    matches!(answer, Err(Error::NotFound { .. })),
                    "{role:?} {name}: {answer:?} on {}",
                    test.engine
                );
                if role != *needed && role != Role::Administrator {
                    let answer = attempt(app, ctx, seen).await;
                    assert!(matches!(answer, Err(Error::Forbidden { .. })), "{role:?} {name}: {answer:?}");
                }
            }
            for answer in of_the_workspace(app, ctx, hidden).await {
                let refused = matches!(answer, Err(Error::NotFound { .. } | Error::Forbidden { .. }));
                assert!(refused, "{role:?}: {answer:?} on {}", test.engine);
            }
        }
        assert_eq!(lists(app, &test.ctx, &sides).await, before, "on {}", test.engine);
        for (name, needed, attempt) in ATTEMPTS {
            let answer = attempt(app, &holder(test, *needed, seen), seen).await;
            assert_eq!(answer, Ok(()), "{needed:?} {name} on {}", test.engine);
        }
    }
}

/// A change of two things takes leave for both, also where one of them is only put into the other.
#[tokio::test]
async fn what_may_only_be_read_is_not_changed_through_what_may_be_changed() {
    for test in &apps().await {
        let (app, own, read) = (&test.app, fill(test, "own").await, fill(test, "read").await);
        let scope = |of: &Things| Scope::Experiment(of.experiment.to_string());
        let reader = [(Role::Contributor, scope(&own)), (Role::Viewer, scope(&read))];
        let with_model = [reader.as_slice(), &[(Role::Contributor, Scope::Model(read.model.clone()))]].concat();
        let (reader, registrar) = (&somebody(test, &reader), &somebody(test, &with_model));

        let into = app.trial_add_run(reader, format!("{}-trial", read.side), own.run.to_string()).await;
        assert!(matches!(into, Err(Error::Forbidden { .. })), "{into:?}");
        app.trial_add_run(reader, format!("{}-trial", own.side), own.run.to_string()).await.unwrap();

        // The files of the version are those of a run.
        let version = ArtifactRoot::ModelVersion { model: read.model.clone(), number: 1 };
        let put = app.artifact_put(registrar, &version, &read.file, None, content()).await;
        assert!(matches!(put, Err(Error::Forbidden { .. })), "{put:?}");
        let both =
            somebody(test, &[(Role::Contributor, scope(&read)), (Role::Contributor, Scope::Model(read.model.clone()))]);
        app.artifact_put(&both, &version, &read.file, None, content()).await.unwrap();
    }
}

/// The server reads buckets with credentials of its own.
#[tokio::test]
async fn no_version_comes_from_the_bucket_of_an_experiment_that_is_not_seen() {
    for test in &apps().await {
        let (app, own) = (&test.app, fill(test, "own").await);
        let location = Some("s3://bucket/hidden".to_owned());
        let new = NewExperiment { name: "hidden".to_owned(), artifact_location: location, tags: Vec::new() };
        app.experiment_create(&test.ctx, new).await.unwrap();
        let check = |ctx: Ctx, source: &str| {
            let request = SourceRequest { source: source.to_owned(), run: None, logged_model: None };
            async move { app.model_source_check(&ctx, request).await }
        };
        let registrar = holder(test, Role::Contributor, &own);
        for source in ["s3://bucket/hidden/1", "s3://bucket/hidden", "s3a://bucket/hidden/1", "s3://bucket/%68idden/1"]
        {
            let refused = check(registrar.clone(), source).await;
            assert_eq!(refused, Err(SourceError::Refused(SourceProblem::Unclaimed(Owner::Run))), "{source}");
            assert!(check(test.ctx.clone(), source).await.is_ok(), "{source}");
        }
        for source in ["s3://bucket/other", "s3://other/hidden", "gs://bucket/hidden"] {
            assert!(check(registrar.clone(), source).await.is_ok(), "{source}");
        }
    }
}

/// Changes of what is in no experiment and no model.
pub(crate) async fn of_the_workspace(app: &App, ctx: &Ctx, of: &Things) -> Vec<Result<()>> {
    let new = NewExperiment { name: "new".to_owned(), artifact_location: None, tags: Vec::new() };
    let model = NewModel { name: "new".to_owned(), description: None, tags: Vec::new() };
    let dataset =
        NewEvaluationDataset { name: "new".to_owned(), tags: Vec::new(), experiments: Vec::new(), user: None };
    let resource =
        NewResource { kind: "action", name: None, experiment: None, document: Document::new(), tags: Vec::new() };
    let change = ComponentChange::default();
    let component = NewComponent { name: "new".to_owned(), tags: Vec::new(), change, facets: Document::new() };
    let elsewhere = ArtifactPath::parse_file("elsewhere/new.txt").unwrap();
    vec![
        app.experiment_create(ctx, new).await.map(|_| ()),
        app.model_create(ctx, model).await.map(|_| ()),
        app.evaluation_dataset_create(ctx, dataset).await.map(|_| ()),
        app.evaluation_dataset_tags_set(ctx, of.dataset.clone(), vec![value("new")]).await,
        app.evaluation_dataset_delete(ctx, of.dataset.clone()).await,
        app.association_add(ctx, "x/x".to_owned(), "y/y".to_owned(), "t".to_owned()).await,
        app.association_delete(ctx, format!("{}/a", of.side), format!("{}/b", of.side)).await,
        app.resource_create(ctx, resource).await.map(|_| ()),
        app.component_create(ctx, component).await.map(|_| ()),
        app.artifact_put(ctx, &ArtifactRoot::Server, &elsewhere, None, content()).await.map(|_| ()),
        app.load_begin(ctx).await,
        app.purge(ctx, Timestamp(i64::MAX), |_| ()).await.map(|_| ()),
    ]
}

#[tokio::test]
async fn what_a_script_keeps_with_a_hidden_thing_is_hidden() {
    for test in &apps().await {
        let (app, sides) = (&test.app, [fill(test, "seen").await, fill(test, "hidden").await]);
        let ctx = &holder(test, Role::Viewer, &sides[0]);
        let rows = |of: Faceted, ids: Vec<i64>| async move { app.facets(ctx, of, ids).await.unwrap().len() };
        let experiments = sides.iter().map(|things| things.experiment.0).collect();
        assert_eq!(rows(Faceted::Experiment, experiments).await, 1);
        let (mut runs, mut models, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        for things in &sides {
            runs.push(app.run_get(&test.ctx, things.run.clone()).await.unwrap().info.row.0);
            models.push(app.model_get(&test.ctx, things.model.clone()).await.unwrap().row.0);
            versions.push(app.model_version_get(&test.ctx, things.model.clone(), 1).await.unwrap().row.0);
        }
        assert_eq!(rows(Faceted::Run, runs).await, 1);
        assert_eq!(rows(Faceted::Model, models).await, 1);
        assert_eq!(rows(Faceted::ModelVersion, versions).await, 1, "on {}", test.engine);
    }
}

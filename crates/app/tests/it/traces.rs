//! Traces: who may record and see them, that they stay in their experiment, and how they go.

use std::sync::Arc;

use bytes::Bytes;
use stele_app::{ArtifactRoot, Ctx, NewExperiment, Script, TracesToDelete};
use stele_domain::authz::Principal;
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::identity::{Account, AccountKind, Grant, Role, Scope};
use stele_domain::otlp::{AnyValue, KeyValue, ResourceSpans, ScopeSpans, Span};
use stele_domain::record::Tag;
use stele_domain::search::TraceSearch;
use stele_domain::trace::TraceId;
use stele_domain::{ArtifactPath, Error};
use stele_testkit::TestApp;

async fn experiment(test: &TestApp, name: &str) -> ExperimentId {
    let new = NewExperiment { name: name.to_owned(), artifact_location: None, tags: Vec::new() };
    test.app.experiment_create(&test.ctx, new).await.unwrap()
}

fn span(trace: u8, span: u8) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![span; 8],
        name: format!("s{span}"),
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 2_000_000_000,
        attributes: vec![KeyValue::new("k", AnyValue::text("v\0"))],
        ..Span::default()
    }
}

fn sent(spans: Vec<Span>) -> Vec<ResourceSpans> {
    vec![ResourceSpans { resource: None, scope_spans: vec![ScopeSpans { spans }] }]
}

fn id(trace: u8) -> TraceId {
    TraceId::of_otel(&[trace; 16])
}

async fn found(test: &TestApp, ctx: &Ctx, experiments: &[ExperimentId]) -> usize {
    let search = TraceSearch { experiments: experiments.to_vec(), ..TraceSearch::default() };
    test.app.trace_search(ctx, search).await.unwrap().items.len()
}

/// Somebody with one role.
fn somebody(test: &TestApp, role: Role, scope: Scope) -> Ctx {
    let grants = vec![Grant { role, scope }];
    let account = Account::new("ann", AccountKind::User, Vec::new(), grants);
    test.app.context_of(Principal::Account(Arc::new(account)), Script::Mlflow, "test")
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_are_recorded_and_seen_where_roles_let_one() {
    for test in stele_testkit::apps().await {
        let app = &test.app;
        let (mine, theirs) = (experiment(&test, "mine").await, experiment(&test, "theirs").await);
        let contributor = somebody(&test, Role::Contributor, Scope::Experiment(mine.to_string()));
        let viewer = somebody(&test, Role::Viewer, Scope::Experiment(mine.to_string()));
        app.spans_log(&test.ctx, theirs, None, sent(vec![span(2, 1)])).await.unwrap();
        app.spans_log(&contributor, mine, None, sent(vec![span(1, 1)])).await.unwrap();

        let refused = app.spans_log(&contributor, theirs, None, sent(vec![span(3, 1)])).await;
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?} on {}", test.engine);
        let refused = app.spans_log(&viewer, mine, None, sent(vec![span(3, 1)])).await;
        assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?} on {}", test.engine);
        // A trace of another experiment cannot be reached by its id.
        let refused = app.spans_log(&contributor, mine, None, sent(vec![span(2, 2)])).await;
        assert!(refused.is_err(), "{}", test.engine);
        let tag = Tag { key: "t".to_owned(), value: "v".to_owned() };
        assert!(app.trace_tag_set(&contributor, id(2), tag.clone()).await.is_err());
        assert!(matches!(app.trace_tag_set(&viewer, id(1), tag.clone()).await, Err(Error::Forbidden { .. })));
        app.trace_tag_set(&contributor, id(1), tag).await.unwrap();
        let one = TracesToDelete::Named(vec![id(2)]);
        assert!(app.traces_delete(&contributor, theirs, one).await.is_err());

        for ctx in [&contributor, &viewer] {
            assert_eq!(found(&test, ctx, &[mine, theirs]).await, 1, "{}", test.engine);
            assert!(app.trace_get(ctx, id(2)).await.is_err());
            assert_eq!(app.traces_whole(ctx, vec![id(1), id(2)], None).await.unwrap().len(), 1);
        }
        assert_eq!(found(&test, &test.ctx, &[mine, theirs]).await, 2);
        let [whole] = &app.traces_whole(&test.ctx, vec![id(2)], None).await.unwrap()[..] else { panic!() };
        assert_eq!(whole.spans.len(), 1, "nothing came from elsewhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_stays_in_its_experiment() {
    for test in stele_testkit::apps().await {
        let (one, two) = (experiment(&test, "one").await, experiment(&test, "two").await);
        test.app.spans_log(&test.ctx, one, None, sent(vec![span(1, 1)])).await.unwrap();
        let moved = test.app.spans_log(&test.ctx, two, None, sent(vec![span(4, 1), span(1, 2)])).await;
        assert!(matches!(moved, Err(Error::Invalid { .. })), "{moved:?}");
        assert!(test.app.trace_get(&test.ctx, id(4)).await.is_err(), "all or nothing on {}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_come_at_once_are_all_there() {
    for test in stele_testkit::apps().await {
        let experiment = experiment(&test, "e").await;
        let mut tasks = Vec::new();
        for index in 1..=40_u8 {
            let (app, ctx) = (test.app.clone(), test.ctx.clone());
            tasks.push(tokio::spawn(async move {
                app.spans_log(&ctx, experiment, None, sent(vec![span(1, index)])).await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let whole = test.app.trace_whole(&test.ctx, id(1)).await.unwrap();
        assert_eq!((whole.spans.len(), whole.info.spans), (40, 40), "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_goes_with_its_files() {
    for test in stele_testkit::apps().await {
        let (app, ctx) = (&test.app, &test.ctx);
        let experiment = experiment(&test, "e").await;
        for trace in 1..=3 {
            app.spans_log(ctx, experiment, None, sent(vec![span(trace, 1)])).await.unwrap();
            let content = futures::stream::iter([Ok::<_, Error>(Bytes::from_static(b"image"))]);
            let path = ArtifactPath::parse("attachments/a.png").unwrap();
            app.artifact_put(ctx, &ArtifactRoot::Trace(id(trace)), &path, None, content).await.unwrap();
        }
        let folder =
            |trace: u8| test.artifacts.path().join(experiment.to_string()).join("traces").join(id(trace).as_str());
        assert!(folder(1).join("artifacts/attachments/a.png").is_file(), "{}", test.engine);
        let oldest = TracesToDelete::Oldest { newest: Timestamp(i64::MAX), most: 1 };
        assert_eq!(app.traces_delete(ctx, experiment, oldest).await.unwrap(), 1);
        let report = app.purge(ctx, ctx.now(), |_| ()).await.unwrap();
        assert_eq!((report.traces, report.roots), (0, 1), "{}", test.engine);
        let kept = (1..=3).filter(|trace| folder(*trace).exists()).count();
        assert_eq!((kept, found(&test, ctx, &[experiment]).await), (2, 2));

        app.experiment_delete(ctx, experiment).await.unwrap();
        let report = app.purge(ctx, ctx.now(), |_| ()).await.unwrap();
        assert_eq!((report.traces, report.experiments, report.roots), (2, 1, 2), "{}", test.engine);
        assert!((1..=3).all(|trace| !folder(trace).exists()));
    }
}

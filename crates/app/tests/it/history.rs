use stele_app::{NewModel, NewModelVersion, SourceRequest, VersionChange};
use stele_domain::id::Timestamp;
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_domain::model_history::ModelThen;
use stele_domain::registry::Occupants;
use stele_testkit::{TestApp, apps};

async fn model(test: &TestApp, name: &str) {
    let new = NewModel { name: name.to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&test.ctx, new).await.unwrap();
}

async fn version(test: &TestApp, model: &str) -> i64 {
    let request = SourceRequest { source: "s3://bucket/model".to_owned(), run: None, logged_model: None };
    let source = test.app.model_source_check(&test.ctx, request).await.unwrap();
    let new = NewModelVersion { model: model.to_owned(), source, run_link: None, description: None, tags: Vec::new() };
    test.app.model_version_create(&test.ctx, new).await.unwrap().number
}

async fn stage(test: &TestApp, model: &str, number: i64, stage: Stage) {
    let app = &test.app;
    app.model_version_transition(&test.ctx, model.to_owned(), number, stage, Occupants::Archive).await.unwrap();
}

/// Lets time pass; says what time it was.
fn later(test: &TestApp) -> Timestamp {
    let now = test.ctx.now();
    test.clock.advance(60_000);
    now
}

async fn at(test: &TestApp, name: &str, time: Timestamp) -> ModelThen {
    test.app.model_at(&test.ctx, name.to_owned(), time).await.unwrap()
}

fn production(then: &ModelThen) -> Option<i64> {
    then.in_stage(Stage::Production).map(|(number, _)| number)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registry_is_told_as_it_was_across_renames_archives_and_deletes() {
    for test in apps().await {
        let before = later(&test);
        model(&test, "churn").await;
        let first = version(&test, "churn").await;
        let approve =
            VersionChange { approval: Some(ApprovalStatus::Approved), stage: None, ..VersionChange::default() };
        test.app.model_version_change(&test.ctx, "churn".to_owned(), first, approve, |_| Ok(())).await.unwrap();
        stage(&test, "churn", first, Stage::Production).await;
        test.app.model_alias_set(&test.ctx, "churn".to_owned(), "champion".to_owned(), first).await.unwrap();
        let one = later(&test);
        let second = version(&test, "churn").await;
        stage(&test, "churn", second, Stage::Production).await;
        test.app.model_rename(&test.ctx, "churn".to_owned(), "attrition".to_owned()).await.unwrap();
        let two = later(&test);
        model(&test, "churn").await;
        let three = later(&test);
        test.app.model_delete(&test.ctx, "attrition".to_owned()).await.unwrap();
        let four = later(&test);

        let then = at(&test, "churn", one).await;
        assert_eq!((then.name.as_str(), production(&then)), ("churn", Some(first)), "{}", test.engine);
        let (_, version) = then.in_stage(Stage::Production).unwrap();
        assert_eq!(version.approval, ApprovalStatus::Approved);
        assert_eq!(version.decided.as_ref().map(|deed| (deed.by.as_str(), deed.at)), Some(("local-owner", one)));
        assert_eq!(version.moved.at, one);
        assert_eq!(then.aliases["champion"].0, first);
        // The name that it got later leads to it as well.
        assert_eq!(at(&test, "attrition", one).await, then);

        let then = at(&test, "attrition", two).await;
        assert_eq!((then.name.as_str(), production(&then)), ("attrition", Some(second)));
        assert_eq!(then.versions[&first].stage, Stage::Archived);
        // Another model has the old name by then.
        assert_eq!(at(&test, "churn", three).await.versions.len(), 0);
        assert_eq!(production(&at(&test, "attrition", three).await), Some(second));
        assert!(test.app.model_at(&test.ctx, "attrition".to_owned(), four).await.is_err());
        assert!(test.app.model_at(&test.ctx, "churn".to_owned(), before).await.is_err());
        assert!(test.app.model_at(&test.ctx, "never".to_owned(), four).await.is_err());

        let history = test.app.model_history(&test.ctx, "attrition".to_owned(), None, 100).await.unwrap();
        let actions: Vec<&str> = history.entries.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions.first().zip(actions.last()), Some((&"model.delete", &"model.create")));
    }
}

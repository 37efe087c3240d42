use futures::future::join_all;
use stele_app::{NewModel, NewModelVersion, SourceError, SourceProblem, SourceRequest};
use stele_domain::lifecycle::Stage;
use stele_domain::record::Tag;
use stele_domain::registry::{Model, ModelAlias, ModelVersion, Occupants};
use stele_domain::{Error, Kind, Result};
use stele_testkit::{TestApp, apps};

const MODEL: &str = "fraud";

/// A model with so many versions.
async fn with_versions(test: &TestApp, versions: i64) {
    let new = NewModel { name: MODEL.to_owned(), description: None, tags: Vec::new() };
    test.app.model_create(&test.ctx, new).await.unwrap();
    for _ in 0..versions {
        create(test).await.unwrap();
    }
}

async fn create(test: &TestApp) -> Result<ModelVersion> {
    create_from(test, "s3://bucket/model", None).await
}

async fn create_from(test: &TestApp, source: &str, run: Option<&str>) -> Result<ModelVersion> {
    let request = SourceRequest { source: source.to_owned(), run: run.map(str::to_owned), logged_model: None };
    let source = test.app.model_source_check(&test.ctx, request).await.map_err(|error| match error {
        SourceError::Failed(error) => error,
        SourceError::Refused(problem) => Error::invalid(format!("{problem:?}")),
    })?;
    let new = NewModelVersion {
        model: MODEL.to_owned(),
        source,
        run_link: None,
        description: None,
        tags: vec![Tag { key: "k".to_owned(), value: "v".to_owned() }],
    };
    test.app.model_version_create(&test.ctx, new).await
}

async fn transition(test: &TestApp, number: i64, stage: Stage, occupants: Occupants) -> Result<ModelVersion> {
    test.app.model_version_transition(&test.ctx, MODEL.to_owned(), number, stage, occupants).await
}

async fn alias_set(test: &TestApp, alias: &str, number: i64) -> Result<()> {
    test.app.model_alias_set(&test.ctx, MODEL.to_owned(), alias.to_owned(), number).await
}

async fn alias_delete(test: &TestApp, alias: &str) -> Result<()> {
    test.app.model_alias_delete(&test.ctx, MODEL.to_owned(), alias.to_owned()).await
}

/// The number of the version that an alias means.
async fn resolve(test: &TestApp, alias: &str) -> Option<i64> {
    match test.app.model_version_by_alias(&test.ctx, MODEL.to_owned(), alias.to_owned()).await {
        Ok(version) => Some(version.number),
        Err(Error::NotFound { kind: Kind::Alias, .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn model(test: &TestApp) -> Model {
    test.app.model_get(&test.ctx, MODEL.to_owned()).await.unwrap()
}

async fn version(test: &TestApp, number: i64) -> ModelVersion {
    test.app.model_version_get(&test.ctx, MODEL.to_owned(), number).await.unwrap()
}

async fn stages(test: &TestApp, versions: i64) -> Vec<Stage> {
    let mut stages = Vec::new();
    for number in 1..=versions {
        stages.push(version(test, number).await.stage);
    }
    stages
}

#[tokio::test]
async fn entering_production_archives_the_version_there() {
    for test in apps().await {
        with_versions(&test, 2).await;
        transition(&test, 1, Stage::Production, Occupants::Stay).await.unwrap();
        let refused = transition(&test, 2, Stage::Production, Occupants::Stay).await.unwrap_err();
        assert!(matches!(refused, Error::GateFailed { .. }), "{}: {refused}", test.engine);
        assert_eq!(stages(&test, 2).await, [Stage::Production, Stage::None]);

        test.clock.advance(5);
        transition(&test, 2, Stage::Production, Occupants::Archive).await.unwrap();
        assert_eq!(stages(&test, 2).await, [Stage::Archived, Stage::Production]);
        assert_eq!(version(&test, 1).await.updated_at, model(&test).await.updated_at);
        transition(&test, 2, Stage::Production, Occupants::Stay).await.unwrap();
    }
}

#[tokio::test]
async fn of_many_promotions_at_once_one_version_is_left_in_production() {
    for test in apps().await {
        with_versions(&test, 8).await;
        let all =
            join_all((1..=8).map(|number| transition(&test, number, Stage::Production, Occupants::Archive))).await;
        assert!(all.iter().all(Result::is_ok), "{}: {all:?}", test.engine);
        let stages = stages(&test, 8).await;
        assert_eq!(stages.iter().filter(|stage| **stage == Stage::Production).count(), 1, "{}", test.engine);
        assert_eq!(stages.iter().filter(|stage| **stage == Stage::Archived).count(), 7, "{}", test.engine);
    }
}

#[tokio::test]
async fn of_many_promotions_that_leave_the_others_one_is_allowed() {
    for test in apps().await {
        with_versions(&test, 8).await;
        let all = join_all((1..=8).map(|number| transition(&test, number, Stage::Production, Occupants::Stay))).await;
        let allowed = all.iter().filter(|result| result.is_ok()).count();
        assert_eq!(allowed, 1, "{}: {all:?}", test.engine);
        assert!(all.iter().all(|result| matches!(result, Ok(_) | Err(Error::GateFailed { .. }))), "{all:?}");
    }
}

#[tokio::test]
async fn staging_holds_many_unless_told_to_archive() {
    for test in apps().await {
        with_versions(&test, 3).await;
        transition(&test, 1, Stage::Staging, Occupants::Stay).await.unwrap();
        transition(&test, 2, Stage::Staging, Occupants::Stay).await.unwrap();
        assert_eq!(stages(&test, 3).await, [Stage::Staging, Stage::Staging, Stage::None]);
        transition(&test, 3, Stage::Staging, Occupants::Archive).await.unwrap();
        assert_eq!(stages(&test, 3).await, [Stage::Archived, Stage::Archived, Stage::Staging]);
    }
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    for test in apps().await {
        with_versions(&test, 2).await;
        test.app.model_version_delete(&test.ctx, MODEL.to_owned(), 2).await.unwrap();
        assert_eq!(create(&test).await.unwrap().number, 3);
        let mut made: Vec<i64> =
            join_all((0..8).map(|_| create(&test))).await.into_iter().map(|made| made.unwrap().number).collect();
        made.sort_unstable();
        assert_eq!(made, (4..12).collect::<Vec<_>>(), "{}", test.engine);
    }
}

#[tokio::test]
async fn an_alias_points_at_one_version() {
    for test in apps().await {
        with_versions(&test, 2).await;
        alias_set(&test, "best", 1).await.unwrap();
        alias_set(&test, "best", 2).await.unwrap();
        assert_eq!(resolve(&test, "best").await, Some(2));
        assert_eq!(resolve(&test, "Best").await, None);
        assert_eq!(version(&test, 1).await.aliases, Vec::<String>::new());
        assert_eq!(version(&test, 2).await.aliases, ["best"]);
        test.app.model_version_delete(&test.ctx, MODEL.to_owned(), 2).await.unwrap();
        assert_eq!(resolve(&test, "best").await, None);
        assert_eq!(model(&test).await.aliases, []);
        alias_delete(&test, "best").await.unwrap();
        let unknown = alias_set(&test, "best", 2).await.unwrap_err();
        assert_eq!(unknown, Error::not_found(Kind::ModelVersion, "fraud/2"));
        assert!(matches!(alias_set(&test, "Latest", 1).await, Err(Error::Invalid { .. })));
    }
}

#[tokio::test]
async fn the_alias_of_a_stage_is_the_stage() {
    for test in apps().await {
        with_versions(&test, 3).await;
        alias_set(&test, "production", 1).await.unwrap();
        assert_eq!(version(&test, 1).await.stage, Stage::Production);
        alias_set(&test, "production", 3).await.unwrap();
        assert_eq!(stages(&test, 3).await, [Stage::Archived, Stage::None, Stage::Production]);
        transition(&test, 2, Stage::Production, Occupants::Archive).await.unwrap();
        assert_eq!(resolve(&test, "production").await, Some(2));
        // Of the archived ones the newest is meant.
        assert_eq!(resolve(&test, "archived").await, Some(3));
        assert_eq!(version(&test, 1).await.aliases, Vec::<String>::new());
        assert_eq!(version(&test, 3).await.aliases, ["archived"]);
        alias_set(&test, "champion", 2).await.unwrap();
        let listed: Vec<(String, i64)> =
            model(&test).await.aliases.into_iter().map(|ModelAlias { alias, version }| (alias, version)).collect();
        assert_eq!(
            listed,
            [("archived".to_owned(), 3), ("champion".to_owned(), 2), ("production".to_owned(), 2)],
            "{}",
            test.engine
        );
        alias_delete(&test, "production").await.unwrap();
        assert_eq!(version(&test, 2).await.stage, Stage::None);
        assert_eq!(version(&test, 2).await.aliases, ["champion"]);
        assert_eq!(resolve(&test, "production").await, None);
        alias_delete(&test, "production").await.unwrap();
    }
}

#[tokio::test]
async fn latest_is_the_highest_number_in_any_stage() {
    for test in apps().await {
        with_versions(&test, 0).await;
        assert_eq!(resolve(&test, "latest").await, None);
        create(&test).await.unwrap();
        create(&test).await.unwrap();
        transition(&test, 2, Stage::Archived, Occupants::Stay).await.unwrap();
        assert_eq!(resolve(&test, "LATEST").await, Some(2));
        let latest = test.app.model_versions_latest(&test.ctx, MODEL.to_owned(), Stage::ALL.to_vec()).await.unwrap();
        assert_eq!(latest.iter().map(|version| version.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(model(&test).await.latest_versions, latest);
    }
}

#[tokio::test]
async fn renaming_takes_everything_along() {
    for test in apps().await {
        with_versions(&test, 1).await;
        alias_set(&test, "best", 1).await.unwrap();
        test.clock.advance(5);
        let renamed = test.app.model_rename(&test.ctx, MODEL.to_owned(), "theft".to_owned()).await.unwrap();
        assert_eq!(renamed.aliases, [ModelAlias { alias: "best".to_owned(), version: 1 }]);
        let version = test.app.model_version_get(&test.ctx, "theft".to_owned(), 1).await.unwrap();
        assert_eq!((version.model.as_str(), version.updated_at), ("theft", renamed.updated_at));
        assert_eq!(version.tags.len(), 1);
        let gone = test.app.model_version_get(&test.ctx, MODEL.to_owned(), 1).await.unwrap_err();
        assert_eq!(gone, Error::not_found(Kind::ModelVersion, "fraud/1"));

        with_versions(&test, 1).await;
        let taken = test.app.model_rename(&test.ctx, MODEL.to_owned(), "theft".to_owned()).await.unwrap_err();
        assert_eq!(taken, Error::already_exists(Kind::Model, "theft"), "{}", test.engine);
        test.app.model_delete(&test.ctx, MODEL.to_owned()).await.unwrap();
        with_versions(&test, 1).await;
        assert_eq!(version.number, 1);
    }
}

#[tokio::test]
async fn a_version_of_a_version_inherits_where_it_comes_from() {
    for test in apps().await {
        with_versions(&test, 0).await;
        create_from(&test, "s3://bucket/first", Some("run-1")).await.unwrap();
        alias_set(&test, "best", 1).await.unwrap();
        for source in ["models:/fraud/1", "models:/fraud@best", "models:/fraud/latest", "models:/fraud/None"] {
            let copy = create_from(&test, source, None).await.unwrap();
            assert_eq!(copy.run.unwrap().as_str(), "run-1", "{source}");
            assert_eq!(copy.storage_uri, "s3://bucket/first", "{source}");
        }
        assert_eq!(version(&test, 3).await.source, "models:/fraud/1");
        assert_eq!(version(&test, 4).await.source, "models:/fraud/3");
        let request = |source: &str, run: Option<&str>| SourceRequest {
            source: source.to_owned(),
            run: run.map(str::to_owned),
            logged_model: None,
        };
        for (request, problem) in [
            (request("models:/fraud/1", Some("run-2")), SourceProblem::LineageDiffers),
            (request("models:/fraud/1", Some("")), SourceProblem::LineageDiffers),
            (request("models:/fraud/bogus", None), SourceProblem::UnknownStage("bogus".to_owned())),
            (request("models://host/fraud/1", None), SourceProblem::OtherRegistry),
        ] {
            let refused = test.app.model_source_check(&test.ctx, request).await.unwrap_err();
            assert_eq!(refused, SourceError::Refused(problem));
        }
    }
}

use stele_app::{NewLoggedModel, RunValues};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId};
use stele_domain::lifecycle::{LoggedModelStatus, Presence};
use stele_domain::record::{DatasetKey, LoggedModel, MetricSubject, MetricValue, ModelMetric, Param, Tag};
use stele_domain::{Error, Kind, Point, Result};
use stele_testkit::{TestApp, apps};

use crate::lineage::new_run;

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

fn param(key: &str, value: &str) -> Param {
    Param { key: key.to_owned(), value: value.to_owned() }
}

pub(crate) fn unnamed() -> NewLoggedModel {
    NewLoggedModel {
        experiment: ExperimentId(0),
        name: None,
        model_type: None,
        source_run: None,
        params: Vec::new(),
        tags: Vec::new(),
    }
}

async fn get(test: &TestApp, id: &LoggedModelId) -> LoggedModel {
    test.app.logged_model_get_any(&test.ctx, id.clone()).await.unwrap()
}

#[tokio::test]
async fn a_new_model_is_pending_and_lies_below_its_experiment() {
    for test in apps().await {
        let new = NewLoggedModel {
            name: Some("resnet".to_owned()),
            model_type: Some("classifier".to_owned()),
            source_run: Some(RunId("some-run".to_owned())),
            params: vec![param("layers", "50"), param("a", "")],
            tags: vec![tag("b", "2"), tag("a", "1")],
            ..unnamed()
        };
        let model = test.app.logged_model_create(&test.ctx, new).await.unwrap();
        assert_eq!(model.artifact_uri, format!("mlflow-artifacts:/0/models/{}/artifacts", model.id));
        assert_eq!((model.status, model.presence), (LoggedModelStatus::Pending, Presence::Active));
        assert_eq!(model.params, [param("a", ""), param("layers", "50")]);
        assert_eq!(model.tags, [tag("a", "1"), tag("b", "2")]);
        assert_eq!(model.created_at, model.updated_at);
        assert_eq!(get(&test, &model.id).await, model, "{}", test.engine);
    }
}

#[tokio::test]
async fn models_without_a_name_get_one_and_equal_names_are_fine() {
    for test in apps().await {
        let mut ids = Vec::new();
        for name in [None, Some("same".to_owned()), Some("same".to_owned())] {
            let model = test.app.logged_model_create(&test.ctx, NewLoggedModel { name, ..unnamed() }).await.unwrap();
            assert!(!model.name.is_empty());
            ids.push(model.id);
        }
        ids.dedup();
        assert_eq!(ids.len(), 3, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_deleted_experiment_takes_no_models() {
    for test in apps().await {
        test.app.experiment_delete(&test.ctx, ExperimentId(0)).await.unwrap();
        let refused = test.app.logged_model_create(&test.ctx, unnamed()).await.unwrap_err();
        assert!(matches!(refused, Error::WrongState { kind: Kind::Experiment, .. }), "{refused}");
    }
}

#[tokio::test]
async fn the_client_says_when_the_artifacts_are_complete() {
    for test in apps().await {
        let model = test.app.logged_model_create(&test.ctx, unnamed()).await.unwrap();
        test.clock.advance(7);
        let done = test.app.logged_model_finalize(&test.ctx, model.id.clone(), LoggedModelStatus::Ready).await.unwrap();
        assert_eq!(done.status, LoggedModelStatus::Ready);
        assert_eq!(done.updated_at.0, model.updated_at.0 + 7);
        assert_eq!(get(&test, &model.id).await, done, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_deleted_model_is_found_only_by_those_who_ask_for_deleted_ones() {
    for test in apps().await {
        let model = test.app.logged_model_create(&test.ctx, unnamed()).await.unwrap();
        for _ in 0..2 {
            test.app.logged_model_delete(&test.ctx, model.id.clone()).await.unwrap();
        }
        let refused = test.app.logged_model_get(&test.ctx, model.id.clone()).await.unwrap_err();
        assert_eq!(refused, Error::not_found(Kind::LoggedModel, model.id.as_str()));
        assert_eq!(get(&test, &model.id).await.presence, Presence::Deleted);
        test.app.logged_model_tags_set(&test.ctx, model.id.clone(), vec![tag("a", "1")]).await.unwrap();
        assert_eq!(get(&test, &model.id).await.tags, [tag("a", "1")], "{}", test.engine);
    }
}

#[tokio::test]
async fn params_are_set_once_and_all_or_none() {
    for test in apps().await {
        let model = test.app.logged_model_create(&test.ctx, unnamed()).await.unwrap();
        let add = |params: Vec<Param>| test.app.logged_model_params_add(&test.ctx, model.id.clone(), params);
        add(vec![param("a", "1")]).await.unwrap();
        for again in [vec![param("a", "1")], vec![param("b", "1"), param("a", "2")]] {
            let refused = add(again).await.unwrap_err();
            assert!(matches!(refused, Error::Conflict { .. }), "{}: {refused}", test.engine);
        }
        assert_eq!(get(&test, &model.id).await.params, [param("a", "1")], "{}", test.engine);
    }
}

#[tokio::test]
async fn the_last_of_equal_tag_keys_counts_and_a_tag_goes_once() {
    for test in apps().await {
        let model = test.app.logged_model_create(&test.ctx, unnamed()).await.unwrap();
        let tags = vec![tag("a", "1"), tag("b", ""), tag("a", "2")];
        test.app.logged_model_tags_set(&test.ctx, model.id.clone(), tags).await.unwrap();
        assert_eq!(get(&test, &model.id).await.tags, [tag("a", "2"), tag("b", "")]);
        let delete = || test.app.logged_model_tag_delete(&test.ctx, model.id.clone(), "a".to_owned());
        delete().await.unwrap();
        assert_eq!(delete().await.unwrap_err(), Error::not_found(Kind::Tag, "a"), "{}", test.engine);
    }
}

fn about(model: &LoggedModelId, key: &str, point: Point, dataset: Option<(&str, &str)>) -> MetricValue {
    let dataset = dataset.map(|(name, digest)| DatasetKey { name: name.to_owned(), digest: digest.to_owned() });
    MetricValue { key: key.to_owned(), point, subject: Some(MetricSubject { model: model.clone(), dataset }) }
}

async fn log(test: &TestApp, run: &RunId, metrics: Vec<MetricValue>) -> Result<()> {
    test.app
        .run_log(&test.ctx, run.clone(), RunValues { metrics: metrics.into_iter().collect(), ..RunValues::default() })
        .await
}

#[tokio::test]
async fn metrics_about_a_model_are_kept_beside_it_once() {
    for test in apps().await {
        let model = test.app.logged_model_create(&test.ctx, unnamed()).await.unwrap();
        let run = new_run(&test).await;
        let values = vec![
            about(&model.id, "acc", Point::new(1, 10, 0.5), Some(("iris", "d1"))),
            about(&model.id, "acc", Point::new(2, 10, f64::NAN), None),
            about(&model.id, "acc", Point::new(1, 10, 0.5), Some(("iris", "d1"))),
            MetricValue { key: "other".to_owned(), point: Point::new(0, 0, 1.0), subject: None },
        ];
        log(&test, &run, values.clone()).await.unwrap();
        log(&test, &run, values).await.unwrap();
        let dataset = Some(DatasetKey { name: "iris".to_owned(), digest: "d1".to_owned() });
        let metric = |point, dataset| ModelMetric { key: "acc".to_owned(), point, run: run.clone(), dataset };
        assert_eq!(
            get(&test, &model.id).await.metrics,
            [metric(Point::new(1, 10, 0.5), dataset), metric(Point::new(2, 10, f64::NAN), None)],
            "{}",
            test.engine
        );
    }
}

#[tokio::test]
async fn metrics_about_an_unknown_model_are_refused_with_all_that_came_with_them() {
    for test in apps().await {
        let run = new_run(&test).await;
        let unknown = LoggedModelId("m-none".to_owned());
        let plain = MetricValue { key: "plain".to_owned(), point: Point::new(0, 0, 1.0), subject: None };
        let values = vec![plain, about(&unknown, "acc", Point::new(0, 0, 1.0), None)];
        let refused = log(&test, &run, values).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict { .. }), "{}: {refused}", test.engine);
        assert!(test.app.run_get(&test.ctx, run).await.unwrap().metrics.is_empty());
    }
}

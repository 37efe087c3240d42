use futures::future::join_all;
use stele_app::{NewExperiment, NewRun, RunInputs};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId};
use stele_domain::record::{Dataset, DatasetInput, ModelOutput, Tag};
use stele_domain::{Error, Kind};
use stele_testkit::{TestApp, apps};

use crate::logged_model::unnamed;

const CONTEXT: &str = "context";

pub(crate) async fn new_run(test: &TestApp) -> RunId {
    new_run_in(test, ExperimentId(0)).await
}

async fn new_run_in(test: &TestApp, experiment: ExperimentId) -> RunId {
    let run = NewRun {
        experiment,
        parent: None,
        name: String::new(),
        user: String::new(),
        started_at: None,
        tags: Vec::new(),
    };
    test.app.run_create(&test.ctx, run).await.unwrap().info.id
}

fn dataset(name: &str, digest: &str) -> Dataset {
    Dataset {
        name: name.to_owned(),
        digest: digest.to_owned(),
        source_type: "local".to_owned(),
        source: "{}".to_owned(),
        schema: Some("columns".to_owned()),
        profile: None,
    }
}

fn reading(name: &str, digest: &str, context: Option<&str>) -> DatasetInput {
    let tags = context.map(|value| Tag { key: CONTEXT.to_owned(), value: value.to_owned() }).into_iter().collect();
    DatasetInput { dataset: dataset(name, digest), tags }
}

fn datasets(datasets: Vec<DatasetInput>) -> RunInputs {
    RunInputs { datasets, models: Vec::new() }
}

fn model(id: &str) -> LoggedModelId {
    LoggedModelId(id.to_owned())
}

#[tokio::test]
async fn a_run_reads_back_the_datasets_in_the_order_they_came() {
    for test in apps().await {
        let run = new_run(&test).await;
        let inputs = vec![reading("z", "1", Some("training")), reading("a", "1", None), reading("z", "2", None)];
        test.app.run_inputs_log(&test.ctx, run.clone(), datasets(inputs.clone())).await.unwrap();
        assert_eq!(test.app.run_get(&test.ctx, run).await.unwrap().dataset_inputs, inputs, "{}", test.engine);
    }
}

#[tokio::test]
async fn a_dataset_noted_again_stays_as_it_was_first() {
    for test in apps().await {
        let run = new_run(&test).await;
        let first = reading("d", "1", Some("training"));
        let mut second = reading("d", "1", Some("testing"));
        second.dataset.profile = Some("new".to_owned());
        let both = datasets(vec![first.clone(), second.clone()]);
        test.app.run_inputs_log(&test.ctx, run.clone(), both).await.unwrap();
        test.app.run_inputs_log(&test.ctx, run.clone(), datasets(vec![second])).await.unwrap();
        assert_eq!(test.app.run_get(&test.ctx, run).await.unwrap().dataset_inputs, [first], "{}", test.engine);
    }
}

#[tokio::test]
async fn experiments_do_not_share_datasets() {
    for test in apps().await {
        let new = NewExperiment { name: "other".to_owned(), artifact_location: None, tags: Vec::new() };
        let other = test.app.experiment_create(&test.ctx, new).await.unwrap();
        for (experiment, profile) in [(ExperimentId(0), "p"), (other, "q")] {
            let run = new_run_in(&test, experiment).await;
            let mut input = reading("d", "1", None);
            input.dataset.profile = Some(profile.to_owned());
            test.app.run_inputs_log(&test.ctx, run.clone(), datasets(vec![input.clone()])).await.unwrap();
            assert_eq!(test.app.run_get(&test.ctx, run).await.unwrap().dataset_inputs, [input], "{}", test.engine);
        }
    }
}

#[tokio::test]
async fn runs_that_read_the_same_new_datasets_at_once_all_succeed() {
    for test in apps().await {
        let runs = join_all((0..8).map(|_| new_run(&test))).await;
        let work = runs.iter().enumerate().map(|(number, run)| {
            let mut inputs = vec![reading("a", "1", None), reading("b", "1", None), reading("c", "1", None)];
            if number % 2 == 1 {
                inputs.reverse();
            }
            test.app.run_inputs_log(&test.ctx, run.clone(), datasets(inputs))
        });
        for outcome in join_all(work).await {
            outcome.unwrap();
        }
        let used = test.app.datasets_used(&test.ctx, vec![ExperimentId(0)], CONTEXT).await.unwrap();
        let names: Vec<&str> = used.iter().map(|summary| summary.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"], "{}", test.engine);
    }
}

#[tokio::test]
async fn models_that_the_server_lacks_read_back_like_those_it_has() {
    for test in apps().await {
        let run = new_run(&test).await;
        let known = test.app.logged_model_create(&test.ctx, unnamed()).await.unwrap().id;
        let ids = vec![model("m-a-known-to-nobody"), known.clone(), model("m-z")];
        let outputs: Vec<ModelOutput> =
            ids.iter().zip(3..).map(|(id, step)| ModelOutput { model: id.clone(), step }).collect();
        let inputs = RunInputs { datasets: Vec::new(), models: ids.clone() };
        for _ in 0..2 {
            test.app.run_inputs_log(&test.ctx, run.clone(), inputs.clone()).await.unwrap();
            test.app.run_outputs_log(&test.ctx, run.clone(), outputs.clone()).await.unwrap();
        }
        let found = test.app.run_get(&test.ctx, run.clone()).await.unwrap();
        let mut expected = ids.clone();
        expected.sort();
        assert_eq!(found.model_inputs, expected, "{}", test.engine);
        let made: Vec<&LoggedModelId> = found.model_outputs.iter().map(|output| &output.model).collect();
        assert_eq!(made, expected.iter().collect::<Vec<_>>(), "{}", test.engine);
        for id in [known, model("m-z")] {
            let later = vec![ModelOutput { model: id, step: 99 }];
            let refused = test.app.run_outputs_log(&test.ctx, run.clone(), later).await.unwrap_err();
            assert!(matches!(refused, Error::Conflict { .. }), "{}: {refused}", test.engine);
        }
    }
}

#[tokio::test]
async fn a_deleted_run_takes_no_inputs_and_no_outputs() {
    for test in apps().await {
        let run = new_run(&test).await;
        test.app.run_delete(&test.ctx, run.clone()).await.unwrap();
        let inputs = test.app.run_inputs_log(&test.ctx, run.clone(), RunInputs::default()).await;
        let outputs = test.app.run_outputs_log(&test.ctx, run, Vec::new()).await;
        for refused in [inputs.unwrap_err(), outputs.unwrap_err()] {
            assert!(matches!(refused, Error::WrongState { kind: Kind::Run, .. }), "{}: {refused}", test.engine);
        }
    }
}

#[tokio::test]
async fn used_datasets_are_listed_once_for_each_context() {
    for test in apps().await {
        for context in [Some("train"), Some("train"), Some("eval"), None] {
            let run = new_run(&test).await;
            test.app.run_inputs_log(&test.ctx, run, datasets(vec![reading("d", "1", context)])).await.unwrap();
        }
        let experiments = vec![ExperimentId(0), ExperimentId(987)];
        let used = test.app.datasets_used(&test.ctx, experiments, CONTEXT).await.unwrap();
        let mut contexts: Vec<Option<String>> = used.into_iter().map(|summary| summary.context).collect();
        contexts.sort();
        assert_eq!(contexts, [None, Some("eval".to_owned()), Some("train".to_owned())], "{}", test.engine);
    }
}

#[tokio::test]
async fn a_tag_is_rewritten_from_its_present_value() {
    for test in apps().await {
        let run = new_run(&test).await;
        let work = (0..10).map(|_| {
            let add_one = |value: Option<&str>| Ok(format!("{}x", value.unwrap_or_default()));
            test.app.run_tag_rewrite(&test.ctx, run.clone(), "k".to_owned(), add_one)
        });
        for outcome in join_all(work).await {
            outcome.unwrap();
        }
        let tags = test.app.run_get(&test.ctx, run).await.unwrap().tags;
        assert_eq!(tags, [Tag { key: "k".to_owned(), value: "x".repeat(10) }], "{}", test.engine);
    }
}

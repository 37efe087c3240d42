use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use stele_mlflow::router;
use stele_testkit::apps;

use super::{call, post};

#[tokio::test]
async fn a_model_with_a_metric_reads_as_mlflow_prints_it() {
    for test in apps().await {
        let router = router(test.app.clone());
        let (_, run) = post(&router, "runs/create", json!({ "experiment_id": "0" })).await;
        let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        let new = json!({ "experiment_id": "0", "name": "net", "params": [{ "key": "p", "value": "1" }] });
        let (_, created) = post(&router, "logged-models", new).await;
        let id = created["model"]["info"]["model_id"].as_str().unwrap().to_owned();
        let metric = json!({
            "run_id": run, "key": "acc", "value": 0.5, "timestamp": 7, "model_id": id,
            "dataset_name": "d", "dataset_digest": "1",
        });
        assert_eq!(post(&router, "runs/log-metric", metric).await, (StatusCode::OK, json!({})));
        let (_, found) = call(&router, Method::GET, &format!("logged-models/{id}"), Value::Null).await;
        let time = 1_700_000_000_000_i64;
        let expected = json!({ "model": {
            "info": {
                "model_id": id, "experiment_id": "0", "name": "net",
                "creation_timestamp_ms": time, "last_updated_timestamp_ms": time,
                "artifact_uri": format!("mlflow-artifacts:/0/models/{id}/artifacts"),
                "status": "LOGGED_MODEL_PENDING", "model_type": "", "source_run_id": "",
            },
            "data": {
                "params": [{ "key": "p", "value": "1" }],
                "metrics": [{
                    "key": "acc", "value": 0.5, "timestamp": 7, "step": 0, "model_id": id, "run_id": run,
                    "dataset_name": "d", "dataset_digest": "1",
                }],
            },
        }});
        assert_eq!(found, expected, "{}", test.engine);
    }
}

#[tokio::test]
async fn half_a_dataset_is_refused_alone_and_in_a_batch() {
    for test in apps().await {
        let router = router(test.app.clone());
        let (_, run) = post(&router, "runs/create", json!({ "experiment_id": "0" })).await;
        let run = run["run"]["info"]["run_id"].clone();
        let half = json!({ "run_id": run, "key": "acc", "value": 0.5, "timestamp": 7, "dataset_name": "d" });
        let batch = json!({ "run_id": run, "metrics": [half] });
        for (path, body) in [("runs/log-metric", half), ("runs/log-batch", batch)] {
            let (status, refused) = post(&router, path, body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
            let text = "Both dataset_name and dataset_digest must be provided if one is provided";
            assert_eq!(refused["message"], text, "{path}");
        }
    }
}

#[tokio::test]
async fn a_run_row_leaves_out_the_models_that_the_run_read() {
    for test in apps().await {
        let router = router(test.app.clone());
        let (_, run) = post(&router, "runs/create", json!({ "experiment_id": "0" })).await;
        let run = run["run"]["info"]["run_id"].as_str().unwrap().to_owned();
        let models = json!({ "run_id": run, "models": [{ "model_id": "m-1" }] });
        assert_eq!(post(&router, "runs/log-inputs", models.clone()).await.0, StatusCode::OK);
        assert_eq!(post(&router, "runs/outputs", models).await.0, StatusCode::OK);
        let made = json!({ "model_outputs": [{ "model_id": "m-1", "step": 0 }] });
        let (_, whole) = call(&router, Method::GET, &format!("runs/get?run_id={run}"), Value::Null).await;
        assert_eq!(whole["run"]["inputs"], json!({ "model_inputs": [{ "model_id": "m-1" }] }));
        assert_eq!(whole["run"]["outputs"], made);
        let (_, rows) = post(&router, "runs/search", json!({ "experiment_ids": ["0"] })).await;
        assert_eq!(rows["runs"][0]["inputs"], json!({}));
        assert_eq!(rows["runs"][0]["outputs"], made, "{}", test.engine);
    }
}

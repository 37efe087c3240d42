//! One of everything, made through the scripts themselves, with a marker in every name and value.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use stele_app::{Admission, App, Script, Translations};
use stele_domain::authz::Principal;

use super::cases::{self, Answered, Outcome};

/// In every name and every value, so that an answer that tells of any is found.
pub(super) const MARKER: &str = "veiled";

/// In its place, in the names of what is not there.
const GHOST: &str = "ghost";

/// The things, by the name that cases call them by.
#[derive(Debug, Default)]
pub(super) struct Things {
    known: BTreeMap<&'static str, String>,
    made: u32,
    is_ghost: bool,
}

impl Things {
    fn put(&mut self, name: &'static str, value: &Value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(!value.is_null(), "nothing was made for ${name}");
        self.known.insert(name, text);
    }

    /// Things of the same looks that are not there, but for the account that asks.
    pub(super) fn ghosts(&self) -> Things {
        let other = |digit: char| match digit {
            '0'..='8' | 'a'..='e' => char::from_u32(digit as u32 + 1).unwrap_or(digit),
            '9' => '1',
            'f' => 'a',
            other => other,
        };
        let ghost = |(name, value): (&&'static str, &String)| {
            let value = match *name {
                "own" | "own_key" => value.clone(),
                // Numbers far above those of rows.
                _ if value.bytes().all(|byte| byte.is_ascii_digit()) => format!("98765{value}"),
                _ if value.contains(MARKER) => value.replace(MARKER, GHOST),
                // An id, which may be the end of an ARN.
                _ => {
                    let (before, id) = value.rsplit_once('/').unwrap_or(("", value));
                    let id: String = id.chars().map(other).collect();
                    if before.is_empty() { id } else { format!("{before}/{id}") }
                }
            };
            (*name, value)
        };
        Things { known: self.known.iter().map(ghost).collect(), made: self.made + 1_000, is_ghost: true }
    }

    /// A text with the things in the place of their names; `$new` is a name that nothing has yet.
    pub(super) fn fill(&mut self, text: &str) -> String {
        let mut text = if self.is_ghost { text.replace(MARKER, GHOST) } else { text.to_owned() };
        if text.contains("$new") {
            self.made += 1;
            text = text.replace("$new", &format!("{MARKER}-new-{}", self.made));
        }
        // The longest first, since `$run` begins `$run_two`.
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, value) in known {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.known.get(name).unwrap_or_else(|| panic!("nothing is called {name}"))
    }
}

struct Maker<'a> {
    router: &'a Router,
    things: Things,
}

impl Maker<'_> {
    /// Sends a request as the owner of the server, and gives back the text that comes.
    async fn send(&mut self, script: Script, route: &'static str, with: &str) -> String {
        let request = cases::request(script, route, with, &mut self.things);
        let answered = cases::ask(self.router, request, Admission::Admitted(Principal::LocalOwner)).await;
        let Answered { outcome, text: answer, .. } = answered;
        assert_eq!(outcome, Outcome::Done, "{route} {with}: {answer}");
        answer[4..].to_owned()
    }

    /// The same, of an answer that is JSON or nothing.
    async fn json(&mut self, script: Script, route: &'static str, with: &str) -> Value {
        serde_json::from_str(&self.send(script, route, with).await).unwrap_or_default()
    }

    /// The same, of S3, whose answers are XML.
    async fn s3(&mut self, with: &str) -> String {
        self.send(Script::Aws, "", with).await
    }

    async fn mlflow(&mut self, route: &'static str, with: &str) -> Value {
        self.json(Script::Mlflow, route, with).await
    }

    async fn sagemaker(&mut self, route: &'static str, with: &str) -> Value {
        self.json(Script::Sagemaker, route, with).await
    }

    async fn native(&mut self, route: &'static str, with: &str) -> Value {
        self.json(Script::Native, route, with).await
    }
}

pub(super) async fn made(app: &App, router: &Router) -> Things {
    let mut maker = Maker { router, things: Things::default() };
    for (name, value) in [
        ("name", MARKER),
        ("account", "veiled-ann"),
        ("own", super::NAME),
        ("group", "veiled-group"),
        ("gate", "veiled-gate"),
        ("policy", "veiled-policy"),
        ("model", "veiled-model"),
        ("version", "1"),
        ("alias", "veiled-alias"),
        ("tag_key", "veiled-key"),
        ("key", "veiled-key"),
        ("workspace_name", "veiled-team"),
        ("bucket", "veiled-bucket"),
    ] {
        maker.things.put(name, &value.into());
    }
    webhooks(&mut maker).await;
    tracking(&mut maker).await;
    registry(&mut maker).await;
    deliveries(app, &mut maker).await;
    evaluation(&mut maker).await;
    identity(&mut maker).await;
    buckets(&mut maker).await;
    of_sagemaker(&mut maker).await;
    maker.things
}

async fn tracking(maker: &mut Maker<'_>) {
    const TAGS: &str = r#""tags":[{"key":"veiled-key","value":"veiled-value"}]"#;
    let made =
        maker.mlflow("POST 2.0/mlflow/experiments/create", &format!(r#"{{"name":"veiled-experiment",{TAGS}}}"#)).await;
    maker.things.put("experiment_id", &made["experiment_id"]);
    let made = maker.mlflow("POST 2.0/mlflow/experiments/create", r#"{"name":"veiled-other"}"#).await;
    maker.things.put("other_experiment", &made["experiment_id"]);
    for name in ["run_id", "other_run"] {
        let body = format!(
            r#"{{"experiment_id":"$experiment_id","run_name":"veiled-run","user_id":"veiled-user","start_time":1,{TAGS}}}"#
        );
        let made = maker.mlflow("POST 2.0/mlflow/runs/create", &body).await;
        maker.things.put(name, &made["run"]["info"]["run_id"]);
    }
    let path = maker.things.fill("$experiment_id/$run_id/artifacts/veiled.txt");
    maker.things.put("path", &path.into());
    maker.mlflow("POST 2.0/mlflow/runs/log-batch", r#"{"run_id":"$run_id","metrics":[{"key":"veiled-metric","value":0.5,"timestamp":1,"step":1}],"params":[{"key":"veiled-param","value":"veiled-value"}]}"#).await;
    maker.mlflow("POST 2.0/mlflow/runs/log-inputs", r#"{"run_id":"$run_id","datasets":[{"dataset":{"name":"veiled-data","digest":"d","source_type":"local","source":"veiled-source"},"tags":[{"key":"mlflow.data.context","value":"veiled-context"}]}]}"#).await;
    for name in ["model_id", "other_logged_model"] {
        let made = maker.mlflow("POST 2.0/mlflow/logged-models", r#"{"experiment_id":"$experiment_id","name":"veiled-logged","source_run_id":"$run_id","params":[{"key":"veiled-param","value":"veiled-value"}],"tags":[{"key":"veiled-key","value":"veiled-value"}]}"#).await;
        maker.things.put(name, &made["model"]["info"]["model_id"]);
    }
    maker.native("put_run_artifact", "?path=veiled.txt veiled-content").await;
    // Below the source of the versions of the model.
    maker.native("put_run_artifact", "?path=model/veiled.txt veiled-content").await;
    for model in ["$model_id", "$other_logged_model"] {
        maker.native("put_logged_model_artifact", &format!("@model_id={model} ?path=veiled.txt veiled-content")).await;
    }
    let start = r#"{"trace":{"trace_info":{"trace_id":"tr-veiled","trace_location":{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"$experiment_id"}},"request_time":"2026-01-01T00:00:00Z","state":"OK","request_preview":"veiled-preview","tags":{"veiled-key":"veiled-value"}}}}"#;
    maker.mlflow("POST 3.0/mlflow/traces", start).await;
    maker.things.put("trace_id", &"tr-veiled".into());
    maker.mlflow("POST 3.0/mlflow/traces", &start.replace("tr-veiled", "tr-veiled-two")).await;
    let made = maker.mlflow("POST 3.0/mlflow/traces/{trace_id}/assessments", r#"{"assessment":{"assessment_name":"veiled-assessment","trace_id":"$trace_id","source":{"source_type":"HUMAN","source_id":"veiled-source"},"create_time":"2026-01-01T00:00:00Z","last_update_time":"2026-01-01T00:00:00Z","feedback":{"value":"veiled-value"}}}"#).await;
    maker.things.put("assessment_id", &made["assessment"]["assessment_id"]);
    maker.mlflow("POST v1/traces", r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{"traceId":"000102030405060708090a0b0c0d0e0f","spanId":"0102030405060708","name":"veiled-span","startTimeUnixNano":"1000000000","endTimeUnixNano":"3000000000"}]}]}]}"#).await;
    maker.things.put("spanned_trace", &"tr-000102030405060708090a0b0c0d0e0f".into());
    let made = maker
        .mlflow(
            "POST 2.0/mlflow/traces",
            r#"{"experiment_id":"$experiment_id","timestamp_ms":1,"request_metadata":[],"tags":[]}"#,
        )
        .await;
    maker.things.put("started_trace", &made["trace_info"]["request_id"]);
}

async fn registry(maker: &mut Maker<'_>) {
    for model in ["veiled-model", "veiled-renamed", "veiled-deleted"] {
        let body = format!(
            r#"{{"name":"{model}","description":"veiled-text","tags":[{{"key":"veiled-key","value":"veiled-value"}}]}}"#
        );
        maker.mlflow("POST 2.0/mlflow/registered-models/create", &body).await;
    }
    for _ in 0..3 {
        maker.mlflow("POST 2.0/mlflow/model-versions/create", r#"{"name":"$model","source":"runs:/$run_id/model","run_id":"$run_id","tags":[{"key":"veiled-key","value":"veiled-value"}]}"#).await;
    }
    maker
        .mlflow("POST 2.0/mlflow/registered-models/alias", r#"{"name":"$model","alias":"$alias","version":"1"}"#)
        .await;
    maker
        .native(
            "apply_policy",
            r#"{"text":"forbid (principal == User::\"veiled-bob\", action == Action::\"gate:manage\", resource);"}"#,
        )
        .await;
    maker.native("apply_gate", r#"{"name":"$gate","models":"veiled-guarded*","target":{"stage":"production"},"rules":[{"tag":{"key":"veiled-tag"}}]}"#).await;
    maker
        .native("record_evaluation", r#"{"digest":"veiled-digest","dataset":"veiled-data","metrics":{"auc":0.5}}"#)
        .await;
    maker.native("add_review", r#"{"review":"comment","reason":"veiled-reason"}"#).await;
}

/// Lets what the webhooks wait for have its end: where no format is known, all of it is given up.
async fn deliveries(app: &App, maker: &mut Maker<'_>) {
    let ended = async {
        loop {
            let waiting = maker.native("list_webhook_deliveries", "?status=pending").await;
            if waiting["deliveries"].as_array().unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = app.deliver_webhooks(Translations::default()) => {}
        () = ended => {}
    }
    let given_up = maker.native("list_webhook_deliveries", "?status=failed").await;
    maker.things.put("delivery_id", &given_up["deliveries"][0]["id"]);
}

async fn evaluation(maker: &mut Maker<'_>) {
    let made = maker.mlflow("POST 3.0/mlflow/datasets/create", r#"{"name":"veiled-examples","experiment_ids":["$experiment_id"],"tags":"{\"veiled-key\":\"veiled-value\"}"}"#).await;
    maker.things.put("dataset_id", &made["dataset"]["dataset_id"]);
    maker
        .mlflow(
            "POST 3.0/mlflow/datasets/{dataset_id}/records",
            r#"{"records":"[{\"inputs\":{\"q\":\"veiled-question\"}}]"}"#,
        )
        .await;
    let made = maker.mlflow("GET 3.0/mlflow/datasets/{dataset_id}/records", "").await;
    // Records are a JSON text inside of the answer.
    let records: Value = serde_json::from_str(made["records"].as_str().unwrap()).unwrap();
    maker.things.put("record", &records[0]["dataset_record_id"]);
    let made = maker.mlflow("POST 3.0/mlflow/scorers/register", r#"{"experiment_id":"$experiment_id","name":"veiled-scorer","serialized_scorer":"{\"name\":\"veiled-scorer\"}"}"#).await;
    maker.things.put("scorer", &made["scorer_id"]);
    let made = maker
        .mlflow(
            "POST 3.0/mlflow/issues",
            r#"{"experiment_id":"$experiment_id","name":"veiled-issue","description":"veiled-description"}"#,
        )
        .await;
    maker.things.put("issue_id", &made["issue"]["issue_id"]);
    // The server makes a question of its own when it is first asked for them.
    maker.mlflow("GET 3.0/mlflow/label-schemas/list", "?experiment_id=$experiment_id").await;
    let made = maker
        .mlflow(
            "POST 3.0/mlflow/label-schemas/create",
            r#"{"experiment_id":"$experiment_id","name":"veiled-question","type":"FEEDBACK","input":{"text":{}}}"#,
        )
        .await;
    maker.things.put("schema_id", &made["label_schema"]["schema_id"]);
    let made = maker
        .mlflow(
            "POST 3.0/mlflow/review-queues/create",
            r#"{"experiment_id":"$experiment_id","name":"veiled-queue","queue_type":"CUSTOM"}"#,
        )
        .await;
    maker.things.put("queue_id", &made["review_queue"]["queue_id"]);
}

/// Webhooks of both scripts, before there is anything that they would be told of.
async fn webhooks(maker: &mut Maker<'_>) {
    for name in ["webhook_id", "kept_webhook"] {
        let made = maker.mlflow("POST 2.0/mlflow/webhooks", r#"{"name":"veiled-hook","url":"http://127.0.0.1:9/veiled-path","events":[{"entity":"PROMPT","action":"CREATED"}]}"#).await;
        maker.things.put(name, &made["webhook"]["webhook_id"]);
    }
    let made = maker.native("create_webhook", r#"{"name":"veiled-own-hook","url":"http://127.0.0.1:9/veiled-path","format":"cloudevents","events":["model.created"]}"#).await;
    maker.things.put("native_webhook", &made["id"]);
}

async fn identity(maker: &mut Maker<'_>) {
    for account in ["$account", "$own", "veiled-gone", "veiled-retired"] {
        let body = format!(r#"{{"name":"{account}","display_name":"veiled-person","password":"veiled-password"}}"#);
        maker.native("create_account", &body).await;
    }
    for group in ["$group", "veiled-disbanded"] {
        maker.native("create_group", &format!(r#"{{"name":"{group}","description":"veiled-text"}}"#)).await;
    }
    maker.native("add_group_member", "").await;
    let made = maker
        .native("create_grant", r#"{"account":"$account","role":"viewer","scope":"workspace","of":"default"}"#)
        .await;
    maker.things.put("grant_id", &made["id"]);
    let made = maker.native("create_token", r#"{"name":"veiled-token"}"#).await;
    maker.things.put("token_id", &made["id"]);
    let made = maker.native("create_access_key", r#"{"name":"veiled-key"}"#).await;
    maker.things.put("key_id", &made["id"]);
    let made = maker.native("create_access_key", r#"@account=$own {"name":"own"}"#).await;
    maker.things.put("own_key", &made["id"]);
    for workspace in ["veiled-team", "veiled-spare-team"] {
        maker.mlflow("POST 3.0/mlflow/workspaces", &format!(r#"{{"name":"{workspace}"}}"#)).await;
    }
    let made = maker.mlflow("POST 3.0/mlflow/roles/create", r#"{"workspace":"default","name":"veiled-role"}"#).await;
    maker.things.put("role", &made["role"]["id"]);
    let made = maker.mlflow("POST 3.0/mlflow/roles/permissions/add", r#"{"role_id":$role,"resource_type":"experiment","resource_pattern":"$other_experiment","permission":"READ"}"#).await;
    maker.things.put("role_permission", &made["role_permission"]["id"]);
    let made =
        maker.mlflow("POST 3.0/mlflow/roles/create", r#"{"workspace":"default","name":"veiled-second-role"}"#).await;
    maker.things.put("second_role", &made["role"]["id"]);
}

async fn of_sagemaker(maker: &mut Maker<'_>) {
    let made = maker.sagemaker("CreateExperiment", r#"{"ExperimentName":"veiled-sm-experiment"}"#).await;
    maker.things.put("sm_experiment", &made["ExperimentArn"]);
    maker.sagemaker("CreateExperiment", r#"{"ExperimentName":"veiled-sm-empty"}"#).await;
    for trial in ["veiled-trial", "veiled-spare-trial"] {
        maker
            .sagemaker("CreateTrial", &format!(r#"{{"TrialName":"{trial}","ExperimentName":"veiled-sm-experiment"}}"#))
            .await;
    }
    for component in ["veiled-component", "veiled-spare-component"] {
        maker.sagemaker("CreateTrialComponent", &format!(r#"{{"TrialComponentName":"{component}","Parameters":{{"veiled-param":{{"StringValue":"veiled-value"}}}}}}"#)).await;
    }
    let made = maker
        .sagemaker(
            "CreateModelPackageGroup",
            r#"{"ModelPackageGroupName":"veiled-pkg","Tags":[{"Key":"veiled-key","Value":"veiled-value"}]}"#,
        )
        .await;
    maker.things.put("package_group", &made["ModelPackageGroupArn"]);
    maker.sagemaker("CreateModelPackageGroup", r#"{"ModelPackageGroupName":"veiled-empty-pkg"}"#).await;
    maker
        .sagemaker(
            "PutModelPackageGroupPolicy",
            r#"{"ModelPackageGroupName":"veiled-pkg","ResourcePolicy":"{\"Statement\":[],\"Id\":\"veiled-policy\"}"}"#,
        )
        .await;
    for name in ["package", "spare_package"] {
        let made = maker
            .sagemaker(
                "CreateModelPackage",
                r#"{"ModelPackageGroupName":"veiled-pkg","ModelPackageDescription":"veiled-text"}"#,
            )
            .await;
        maker.things.put(name, &made["ModelPackageArn"]);
    }
    maker.sagemaker("CreateModel", r#"{"ModelName":"veiled-sm-model","PrimaryContainer":{"Image":"veiled-image"},"ExecutionRoleArn":"arn:aws:iam::123456789012:role/veiled"}"#).await;
    maker.sagemaker("CreateModelCard", r#"{"ModelCardName":"veiled-card","Content":"{\"model_overview\":{\"model_name\":\"veiled-name\"}}","ModelCardStatus":"Draft"}"#).await;
    for name in ["artifact", "spare_artifact"] {
        let made = maker.sagemaker("CreateArtifact", &format!(r#"{{"ArtifactName":"veiled-{name}","ArtifactType":"DataSet","Source":{{"SourceUri":"s3://veiled/{name}"}}}}"#).replace("_", "-")).await;
        maker.things.put(name, &made["ArtifactArn"]);
    }
    for name in ["veiled-action", "veiled-spare-action"] {
        maker
            .sagemaker(
                "CreateAction",
                &format!(
                    r#"{{"ActionName":"{name}","ActionType":"veiled","Source":{{"SourceUri":"s3://veiled/action"}}}}"#
                ),
            )
            .await;
    }
    let made = maker
        .sagemaker(
            "CreateContext",
            r#"{"ContextName":"veiled-context","ContextType":"veiled","Source":{"SourceUri":"s3://veiled/context"}}"#,
        )
        .await;
    maker.things.put("context", &made["ContextArn"]);
    maker.sagemaker("CreateContext", r#"{"ContextName":"veiled-spare-context","ContextType":"veiled","Source":{"SourceUri":"s3://veiled/context"}}"#).await;
    maker
        .sagemaker(
            "AddAssociation",
            r#"{"SourceArn":"$artifact","DestinationArn":"$context","AssociationType":"DerivedFrom"}"#,
        )
        .await;
    let made = maker.sagemaker("CreateModelCardExportJob", r#"{"ModelCardName":"veiled-card","ModelCardExportJobName":"veiled-job","OutputConfig":{"S3OutputPath":"s3://veiled-bucket/cards"}}"#).await;
    maker.things.put("export_job", &made["ModelCardExportJobArn"]);
}

async fn buckets(maker: &mut Maker<'_>) {
    for made in ["s3 PUT /$bucket", "s3 PUT /veiled-spare-bucket", "s3 PUT /$bucket/veiled.txt veiled-content"] {
        maker.s3(made).await;
    }
    for bucket in ["$bucket", "veiled-spare-bucket"] {
        let tag = "<Tag><Key>veiled-key</Key><Value>veiled-value</Value></Tag>";
        maker.s3(&format!("s3 PUT /{bucket}?tagging <Tagging><TagSet>{tag}</TagSet></Tagging>")).await;
    }
    for (name, key) in [("upload", "veiled-large"), ("left_upload", "veiled-left")] {
        let made = maker.s3(&format!("s3 POST /$bucket/{key}?uploads")).await;
        let (_, id) = made.split_once("<UploadId>").unwrap();
        maker.things.put(name, &id.split_once('<').unwrap().0.into());
    }
    maker.s3("s3 PUT /$bucket/veiled-large?partNumber=1&uploadId=$upload veiled-part").await;
    // The MD5 of what the part is.
    maker.things.put("part", &"7908a04affffc065fb8361709bd5283d".into());
}

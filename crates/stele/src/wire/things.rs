//! One of everything, made through the scripts themselves, with a marker in every name and value.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use stele_app::{Admission, App, Script, Translations};
use stele_domain::authz::Principal;

use super::cases::{self, Answered, Outcome};

/// Where things are, on which roles are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// In the workspace itself, or in what all workspaces share.
    Workspace,
    /// In one of the experiments.
    Experiment,
    /// In one of the models.
    Model,
}

impl Where {
    pub(super) const ALL: [Where; 3] = [Where::Workspace, Where::Experiment, Where::Model];

    pub(super) fn name(self) -> &'static str {
        match self {
            Where::Workspace => "workspace",
            Where::Experiment => "experiment",
            Where::Model => "model",
        }
    }

    /// In every name and every value of what is there, so that an answer that tells of any is found.
    pub(super) fn marker(self) -> &'static str {
        match self {
            Where::Workspace => "veiled",
            Where::Experiment => "shrouded",
            Where::Model => "hooded",
        }
    }
}

/// In the place of a marker, in the names of what is not there.
const GHOST: &str = "ghost";

/// The things, by the name that cases call them by.
#[derive(Debug, Default)]
pub(super) struct Things {
    known: BTreeMap<&'static str, (Where, String)>,
    made: u32,
    /// Where there is nothing of these looks.
    ghosts: Vec<Where>,
}

impl Things {
    /// The same things, but for others of the same looks that are not there in the place of those which are `hidden`.
    /// The account that asks stays.
    pub(super) fn ghosts(&self, hidden: &[Where]) -> Things {
        let other = |digit: char| match digit {
            '0'..='8' | 'a'..='e' => char::from_u32(digit as u32 + 1).unwrap_or(digit),
            '9' => '1',
            'f' => 'a',
            other => other,
        };
        let ghost = |(name, (place, value)): (&&'static str, &(Where, String))| {
            let value = match *name {
                "own" | "own_key" => value.clone(),
                _ if !hidden.contains(place) => value.clone(),
                // Numbers far above those of rows.
                _ if value.bytes().all(|byte| byte.is_ascii_digit()) => format!("98765{value}"),
                _ if value.contains(place.marker()) => value.replace(place.marker(), GHOST),
                // An id, which may be the end of an ARN.
                _ => {
                    let (before, id) = value.rsplit_once('/').unwrap_or(("", value));
                    let id: String = id.chars().map(other).collect();
                    if before.is_empty() { id } else { format!("{before}/{id}") }
                }
            };
            (*name, (*place, value))
        };
        Things { known: self.known.iter().map(ghost).collect(), made: self.made + 1_000, ghosts: hidden.to_vec() }
    }

    /// A text with the things in the place of their names; `$new` is a name that nothing has yet.
    pub(super) fn fill(&mut self, text: &str) -> String {
        let mut text = self.ghosts.iter().fold(text.to_owned(), |text, place| text.replace(place.marker(), GHOST));
        if text.contains("$new") {
            self.made += 1;
            text = text.replace("$new", &format!("new-{}", self.made));
        }
        // The longest first, since `$run` begins `$run_two`.
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, (_, value)) in known {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }

    pub(super) fn get(&self, name: &str) -> &str {
        let (_, value) = self.known.get(name).unwrap_or_else(|| panic!("nothing is called {name}"));
        value
    }
}

struct Maker<'a> {
    router: &'a Router,
    things: Things,
    /// Where what is made is.
    place: Where,
}

impl Maker<'_> {
    fn put(&mut self, name: &'static str, value: &Value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(!value.is_null(), "nothing was made for ${name}");
        self.things.known.insert(name, (self.place, text));
    }

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
    let mut maker = Maker { router, things: Things::default(), place: Where::Workspace };
    for (name, place, value) in [
        ("name", Where::Workspace, "veiled"),
        ("account", Where::Workspace, "veiled-ann"),
        ("own", Where::Workspace, super::NAME),
        ("group", Where::Workspace, "veiled-group"),
        ("gate", Where::Workspace, "veiled-gate"),
        ("policy", Where::Workspace, "veiled-policy"),
        ("key", Where::Workspace, "veiled-key"),
        ("workspace_name", Where::Workspace, "veiled-team"),
        ("bucket", Where::Workspace, "veiled-bucket"),
        ("tag_key", Where::Experiment, "shrouded-key"),
        ("model", Where::Model, "hooded-model"),
        ("version", Where::Model, "1"),
        ("alias", Where::Model, "hooded-alias"),
    ] {
        maker.place = place;
        maker.put(name, &value.into());
    }
    maker.place = Where::Workspace;
    webhooks(&mut maker).await;
    maker.place = Where::Experiment;
    tracking(&mut maker).await;
    maker.place = Where::Model;
    registry(&mut maker).await;
    maker.place = Where::Workspace;
    rules(&mut maker).await;
    deliveries(app, &mut maker).await;
    evaluation_datasets(&mut maker).await;
    identity(&mut maker).await;
    buckets(&mut maker).await;
    resources_of_sagemaker(&mut maker).await;
    maker.place = Where::Experiment;
    evaluation(&mut maker).await;
    experiments_of_sagemaker(&mut maker).await;
    maker.place = Where::Model;
    packages_of_sagemaker(&mut maker).await;
    maker.things
}

async fn tracking(maker: &mut Maker<'_>) {
    const TAGS: &str = r#""tags":[{"key":"shrouded-key","value":"shrouded-value"}]"#;
    let made = maker
        .mlflow("POST 2.0/mlflow/experiments/create", &format!(r#"{{"name":"shrouded-experiment",{TAGS}}}"#))
        .await;
    maker.put("experiment_id", &made["experiment_id"]);
    let made = maker.mlflow("POST 2.0/mlflow/experiments/create", r#"{"name":"shrouded-other"}"#).await;
    maker.put("other_experiment", &made["experiment_id"]);
    for name in ["run_id", "other_run"] {
        let body = format!(
            r#"{{"experiment_id":"$experiment_id","run_name":"shrouded-run","user_id":"shrouded-user","start_time":1,{TAGS}}}"#
        );
        let made = maker.mlflow("POST 2.0/mlflow/runs/create", &body).await;
        maker.put(name, &made["run"]["info"]["run_id"]);
    }
    let path = maker.things.fill("$experiment_id/$run_id/artifacts/shrouded.txt");
    maker.put("path", &path.into());
    maker.mlflow("POST 2.0/mlflow/runs/log-batch", r#"{"run_id":"$run_id","metrics":[{"key":"shrouded-metric","value":0.5,"timestamp":1,"step":1}],"params":[{"key":"shrouded-param","value":"shrouded-value"}]}"#).await;
    maker.mlflow("POST 2.0/mlflow/runs/log-inputs", r#"{"run_id":"$run_id","datasets":[{"dataset":{"name":"shrouded-data","digest":"d","source_type":"local","source":"shrouded-source"},"tags":[{"key":"mlflow.data.context","value":"shrouded-context"}]}]}"#).await;
    for name in ["model_id", "other_logged_model"] {
        let made = maker.mlflow("POST 2.0/mlflow/logged-models", r#"{"experiment_id":"$experiment_id","name":"shrouded-logged","source_run_id":"$run_id","params":[{"key":"shrouded-param","value":"shrouded-value"}],"tags":[{"key":"shrouded-key","value":"shrouded-value"}]}"#).await;
        maker.put(name, &made["model"]["info"]["model_id"]);
    }
    maker.native("put_run_artifact", "?path=shrouded.txt shrouded-content").await;
    // Below the source of the versions of the model.
    maker.native("put_run_artifact", "?path=model/hooded.txt hooded-content").await;
    for model in ["$model_id", "$other_logged_model"] {
        maker
            .native("put_logged_model_artifact", &format!("@model_id={model} ?path=shrouded.txt shrouded-content"))
            .await;
    }
    let start = r#"{"trace":{"trace_info":{"trace_id":"tr-shrouded","trace_location":{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"$experiment_id"}},"request_time":"2026-01-01T00:00:00Z","state":"OK","request_preview":"shrouded-preview","tags":{"shrouded-key":"shrouded-value"}}}}"#;
    maker.mlflow("POST 3.0/mlflow/traces", start).await;
    maker.put("trace_id", &"tr-shrouded".into());
    maker.mlflow("POST 3.0/mlflow/traces", &start.replace("tr-shrouded", "tr-shrouded-two")).await;
    let made = maker.mlflow("POST 3.0/mlflow/traces/{trace_id}/assessments", r#"{"assessment":{"assessment_name":"shrouded-assessment","trace_id":"$trace_id","source":{"source_type":"HUMAN","source_id":"shrouded-source"},"create_time":"2026-01-01T00:00:00Z","last_update_time":"2026-01-01T00:00:00Z","feedback":{"value":"shrouded-value"}}}"#).await;
    maker.put("assessment_id", &made["assessment"]["assessment_id"]);
    maker.mlflow("POST v1/traces", r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[{"traceId":"000102030405060708090a0b0c0d0e0f","spanId":"0102030405060708","name":"shrouded-span","startTimeUnixNano":"1000000000","endTimeUnixNano":"3000000000"}]}]}]}"#).await;
    maker.put("spanned_trace", &"tr-000102030405060708090a0b0c0d0e0f".into());
    let made = maker
        .mlflow(
            "POST 2.0/mlflow/traces",
            r#"{"experiment_id":"$experiment_id","timestamp_ms":1,"request_metadata":[],"tags":[]}"#,
        )
        .await;
    maker.put("started_trace", &made["trace_info"]["request_id"]);
}

async fn registry(maker: &mut Maker<'_>) {
    for model in ["hooded-model", "hooded-renamed", "hooded-deleted"] {
        let body = format!(
            r#"{{"name":"{model}","description":"hooded-text","tags":[{{"key":"hooded-key","value":"hooded-value"}}]}}"#
        );
        maker.mlflow("POST 2.0/mlflow/registered-models/create", &body).await;
    }
    for _ in 0..3 {
        maker.mlflow("POST 2.0/mlflow/model-versions/create", r#"{"name":"$model","source":"mlflow-artifacts:/$experiment_id/$run_id/artifacts/model","run_id":"$run_id","tags":[{"key":"hooded-key","value":"hooded-value"}]}"#).await;
    }
    maker
        .mlflow("POST 2.0/mlflow/registered-models/alias", r#"{"name":"$model","alias":"$alias","version":"1"}"#)
        .await;
    maker
        .native("record_evaluation", r#"{"digest":"hooded-digest","dataset":"hooded-data","metrics":{"auc":0.5}}"#)
        .await;
    maker.native("add_review", r#"{"review":"comment","reason":"hooded-reason"}"#).await;
}

async fn rules(maker: &mut Maker<'_>) {
    maker
        .native(
            "apply_policy",
            r#"{"text":"forbid (principal == User::\"veiled-bob\", action == Action::\"gate:manage\", resource);"}"#,
        )
        .await;
    maker.native("apply_gate", r#"{"name":"$gate","models":"veiled-guarded*","target":{"stage":"production"},"rules":[{"tag":{"key":"veiled-tag"}}]}"#).await;
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
    maker.put("delivery_id", &given_up["deliveries"][0]["id"]);
}

async fn evaluation_datasets(maker: &mut Maker<'_>) {
    let made = maker.mlflow("POST 3.0/mlflow/datasets/create", r#"{"name":"veiled-examples","experiment_ids":["$experiment_id"],"tags":"{\"veiled-key\":\"veiled-value\"}"}"#).await;
    maker.put("dataset_id", &made["dataset"]["dataset_id"]);
    maker
        .mlflow(
            "POST 3.0/mlflow/datasets/{dataset_id}/records",
            r#"{"records":"[{\"inputs\":{\"q\":\"veiled-question\"}}]"}"#,
        )
        .await;
    let made = maker.mlflow("GET 3.0/mlflow/datasets/{dataset_id}/records", "").await;
    // Records are a JSON text inside of the answer.
    let records: Value = serde_json::from_str(made["records"].as_str().unwrap()).unwrap();
    maker.put("record", &records[0]["dataset_record_id"]);
}

async fn evaluation(maker: &mut Maker<'_>) {
    let made = maker.mlflow("POST 3.0/mlflow/scorers/register", r#"{"experiment_id":"$experiment_id","name":"shrouded-scorer","serialized_scorer":"{\"name\":\"shrouded-scorer\"}"}"#).await;
    maker.put("scorer", &made["scorer_id"]);
    let made = maker
        .mlflow(
            "POST 3.0/mlflow/issues",
            r#"{"experiment_id":"$experiment_id","name":"shrouded-issue","description":"shrouded-description"}"#,
        )
        .await;
    maker.put("issue_id", &made["issue"]["issue_id"]);
    // The server makes a question of its own when it is first asked for them.
    maker.mlflow("GET 3.0/mlflow/label-schemas/list", "?experiment_id=$experiment_id").await;
    let made = maker
        .mlflow(
            "POST 3.0/mlflow/label-schemas/create",
            r#"{"experiment_id":"$experiment_id","name":"shrouded-question","type":"FEEDBACK","input":{"text":{}}}"#,
        )
        .await;
    maker.put("schema_id", &made["label_schema"]["schema_id"]);
    let made = maker
        .mlflow(
            "POST 3.0/mlflow/review-queues/create",
            r#"{"experiment_id":"$experiment_id","name":"shrouded-queue","queue_type":"CUSTOM"}"#,
        )
        .await;
    maker.put("queue_id", &made["review_queue"]["queue_id"]);
}

/// Webhooks of both scripts, before there is anything that they would be told of.
async fn webhooks(maker: &mut Maker<'_>) {
    for name in ["webhook_id", "kept_webhook"] {
        let made = maker.mlflow("POST 2.0/mlflow/webhooks", r#"{"name":"veiled-hook","url":"http://127.0.0.1:9/veiled-path","events":[{"entity":"PROMPT","action":"CREATED"}]}"#).await;
        maker.put(name, &made["webhook"]["webhook_id"]);
    }
    let made = maker.native("create_webhook", r#"{"name":"veiled-own-hook","url":"http://127.0.0.1:9/veiled-path","format":"cloudevents","events":["model.created"]}"#).await;
    maker.put("native_webhook", &made["id"]);
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
    maker.put("grant_id", &made["id"]);
    let made = maker.native("create_token", r#"{"name":"veiled-token"}"#).await;
    maker.put("token_id", &made["id"]);
    let made = maker.native("create_access_key", r#"{"name":"veiled-key"}"#).await;
    maker.put("key_id", &made["id"]);
    let made = maker.native("create_access_key", r#"@account=$own {"name":"own"}"#).await;
    maker.put("own_key", &made["id"]);
    for workspace in ["veiled-team", "veiled-spare-team"] {
        maker.mlflow("POST 3.0/mlflow/workspaces", &format!(r#"{{"name":"{workspace}"}}"#)).await;
    }
    let made = maker.mlflow("POST 3.0/mlflow/roles/create", r#"{"workspace":"default","name":"veiled-role"}"#).await;
    maker.put("role", &made["role"]["id"]);
    let made = maker.mlflow("POST 3.0/mlflow/roles/permissions/add", r#"{"role_id":$role,"resource_type":"experiment","resource_pattern":"$other_experiment","permission":"READ"}"#).await;
    maker.put("role_permission", &made["role_permission"]["id"]);
    let made =
        maker.mlflow("POST 3.0/mlflow/roles/create", r#"{"workspace":"default","name":"veiled-second-role"}"#).await;
    maker.put("second_role", &made["role"]["id"]);
}

async fn experiments_of_sagemaker(maker: &mut Maker<'_>) {
    let made = maker.sagemaker("CreateExperiment", r#"{"ExperimentName":"shrouded-sm-experiment"}"#).await;
    maker.put("sm_experiment", &made["ExperimentArn"]);
    maker.sagemaker("CreateExperiment", r#"{"ExperimentName":"shrouded-sm-empty"}"#).await;
    for trial in ["shrouded-trial", "shrouded-spare-trial"] {
        maker
            .sagemaker(
                "CreateTrial",
                &format!(r#"{{"TrialName":"{trial}","ExperimentName":"shrouded-sm-experiment"}}"#),
            )
            .await;
    }
    for component in ["shrouded-component", "shrouded-spare-component"] {
        maker.sagemaker("CreateTrialComponent", &format!(r#"{{"TrialComponentName":"{component}","Parameters":{{"shrouded-param":{{"StringValue":"shrouded-value"}}}}}}"#)).await;
        // The first trial that it is in takes it along into its experiment, where it stays.
        for operation in ["AssociateTrialComponent", "DisassociateTrialComponent"] {
            let both = format!(r#"{{"TrialName":"shrouded-trial","TrialComponentName":"{component}"}}"#);
            maker.sagemaker(operation, &both).await;
        }
    }
}

async fn packages_of_sagemaker(maker: &mut Maker<'_>) {
    let made = maker
        .sagemaker(
            "CreateModelPackageGroup",
            r#"{"ModelPackageGroupName":"hooded-pkg","Tags":[{"Key":"hooded-key","Value":"hooded-value"}]}"#,
        )
        .await;
    maker.put("package_group", &made["ModelPackageGroupArn"]);
    maker.sagemaker("CreateModelPackageGroup", r#"{"ModelPackageGroupName":"hooded-empty-pkg"}"#).await;
    maker
        .sagemaker(
            "PutModelPackageGroupPolicy",
            r#"{"ModelPackageGroupName":"hooded-pkg","ResourcePolicy":"{\"Statement\":[],\"Id\":\"hooded-policy\"}"}"#,
        )
        .await;
    for name in ["package", "spare_package"] {
        let made = maker
            .sagemaker(
                "CreateModelPackage",
                r#"{"ModelPackageGroupName":"hooded-pkg","ModelPackageDescription":"hooded-text"}"#,
            )
            .await;
        maker.put(name, &made["ModelPackageArn"]);
    }
}

async fn resources_of_sagemaker(maker: &mut Maker<'_>) {
    maker.sagemaker("CreateModel", r#"{"ModelName":"veiled-sm-model","PrimaryContainer":{"Image":"veiled-image"},"ExecutionRoleArn":"arn:aws:iam::123456789012:role/veiled"}"#).await;
    maker.sagemaker("CreateModelCard", r#"{"ModelCardName":"veiled-card","Content":"{\"model_overview\":{\"model_name\":\"veiled-name\"}}","ModelCardStatus":"Draft"}"#).await;
    for name in ["artifact", "spare_artifact"] {
        let made = maker.sagemaker("CreateArtifact", &format!(r#"{{"ArtifactName":"veiled-{name}","ArtifactType":"DataSet","Source":{{"SourceUri":"s3://veiled/{name}"}}}}"#).replace("_", "-")).await;
        maker.put(name, &made["ArtifactArn"]);
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
    maker.put("context", &made["ContextArn"]);
    maker.sagemaker("CreateContext", r#"{"ContextName":"veiled-spare-context","ContextType":"veiled","Source":{"SourceUri":"s3://veiled/context"}}"#).await;
    maker
        .sagemaker(
            "AddAssociation",
            r#"{"SourceArn":"$artifact","DestinationArn":"$context","AssociationType":"DerivedFrom"}"#,
        )
        .await;
    let made = maker.sagemaker("CreateModelCardExportJob", r#"{"ModelCardName":"veiled-card","ModelCardExportJobName":"veiled-job","OutputConfig":{"S3OutputPath":"s3://veiled-bucket/cards"}}"#).await;
    maker.put("export_job", &made["ModelCardExportJobArn"]);
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
        maker.put(name, &id.split_once('<').unwrap().0.into());
    }
    maker.s3("s3 PUT /$bucket/veiled-large?partNumber=1&uploadId=$upload veiled-part").await;
    // The MD5 of what the part is.
    maker.put("part", &"7908a04affffc065fb8361709bd5283d".into());
}

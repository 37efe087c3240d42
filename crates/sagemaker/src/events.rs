//! What happens to versions, as EventBridge tells of SageMaker's model packages.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use stele_app::{STANDARD_WEBHOOKS, Told, Translation};
use stele_domain::event::name_of;
use stele_domain::id::WorkspaceId;
use stele_domain::lifecycle::Stage;
use stele_domain::printable::{self, LONGEST_GROUP};
use stele_domain::webhook::Event;

use crate::packages::life_cycle;
use crate::render::put;

/// No event says in which region it happened, since the record has none.
const REGION: &str = "us-east-1";

/// The twelve digits of the account that a workspace is.
pub type AccountOf = Arc<dyn Fn(WorkspaceId) -> String + Send + Sync>;

/// The documents of `SageMaker Model Package State Change`, in the name of the account where the model is.
pub fn webhook_translation(account_of: AccountOf) -> Translation {
    Translation {
        translate: Arc::new(move |event, id| translate(event, id, &account_of(event.workspace))),
        content_type: "application/json",
        headers: &[],
        proof: STANDARD_WEBHOOKS,
    }
}

fn translate(event: &Event, id: &str, account: &str) -> Option<Told> {
    let changed: &[&str] = match event.action.as_str() {
        "model-version.create" | "model-version.delete" => &[],
        "model-version.approval" => &["ModelApprovalStatus"],
        "model-version.transition" => &["ModelLifeCycle"],
        "model-version.update" => &["ModelPackageDescription", "CustomerMetadataProperties"],
        _ => return None,
    };
    let (model, number) = event.object.rsplit_once('/')?;
    let number: i64 = number.parse().ok()?;
    let group = match &event.subject {
        Some(subject) => printable::shown(model, LONGEST_GROUP, subject),
        None => model.to_owned(),
    };
    let package = format!("arn:aws:sagemaker:{REGION}:{account}:model-package/{group}/{number}");
    // Of a version that is gone, as it was before.
    let state = if event.version.is_null() { &event.before } else { &event.version };
    let deleted = event.action == "model-version.delete";
    let mut detail = json!({
        "ModelPackageGroupName": group,
        "ModelPackageVersion": number,
        "ModelPackageArn": package,
        "ModelPackageStatus": if deleted { "Deleting" } else { "Completed" },
        "ModelPackageStatusDetails": { "ImageScanStatuses": [], "ValidationStatuses": [] },
        "ModelApprovalStatus": approval(state["approval"].as_str()),
        "CreationTime": state["created_at"].as_i64().map(time),
        "LastModifiedTime": time(event.at.0),
        "UpdatedModelPackageFields": changed,
    });
    if let Some(detail) = detail.as_object_mut() {
        put(detail, "ModelPackageDescription", state["description"].as_str());
        // As packages are described; what a client wrote of a stage besides is no part of the event.
        put(detail, "ModelLifeCycle", state["stage"].as_str().and_then(Stage::parse).and_then(|s| life_cycle(None, s)));
    }
    let body = json!({
        "version": "0",
        "id": id,
        "detail-type": "SageMaker Model Package State Change",
        "source": "aws.sagemaker",
        "account": account,
        "time": time(event.at.0),
        "region": REGION,
        "resources": [package],
        "detail": detail,
    });
    Some(Told { event: name_of(&event.action)?.to_owned(), body: body.to_string() })
}

fn approval(status: Option<&str>) -> Value {
    match status {
        Some("approved") => "Approved".into(),
        Some("rejected") => "Rejected".into(),
        _ => "PendingManualApproval".into(),
    }
}

fn time(milliseconds: i64) -> String {
    let time = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use stele_domain::id::Timestamp;

    use super::*;

    #[test]
    fn an_approval_is_a_state_change_of_the_package() {
        let event = Event {
            workspace: WorkspaceId(1),
            action: "model-version.approval".to_owned(),
            object: "my model/3".to_owned(),
            before: json!({ "approval": "pending" }),
            after: json!({ "approval": "approved" }),
            at: Timestamp(1_700_000_000_123),
            by: "ada".to_owned(),
            script: "mlflow".to_owned(),
            subject: Some("0123456789abcdef0123456789abcdef".to_owned()),
            version: json!({ "approval": "approved", "stage": "none", "created_at": 1_600_000_000_000_i64 }),
        };
        let told = translate(&event, "e1", "123456789012").unwrap();
        let body: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!(told.event, "version.approval");
        let group = "my-model-x0123456789abcdef0123456789abcdef";
        assert_eq!(body["detail"]["ModelPackageGroupName"], group);
        assert_eq!(
            body["resources"],
            json!([format!("arn:aws:sagemaker:us-east-1:123456789012:model-package/{group}/3")])
        );
        assert_eq!(body["detail"]["ModelApprovalStatus"], "Approved");
        assert_eq!(body["detail"]["CreationTime"], "2020-09-13T12:26:40Z");
        assert_eq!(body["time"], "2023-11-14T22:13:20Z");
        assert_eq!(body["detail"]["UpdatedModelPackageFields"], json!(["ModelApprovalStatus"]));
        let accounts: AccountOf = Arc::new(|workspace| format!("{:012}", workspace.0));
        let told =
            (webhook_translation(accounts).translate)(&Event { workspace: WorkspaceId(7), ..event.clone() }, "e1");
        let body: Value = serde_json::from_str(&told.unwrap().body).unwrap();
        assert_eq!(body["account"], "000000000007");
        assert_eq!(
            body["detail"]["ModelPackageArn"],
            format!("arn:aws:sagemaker:us-east-1:000000000007:model-package/{group}/3")
        );
        assert_eq!(body["detail"].get("ModelLifeCycle"), None, "it is in no stage");
        let version = json!({ "approval": "approved", "stage": "production", "created_at": 0 });
        let moved = Event { action: "model-version.transition".to_owned(), version, ..event.clone() };
        let told: Value = serde_json::from_str(&translate(&moved, "e2", "1").unwrap().body).unwrap();
        assert_eq!(told["detail"]["ModelLifeCycle"], json!({ "Stage": "Production", "StageStatus": "Active" }));
        assert_eq!(told["detail"]["UpdatedModelPackageFields"], json!(["ModelLifeCycle"]));
        assert_eq!(translate(&Event { action: "model.create".to_owned(), ..event }, "e", "1"), None);
    }
}

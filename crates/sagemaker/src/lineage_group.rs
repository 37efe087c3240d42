//! The lineage group that everything here is in, as every account of AWS has one from the beginning.

use serde_json::{Value, json};
use stele_app::NO_EXPERIMENT;
use stele_domain::id::Timestamp;

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::render;

const KIND: &str = "lineage-group";
const NAME: &str = "sagemaker-default-lineage-group";

pub(crate) fn arn(call: &Call) -> String {
    call.arn(KIND, NAME)
}

pub(crate) async fn describe(call: Call) -> Result<Value> {
    require(&call)?;
    let mut group = summary(&call).await?;
    group["Description"] = "Everything in this workspace.".into();
    group["CreatedBy"] = json!({});
    group["LastModifiedBy"] = json!({});
    Ok(group)
}

pub(crate) async fn list(call: Call) -> Result<Value> {
    let group = summary(&call).await?;
    let made = group["CreationTime"].as_f64().unwrap_or_default();
    let time = |member: &str| call.input.get(member).and_then(Value::as_f64);
    let is_asked = time("CreatedAfter").is_none_or(|after| made > after)
        && time("CreatedBefore").is_none_or(|before| made < before);
    call.page_of_all("LineageGroupSummaries", if is_asked { vec![group] } else { Vec::new() })
}

/// Nobody shares it with another account.
pub(crate) async fn get_policy(call: Call) -> Result<Value> {
    require(&call)?;
    Err(Failure::not_found(format!("Lineage Group '{}' has no resource policy.", arn(&call))))
}

fn require(call: &Call) -> Result<()> {
    let name = call.name_in("LineageGroupName", KIND);
    match name == NAME {
        true => Ok(()),
        false => Err(Failure::not_found(format!("Lineage Group '{}' does not exist.", call.arn(KIND, &name)))),
    }
}

async fn summary(call: &Call) -> Result<Value> {
    // It is as old as the record, which begins with the experiment that is none; not everybody sees that.
    let made = call.app.experiment_get(&call.ctx, NO_EXPERIMENT).await.map(|first| first.created_at);
    let made = render::time(made.unwrap_or(Timestamp(0)));
    Ok(json!({
        "LineageGroupArn": arn(call),
        "LineageGroupName": NAME,
        "DisplayName": NAME,
        "CreationTime": made,
        "LastModifiedTime": made,
    }))
}

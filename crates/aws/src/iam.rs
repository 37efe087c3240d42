//! IAM as far as SDKs ask it before they use a role. There are no roles of IAM here: what somebody may do follows from
//! the roles that the account holds in the record, whatever role of IAM is named.

use axum::extract::{Request, State};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use stele_domain::authz::{WriteObject, authorize};

use crate::Server;
use crate::query::{self, Call, Failure, Result};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The most actions that are simulated at once.
const MOST_ACTIONS: usize = 1_000;

pub(crate) async fn dispatch(State(server): State<Server>, request: Request) -> Response {
    query::answer(server, request, NAMESPACE, |call, action| async move {
        match action.as_str() {
            "GetRole" => get_role(&call),
            "SimulatePrincipalPolicy" => simulate_principal_policy(&call),
            _ => Err(query::unknown("IAM", &action)),
        }
    })
    .await
}

/// A role of the name that is asked for, which SageMaker may assume.
fn get_role(call: &Call) -> Result<Response> {
    let name = call.required("RoleName")?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@-_".contains(&byte);
    if name.len() > 64 || !name.bytes().all(fits) {
        return Err(Failure::new("ValidationError", format!("'{name}' cannot be the name of a role")));
    }
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "sagemaker.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    });
    Ok(call.answer("GetRole", NAMESPACE, |xml| {
        xml.element("Role", |xml| {
            xml.text("Path", "/").text("RoleName", name);
            xml.text("RoleId", format!("AROA{:0>17}", name.len()));
            xml.text("Arn", format!("arn:aws:iam::{}:role/{name}", call.server.account));
            xml.text("CreateDate", "1970-01-01T00:00:00Z");
            xml.text("AssumeRolePolicyDocument", utf8_percent_encode(&trust.to_string(), NON_ALPHANUMERIC));
            xml.text("MaxSessionDuration", 3_600);
        });
    }))
}

/// Says of each action whether the account that asks may write to the workspace.
fn simulate_principal_policy(call: &Call) -> Result<Response> {
    call.required("PolicySourceArn")?;
    let actions = call.list("ActionNames");
    if actions.is_empty() || actions.len() > MOST_ACTIONS {
        return Err(Failure::new("ValidationError", format!("ActionNames has from 1 to {MOST_ACTIONS} members")));
    }
    let resources = match call.list("ResourceArns") {
        none if none.is_empty() => vec!["*"],
        some => some,
    };
    let may = authorize::<WriteObject>(&call.ctx).require_workspace().is_ok();
    let decision = if may { "allowed" } else { "implicitDeny" };
    Ok(call.answer("SimulatePrincipalPolicy", NAMESPACE, |xml| {
        xml.text("IsTruncated", false);
        xml.element("EvaluationResults", |xml| {
            for action in &actions {
                xml.element("member", |xml| {
                    xml.text("EvalActionName", action);
                    xml.text("EvalResourceName", resources[0]);
                    xml.text("EvalDecision", decision);
                    xml.raw("<MatchedStatements/><MissingContextValues/>");
                });
            }
        });
    }))
}

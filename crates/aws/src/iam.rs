//! IAM as far as SDKs ask it before they use a role. There are no roles of IAM here: what somebody may do follows from
//! the roles that the account holds in the record, whatever role of IAM is named.

use aws_lc_rs::digest;
use axum::extract::{Request, State};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use stele_app::Refusal;
use stele_domain::authz::WriteObject;

use crate::Server;
use crate::query::{self, Call, Failure, Result, Service, operations};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The most pairs of an action and a resource that are simulated at once.
const MOST_SIMULATED: usize = 1_000;

pub(crate) static SERVICE: Service = Service {
    name: "IAM",
    namespace: NAMESPACE,
    operations: operations! {
        GetRole => get_role;
        SimulatePrincipalPolicy => simulate_principal_policy;
    },
    vouched: &[],
};

pub(crate) async fn dispatch(State(server): State<Server>, request: Request) -> Response {
    query::answer(server, request, Some(&SERVICE)).await
}

/// A role of the name that is asked for, which SageMaker may assume.
async fn get_role(call: &Call) -> Result<Response> {
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
            xml.text("RoleId", role_id(name));
            xml.text("Arn", format!("arn:aws:iam::{}:role/{name}", call.server.account));
            xml.text("CreateDate", "1970-01-01T00:00:00Z");
            xml.text("AssumeRolePolicyDocument", utf8_percent_encode(&trust.to_string(), NON_ALPHANUMERIC));
            xml.text("MaxSessionDuration", 3_600);
        });
    }))
}

/// An id that follows from the name, in the shape that IAM's have: `AROA` and 17 letters and digits.
fn role_id(name: &str) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let digits = hash.as_ref().iter().take(17).map(|byte| char::from(DIGITS[usize::from(byte % 32)]));
    format!("AROA{}", digits.collect::<String>())
}

/// Says of each action and resource whether the account that asks may write to the workspace.
async fn simulate_principal_policy(call: &Call) -> Result<Response> {
    call.required("PolicySourceArn")?;
    let actions = call.list("ActionNames");
    if actions.is_empty() || actions.len() > MOST_SIMULATED {
        return Err(Failure::new("ValidationError", format!("ActionNames has from 1 to {MOST_SIMULATED} members")));
    }
    let resources = match call.list("ResourceArns") {
        none if none.is_empty() => vec!["*"],
        some => some,
    };
    let most = MOST_SIMULATED / actions.len();
    if resources.len() > most {
        let message = format!("at most {MOST_SIMULATED} pairs of an action and a resource are simulated at once");
        return Err(Failure::new("ValidationError", message));
    }
    let may = call.server.app.may_in_workspace::<WriteObject>(&call.ctx).await.map_err(Refusal::from)?;
    let decision = if may { "allowed" } else { "implicitDeny" };
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    Ok(call.answer("SimulatePrincipalPolicy", NAMESPACE, |xml| {
        xml.text("IsTruncated", false);
        xml.element("EvaluationResults", |xml| {
            for (action, resource) in pairs {
                xml.element("member", |xml| {
                    xml.text("EvalActionName", action);
                    xml.text("EvalResourceName", resource);
                    xml.text("EvalDecision", decision);
                    xml.raw("<MatchedStatements/><MissingContextValues/>");
                });
            }
        });
    }))
}

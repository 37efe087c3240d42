//! STS: who asks, and credentials for a while.

use axum::extract::{Request, State};
use axum::response::Response;
use stele_app::Script;
use stele_domain::authz::Principal;
use stele_domain::id::Timestamp;

use crate::Server;
use crate::query::{self, Call, Failure, Result};
use crate::xml::time;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// In seconds: the shortest, the usual and the longest time that assumed roles last.
const LASTS: (i64, i64, i64) = (900, 3_600, 43_200);

pub(crate) async fn dispatch(State(server): State<Server>, request: Request) -> Response {
    query::answer(server, request, NAMESPACE, |call, action| async move {
        match action.as_str() {
            "GetCallerIdentity" => Ok(get_caller_identity(&call)),
            "AssumeRole" => assume_role(&call),
            _ => Err(query::unknown("STS", &action)),
        }
    })
    .await
}

fn get_caller_identity(call: &Call) -> Response {
    let account = &call.server.account;
    let name = call.ctx.principal.name();
    call.answer("GetCallerIdentity", NAMESPACE, |xml| {
        xml.text("Arn", format!("arn:aws:iam::{account}:user/{name}")).text("UserId", name).text("Account", account);
    })
}

/// Without authentication any credentials are good, so these are too. With it, sessions of a role would need a secret
/// of their own, which this server does not give out.
fn assume_role(call: &Call) -> Result<Response> {
    if call.ctx.principal != Principal::LocalOwner {
        return Err(Failure::denied(
            "this server has no roles to assume: sign with the access key of an account that holds what the role would",
        ));
    }
    let arn = call.required("RoleArn")?;
    let session = call.required("RoleSessionName")?;
    let (least, usual, most) = LASTS;
    let seconds = match call.text("DurationSeconds") {
        None => usual,
        Some(text) => text.parse().ok().filter(|seconds| (least..=most).contains(seconds)).ok_or_else(|| {
            Failure::new("ValidationError", format!("DurationSeconds is a number from {least} to {most}, not '{text}'"))
        })?,
    };
    let Some(role) = arn.split_once(":role/").map(|(_, role)| role).filter(|role| !role.is_empty()) else {
        return Err(Failure::new("ValidationError", format!("'{arn}' is not the ARN of a role")));
    };
    let id = call.server.app.new_request_id().to_ascii_uppercase();
    let ends = Timestamp(call.server.app.local_owner(Script::Aws, "sts").now().0 + seconds * 1000);
    Ok(call.answer("AssumeRole", NAMESPACE, |xml| {
        xml.element("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", format!("{}:{session}", &id[..20]));
            xml.text("Arn", format!("arn:aws:sts::{}:assumed-role/{role}/{session}", call.server.account));
        });
        xml.element("Credentials", |xml| {
            xml.text("AccessKeyId", format!("ASIA{}", &id[16..32]));
            xml.text("SecretAccessKey", id.to_ascii_lowercase());
            xml.text("SessionToken", &id);
            xml.text("Expiration", time(ends));
        });
    }))
}

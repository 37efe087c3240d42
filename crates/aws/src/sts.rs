//! STS: who asks, and credentials for a while.

use axum::extract::{Request, State};
use axum::response::Response;
use stele_app::{Refusal, TemporaryKey};
use stele_domain::authz::Principal;
use stele_domain::id::Timestamp;

use crate::Server;
use crate::query::{self, Call, Failure, Result, Service, operations};
use crate::xml::{Xml, time};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Whom a provider of identities vouches for logs in to this server itself, and gets an access key there.
pub(crate) static SERVICE: Service = Service {
    name: "STS",
    namespace: NAMESPACE,
    operations: operations! {
        GetCallerIdentity => get_caller_identity;
        AssumeRole => assume_role;
        GetSessionToken => get_session_token;
        GetAccessKeyInfo => get_access_key_info;
    },
    vouched: &["AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"],
};

pub(crate) async fn dispatch(State(server): State<Server>, request: Request) -> Response {
    query::answer(server, request, Some(&SERVICE)).await
}

async fn get_caller_identity(call: &Call) -> Result<Response> {
    let account = &call.server.account;
    let name = call.ctx.principal.name();
    Ok(call.answer("GetCallerIdentity", NAMESPACE, |xml| {
        xml.text("Arn", format!("arn:aws:iam::{account}:user/{name}")).text("UserId", name).text("Account", account);
    }))
}

/// All keys here are of one account.
async fn get_access_key_info(call: &Call) -> Result<Response> {
    let key = call.required("AccessKeyId")?;
    if !(16..=128).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(invalid(format!("'{key}' cannot be the id of an access key")));
    }
    Ok(call.answer("GetAccessKeyInfo", NAMESPACE, |xml| {
        xml.text("Account", &call.server.account);
    }))
}

/// There are no roles here: what is lent is what the access key of the caller holds.
async fn assume_role(call: &Call) -> Result<Response> {
    let arn = call.required("RoleArn")?;
    let session = call.required("RoleSessionName")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=64).contains(&session.len()) || !session.bytes().all(is_plain) {
        return Err(invalid(format!("RoleSessionName is 2 to 64 letters, digits or _+=,.@-, not '{session}'")));
    }
    let Some(role) = arn.split_once(":role/").map(|(_, role)| role).filter(|role| !role.is_empty()) else {
        return Err(invalid(format!("'{arn}' is not the ARN of a role")));
    };
    // Whoever asks for less must not be given all, unless everybody has it.
    let asks_for_less = call.text("Policy").is_some() || call.text("PolicyArns.member.1.arn").is_some();
    if asks_for_less && call.ctx.principal != Principal::LocalOwner {
        let message = "session policies are not offered here; lend from an access key that is narrowed to roles, as \
                       `stele auth key create --roles` makes one";
        return Err(invalid(message.to_owned()));
    }
    let key = temporary_key(call, session, (900, 3_600, 43_200)).await?;
    Ok(call.answer("AssumeRole", NAMESPACE, |xml| {
        xml.element("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", format!("AROA{}:{session}", &key.id[4..]));
            xml.text("Arn", format!("arn:aws:sts::{}:assumed-role/{role}/{session}", call.server.account));
        });
        credentials(xml, &key);
    }))
}

async fn get_session_token(call: &Call) -> Result<Response> {
    if call.signed_by.as_ref().is_some_and(|signed_by| signed_by.token.is_some()) {
        return Err(Failure::denied("credentials of a session cannot get another session token"));
    }
    let key = temporary_key(call, "session", (900, 43_200, 129_600)).await?;
    Ok(call.answer("GetSessionToken", NAMESPACE, |xml| credentials(xml, &key)))
}

/// Credentials for as long as is asked; `lasts` are the shortest, the usual and the longest time, in seconds.
async fn temporary_key(call: &Call, session: &str, lasts: (i64, i64, i64)) -> Result<TemporaryKey> {
    let (least, usual, most) = lasts;
    let seconds = match call.text("DurationSeconds") {
        None => usual,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (least..=most).contains(seconds))
            .ok_or_else(|| invalid(format!("DurationSeconds is a number from {least} to {most}, not '{text}'")))?,
    };
    let app = &call.server.app;
    match (&call.ctx.principal, &call.signed_by) {
        // Any credentials are good, so these are too.
        (Principal::LocalOwner, _) => {
            let id = app.new_request_id().to_ascii_uppercase();
            let ends = Timestamp(app.now().0 + seconds * 1000);
            let (key, secret) = (format!("ASIA{}", &id[16..32]), id.to_ascii_lowercase());
            Ok(TemporaryKey { id: key, secret, token: id, ends })
        }
        (_, Some(signed_by)) => {
            let lent = app.temporary_key_create(&call.ctx, signed_by, session, seconds).await;
            Ok(lent.map_err(Refusal::from)?)
        }
        (_, None) => Err(Failure::denied("a request to STS is signed with the access key that lends")),
    }
}

fn credentials(xml: &mut Xml, key: &TemporaryKey) {
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", &key.id);
        xml.text("SecretAccessKey", &key.secret);
        xml.text("SessionToken", &key.token);
        xml.text("Expiration", time(key.ends));
    });
}

fn invalid(message: String) -> Failure {
    Failure::new("ValidationError", message)
}

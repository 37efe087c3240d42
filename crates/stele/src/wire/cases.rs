//! What a case is, how it becomes a request, and what its answer means whichever script words it.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::Value;
use stele_app::{Admission, Script};
use stele_domain::authz::Action;
use tower::ServiceExt;

use super::things::{Things, Where};
use super::{aws, mlflow, native, sagemaker};

/// What a request needs in order to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Anybody may ask.
    Nothing,
    /// An account, whatever its roles are; what is told is nobody's secret.
    Account,
    /// An account, which changes something of its own.
    Own,
    /// A role on the thing; nothing is changed.
    Sight,
    /// A role on the thing, which has nothing of what is asked for; nothing is changed.
    Lack,
    /// A role on the thing, or else the audit log, since it may be gone; nothing is changed.
    Past,
    /// A role that allows the verb; something is changed.
    Verb(Action),
    /// A role that allows the verb, though nothing is changed.
    Power(Action),
    /// This server does not do it, for anybody.
    Unoffered,
    /// The same, of what clients ask for without credentials.
    Unknown,
}

impl Needs {
    pub(super) fn name(self) -> String {
        match self {
            Needs::Verb(action) => action.name().to_owned(),
            Needs::Power(action) => format!("({})", action.name()),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// Answered like a success, though all that came of it is a denial.
    Nothing,
    Absent,
    /// The thing is there, without what is asked for.
    Unset,
    Forbidden,
    Unauthenticated,
    /// Forbidden or unauthenticated: the answer to a HEAD has no words.
    Mute,
    Unoffered,
    Invalid,
    Failed,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Nothing => "nothing",
            Outcome::Absent => "absent",
            Outcome::Unset => "unset",
            Outcome::Forbidden => "forbidden",
            Outcome::Unauthenticated => "who?",
            Outcome::Mute => "mute",
            Outcome::Unoffered => "unoffered",
            Outcome::Invalid => "invalid",
            Outcome::Failed => "failed",
        }
    }
}

/// A request to a route. Names after `$` stand for things.
pub(super) struct Case {
    pub(super) script: Script,
    /// As the script's own table has it.
    pub(super) route: &'static str,
    pub(super) needs: Needs,
    /// Where what is asked about is, each of which the needs are about.
    pub(super) places: &'static [Where],
    /// See [`With`]; of AWS's services, what [`aws::request`] says.
    pub(super) with: &'static str,
}

pub(super) fn all() -> impl Iterator<Item = &'static Case> {
    mlflow::CASES.iter().chain(sagemaker::CASES).chain(aws::CASES).chain(native::CASES)
}

/// Every route there is, as `script route`.
pub(super) fn offered() -> BTreeSet<String> {
    let of_mlflow = stele_mlflow::routes().into_iter().map(|route| format!("mlflow {} {}", route.method, route.path));
    let of_sagemaker = stele_sagemaker::operation_names().map(|name| format!("sagemaker {name}"));
    let of_native = crate::api::paths().into_iter().map(|(_, _, name)| format!("native {name}"));
    let of_aws = stele_aws::operation_names().map(|name| format!("aws {name}"));
    of_mlflow.chain(of_sagemaker).chain(of_aws).chain(of_native).collect()
}

/// A request to a route. `$new` and the names after `$` in `with` stand for things.
pub(super) fn request(script: Script, route: &str, with: &str, things: &mut Things) -> Request<String> {
    let filled = things.fill(with);
    match script {
        Script::Mlflow => mlflow::request(route, &With::parse(&filled), things),
        Script::Sagemaker => sagemaker::request(route, &With::parse(&filled)),
        Script::Aws => aws::request(&filled, things),
        Script::Native => native::request(route, &With::parse(&filled), things),
    }
}

/// What goes with a route, written as `@name=value` for parts of the path that are not the usual things, `?query`, and
/// the body, each of them if it is there.
pub(super) struct With {
    places: Vec<(String, String)>,
    pub(super) query: String,
    pub(super) body: String,
}

impl With {
    fn parse(text: &str) -> With {
        let mut with = With { places: Vec::new(), query: String::new(), body: String::new() };
        let mut rest = text;
        while rest.starts_with(['@', '?']) {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            match word.strip_prefix('@') {
                Some(place) => {
                    let (name, value) = place.split_once('=').unwrap();
                    with.places.push((name.to_owned(), value.to_owned()));
                }
                None => word.clone_into(&mut with.query),
            }
            rest = after;
        }
        rest.clone_into(&mut with.body);
        with
    }

    /// A path of a route with things in the place of its names.
    pub(super) fn path(&self, path: &str, things: &Things) -> String {
        let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => {
                let name = name.trim_start_matches('*');
                let given = self.places.iter().find(|(place, _)| place == name);
                given.map_or_else(|| things.get(name), |(_, value)| value).to_owned()
            }
            None => part.to_owned(),
        };
        path.split('/').map(fill).collect::<Vec<_>>().join("/")
    }
}

pub(super) struct Answered {
    pub(super) outcome: Outcome,
    pub(super) text: String,
    /// Which of AWS's operations answered, if one did.
    pub(super) operation: Option<&'static str>,
}

/// Sends a request as the login lets it in, and says what came of it.
pub(super) async fn ask(router: &Router, request: Request<String>, admission: Admission) -> Answered {
    let mut request = crate::paths::plain(request.map(Body::from), "");
    request.extensions_mut().insert(admission);
    let is_mute = request.method() == Method::HEAD;
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let operation = response.extensions().get::<stele_aws::Operation>().map(|operation| operation.0);
    let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    let outcome = match outcome(status, &body) {
        Outcome::Forbidden if is_mute => Outcome::Mute,
        outcome => outcome,
    };
    Answered { outcome, text: format!("{} {body}", status.as_u16()), operation }
}

fn outcome(status: StatusCode, body: &str) -> Outcome {
    if status.is_success() {
        // Of many objects each may be denied by itself.
        let is_denied = body.contains("<DeleteResult") && body.contains("<Code>AccessDenied</Code>");
        // Each metric is refused by itself, also for a component that is not there.
        let is_absent = body.starts_with(r#"{"Errors":["#) && body.contains("VALIDATION_ERROR");
        return match (is_denied, is_absent) {
            (true, _) => Outcome::Forbidden,
            (_, true) => Outcome::Absent,
            _ => Outcome::Done,
        };
    }
    match code(body).as_str() {
        "RESOURCE_DOES_NOT_EXIST"
        | "ResourceNotFound"
        | "not_found"
        | "NoSuchBucket"
        | "NoSuchKey"
        | "NoSuchUpload" => Outcome::Absent,
        // SageMaker says of some kinds of things that it is invalid to name one that is not there.
        "ValidationException" if body.contains("does not exist") || body.contains("Could not find") => Outcome::Absent,
        code if code.starts_with("NoSuch") || code.ends_with("NotFoundError") => Outcome::Unset,
        "PERMISSION_DENIED" | "AccessDeniedException" | "forbidden" => Outcome::Forbidden,
        // S3 says the same to whom it does not know.
        "AccessDenied" if body.contains("wants to know who asks") => Outcome::Unauthenticated,
        "AccessDenied" => Outcome::Forbidden,
        "UNAUTHENTICATED"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "unauthenticated" => Outcome::Unauthenticated,
        _ if matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::SERVICE_UNAVAILABLE) => Outcome::Unoffered,
        _ if status.is_server_error() => Outcome::Failed,
        _ if status == StatusCode::NOT_FOUND => Outcome::Absent,
        _ if status == StatusCode::FORBIDDEN => Outcome::Forbidden,
        _ if status == StatusCode::UNAUTHORIZED => Outcome::Unauthenticated,
        _ => Outcome::Invalid,
    }
}

/// The code of an error.
fn code(body: &str) -> String {
    if let Ok(body) = serde_json::from_str::<Value>(body) {
        let found = ["error_code", "__type", "code"].iter().find_map(|key| body[*key].as_str());
        return found.unwrap_or_default().to_owned();
    }
    let found = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    found.map(|(code, _)| code.to_owned()).unwrap_or_default()
}

/// An answer without what every answer has anew.
pub(super) fn without_ids_of_requests(answer: &str) -> String {
    let mut rest = answer;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("<RequestId>") {
        kept.push_str(before);
        rest = after.split_once("</RequestId>").map_or("", |(_, after)| after);
    }
    kept + rest
}

/// `cases! { Script; "route" => Needs, in Place & Place, "with"; .. }`; what says no place is in the workspace.
macro_rules! cases {
    ($script:ident; $($route:literal => $needs:expr, $(in $($place:ident)&+,)? $with:literal;)+) => {
        &[$($crate::wire::cases::Case {
            script: stele_app::Script::$script,
            route: $route,
            needs: $needs,
            places: $crate::wire::cases::places!($($($place)+)?),
            with: $with,
        }),+]
    };
}
pub(super) use cases;

macro_rules! places {
    () => { &[$crate::wire::things::Where::Workspace] };
    ($($place:ident)+) => { &[$($crate::wire::things::Where::$place),+] };
}
pub(super) use places;

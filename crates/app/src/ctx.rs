use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use stele_domain::authz::{Principal, Subject, Visibility, visible};
use stele_domain::id::{Clock, IdSource, Timestamp, WorkspaceId};
use uuid::Uuid;

use crate::App;

/// Who asks, in which workspace, through which script, with the clock and id source to use.
///
/// Only authentication makes one.
#[derive(Clone)]
pub struct Ctx {
    subject: Subject,
    script: Script,
    request_id: String,
    address: Option<IpAddr>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    /// Whether the workspace may be deleted while the request is under way, so that changes must see to it.
    is_guest: bool,
}

/// The wire API that a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    Mlflow,
    Sagemaker,
    /// S3, STS and IAM.
    Aws,
    /// Stele's own API.
    Native,
}

tokio::task_local! {
    /// Where the request under way came from.
    static CLIENT: IpAddr;
}

/// Does the work of a request that came from `address`: contexts that are made meanwhile know it, whichever script makes
/// them.
pub async fn coming_from<T>(address: Option<IpAddr>, work: impl Future<Output = T>) -> T {
    match address {
        Some(address) => CLIENT.scope(address, work).await,
        None => work.await,
    }
}

/// The id of a request, where it was given one before it came to its script.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Why a request failed, on an answer that does not say so: for the log alone.
#[derive(Debug, Clone)]
pub struct Undisclosed(pub String);

/// On an answer that refuses, although its status says that the server failed: so clients of some scripts expect it.
#[derive(Debug, Clone, Copy)]
pub struct Refused;

impl Script {
    pub const ALL: [Script; 4] = [Script::Mlflow, Script::Sagemaker, Script::Aws, Script::Native];

    pub fn as_str(self) -> &'static str {
        match self {
            Script::Mlflow => "mlflow",
            Script::Sagemaker => "sagemaker",
            Script::Aws => "aws",
            Script::Native => "native",
        }
    }
}

impl Deref for Ctx {
    type Target = Subject;

    fn deref(&self) -> &Subject {
        &self.subject
    }
}

impl App {
    /// The context of a request to a server that runs without authentication.
    pub fn local_owner(&self, script: Script, request_id: impl Into<String>) -> Ctx {
        self.ctx(Principal::LocalOwner, script, request_id.into())
    }

    /// The context of a request of `principal`, whom the login let in.
    pub fn context_of(&self, principal: Principal, script: Script, request_id: impl Into<String>) -> Ctx {
        self.ctx(principal, script, request_id.into())
    }

    /// What time it is, for logins, which have no context yet.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// What the audit log knows a request by.
    pub fn new_request_id(&self) -> String {
        self.parts.ids.next(self.parts.clock.now()).simple().to_string()
    }

    /// The id that a request was given before it came to its script, or a new one.
    pub fn request_id(&self, given: Option<RequestId>) -> String {
        given.map_or_else(|| self.new_request_id(), |RequestId(id)| id)
    }

    /// Where changes come from that the server makes by itself.
    pub(crate) fn own_origin(&self) -> stele_store::Origin {
        stele_store::Origin {
            workspace: self.parts.workspace,
            principal: "server".to_owned(),
            script: Script::Native.as_str(),
            request_id: self.new_request_id(),
            address: None,
            at: self.parts.clock.now(),
        }
    }

    fn ctx(&self, principal: Principal, script: Script, request_id: String) -> Ctx {
        Ctx {
            subject: Subject {
                principal,
                workspace: self.parts.workspace,
                workspace_name: Arc::clone(&self.parts.workspace_name),
            },
            script,
            request_id,
            address: CLIENT.try_with(|address| *address).ok(),
            clock: Arc::clone(&self.parts.clock),
            ids: Arc::clone(&self.parts.ids),
            is_guest: false,
        }
    }
}

impl Ctx {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn new_id(&self) -> Uuid {
        self.ids.next(self.clock.now())
    }

    /// The name under which facets of the script are kept.
    pub(crate) fn script(&self) -> &'static str {
        self.script.as_str()
    }

    /// The same request in another workspace.
    pub(crate) fn within(&self, workspace: WorkspaceId, name: &str) -> Ctx {
        let principal = self.subject.principal.clone();
        let subject = Subject { principal, workspace, workspace_name: Arc::from(name) };
        Ctx { subject, is_guest: true, ..self.clone() }
    }

    /// The server itself in another workspace, which may be deleted already.
    pub(crate) fn beside(&self, workspace: WorkspaceId) -> Ctx {
        let subject = Subject { workspace, ..self.subject.clone() };
        Ctx { subject, is_guest: false, ..self.clone() }
    }

    /// Sees to it that the workspace is there until the transaction ends.
    pub(crate) fn hold_workspace(&self, tx: &mut stele_store::Tx) -> stele_domain::Result<()> {
        match self.is_guest {
            true => tx.workspace_hold(self.subject.workspace, &self.subject.workspace_name),
            false => Ok(()),
        }
    }

    pub(crate) fn visible(&self) -> Visibility {
        visible(&self.subject)
    }

    pub(crate) fn origin(&self) -> stele_store::Origin {
        stele_store::Origin {
            workspace: self.subject.workspace,
            principal: self.subject.principal.name().to_owned(),
            script: self.script.as_str(),
            request_id: self.request_id.clone(),
            address: self.address,
            at: self.now(),
        }
    }
}

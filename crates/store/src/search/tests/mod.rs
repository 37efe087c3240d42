mod entities;
mod naive;
mod plans;
mod properties;
mod record;
mod trace_plans;

use stele_domain::authz::{Principal, Subject, Visibility, visible};
use stele_domain::id::WorkspaceId;

fn everything() -> Visibility {
    visible(&Subject { principal: Principal::LocalOwner, workspace: WorkspaceId(1), workspace_name: "default".into() })
}

use stele_domain::identity::{Role, Scope};

use crate::error::{Failure, Result};
use crate::input::Input;

const PERMISSIONS: [&str; 5] = ["READ", "USE", "EDIT", "MANAGE", "DENY"];
/// What MLflow 3.17 knows permissions on.
const RESOURCES: [&str; 18] = [
    "assessment",
    "experiment",
    "gateway_endpoint",
    "gateway_model_definition",
    "gateway_secret",
    "logged_model",
    "mcp_server",
    "mcp_server_version",
    "prompt",
    "prompt_version",
    "registered_model",
    "registered_model_version",
    "review_queue",
    "run",
    "scorer",
    "scorer_version",
    "trace",
    "workspace",
];

/// A permission on a resource, as requests of 3.17 name them.
pub(super) struct Asked {
    pub(super) kind: String,
    pub(super) resource: String,
    pub(super) scope: Scope,
}

impl Asked {
    /// The resource of a request whose field `resource` names it.
    pub(super) fn read(input: &Input, resource: &str, workspace: &str) -> Result<Asked> {
        let (kind, resource) = (input.required_text("resource_type")?, input.required_text(resource)?);
        check_kind(&kind)?;
        let scope = scope_of(&kind, &resource, workspace)?;
        Ok(Asked { kind, resource, scope })
    }

    /// The resource, and the role that the permission of the request is.
    pub(super) fn with_role(input: &Input, resource: &str, workspace: &str) -> Result<(Asked, Role)> {
        let kind = input.required_text("resource_type")?;
        check_kind(&kind)?;
        let permission = input.required_text("permission")?;
        if permission == "NO_PERMISSIONS" {
            return Err(Failure::invalid(format!(
                "Invalid permission 'NO_PERMISSIONS' for resource_type='{kind}'. Resource-level grants accept only: {}",
                tuple(&PERMISSIONS)
            )));
        }
        check_permission(&permission)?;
        let asked = Asked::read(input, resource, workspace)?;
        let role = role_of(&permission, &asked.scope)?;
        Ok((asked, role))
    }
}

fn check_kind(kind: &str) -> Result<()> {
    match RESOURCES.contains(&kind) {
        true => Ok(()),
        false => Err(Failure::invalid(format!(
            "Invalid resource type '{}'. Valid resource types are: {}",
            shortened(kind),
            tuple(&RESOURCES)
        ))),
    }
}

fn check_permission(permission: &str) -> Result<()> {
    match PERMISSIONS.contains(&permission) {
        true => Ok(()),
        false => Err(Failure::invalid(format!(
            "Invalid permission '{}'. Valid permissions are: {}",
            shortened(permission),
            tuple(&PERMISSIONS)
        ))),
    }
}

/// Texts as Python writes a tuple of them.
fn tuple(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
    format!("({})", texts.join(", "))
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

/// The scope of a resource of a workspace as MLflow names it.
pub(super) fn scope_of(kind: &str, pattern: &str, workspace: &str) -> Result<Scope> {
    if pattern.is_empty() {
        return Err(Failure::invalid("The resource that a permission is for must be named."));
    }
    match (kind, pattern) {
        ("workspace", "*") => Ok(Scope::Workspace(workspace.to_owned())),
        ("workspace", named) if named == workspace => Ok(Scope::Workspace(workspace.to_owned())),
        ("workspace", other) => Err(Failure::invalid(format!(
            "Invalid resource_pattern '{other}' for resource_type='workspace'. This resource type supports only \
             wildcard ('*') grants."
        ))),
        ("experiment" | "registered_model" | "prompt", "*") => Err(Failure::not_implemented(format!(
            "This server grants permissions on one {kind} or on the workspace, not on every {kind}."
        ))),
        ("experiment", id) => Ok(Scope::Experiment(id.to_owned())),
        ("registered_model" | "prompt", name) => Ok(Scope::model_in(workspace, name)),
        (other, _) => Err(Failure::not_implemented(format!(
            "This server grants permissions on experiments, registered models, prompts and the workspace, not on \
             '{other}'."
        ))),
    }
}

/// The role that a permission on a scope stands for.
pub(super) fn role_of(permission: &str, scope: &Scope) -> Result<Role> {
    match (permission, scope) {
        ("USE", Scope::Workspace(_)) => Ok(Role::Contributor),
        ("MANAGE", _) => Ok(Role::Administrator),
        (_, Scope::Workspace(_)) if PERMISSIONS.contains(&permission) => Err(Failure::invalid(format!(
            "Invalid permission '{permission}' for resource_type='workspace'. Workspace-wide grants accept only: \
             ('MANAGE', 'USE')."
        ))),
        ("READ" | "USE", _) => Ok(Role::Viewer),
        ("EDIT", _) => Ok(Role::Contributor),
        ("DENY" | "NO_PERMISSIONS", _) => Err(Failure::not_implemented(
            "This server allows nothing that no role allows, so there is nothing to deny: revoke the permission.",
        )),
        (other, _) => Err(Failure::invalid(format!(
            "Invalid permission '{other}'. Valid permissions are: ('READ', 'USE', 'EDIT', 'MANAGE')"
        ))),
    }
}

/// What MLflow calls a role on a scope.
pub(super) fn permission_of(role: Role, scope: &Scope) -> &'static str {
    match (role, scope) {
        (Role::Administrator, _) => "MANAGE",
        (_, Scope::Workspace(_)) => "USE",
        (Role::Contributor, _) => "EDIT",
        // More than reading, though it is not the thing that they may change.
        (Role::Approver | Role::Deployer, _) => "USE",
        (Role::Viewer, _) => "READ",
    }
}

/// How much a permission allows, to compare.
pub(super) fn strength(permission: &str) -> u8 {
    match permission {
        "MANAGE" => 3,
        "EDIT" => 2,
        "USE" => 1,
        _ => 0,
    }
}

/// What MLflow calls a scope of a workspace: the type of resource and the resource. The organisation is not among them;
/// who administers it is an admin.
pub(super) fn resource_of<'a>(scope: &'a Scope, workspace: &str) -> Option<(&'static str, &'a str)> {
    match scope {
        Scope::Organisation => None,
        Scope::Workspace(name) => (name == workspace).then_some(("workspace", "*")),
        Scope::Experiment(id) => Some(("experiment", id)),
        Scope::Model(text) => Scope::model_of(text, workspace).map(|name| ("registered_model", name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_in_one_workspace_is_not_told_of_in_another() {
        for (kind, pattern) in [("registered_model", "m"), ("workspace", "*")] {
            let scope = scope_of(kind, pattern, "team-b").unwrap();
            assert_eq!(resource_of(&scope, "team-b"), Some((kind, pattern)));
            assert_eq!(resource_of(&scope, "default"), None);
            assert_ne!(scope, scope_of(kind, pattern, "default").unwrap());
        }
    }

    #[test]
    fn permissions_come_back_as_they_were_but_for_use() {
        for (kind, pattern) in [("experiment", "7"), ("registered_model", "m")] {
            let scope = scope_of(kind, pattern, "default").unwrap();
            assert_eq!(resource_of(&scope, "default"), Some((kind, pattern)));
            for permission in ["READ", "EDIT", "MANAGE"] {
                assert_eq!(permission_of(role_of(permission, &scope).unwrap(), &scope), permission);
            }
            assert_eq!(role_of("USE", &scope).unwrap(), Role::Viewer);
            for wrong in ["DENY", "NO_PERMISSIONS", "", "read"] {
                assert!(role_of(wrong, &scope).is_err(), "{wrong}");
            }
        }
        let workspace = scope_of("workspace", "*", "default").unwrap();
        for permission in ["USE", "MANAGE"] {
            assert_eq!(permission_of(role_of(permission, &workspace).unwrap(), &workspace), permission);
        }
        assert!(role_of("EDIT", &workspace).is_err());
        for (kind, pattern) in [("workspace", "x"), ("experiment", "*"), ("run", "*"), ("scorer", "s"), ("prompt", "")]
        {
            assert!(scope_of(kind, pattern, "default").is_err(), "{kind} {pattern}");
        }
    }
}

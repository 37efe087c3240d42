//! Who uses the server, and who may do what.

pub(super) mod accounts;
pub(super) mod authentication;
pub(super) mod credentials;
pub(super) mod grants;
pub(super) mod groups;

use stele_domain::identity::{Role, Scope};
use stele_domain::search::SortValue;

use super::Result;
use super::page::Paging;
use super::problem::Problem;

/// The name at which the page before ended.
fn after_name(paging: &Paging) -> String {
    match paging.after.as_deref() {
        Some([SortValue::Text(name)]) => name.clone(),
        _ => String::new(),
    }
}

fn role(name: &str) -> Result<Role> {
    Role::parse(name).ok_or_else(|| {
        let all = Role::ALL.map(Role::as_str).join(", ");
        Problem::invalid(format!("'{name}' is not a role; there are: {all}"))
    })
}

fn scope(kind: &str, name: Option<&str>) -> Result<Scope> {
    Scope::of(kind, name.unwrap_or_default()).ok_or_else(|| {
        Problem::invalid(format!(
            "'{kind}' is not the scope of a role, or its name is missing or too much; there are organisation, \
             workspace, experiment and model, all but the first with the name of one"
        ))
    })
}

//! MLflow's administration of users, roles and permissions, as its `AuthServiceClient` asks for it, over Stele's accounts,
//! groups and grants.
//!
//! A user is an account, an MLflow role is a group, and a permission is the grant of a role on a scope: READ and USE are
//! viewer, EDIT is contributor, MANAGE is administrator, and membership of the workspace (USE) is contributor there.

mod permission;
pub(crate) mod permissions;
pub(crate) mod roles;
pub(crate) mod single;
pub(crate) mod users;

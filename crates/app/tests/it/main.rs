//! The rules of the use cases, on every engine that the machine offers.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod audit;
mod buckets;
mod evidence;
mod governance;
mod history;
mod identity;
mod lapse;
mod lineage;
mod logged_model;
mod packages;
mod policies;
mod purge;
mod registry;
mod traces;
mod visibility;
mod webhooks;
mod workspaces;

//! The rules of the use cases, on every engine that the machine offers.

#![allow(clippy::unwrap_used, reason = "tests")]

mod lineage;
mod logged_model;
mod registry;

//! Registered models and model versions as MLflow's clients know them.

pub(crate) mod aliases;
pub(crate) mod dto;
pub(crate) mod models;
pub(crate) mod rules;
mod source;
pub(crate) mod versions;

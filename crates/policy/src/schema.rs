use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{EntityTypeName, Schema};

/// The schema as a text, which teams read and tools check their rules with.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

pub(crate) static COMPILED: LazyLock<Schema> = LazyLock::new(|| {
    let (schema, _warnings) = Schema::from_cedarschema_str(SCHEMA).expect("a test reads the schema");
    schema
});

/// The names of the types of entities.
pub(crate) struct Types {
    pub(crate) action: EntityTypeName,
    pub(crate) user: EntityTypeName,
    pub(crate) service: EntityTypeName,
    pub(crate) group: EntityTypeName,
    pub(crate) role: EntityTypeName,
    pub(crate) workspace: EntityTypeName,
    pub(crate) experiment: EntityTypeName,
    pub(crate) model: EntityTypeName,
    pub(crate) model_version: EntityTypeName,
}

pub(crate) static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let name = |name: &str| EntityTypeName::from_str(name).expect("the names are identifiers");
    Types {
        action: name("Action"),
        user: name("User"),
        service: name("Service"),
        group: name("Group"),
        role: name("Role"),
        workspace: name("Workspace"),
        experiment: name("Experiment"),
        model: name("Model"),
        model_version: name("ModelVersion"),
    }
});

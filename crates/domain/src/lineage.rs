//! What things were made of, and what was made of them.

use crate::id::{LoggedModelId, RunId, Timestamp};

// The kinds in the ends of edges: edges that clients draw name their ends `kind/name`, as SageMaker's ARNs do.
pub const RUN: &str = "experiment-trial-component";
pub const ARTIFACT: &str = "artifact";
pub const MODEL_PACKAGE: &str = "model-package";

/// A thing of the record that what it was made of, and what was made of it, is known of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineageNode {
    Run {
        id: RunId,
        /// Its id, unless a client has named it.
        name: String,
    },
    LoggedModel(LoggedModelId),
    Version {
        model: String,
        number: i64,
        /// The name of the model, or what stands for it where names must be printable.
        group: String,
    },
}

impl LineageNode {
    /// How edges that clients draw name it.
    pub fn end(&self) -> String {
        match self {
            LineageNode::Run { name, .. } => format!("{RUN}/{name}"),
            LineageNode::LoggedModel(id) => format!("{ARTIFACT}/{id}"),
            LineageNode::Version { group, number, .. } => format!("{MODEL_PACKAGE}/{group}/{number}"),
        }
    }

    /// How MLflow's clients name it.
    pub fn uri(&self) -> String {
        match self {
            LineageNode::Run { id, .. } => format!("runs:/{id}"),
            LineageNode::LoggedModel(id) => format!("models:/{id}"),
            LineageNode::Version { model, number, .. } => format!("models:/{model}/{number}"),
        }
    }
}

/// Whether an artifact is a logged model of MLflow's clients: these go by their ids, which no other artifact has.
pub fn is_logged_model(artifact: &str) -> bool {
    artifact.len() != 32 || !artifact.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// That a thing had a part in the making of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageStep {
    pub source: LineageNode,
    pub target: LineageNode,
    pub created_at: Timestamp,
}

/// An edge that a client drew from one thing to another, each named `kind/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub source: String,
    pub target: String,
    pub kind: String,
    pub created_at: Timestamp,
}

//! Gates: what must hold before a version of a model moves, and the pure function that says whether it does.

mod definition;
mod document;
mod evidence;
mod rule;
mod verdict;

pub use definition::{Approved, Gate, GateDefinition, GatedStage, Target};
pub use document::Measured;
pub use evidence::{
    Approver, Card, Commit, Decision, DecisionKind, Evaluation, Evidence, Exception, Lapse, Metrics, Occupant, Report,
    ReportKind, Slices, Standing,
};
pub use rule::{Approvals, CleanCommit, EvaluationRule, ModelCard, Rule, TagRule, Threshold};
pub use verdict::{Finding, Outcome, Refusal, Verdict, Vote, evaluate};

#[cfg(test)]
mod tests;

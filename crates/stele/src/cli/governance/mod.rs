//! Commands about gates: what they are, what they answer, and what people and evaluations say of versions.

mod file;
mod gates;
mod versions;

pub(crate) use gates::{Gates, run};
pub(crate) use versions::{Decide, Evaluations, Promote, Reviews, approve, evaluations, promote, reject, reviews};

use serde::Deserialize;

use super::Output;

/// What a gate answered.
#[derive(Deserialize)]
struct Verdict {
    gate: String,
    gate_version: i64,
    outcome: String,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    rule: String,
    passed: bool,
    message: String,
    could_approve: Vec<String>,
}

/// The version of a model that most of these commands are about.
#[derive(clap::Args)]
struct OfVersion {
    /// The name of the model
    model: String,

    /// The number of the version, or @ALIAS
    #[arg(id = "number", value_name = "VERSION")]
    version: String,
}

fn print_verdicts(output: &Output, verdicts: &[Verdict]) -> anyhow::Result<()> {
    use super::human::harmless;

    for Verdict { gate, gate_version, outcome, findings } in verdicts {
        output.text(&format!("{outcome}: gate {} (version {gate_version})\n", harmless(gate)))?;
        for Finding { rule, passed, message, could_approve } in findings {
            let mark = if *passed { "  ok   " } else { "  fails" };
            let who = match could_approve.is_empty() {
                true => String::new(),
                false => format!(" (could approve: {})", could_approve.join(", ")),
            };
            output.text(&format!("{mark} {rule}: {}\n", harmless(&format!("{message}{who}"))))?;
        }
    }
    Ok(())
}

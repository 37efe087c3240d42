use serde_json::json;
use stele_domain::authz::{ManageGate, Permit, Verb};
use stele_domain::change::Change;
use stele_domain::gate::{Gate, Outcome, Refusal, Target, Verdict, Vote};
use stele_domain::id::{ModelVersionRow, Timestamp, WorkspaceId};
use stele_domain::registry::version_id;
use stele_domain::{Error, Kind, Result};
use stele_store::{ModelHead, Tx};

use super::answer::answer;

/// Lets a version become `target`, or refuses with everything that its gates found. Verdicts that let it pass are kept
/// with the move; those of a refusal travel in the error, since the transaction of the move is undone.
pub(crate) fn pass<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    model: &ModelHead,
    row: ModelVersionRow,
    target: &Target,
    vote: Option<Vote>,
    now: Timestamp,
) -> Result<Vec<Change>> {
    let gates = gates_of(tx, permit.workspace(), &model.name, target)?;
    pass_those(tx, permit, model, row, target, gates, vote, now)
}

/// Refuses a new name under which a gate would no longer guard the model, unless to those who may take the gate away:
/// what is in production would go on being so without it.
pub(crate) fn keep_gates<V: Verb>(tx: &mut Tx, permit: &Permit<V>, old: &str, new: &str) -> Result<()> {
    let gates = tx.gates(permit.workspace())?.into_iter().map(|record| record.gate.definition);
    let left: Vec<String> = gates
        .filter(|gate| gate.guards(old, &gate.target) && !gate.guards(new, &gate.target))
        .map(|gate| format!("'{}'", gate.name))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    permit.other::<ManageGate>().require_workspace().map_err(|_| Error::Forbidden {
        message: format!(
            "{} may not rename model '{old}' to '{new}', which gate {} would not guard any more: that takes gate:manage",
            permit.subject().principal.name(),
            left.join(", ")
        ),
    })
}

/// Asks the gates that guard a renamed model and did not guard it under its old name, about everything that its versions
/// are: a name is no way around a gate. A model that was nowhere has an empty old name.
pub(crate) fn pass_renamed<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    old: &str,
    model: &ModelHead,
    now: Timestamp,
) -> Result<Vec<Change>> {
    let gates = tx.gates(permit.workspace())?.into_iter().map(|record| record.gate);
    let is_new = |gate: &Gate| {
        let target = &gate.definition.target;
        gate.definition.guards(&model.name, target) && (old.is_empty() || !gate.definition.guards(old, target))
    };
    let gates: Vec<Gate> = gates.filter(is_new).collect();
    pass_all(tx, permit, &gates, model, now)
}

/// Asks those of some gates that guard a model about everything that its versions are, since they come under the gates
/// as they are.
pub(crate) fn pass_all<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    gates: &[Gate],
    model: &ModelHead,
    now: Timestamp,
) -> Result<Vec<Change>> {
    if gates.is_empty() {
        return Ok(Vec::new());
    }
    let mut changes = Vec::new();
    for (row, target) in tx.targets_held(model.row)? {
        let guards = |gate: &&Gate| gate.definition.guards(&model.name, &target);
        let asked = gates.iter().filter(guards).cloned().collect();
        changes.extend(pass_those(tx, permit, model, row, &target, asked, None, now)?);
    }
    Ok(changes)
}

/// The gates that guard `target` for a model.
pub(super) fn gates_of(tx: &mut Tx, workspace: WorkspaceId, model: &str, target: &Target) -> Result<Vec<Gate>> {
    let gates = tx.gates(workspace)?.into_iter().map(|record| record.gate);
    Ok(gates.filter(|gate| gate.definition.guards(model, target)).collect())
}

#[expect(clippy::too_many_arguments, reason = "it is the rest of two functions with names of their own")]
fn pass_those<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    model: &ModelHead,
    row: ModelVersionRow,
    target: &Target,
    gates: Vec<Gate>,
    vote: Option<Vote>,
    now: Timestamp,
) -> Result<Vec<Change>> {
    if gates.is_empty() {
        return Ok(Vec::new());
    }
    let (evidence, verdicts) = answer(tx, &permit.other(), model, row, target, &gates, now)?;
    let verdicts: Vec<(Gate, Verdict)> = gates.into_iter().zip(verdicts).collect();
    if verdicts.iter().any(|(_, verdict)| verdict.outcome == Outcome::Failed) {
        let (target, subject) = (target.clone(), model.id.clone());
        return Err(Refusal { target, subject, verdicts, evidence, vote }.into_error());
    }
    let id = version_id(&model.name, evidence.version);
    let mut changes = Vec::with_capacity(verdicts.len());
    for (gate, verdict) in &verdicts {
        let kept = tx.verdict_keep(permit, &model.id, target, gate, &evidence, verdict)?;
        let told = json!({ "gate": verdict.gate, "gate_version": verdict.gate_version, "target": target.to_string(),
            "verdict": kept, "outcome": verdict.outcome, "findings": verdict.findings, "exception": evidence.exception });
        let change = match verdict.outcome {
            // Whoever watches hears of it.
            Outcome::Excused => Change::event("gate.bypass", Kind::ModelVersion, &id),
            Outcome::Passed | Outcome::Failed => Change::quiet("gate.pass", Kind::ModelVersion, &id),
        };
        changes.push(change.of_model(&model.id).after(told));
    }
    Ok(changes)
}

/// What is told of a refusal that was kept.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) denials: Vec<Change>,
    pub(crate) changes: Vec<Change>,
}

/// Keeps what gates found when they refused, and the decision of the one who asked.
pub(crate) fn refusal_kept<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<Kept> {
    let Refusal { target, subject, verdicts, evidence, vote } = refusal;
    let id = version_id(&evidence.model, evidence.version);
    // A model that was to get this name, or to be loaded, is not there under it.
    let model = match tx.model_head(permit.visible(), &evidence.model) {
        Ok(model) => Some(model.id),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    let of_model = |change: Change| match &model {
        Some(id) => change.of_model(id),
        None => change,
    };
    let mut told = Kept::default();
    for (gate, verdict) in verdicts {
        let kept = tx.verdict_keep(permit, subject, target, gate, evidence, verdict)?;
        if verdict.outcome == Outcome::Failed {
            let change = of_model(Change::quiet("gate.refuse", Kind::ModelVersion, &id));
            told.denials.push(change.after(json!({
                "gate": verdict.gate, "gate_version": verdict.gate_version, "target": target.to_string(),
                "verdict": kept, "findings": verdict.findings,
            })));
        }
    }
    if let Some(vote) = vote
        && tx.vote_keep(permit, &evidence.model, evidence.version, vote, now)?
    {
        told.changes.push(of_model(super::review::told(&id, vote.kind.as_str(), &vote.reason)));
    }
    Ok(told)
}

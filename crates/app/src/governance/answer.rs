use stele_domain::Result;
use stele_domain::authz::{ApproveModel, Intent, Permit, Principal};
use stele_domain::gate::{Approver, Evidence, Gate, Target, Verdict, evaluate};
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::lifecycle::ApprovalStatus;
use stele_store::{ModelHead, Tx};

use super::evidence::gather;
use super::lapse::{approvals_lapse, exception_now};
use crate::registry::{complete, describe_version};

/// How many of those who could approve by their roles the team's rules are asked about. Who comes after is named unasked.
const MOST_ASKED: usize = 100;

/// What gates say of a version that is to get `target`, and what they look at. `approving` is what the one who asks may
/// approve, of which only the rules and the workspace matter: they are asked about others.
pub(super) fn answer(
    tx: &mut Tx,
    approving: &Permit<ApproveModel>,
    model: &ModelHead,
    row: ModelVersionRow,
    target: &Target,
    gates: &[Gate],
    now: Timestamp,
) -> Result<(Evidence, Vec<Verdict>)> {
    let mut evidence = gather(tx, approving.subject(), model, row, target, now)?;
    approvals_lapse(tx, approving, model, row, &mut evidence.decisions)?;
    evidence.exception = exception_now(tx, &approving.other(), row, target, now)?;
    let all = |evidence: &Evidence| gates.iter().map(|gate| evaluate(gate, evidence)).collect::<Vec<Verdict>>();
    let verdicts = all(&evidence);
    let names_somebody =
        verdicts.iter().flat_map(|verdict| &verdict.findings).any(|finding| !finding.could_approve.is_empty());
    if !names_somebody || !approving.is_judged() {
        return Ok((evidence, verdicts));
    }
    evidence.approvers = allowed(tx, approving, model, row, evidence.approvers)?;
    let verdicts = all(&evidence);
    Ok((evidence, verdicts))
}

/// Those whom the team's rules would let approve the version now.
fn allowed(
    tx: &mut Tx,
    approving: &Permit<ApproveModel>,
    model: &ModelHead,
    row: ModelVersionRow,
    approvers: Vec<Approver>,
) -> Result<Vec<Approver>> {
    let version = complete(tx, row)?;
    let version = describe_version(tx, model.row, version)?;
    let approving = approving.intending(Intent::approval(ApprovalStatus::Approved));
    let mut allowed = Vec::with_capacity(approvers.len());
    for (place, approver) in approvers.into_iter().enumerate() {
        let may = place >= MOST_ASKED
            || tx
                .login_by_name(&approver.name)?
                .is_some_and(|found| approving.would_allow(Principal::Account(found.account.into()), &version));
        if may {
            allowed.push(approver);
        }
    }
    Ok(allowed)
}

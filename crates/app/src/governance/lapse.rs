//! Whether what somebody allowed counts still: only as long as they could allow it again.

use stele_domain::Result;
use stele_domain::authz::{ApproveModel, Intent, ManageGate, Permit, Principal, Reason, Rule, Thing};
use stele_domain::gate::{Decision, DecisionKind, Exception, Lapse, Target};
use stele_domain::id::{ModelVersionRow, Timestamp};
use stele_domain::identity::Account;
use stele_domain::lifecycle::{ApprovalStatus, Stage};
use stele_store::{ModelHead, Tx};

use crate::Script;
use crate::registry::{complete, describe_version};

/// Marks the approvals of those who could not approve the version any more, and the groups that they have left.
pub(super) fn approvals_lapse(
    tx: &mut Tx,
    approving: &Permit<ApproveModel>,
    model: &ModelHead,
    row: ModelVersionRow,
    decisions: &mut [Decision],
) -> Result<()> {
    let is_approval = |decision: &&mut Decision| {
        decision.kind == DecisionKind::Approve && decision.by != Principal::LocalOwner.name()
    };
    let mut approvals = decisions.iter_mut().filter(is_approval).peekable();
    if approvals.peek().is_none() {
        return Ok(());
    }
    let approving = approving.intending(Intent::approval(ApprovalStatus::Approved));
    let version = complete(tx, row)?;
    let version = describe_version(tx, model.row, version)?;
    let states = if approving.is_judged() { states(version) } else { vec![version] };
    for approval in approvals {
        match person(tx, &approval.by)? {
            Ok(account) => {
                approval.left =
                    approval.groups.iter().filter(|group| !account.groups.contains(group)).cloned().collect();
                approval.lapsed = lapse(&approving, account, &states, Timestamp(approval.at));
            }
            Err(gone) => approval.lapsed = Some(gone),
        }
    }
    Ok(())
}

/// What lets a version pass a target now: of several exceptions the one that lasts longest, and one that has lapsed only if
/// there is no other.
pub(super) fn exception_now(
    tx: &mut Tx,
    managing: &Permit<ManageGate>,
    row: ModelVersionRow,
    target: &Target,
    now: Timestamp,
) -> Result<Option<Exception>> {
    let mut lapsed = None;
    for (made_at, exception) in tx.gate_exceptions_now(row, target, now)? {
        if exception.by == Principal::LocalOwner.name() {
            return Ok(Some(exception));
        }
        let why = match person(tx, &exception.by)? {
            Ok(account) => lapse(managing, account, &[Thing::Workspace], made_at),
            Err(gone) => Some(gone),
        };
        match why {
            None => return Ok(Some(exception)),
            why => lapsed = lapsed.or(Some(Exception { lapsed: why, ..exception })),
        }
    }
    Ok(lapsed)
}

/// An account as it is now, or why it allows nothing any more.
fn person(tx: &mut Tx, name: &str) -> Result<std::result::Result<Account, Lapse>> {
    Ok(match tx.login_by_name(name)? {
        None => Err(Lapse::AccountDeleted),
        Some(found) if found.disabled => Err(Lapse::AccountDisabled),
        Some(found) => Ok(found.account),
    })
}

/// Asks roles and rules of now about the time when something was allowed, so that a rule about hours or days says what it
/// said then. Which state the thing was in and through which script it was asked is not kept: one that allows it is enough.
fn lapse<V>(permit: &Permit<V>, account: Account, states: &[Thing], at: Timestamp) -> Option<Lapse> {
    let principal = Principal::Account(account.into());
    let mut first = None;
    for state in states {
        for script in Script::ALL {
            let decision = permit.would_have_decided(principal.clone(), state, at, script.as_str());
            if decision.is_allowed {
                return None;
            }
            first.get_or_insert(decision.reason);
        }
    }
    Some(match first {
        Some(Reason::Forbidden(rules)) => Lapse::Forbidden(rules.iter().map(Rule::to_string).collect()),
        _ => Lapse::NotAllowed,
    })
}

/// A version as it is, and then in every other state that it may have been in.
fn states(version: Thing) -> Vec<Thing> {
    let mut states = vec![version];
    for stage in Stage::ALL {
        for approval in ApprovalStatus::ALL {
            let mut state = states[0].clone();
            if let Thing::ModelVersion { stage: then, approval: decided, .. } = &mut state {
                (*then, *decided) = (*stage, *approval);
            }
            states.push(state);
        }
    }
    states
}

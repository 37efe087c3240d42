use serde_json::json;
use stele_domain::authz::{ApproveModel, ManageGate, Place, authorize};
use stele_domain::change::Change;
use stele_domain::gate::{Evidence, GateDefinition, Outcome, Target, Verdict};
use stele_domain::{Kind, Result};
use stele_store::{GateRecord, VerdictRecord};

use super::answer::answer;
use super::pass::gates_of;
use crate::transact::Changed;
use crate::{App, Ctx};

/// What the gates of a version would answer now.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    pub target: Target,
    pub passed: bool,
    pub verdicts: Vec<Verdict>,
    pub evidence: Evidence,
}

impl App {
    /// Declares a gate, or changes it, which makes its next version. The same definition again changes nothing.
    pub async fn gate_apply(&self, ctx: &Ctx, definition: GateDefinition) -> Result<GateRecord> {
        definition.check()?;
        let now = ctx.now();
        self.change::<ManageGate, _>(ctx, &definition.name.clone(), move |tx, permit| {
            let (before, after) = tx.gate_apply(permit, &definition, now)?;
            if before.as_ref() == Some(&after) {
                return Ok(Changed::nothing(after));
            }
            let mut change = Change::event("gate.apply", Kind::Gate, &definition.name).after(json!(after.gate));
            if let Some(before) = before {
                change = change.before(json!(before.gate));
            }
            Ok(Changed::one(after, change))
        })
        .await
    }

    pub async fn gate_delete(&self, ctx: &Ctx, name: String) -> Result<()> {
        let now = ctx.now();
        self.change::<ManageGate, _>(ctx, &name.clone(), move |tx, permit| {
            let before = tx.gate_delete(permit, &name, now)?;
            Ok(Changed::one((), Change::event("gate.delete", Kind::Gate, &name).before(json!(before.gate))))
        })
        .await
    }

    pub async fn gate_get(&self, ctx: &Ctx, name: String) -> Result<GateRecord> {
        let visible = ctx.visible();
        self.read(move |tx| tx.gate_get(&visible, &name)).await
    }

    /// Every version that a gate has had, the newest first.
    pub async fn gate_versions(&self, ctx: &Ctx, name: String) -> Result<Vec<GateRecord>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.gate_versions(&visible, &name)).await
    }

    /// The gates there are, by name, for those who see the whole workspace; others are told of those they meet.
    pub async fn gates_list(&self, ctx: &Ctx) -> Result<Vec<GateRecord>> {
        let visible = ctx.visible();
        self.read(move |tx| match visible.sees(Place::Workspace) {
            true => tx.gates(visible.workspace()),
            false => Ok(Vec::new()),
        })
        .await
    }

    /// Says what the gates would answer if the caller asked to move a version now. Nothing is kept.
    pub async fn gate_check(&self, ctx: &Ctx, model: String, number: i64, target: Target) -> Result<Checked> {
        self.reports_read(ctx, &model, number).await?;
        let (now, visible) = (ctx.now(), ctx.visible());
        let approving = authorize::<ApproveModel>(ctx, self.rules(ctx).await?);
        self.read(move |tx| {
            let version = tx.model_version_get(&visible, &model, number)?;
            let head = tx.model_head(&visible, &model)?;
            let gates = gates_of(tx, visible.workspace(), &model, &target)?;
            let (evidence, verdicts) = answer(tx, &approving, &head, version.row, &target, &gates, now)?;
            let passed = verdicts.iter().all(|verdict| verdict.outcome != Outcome::Failed);
            Ok(Checked { target, passed, verdicts, evidence })
        })
        .await
    }

    /// What gates answered about a version, the newest first; also of a version that is gone.
    pub async fn verdicts_list(&self, ctx: &Ctx, model: String, number: i64) -> Result<Vec<VerdictRecord>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let verdicts = tx.verdicts(&visible, &model, number)?;
            if verdicts.is_empty() {
                tx.model_version_get(&visible, &model, number)?;
            }
            Ok(verdicts)
        })
        .await
    }
}

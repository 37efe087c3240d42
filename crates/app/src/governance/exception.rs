use serde_json::json;
use stele_domain::authz::ManageGate;
use stele_domain::change::Change;
use stele_domain::gate::{Exception, Target};
use stele_domain::id::Timestamp;
use stele_domain::registry::version_id;
use stele_domain::{Error, Kind, Result};

use super::check_reason;
use crate::registry::open_version;
use crate::transact::Changed;
use crate::{App, Ctx};

/// The longest that an exception lasts.
const MOST_MINUTES: u32 = 24 * 60;

/// A version that is to pass whatever its gates say.
#[derive(Debug, Clone)]
pub struct NewException {
    pub model: String,
    pub number: i64,
    pub target: Target,
    pub reason: String,
    pub minutes: u32,
}

impl App {
    /// Breaks the glass: lets one version past the gates of one target, for a while and for a reason. Everybody who
    /// listens hears of it, and again when it is used.
    pub async fn gate_exception_make(&self, ctx: &Ctx, new: NewException) -> Result<Exception> {
        let NewException { model, number, target, reason, minutes } = new;
        check_reason("reason", &reason)?;
        if reason.trim().is_empty() {
            return Err(Error::invalid("an exception needs a reason"));
        }
        if minutes == 0 || minutes > MOST_MINUTES {
            return Err(Error::invalid(format!("an exception lasts 1 to {MOST_MINUTES} minutes, not {minutes}")));
        }
        let now = ctx.now();
        let until = Timestamp(now.0 + i64::from(minutes) * 60_000);
        let id = version_id(&model, number);
        self.change::<ManageGate, _>(ctx, &id.clone(), move |tx, permit| {
            // It is the gates of the workspace that it breaks.
            permit.require_workspace()?;
            let (head, version) = open_version(tx, permit, &model, number)?;
            let made = tx.gate_exception_make(permit, version.row, &target, &reason, now, until)?;
            let told =
                json!({ "exception": made.id, "target": target.to_string(), "reason": reason, "until": until.0 });
            let change = Change::event("gate.break-glass", Kind::ModelVersion, &id).of_model(&head.id);
            Ok(Changed::one(made, change.after(told)))
        })
        .await
    }
}

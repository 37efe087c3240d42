//! The audit log and the outbox of events, written in the transaction of the change they tell of.

use stele_domain::Result;
use stele_domain::change::{Audience, Change};
use stele_domain::id::{Timestamp, WorkspaceId};

use crate::Tx;
use crate::engine::params;

/// Who made a change, and through what.
#[derive(Debug, Clone)]
pub struct Origin {
    pub workspace: WorkspaceId,
    pub principal: String,
    /// The wire API that the request came through.
    pub script: &'static str,
    pub request_id: String,
    pub at: Timestamp,
}

impl Tx<'_> {
    /// Records a change that is part of this transaction. `event_id` names the event, if subscribers get one. Says how
    /// many webhooks are to be told.
    pub fn change_record(
        &mut self,
        origin: &Origin,
        change: &Change,
        event_id: impl FnOnce() -> String,
    ) -> Result<u64> {
        self.audit_append(origin, change, "done")?;
        match change.audience {
            Audience::Audit => Ok(0),
            Audience::Subscribers => {
                let event_id = event_id();
                self.outbox_append(origin, change, &event_id)?;
                self.deliveries_enqueue(origin, change, &event_id)
            }
        }
    }

    /// Records that a change was asked for and refused.
    pub fn denial_record(&mut self, origin: &Origin, change: &Change) -> Result<()> {
        self.audit_append(origin, change, "denied")
    }

    fn audit_append(&mut self, origin: &Origin, change: &Change, outcome: &str) -> Result<()> {
        const APPEND: &str = "INSERT INTO audit_entry (at, workspace_id, principal, script, request_id, action, kind,
                 object, outcome, before_state, after_state)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let values = params![
            origin.at,
            origin.workspace,
            &origin.principal,
            origin.script,
            &origin.request_id,
            change.action,
            change.kind.as_str(),
            &change.object,
            outcome,
            change.before.as_ref().map(ToString::to_string),
            change.after.as_ref().map(ToString::to_string),
        ];
        self.execute(APPEND, values).map(|_| ())
    }

    fn outbox_append(&mut self, origin: &Origin, change: &Change, event_id: &str) -> Result<()> {
        const APPEND: &str = "INSERT INTO outbox (public_id, at, workspace_id, action, kind, object, data)
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let data = serde_json::json!({ "before": change.before, "after": change.after });
        let values = params![
            event_id,
            origin.at,
            origin.workspace,
            change.action,
            change.kind.as_str(),
            &change.object,
            data.to_string(),
        ];
        self.execute(APPEND, values).map(|_| ())
    }

    /// Forgets events older than `before` that no subscriber waits for.
    pub fn outbox_prune(&mut self, before: Timestamp) -> Result<u64> {
        const PRUNE: &str = "DELETE FROM outbox WHERE at < $1";
        self.execute(PRUNE, params![before])
    }
}

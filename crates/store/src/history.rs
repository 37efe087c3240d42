//! What a change leaves behind: an entry of the audit log, and deliveries to webhooks, in its own transaction.

use std::net::IpAddr;

use stele_domain::Result;
use stele_domain::change::{Audience, Change};
use stele_domain::id::{Timestamp, WorkspaceId};

use crate::Tx;

/// Who made a change, and through what.
#[derive(Debug, Clone)]
pub struct Origin {
    pub workspace: WorkspaceId,
    pub principal: String,
    /// The wire API that the request came through.
    pub script: &'static str,
    pub request_id: String,
    /// Where the request came from, if it came over the network.
    pub address: Option<IpAddr>,
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
            Audience::Subscribers => self.deliveries_enqueue(origin, change, event_id),
        }
    }

    /// Records that a change was asked for and refused.
    pub fn denial_record(&mut self, origin: &Origin, change: &Change) -> Result<()> {
        self.audit_append(origin, change, "denied")
    }
}

//! A team's own rules as texts with their history. What they say is nothing to the store.

use stele_domain::authz::{ManagePolicy, Permit, Place, Visibility};
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::policy::{Policy, PolicyRecord};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, params};

/// The most policies of a workspace, and the most rules in them together; every change may ask all of them.
const MOST_POLICIES: i64 = 200;
const MOST_RULES: i64 = 1_000;

const COLUMNS: &str = "SELECT name, version, enabled, rules, body, applied_by, applied_at FROM policy";

impl Tx<'_> {
    /// Makes a text the newest version of its policy, unless it is that already. Says what the policy was before.
    pub fn policy_apply(
        &mut self,
        permit: &Permit<ManagePolicy>,
        policy: &Policy,
        rules: usize,
        now: Timestamp,
    ) -> Result<(Option<PolicyRecord>, PolicyRecord)> {
        const OTHERS: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(rules), 0) AS BIGINT) FROM policy
             WHERE workspace_id = $1 AND deleted_at IS NULL AND name <> $2";
        const APPLY: &str = "INSERT INTO policy
                 (workspace_id, name, version, enabled, rules, body, applied_by, applied_at)
             VALUES ($1, $2, 1, $3, $4, $5, $6, $7)
             ON CONFLICT (workspace_id, name) DO UPDATE SET version = policy.version + 1, enabled = excluded.enabled,
                 rules = excluded.rules, body = excluded.body, applied_by = excluded.applied_by,
                 applied_at = excluded.applied_at, deleted_at = NULL
             RETURNING id, version";
        const KEEP: &str = "INSERT INTO policy_version
                 (policy_id, version, enabled, rules, body, applied_by, applied_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        permit.require_workspace()?;
        let before = self.policy_find(permit.workspace(), &policy.name, self.for_update())?;
        if let Some(before) = &before
            && before.policy == *policy
        {
            return Ok((Some(before.clone()), before.clone()));
        }
        let others = params![permit.workspace(), &policy.name];
        let (count, sum) = self.query_one(OTHERS, others, |row| Ok((row.int(0)?, row.int(1)?)))?;
        if count >= MOST_POLICIES {
            return Err(Error::LimitExceeded { message: format!("a workspace has at most {MOST_POLICIES} policies") });
        }
        if sum + rules as i64 > MOST_RULES {
            let message = format!("the policies of a workspace have at most {MOST_RULES} rules together");
            return Err(Error::LimitExceeded { message });
        }
        let by = permit.subject().principal.name().to_owned();
        let Policy { name, text, enabled } = policy;
        let (is_on, rules) = (*enabled, rules as i64);
        let values = params![permit.workspace(), name, is_on, rules, text, &by, now];
        let (row, version) = self.query_one(APPLY, values, |row| Ok((row.int(0)?, row.int(1)?)))?;
        self.execute(KEEP, params![row, version, is_on, rules, text, &by, now])?;
        Ok((before, PolicyRecord { policy: policy.clone(), version, rules, applied_by: by, applied_at: now }))
    }

    /// Deletes a policy; its versions stay, and the next one counts on.
    pub fn policy_delete(&mut self, permit: &Permit<ManagePolicy>, name: &str, now: Timestamp) -> Result<PolicyRecord> {
        const DELETE: &str = "UPDATE policy SET deleted_at = $3, version = version + 1
             WHERE workspace_id = $1 AND name = $2";
        permit.require_workspace()?;
        let found = self.policy_find(permit.workspace(), name, self.for_update())?;
        let found = found.ok_or_else(|| Error::not_found(Kind::Policy, name))?;
        self.execute(DELETE, params![permit.workspace(), name, now])?;
        Ok(found)
    }

    fn policy_find(&mut self, workspace: WorkspaceId, name: &str, lock: &str) -> Result<Option<PolicyRecord>> {
        let sql = format!("{COLUMNS} WHERE workspace_id = $1 AND name = $2 AND deleted_at IS NULL{lock}");
        self.query_opt(&sql, params![workspace, name], record)
    }

    pub fn policy_get(&mut self, visible: &Visibility, name: &str) -> Result<PolicyRecord> {
        visible.require(Place::Workspace, Kind::Policy, name)?;
        self.policy_find(visible.workspace(), name, "")?.ok_or_else(|| Error::not_found(Kind::Policy, name))
    }

    /// Every version that a policy has had, the newest first.
    pub fn policy_versions(&mut self, visible: &Visibility, name: &str) -> Result<Vec<PolicyRecord>> {
        const VERSIONS: &str = "SELECT policy.name, kept.version, kept.enabled, kept.rules, kept.body, kept.applied_by,
                 kept.applied_at
             FROM policy_version AS kept JOIN policy ON policy.id = kept.policy_id
             WHERE policy.workspace_id = $1 AND policy.name = $2 ORDER BY kept.version DESC LIMIT 100";
        visible.require(Place::Workspace, Kind::Policy, name)?;
        let found = self.query(VERSIONS, params![visible.workspace(), name], record)?;
        if found.is_empty() { Err(Error::not_found(Kind::Policy, name)) } else { Ok(found) }
    }

    /// The policies of a workspace by name. Whoever changes something is told of them, so that they are not filtered.
    pub fn policies(&mut self, workspace: WorkspaceId) -> Result<Vec<PolicyRecord>> {
        let sql = format!("{COLUMNS} WHERE workspace_id = $1 AND deleted_at IS NULL ORDER BY name");
        self.query(&sql, params![workspace], record)
    }

    /// A number that is greater after every change of the policies of a workspace; 0 when there never were any.
    pub fn policies_revision(&mut self, workspace: WorkspaceId) -> Result<i64> {
        const REVISION: &str = "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM policy WHERE workspace_id = $1";
        self.query_one(REVISION, params![workspace], |row| row.int(0))
    }
}

fn record(row: &Row) -> Result<PolicyRecord> {
    Ok(PolicyRecord {
        policy: Policy { name: row.text(0)?, enabled: row.int(2)? != 0, text: row.text(4)? },
        version: row.int(1)?,
        rules: row.int(3)?,
        applied_by: row.text(5)?,
        applied_at: Timestamp(row.int(6)?),
    })
}

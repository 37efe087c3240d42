//! Reading the audit log: page by page for people, and as a whole for exports and verification.

use std::collections::BTreeMap;

use stele_domain::audit::{AuditEntry, ChainEnd, Hash, NO_HASH, Seen, Segment, Statement};
use stele_domain::authz::Visibility;
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::{Kind, Result};

use super::chain::chain_end;
use crate::Tx;
use crate::engine::{Row, Value, params};

const COLUMNS: &str = "id, chain, seq, at, workspace_id, principal, script, address, request_id, action, kind, object, \
     subject, outcome, before_state, after_state, hash";

/// Entries are written in the order of their ids and nearly in that of their times: clocks of servers differ, and may
/// be set back.
const CLOCKS_DIFFER_MS: i64 = 60 * 60 * 1000;

/// Which entries are asked for; what is none does not matter.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub principal: Option<String>,
    /// `run.create`; one that ends in `.` stands for all that begin so.
    pub action: Option<String>,
    pub kind: Option<String>,
    pub object: Option<String>,
    pub script: Option<String>,
    pub outcome: Option<String>,
    pub request_id: Option<String>,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

/// How far the log goes.
#[derive(Debug, Clone, Default)]
pub struct Extent {
    /// The ids between which all entries lie, both included.
    pub first: i64,
    pub last: i64,
    /// The newest entry of each chain.
    pub ends: BTreeMap<i64, ChainEnd>,
}

impl Extent {
    fn has(&self, chain: i64, seq: i64) -> bool {
        // What is in no chain is for verification to tell of.
        chain < 0 || self.ends.get(&chain).is_some_and(|end| seq <= end.seq)
    }
}

/// A page of entries, newest first.
#[derive(Debug, Clone)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// The next page comes before this id.
    pub next: Option<i64>,
}

impl Tx<'_> {
    /// The newest entries before the id `before` that a filter passes.
    pub fn audit_list(
        &mut self,
        visible: &Visibility,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<AuditPage> {
        let AuditFilter { principal, action, kind, object, script, outcome, request_id, since, until } = filter;
        let mut values: Vec<Value> = vec![visible.workspace().into(), (limit + 1).into()];
        let mut tests = vec!["workspace_id = $1".to_owned()];
        let mut test = |sql: &str, value: Value<'static>| {
            values.push(value);
            tests.push(sql.replace("$n", &format!("${}", values.len())));
        };
        let equal = [("principal", principal), ("kind", kind), ("object", object), ("script", script)];
        for (column, text) in equal.into_iter().chain([("outcome", outcome), ("request_id", request_id)]) {
            if let Some(text) = text {
                test(&format!("{column} = $n"), text.clone().into());
            }
        }
        match action.as_deref() {
            Some(family) if family.ends_with('.') => {
                let length = family.chars().count();
                test(&format!("substr(action, 1, {length}) = $n"), family.to_owned().into());
            }
            Some(action) => test("action = $n", action.to_owned().into()),
            None => {}
        }
        if let Some(since) = since {
            test("at >= $n", (*since).into());
            test("id >= $n", self.audit_id_at(Timestamp(since.0.saturating_sub(CLOCKS_DIFFER_MS)))?.into());
        }
        if let Some(until) = until {
            test("at < $n", (*until).into());
            test("id <= $n", self.audit_id_at(Timestamp(until.0.saturating_add(CLOCKS_DIFFER_MS)))?.into());
        }
        if let Some(before) = before {
            test("id < $n", before.into());
        }
        let sql = format!("SELECT {COLUMNS} FROM audit_entry WHERE {} ORDER BY id DESC LIMIT $2", tests.join(" AND "));
        Ok(page(self.query(&sql, &values, entry)?, limit))
    }

    /// An id near those of the entries written at a time, found by halving, since there is no index by time.
    fn audit_id_at(&mut self, at: Timestamp) -> Result<i64> {
        const RANGE: &str = "SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM audit_entry";
        const NEXT: &str = "SELECT id, at FROM audit_entry WHERE id >= $1 ORDER BY id LIMIT 1";
        let (mut low, mut high) = self.query_one(RANGE, params![], |row| Ok((row.int(0)?, row.int(1)?)))?;
        high += 1;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.query_opt(NEXT, params![middle], |row| Ok((row.int(0)?, row.int(1)?)))? {
                Some((id, then)) if then < at.0 => low = id + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// How far the log goes at this moment. Entries that are written later are none of this extent, also where their
    /// ids are smaller than those of others in it.
    pub fn audit_extent(&mut self) -> Result<Extent> {
        const RANGE: &str = "SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM audit_entry";
        let (first, last) = self.query_one(RANGE, params![], |row| Ok((row.int(0)?, row.int(1)?)))?;
        Ok(Extent { first, last, ends: self.audit_ends()?.into_iter().collect() })
    }

    /// Entries of an extent with ids after `after`, oldest first; up to `limit` are looked at. Says also how far it
    /// looked, if there may be more.
    pub fn audit_after(&mut self, extent: &Extent, after: i64, limit: i64) -> Result<(Vec<AuditEntry>, Option<i64>)> {
        let sql = format!("SELECT {COLUMNS} FROM audit_entry WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3");
        let mut entries = self.query(&sql, params![after, extent.last, limit], entry)?;
        let end = entries.last().filter(|_| entries.len() as i64 == limit).map(|entry| entry.id);
        entries.retain(|entry| extent.has(entry.chain, entry.seq));
        Ok((entries, end))
    }

    /// Verifies the entries of an extent whose ids are after `after` and at most `last`.
    pub fn audit_segment(&mut self, extent: &Extent, after: i64, last: i64) -> Result<Segment> {
        let sql = format!("SELECT {COLUMNS} FROM audit_entry WHERE id > $1 AND id <= $2 ORDER BY id");
        let mut segment = Segment::default();
        self.query_each(&sql, params![after, last], |row| {
            let id = row.int(0)?;
            let (Some(chain), Some(seq), Some(hash)) = (row.opt_int(1)?, row.opt_int(2)?, row.opt_bytes(16)?) else {
                segment.take_unchained(id);
                return Ok(());
            };
            let statement = Statement {
                chain,
                seq,
                at: Timestamp(row.int(3)?),
                workspace: WorkspaceId(row.int(4)?),
                principal: row.str(5)?,
                script: row.str(6)?,
                address: row.opt_str(7)?,
                request_id: row.str(8)?,
                action: row.str(9)?,
                kind: row.str(10)?,
                object: row.str(11)?,
                subject: row.opt_str(12)?,
                outcome: row.str(13)?,
                before: row.opt_str(14)?,
                after: row.opt_str(15)?,
            };
            if !extent.has(chain, seq) {
                return Ok(());
            }
            // One of another length is none of ours.
            let hash: Hash = hash.try_into().unwrap_or(NO_HASH);
            segment.take(&Seen { id, statement, hash });
            Ok(())
        })?;
        Ok(segment)
    }

    /// Where each chain ends.
    pub fn audit_ends(&mut self) -> Result<Vec<(i64, ChainEnd)>> {
        // From one chain to the next through the index: grouping would read all of it, and writers wait meanwhile.
        const ENDS: &str = "WITH RECURSIVE found (chain) AS (
                 SELECT MIN(chain) FROM audit_entry
                 UNION ALL
                 SELECT (SELECT MIN(audit_entry.chain) FROM audit_entry WHERE audit_entry.chain > found.chain)
                 FROM found WHERE found.chain IS NOT NULL)
             SELECT entry.chain, entry.seq, entry.hash FROM found
             JOIN audit_entry AS entry ON entry.chain = found.chain
                 AND entry.seq = (SELECT MAX(newest.seq) FROM audit_entry AS newest WHERE newest.chain = found.chain)
             ORDER BY entry.chain";
        self.query(ENDS, params![], |row| Ok((row.int(0)?, chain_end(row.int(1)?, row.blob(2)?)?)))
    }

    /// The lasting ids of the models that have or had a name: the one that has it now, then those of the newest entries.
    pub fn audit_models_named(&mut self, visible: &Visibility, name: &str) -> Result<Vec<String>> {
        const NOW: &str = "SELECT public_id FROM model WHERE workspace_id = $1 AND name = $2";
        const EVER: &str = "SELECT subject FROM audit_entry WHERE subject IS NOT NULL
                 AND substr(object, 1, 200) = substr($2, 1, 200) AND object = $2 AND kind = $3 AND workspace_id = $1
             GROUP BY subject ORDER BY MAX(id) DESC LIMIT 1000";
        let now = self.query_opt(NOW, params![visible.workspace(), name], |row| row.text(0))?;
        let values = params![visible.workspace(), name, Kind::Model.as_str()];
        let mut models = self.query(EVER, values, |row| row.text(0))?;
        if let Some(now) = now {
            models.retain(|model| *model != now);
            models.insert(0, now);
        }
        Ok(models)
    }

    /// What was written about a model, newest first, before the id `before`.
    pub fn audit_of_model(
        &mut self,
        visible: &Visibility,
        subject: &str,
        before: Option<i64>,
        limit: i64,
    ) -> Result<AuditPage> {
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_entry WHERE subject = $2 AND workspace_id = $1 AND id < $3
             ORDER BY id DESC LIMIT $4"
        );
        let values = params![visible.workspace(), subject, before.unwrap_or(i64::MAX), limit + 1];
        Ok(page(self.query(&sql, values, entry)?, limit))
    }

    /// What was written about a model until a time, oldest first.
    pub fn audit_of_model_until(
        &mut self,
        visible: &Visibility,
        subject: &str,
        until: Timestamp,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_entry WHERE subject = $2 AND workspace_id = $1 AND at <= $3
             ORDER BY id LIMIT $4"
        );
        self.query(&sql, params![visible.workspace(), subject, until, limit], entry)
    }

    /// What the newest entry is about.
    pub fn audit_newest_action(&mut self) -> Result<Option<String>> {
        const NEWEST: &str = "SELECT action FROM audit_entry ORDER BY id DESC LIMIT 1";
        self.query_opt(NEWEST, params![], |row| row.text(0))
    }

    /// The hash at a place of a chain, if there is an entry.
    pub fn audit_hash_at(&mut self, chain: i64, seq: i64) -> Result<Option<Hash>> {
        const AT: &str = "SELECT hash FROM audit_entry WHERE chain = $1 AND seq = $2";
        let found = self.query_opt(AT, params![chain, seq], |row| row.blob(0))?;
        Ok(found.and_then(|hash| hash.try_into().ok()))
    }
}

/// A page of what was read, which is one entry more if there is another page.
fn page(mut entries: Vec<AuditEntry>, limit: i64) -> AuditPage {
    let more = entries.len() as i64 > limit;
    entries.truncate(usize::try_from(limit).unwrap_or(0));
    let next = entries.last().filter(|_| more).map(|entry| entry.id);
    AuditPage { entries, next }
}

fn entry(row: &Row) -> Result<AuditEntry> {
    let id = row.int(0)?;
    let hash = row.opt_blob(16)?.and_then(|hash| hash.try_into().ok());
    Ok(AuditEntry {
        id,
        chain: row.opt_int(1)?.unwrap_or(-1),
        seq: row.opt_int(2)?.unwrap_or(0),
        at: Timestamp(row.int(3)?),
        workspace: WorkspaceId(row.int(4)?),
        principal: row.text(5)?,
        script: row.text(6)?,
        address: row.opt_text(7)?,
        request_id: row.text(8)?,
        action: row.text(9)?,
        kind: row.text(10)?,
        object: row.text(11)?,
        subject: row.opt_text(12)?,
        outcome: row.text(13)?,
        before: row.opt_text(14)?,
        after: row.opt_text(15)?,
        hash: hash.unwrap_or(NO_HASH),
    })
}

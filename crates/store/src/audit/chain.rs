//! The chains that entries are tied into: one for each writer, so that writers do not wait for each other.
//!
//! On SQLite there is one writer and one chain. On PostgreSQL a pooled connection holds a chain for as long as it
//! lives, by a lock of its session; whichever server is the next to get that lock goes on where the chain ends.

use std::collections::HashMap;

use stele_domain::audit::{ChainEnd, Hash, NO_HASH, Statement};
use stele_domain::change::Change;
use stele_domain::id::{Timestamp, WorkspaceId};
use stele_domain::{Error, Kind, Result};

use crate::engine::{EngineKind, Value, params};
use crate::{Origin, Tx};

/// The class of the advisory locks on chains.
const LOCKS: i64 = 0x5374_656c;

/// More than there will ever be connections.
const MOST_CHAINS: i64 = 10_000;

/// The chain that a writer holds.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    number: Option<i64>,
    /// Its newest entry; not known before the first one, and when it is not certain what was committed.
    end: Option<ChainEnd>,
    /// The values of the entries that the open transaction has made; they go into the log together.
    pending: Vec<Value<'static>>,
    buffer: Vec<u8>,
}

/// How far a chain had come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    end: Option<ChainEnd>,
    pending: usize,
}

const INSERT: &str = "INSERT INTO audit_entry (at, workspace_id, principal, script, request_id, action, kind, object, \
     outcome, before_state, after_state, address, subject, chain, seq, hash)";

/// How many columns it fills.
const WIDTH: usize = 16;

impl Chain {
    /// The chain of the only writer.
    pub(crate) fn only() -> Chain {
        Chain { number: Some(0), ..Chain::default() }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { end: self.end, pending: self.pending.len() }
    }

    /// What was written since `mark` has been undone.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.end = mark.end;
        self.pending.truncate(mark.pending);
    }

    /// Forgets what a transaction left that ended in a panic.
    pub(crate) fn settle(&mut self) {
        if !self.pending.is_empty() {
            self.forget();
        }
    }

    /// It is read again where it ends.
    pub(crate) fn forget(&mut self) {
        self.end = None;
        self.pending.clear();
    }
}

impl Tx<'_> {
    /// Appends an entry to the chain that this writer holds. It is in the log when the transaction is committed.
    pub(crate) fn audit_append(&mut self, origin: &Origin, change: &Change, outcome: &'static str) -> Result<()> {
        let (number, end) = self.chain_end()?;
        let (before, after) =
            (change.before.as_ref().map(ToString::to_string), change.after.as_ref().map(ToString::to_string));
        let address = origin.address.map(|address| address.to_string());
        let statement = Statement {
            chain: number,
            seq: end.seq + 1,
            at: origin.at,
            workspace: origin.workspace,
            principal: &origin.principal,
            script: origin.script,
            address: address.as_deref(),
            request_id: &origin.request_id,
            action: change.action,
            kind: change.kind.as_str(),
            object: &change.object,
            subject: change.subject.as_deref(),
            outcome,
            before: before.as_deref(),
            after: after.as_deref(),
        };
        let seq = statement.seq;
        let (chain, hash) = self.chain_extend(&statement, &end.hash)?;
        let values: [Value; WIDTH] = [
            origin.at.into(),
            origin.workspace.into(),
            origin.principal.clone().into(),
            origin.script.into(),
            origin.request_id.clone().into(),
            change.action.into(),
            change.kind.as_str().into(),
            change.object.clone().into(),
            outcome.into(),
            before.into(),
            after.into(),
            address.into(),
            change.subject.clone().into(),
            number.into(),
            seq.into(),
            hash.to_vec().into(),
        ];
        chain.pending.extend(values);
        Ok(())
    }

    /// Writes the entries that the transaction has made into the log: the last thing before it is committed.
    pub(crate) fn audit_flush(&mut self) -> Result<()> {
        let Some(chain) = &mut self.chain else { return Ok(()) };
        if chain.pending.is_empty() {
            return Ok(());
        }
        let mut pending = std::mem::take(&mut chain.pending);
        let written = self.insert_rows(INSERT, WIDTH, "", &pending);
        pending.clear();
        let is_shared = self.engine() == EngineKind::Postgres;
        if let Some(chain) = &mut self.chain {
            // Its room is kept for the next ones.
            chain.pending = pending;
            if written.is_err() {
                chain.end = None;
                // Somebody else may hold it, such as behind a pool that shares sessions.
                chain.number = chain.number.filter(|_| !is_shared);
            }
        }
        written.map(|_| ())
    }

    /// Makes an entry the newest one of the chain; gives its hash.
    fn chain_extend(&mut self, statement: &Statement, previous: &Hash) -> Result<(&mut Chain, Hash)> {
        let chain = self.chain.as_deref_mut().ok_or_else(no_chain)?;
        let hash = statement.hash(previous, &mut chain.buffer);
        chain.end = Some(ChainEnd { seq: statement.seq, hash });
        Ok((chain, hash))
    }

    /// The chain that this writer holds, and its newest entry.
    fn chain_end(&mut self) -> Result<(i64, ChainEnd)> {
        const NEWEST: &str = "SELECT seq, hash FROM audit_entry WHERE chain = $1 ORDER BY seq DESC LIMIT 1";
        let chain = self.chain.as_ref().ok_or_else(no_chain)?;
        if let (Some(number), Some(end)) = (chain.number, chain.end) {
            return Ok((number, end));
        }
        let number = match chain.number {
            Some(number) => number,
            None => self.chain_take()?,
        };
        let end = self.query_opt(NEWEST, params![number], |row| chain_end(row.int(0)?, row.blob(1)?))?;
        let end = end.unwrap_or(ChainEnd { seq: 0, hash: NO_HASH });
        if let Some(chain) = &mut self.chain {
            chain.number = Some(number);
            chain.end = Some(end);
        }
        Ok((number, end))
    }

    /// Takes the first chain that no connection holds, until this connection ends.
    fn chain_take(&mut self) -> Result<i64> {
        const TRY: &str = "SELECT CAST(CASE WHEN pg_try_advisory_lock(CAST($1 AS INTEGER), CAST($2 AS INTEGER))
             THEN 1 ELSE 0 END AS BIGINT)";
        if self.engine() == EngineKind::Sqlite {
            return Ok(0);
        }
        for number in 0..MOST_CHAINS {
            if self.query_one(TRY, params![LOCKS, number], |row| row.bool(0))? {
                return Ok(number);
            }
        }
        Err(Error::Unavailable { message: format!("all {MOST_CHAINS} chains of the audit log are held") })
    }

    /// Makes the entries that were written before there were chains the beginning of this writer's chain. Only once:
    /// an entry that has no chain later was put there by somebody else.
    pub fn audit_chain_old(&mut self) -> Result<()> {
        const ANY: &str = "SELECT id FROM audit_entry WHERE chain IS NOT NULL LIMIT 1";
        const OLD: &str = "SELECT id, at, workspace_id, principal, script, request_id, action, kind, object, outcome,
                 before_state, after_state
             FROM audit_entry WHERE chain IS NULL AND id > $1 ORDER BY id LIMIT 1000";
        const CHAIN: &str =
            "UPDATE audit_entry SET chain = $2, seq = $3, hash = $4, subject = $5 WHERE id = $1 AND chain IS NULL";
        // Servers that start together take turns.
        let turns = format!("SELECT id FROM workspace ORDER BY id LIMIT 1{}", self.for_update());
        self.query(&turns, params![], |row| row.int(0))?;
        if self.query_opt(ANY, params![], |row| row.int(0))?.is_some() {
            return Ok(());
        }
        let models = self.models_by_name()?;
        let mut last = i64::MIN;
        loop {
            let old = self.query(OLD, params![last], |row| {
                let texts = (3..10).map(|column| row.text(column)).collect::<Result<Vec<String>>>()?;
                Ok((row.int(0)?, row.int(1)?, row.int(2)?, texts, row.opt_text(10)?, row.opt_text(11)?))
            })?;
            let Some((newest, ..)) = old.last() else { return Ok(()) };
            last = *newest;
            for (id, at, workspace, texts, before, after) in old {
                let [principal, script, request_id, action, kind, object, outcome] = &texts[..] else { continue };
                let name = match kind.as_str() {
                    kind if kind == Kind::Model.as_str() => Some(object.as_str()),
                    kind if kind == Kind::ModelVersion.as_str() => object.rsplit_once('/').map(|(name, _)| name),
                    _ => None,
                };
                let subject = name.and_then(|name| models.get(&(workspace, name.to_owned())));
                let (number, end) = self.chain_end()?;
                let statement = Statement {
                    chain: number,
                    seq: end.seq + 1,
                    at: Timestamp(at),
                    workspace: WorkspaceId(workspace),
                    principal,
                    script,
                    address: None,
                    request_id,
                    action,
                    kind,
                    object,
                    subject: subject.map(String::as_str),
                    outcome,
                    before: before.as_deref(),
                    after: after.as_deref(),
                };
                let (_, hash) = self.chain_extend(&statement, &end.hash)?;
                self.execute(CHAIN, params![id, number, statement.seq, &hash[..], statement.subject])?;
            }
        }
    }

    fn models_by_name(&mut self) -> Result<HashMap<(i64, String), String>> {
        const MODELS: &str = "SELECT workspace_id, name, public_id FROM model";
        let models = self.query(MODELS, params![], |row| Ok(((row.int(0)?, row.text(1)?), row.text(2)?)))?;
        Ok(models.into_iter().collect())
    }
}

/// An end as the database has it.
pub(super) fn chain_end(seq: i64, hash: Vec<u8>) -> Result<ChainEnd> {
    let hash =
        hash.try_into().map_err(|_| Error::internal(format!("audit entry {seq} has a hash of a wrong length")))?;
    Ok(ChainEnd { seq, hash })
}

fn no_chain() -> Error {
    Error::internal("a transaction that is not audited tried to write an audit entry")
}

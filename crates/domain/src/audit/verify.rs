//! Finding what was changed, removed, inserted or reordered in the log.
//!
//! The log may be cut into segments that are looked at side by side: within a segment each entry is held against the
//! hash that the one before it carries, and the first entry of each chain waits for the end of the segment before.

use std::collections::{BTreeMap, VecDeque};

use super::{AuditEntry, CHECKPOINT, ChainEnd, Hash, NO_HASH, Statement, ends_of_json};

/// The first thing that is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faulty {
    pub chain: i64,
    /// The place at which an entry is wrong or missing.
    pub seq: i64,
    pub fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// What the entry says, or its hash, is not what was written after the entry before it.
    Changed,
    /// Entries before this one are not there.
    Missing { from: i64 },
    /// It comes after one that it should come before, or is there twice.
    Reordered { after: i64 },
    /// It should be there, since its place and hash were noted.
    CutOff,
    /// Another entry than the one that was noted is there.
    Replaced,
    /// It belongs to no chain.
    Unchained { id: i64 },
}

/// Where a chain ended, as an entry of the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    pub chain: i64,
    pub end: ChainEnd,
    /// The hash that the log has at that place, unless the place was too far back to be remembered.
    pub hash_at: Option<Hash>,
}

/// The newest entries of a chain. Where chains end is said right after they ended there, but for what other writers wrote
/// meanwhile.
#[derive(Debug, Default)]
struct Recent(VecDeque<ChainEnd>);

impl Recent {
    const MOST: usize = 64;

    fn push(&mut self, end: ChainEnd) {
        if self.0.len() == Recent::MOST {
            self.0.pop_front();
        }
        self.0.push_back(end);
    }

    fn at(&self, seq: i64) -> Option<Hash> {
        self.0.iter().rev().find(|end| end.seq == seq).map(|end| end.hash)
    }
}

/// What is known of one chain in a segment.
#[derive(Debug)]
struct Link {
    /// Not yet held against what comes before it.
    first: AuditEntry,
    /// The newest entry that is all right.
    end: ChainEnd,
    last_id: i64,
    fault: Option<Faulty>,
    recent: Recent,
}

/// A part of the log in the order of the log.
#[derive(Debug, Default)]
pub struct Segment {
    chains: BTreeMap<i64, Link>,
    entries: u64,
    unchained: Option<i64>,
    noted: Vec<Noted>,
    buffer: Vec<u8>,
}

/// An entry whose fields are borrowed from where they were read.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub id: i64,
    pub statement: Statement<'a>,
    pub hash: Hash,
}

impl Segment {
    /// Looks at the next entry.
    pub fn take(&mut self, seen: &Seen<'_>) {
        self.entries += 1;
        let Seen { id, statement, hash } = seen;
        if statement.action == CHECKPOINT {
            for (chain, end) in statement.after.and_then(ends_of_json).into_iter().flatten() {
                let hash_at = self.chains.get(&chain).and_then(|link| link.recent.at(end.seq));
                self.noted.push(Noted { chain, end, hash_at });
            }
        }
        let end = ChainEnd { seq: statement.seq, hash: *hash };
        let Some(link) = self.chains.get_mut(&statement.chain) else {
            let mut recent = Recent::default();
            recent.push(end);
            let link = Link { first: owned(seen), end, last_id: *id, fault: None, recent };
            self.chains.insert(statement.chain, link);
            return;
        };
        if link.fault.is_some() {
            return;
        }
        let before = (link.end, link.last_id);
        match check(seen, before, &mut self.buffer) {
            Ok(()) => {
                link.end = end;
                link.last_id = *id;
                link.recent.push(end);
            }
            Err(fault) => link.fault = Some(Faulty { chain: statement.chain, seq: statement.seq, fault }),
        }
    }

    /// Notes an entry that has no place in a chain or no hash.
    pub fn take_unchained(&mut self, id: i64) {
        self.entries += 1;
        self.unchained.get_or_insert(id);
    }
}

fn check(seen: &Seen<'_>, (end, last_id): (ChainEnd, i64), buffer: &mut Vec<u8>) -> Result<(), Fault> {
    let seq = seen.statement.seq;
    if seq <= end.seq || seen.id <= last_id {
        return Err(Fault::Reordered { after: end.seq });
    }
    if seq > end.seq + 1 {
        return Err(Fault::Missing { from: end.seq + 1 });
    }
    if seen.statement.hash(&end.hash, buffer) == seen.hash { Ok(()) } else { Err(Fault::Changed) }
}

fn owned(seen: &Seen<'_>) -> AuditEntry {
    let Seen { id, statement, hash } = seen;
    let text = |text: Option<&str>| text.map(str::to_owned);
    AuditEntry {
        id: *id,
        chain: statement.chain,
        seq: statement.seq,
        at: statement.at,
        workspace: statement.workspace,
        principal: statement.principal.to_owned(),
        script: statement.script.to_owned(),
        address: text(statement.address),
        request_id: statement.request_id.to_owned(),
        action: statement.action.to_owned(),
        kind: statement.kind.to_owned(),
        object: statement.object.to_owned(),
        subject: text(statement.subject),
        outcome: statement.outcome.to_owned(),
        before: text(statement.before),
        after: text(statement.after),
        hash: *hash,
    }
}

/// What verification finds, segment after segment.
#[derive(Debug, Default)]
pub struct Verification {
    chains: BTreeMap<i64, State>,
    entries: u64,
    unchained: Option<i64>,
    noted: Vec<Noted>,
}

#[derive(Debug)]
struct State {
    end: ChainEnd,
    last_id: i64,
    fault: Option<Faulty>,
    recent: Recent,
}

impl State {
    /// Of a chain of which nothing is there.
    fn new() -> State {
        let end = ChainEnd { seq: 0, hash: NO_HASH };
        State { end, last_id: i64::MIN, fault: None, recent: Recent::default() }
    }
}

impl Verification {
    /// Adds the segment that follows those added before.
    pub fn add(&mut self, segment: Segment) {
        let Segment { chains, entries, unchained, noted, mut buffer } = segment;
        let known = |noted: Noted| {
            let earlier = || self.chains.get(&noted.chain)?.recent.at(noted.end.seq);
            Noted { hash_at: noted.hash_at.or_else(earlier), ..noted }
        };
        self.noted.extend(noted.into_iter().map(known));
        self.entries += entries;
        self.unchained = self.unchained.or(unchained);
        for (chain, link) in chains {
            let state = self.chains.entry(chain).or_insert_with(State::new);
            if state.fault.is_some() {
                continue;
            }
            let Link { first, end, last_id, fault, recent } = link;
            let seen = Seen { id: first.id, statement: first.statement(), hash: first.hash };
            state.fault = match check(&seen, (state.end, state.last_id), &mut buffer) {
                Ok(()) => {
                    state.end = end;
                    state.last_id = last_id;
                    recent.0.into_iter().for_each(|end| state.recent.push(end));
                    fault
                }
                Err(fault) => Some(Faulty { chain, seq: first.seq, fault }),
            };
        }
    }

    /// Holds the chains against a place and hash that were noted elsewhere: `hash_at` is the hash that the log has
    /// there. What was noted and is gone, or is another entry, is a fault.
    pub fn expect(&mut self, chain: i64, noted: ChainEnd, hash_at: Option<Hash>) {
        let fault = match hash_at {
            Some(hash) if hash == noted.hash => return,
            Some(_) => Fault::Replaced,
            None => Fault::CutOff,
        };
        let state = self.chains.entry(chain).or_insert_with(State::new);
        let earlier = state.fault.as_ref().is_some_and(|found| found.seq <= noted.seq);
        if !earlier {
            state.fault = Some(Faulty { chain, seq: noted.seq, fault });
        }
    }

    /// The ends of chains that checkpoints in the log say, to be held against it with [`Verification::expect`].
    pub fn noted(&self) -> &[Noted] {
        &self.noted
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Where each chain ends, as far as it is all right.
    pub fn ends(&self) -> BTreeMap<i64, ChainEnd> {
        self.chains.iter().map(|(chain, state)| (*chain, state.end)).collect()
    }

    /// The first fault of each chain that has one.
    pub fn faults(&self) -> Vec<Faulty> {
        let unchained = self.unchained.map(|id| Faulty { chain: -1, seq: 0, fault: Fault::Unchained { id } });
        self.chains.values().filter_map(|state| state.fault.clone()).chain(unchained).collect()
    }
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Faulty { chain, seq, fault } = self;
        match fault {
            Fault::Unchained { id } => return write!(f, "entry with id {id} belongs to no chain: it was inserted"),
            _ => write!(f, "chain {chain}, entry {seq}: ")?,
        }
        match fault {
            Fault::Changed => f.write_str("it was changed, or the one before it was"),
            Fault::Missing { from } if *from + 1 == *seq => write!(f, "entry {from} before it was removed"),
            Fault::Missing { from } => write!(f, "entries {from} to {} before it were removed", seq - 1),
            Fault::Reordered { after } => write!(f, "it stands after entry {after}"),
            Fault::CutOff => f.write_str("it was noted and is gone: the end of the chain was removed"),
            Fault::Replaced => f.write_str("it is not the entry that was noted: the chain was written anew"),
            Fault::Unchained { .. } => Ok(()),
        }
    }
}

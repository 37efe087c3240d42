//! Verification of an export, which needs no server and no database.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, ErrorKind, Read};
use std::thread::ScopedJoinHandle;

use serde_json::json;
use stele_domain::audit::{ChainEnd, Hash, Noted, Segment, Verification, ends_of_json, ends_to_json};
use stele_domain::{Error, Result};

use super::{AuditReport, read_line};

/// How much of the file a thread takes at once, in bytes.
const SEGMENT: usize = 8 * 1024 * 1024;

/// The longest line that is read: a state has at most a few megabytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// A part of the file, looked at.
struct Looked {
    segment: Segment,
    /// The hashes at places that were noted elsewhere.
    found: Vec<((i64, i64), Hash)>,
    /// The number of a line that says where the chains end, and what it says.
    closing: Option<(usize, Vec<(i64, ChainEnd)>)>,
}

/// The last line of an export, without which nothing would tell that the end of the file is missing.
pub fn closing_line(ends: &[(i64, ChainEnd)]) -> Vec<u8> {
    let mut line = json!({ "ends": ends_to_json(ends) }).to_string().into_bytes();
    line.push(b'\n');
    line
}

/// How such a line begins, which no entry does.
const CLOSING: &[u8] = b"{\"ends\":";

/// Verifies an export, a line an entry, also against ends that were noted elsewhere.
pub fn verify_export(
    mut export: impl BufRead,
    noted: &[(i64, ChainEnd)],
    mut progress: impl FnMut(u64),
) -> Result<AuditReport> {
    let places: HashMap<(i64, i64), Hash> = noted.iter().map(|(chain, end)| ((*chain, end.seq), end.hash)).collect();
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut verification = Verification::default();
    let mut found: BTreeMap<(i64, i64), Hash> = BTreeMap::new();
    let (mut closing, mut lines_before) = (None, 0);
    std::thread::scope(|scope| {
        let mut running: VecDeque<ScopedJoinHandle<Result<Looked>>> = VecDeque::new();
        let mut finish = |handle: ScopedJoinHandle<Result<Looked>>| {
            let looked = handle.join().map_err(|_| Error::internal("a thread that verifies panicked"))??;
            verification.add(looked.segment);
            found.extend(looked.found);
            closing = closing.take().or(looked.closing);
            progress(verification.entries());
            Ok::<_, Error>(())
        };
        while let Some(text) = whole_lines(&mut export)? {
            let first = lines_before;
            // The last line may have lost its end.
            lines_before += text.split_inclusive(|byte| *byte == b'\n').count();
            let places = &places;
            running.push_back(scope.spawn(move || look(&text, first, places)));
            if running.len() > workers
                && let Some(oldest) = running.pop_front()
            {
                finish(oldest)?;
            }
        }
        running.into_iter().try_for_each(finish)
    })?;
    for (chain, end) in noted {
        verification.expect(*chain, *end, found.get(&(*chain, end.seq)).copied());
    }
    // Of what checkpoints in the export say, a place that is too far back for its hash can only be told to be there. Who
    // writes them anew too is found by what was noted elsewhere.
    let is_closed = closing.is_some();
    let closed = match closing {
        Some((number, _)) if number != lines_before => {
            return Err(Error::invalid(format!("line {number} closes the export, and more lines follow")));
        }
        Some((_, ends)) => ends,
        None => Vec::new(),
    };
    let ends = verification.ends();
    let is_noted = |said: &(i64, ChainEnd)| noted.contains(said);
    let closed = closed.into_iter().filter(|said| !is_noted(said));
    let closed = closed.map(|(chain, end)| Noted { chain, end, hash_at: None });
    let said_inside: Vec<Noted> = verification.noted().iter().copied().chain(closed).collect();
    for Noted { chain, end: said, hash_at } in said_inside {
        let hash_at = hash_at.or_else(|| match ends.get(&chain) {
            Some(end) if end.seq == said.seq => Some(end.hash),
            Some(end) if end.seq > said.seq => Some(said.hash),
            _ => None,
        });
        verification.expect(chain, said, hash_at);
    }
    let report = AuditReport::from(verification);
    if !is_closed && report.faults.is_empty() {
        return Err(Error::invalid(
            "its last line, which says where the log ends, is missing: the end of the file was cut off",
        ));
    }
    Ok(report)
}

/// The next part of the file that ends with a line.
fn whole_lines(export: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut text = Vec::with_capacity(SEGMENT + 64 * 1024);
    read(export.by_ref().take(SEGMENT as u64).read_to_end(&mut text))?;
    if !text.is_empty() && text.last() != Some(&b'\n') {
        read(export.by_ref().take(LONGEST as u64).read_until(b'\n', &mut text))?;
        if text.len() >= LONGEST && text.last() != Some(&b'\n') {
            return Err(Error::invalid(format!("the export has a line of more than {LONGEST} bytes")));
        }
    }
    Ok(if text.is_empty() { None } else { Some(text) })
}

fn read<T>(outcome: std::io::Result<T>) -> Result<T> {
    outcome.map_err(|error| match error.kind() {
        ErrorKind::InvalidData => Error::invalid(format!("the export cannot be read: {error}")),
        _ => Error::Unavailable { message: format!("the export cannot be read: {error}") },
    })
}

fn look(text: &[u8], lines_before: usize, places: &HashMap<(i64, i64), Hash>) -> Result<Looked> {
    let mut looked = Looked { segment: Segment::default(), found: Vec::new(), closing: None };
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let number = lines_before + index + 1;
        let line = std::str::from_utf8(line).map_err(|_| Error::invalid(format!("line {number} is not UTF-8")))?;
        if looked.closing.is_none() && line.as_bytes().starts_with(CLOSING) {
            let ends = ends_of_json(line);
            let ends = ends.ok_or_else(|| Error::invalid(format!("line {number} does not say where chains end")))?;
            looked.closing = Some((number, ends));
            continue;
        }
        let taken = read_line(line, |seen| {
            let statement = &seen.statement;
            if statement.chain < 0 {
                looked.segment.take_unchained(seen.id);
                return;
            }
            if places.contains_key(&(statement.chain, statement.seq)) {
                looked.found.push(((statement.chain, statement.seq), seen.hash));
            }
            looked.segment.take(seen);
        });
        taken.map_err(|error| Error::invalid(format!("line {number} cannot be read: {error}")))?;
    }
    Ok(looked)
}

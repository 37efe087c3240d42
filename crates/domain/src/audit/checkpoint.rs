//! Where the chains end, written down: in the log itself every so often, and in files that are kept elsewhere. What is
//! cut off the end of a chain is found by them, which the chain alone cannot tell.

use serde_json::{Value, json};

use super::{ChainEnd, Hash};

/// The action of entries that say where the chains end.
pub const CHECKPOINT: &str = "audit.checkpoint";

/// `[{"chain": 0, "seq": 12, "hash": "<64 hex digits>"}, ..]`
pub fn ends_to_json(ends: &[(i64, ChainEnd)]) -> Vec<Value> {
    ends.iter().map(|(chain, end)| json!({ "chain": chain, "seq": end.seq, "hash": hex::encode(end.hash) })).collect()
}

/// Reads what [`ends_to_json`] made, by itself or as the member `ends` of an object.
pub fn ends_of_json(text: &str) -> Option<Vec<(i64, ChainEnd)>> {
    let document: Value = serde_json::from_str(text).ok()?;
    let ends = document.get("ends").unwrap_or(&document).as_array()?;
    let end = |end: &Value| {
        let hash = hash_of_hex(end["hash"].as_str()?)?;
        Some((end["chain"].as_i64()?, ChainEnd { seq: end["seq"].as_i64()?, hash }))
    };
    ends.iter().map(end).collect()
}

pub fn hash_of_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}

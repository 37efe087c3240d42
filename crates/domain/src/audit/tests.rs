use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A log of entries that take turns on some chains.
fn log(chains: &[u8]) -> Vec<AuditEntry> {
    let mut ends: BTreeMap<i64, ChainEnd> = BTreeMap::new();
    let mut buffer = Vec::new();
    let mut entries = Vec::new();
    for (index, chain) in chains.iter().enumerate() {
        let (index, chain) = (index as i64, i64::from(*chain));
        let end = ends.entry(chain).or_insert(ChainEnd { seq: 0, hash: NO_HASH });
        let mut entry = AuditEntry {
            id: index + 1,
            chain,
            seq: end.seq + 1,
            at: Timestamp(1_000 + index),
            workspace: WorkspaceId(1),
            principal: "ada".to_owned(),
            script: "mlflow".to_owned(),
            address: (index % 2 == 0).then(|| "192.0.2.7".to_owned()),
            request_id: format!("r{index}"),
            action: "run.log".to_owned(),
            kind: "run".to_owned(),
            object: format!("run{index}"),
            subject: None,
            outcome: "done".to_owned(),
            before: None,
            after: Some(format!("{{\"tags\":{index}}}")),
            hash: NO_HASH,
        };
        entry.hash = entry.statement().hash(&end.hash, &mut buffer);
        *end = ChainEnd { seq: entry.seq, hash: entry.hash };
        entries.push(entry);
    }
    entries
}

/// Verifies a log that is cut into segments of so many entries.
fn verify(entries: &[AuditEntry], segment: usize) -> Verification {
    let mut verification = Verification::default();
    for part in entries.chunks(segment.max(1)) {
        let mut segment = Segment::default();
        for entry in part {
            segment.take(&Seen { id: entry.id, statement: entry.statement(), hash: entry.hash });
        }
        verification.add(segment);
    }
    verification
}

fn chains() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0_u8..3, 2..40)
}

proptest! {
    #[test]
    fn an_untouched_log_has_no_fault(chains in chains(), segment in 1_usize..50) {
        let verification = verify(&log(&chains), segment);
        prop_assert_eq!(verification.faults(), vec![]);
        prop_assert_eq!(verification.entries(), chains.len() as u64);
    }

    #[test]
    fn any_changed_field_is_found(
        chains in chains(), place in any::<prop::sample::Index>(), field in 0_usize..15, segment in 1_usize..50,
    ) {
        let mut entries = log(&chains);
        let entry = place.get_mut(&mut entries);
        let (chain, seq) = (entry.chain, entry.seq);
        match field {
            0 => entry.at.0 += 1,
            1 => entry.workspace.0 += 1,
            2 => entry.principal.push('x'),
            3 => entry.script.push('x'),
            4 => entry.address = if entry.address.is_some() { None } else { Some(String::new()) },
            5 => entry.request_id.push('x'),
            6 => entry.action.push('x'),
            7 => entry.kind.push('x'),
            8 => entry.object.push('x'),
            9 => entry.subject = Some(String::new()),
            10 => entry.outcome = "denied".to_owned(),
            11 => entry.before = Some("{}".to_owned()),
            12 => entry.after = None,
            13 => entry.hash[7] ^= 1,
            // The end of one text moved to the beginning of the next.
            _ => {
                let moved = entry.action.pop().unwrap();
                entry.kind.insert(0, moved);
            }
        }
        let faults = verify(&entries, segment).faults();
        prop_assert_eq!(faults, vec![Faulty { chain, seq, fault: Fault::Changed }]);
    }

    #[test]
    fn a_removed_entry_is_found(chains in chains(), place in any::<prop::sample::Index>(), segment in 1_usize..50) {
        let mut entries = log(&chains);
        let removed = entries.remove(place.index(entries.len()));
        let ends = verify(&log(&chains), 10).ends();
        let mut verification = verify(&entries, segment);
        // At the end of a chain only what was noted elsewhere tells.
        for (chain, noted) in ends {
            let at = entries.iter().find(|entry| entry.chain == chain && entry.seq == noted.seq);
            verification.expect(chain, noted, at.map(|entry| entry.hash));
        }
        let faults = verification.faults();
        prop_assert_eq!(faults.len(), 1, "{:?}", faults);
        prop_assert_eq!(faults[0].chain, removed.chain);
    }

    #[test]
    fn swapped_entries_are_found(
        chains in chains(), first in any::<prop::sample::Index>(), second in any::<prop::sample::Index>(),
        keep_ids in any::<bool>(), segment in 1_usize..50,
    ) {
        let mut entries = log(&chains);
        let (first, second) = (first.index(entries.len()), second.index(entries.len()));
        prop_assume!(entries[first].chain == entries[second].chain && first != second);
        entries.swap(first, second);
        if keep_ids {
            let id = entries[first].id;
            entries[first].id = entries[second].id;
            entries[second].id = id;
        }
        prop_assert_eq!(verify(&entries, segment).faults().len(), 1);
    }

    #[test]
    fn an_inserted_entry_is_found(
        chains in chains(), place in any::<prop::sample::Index>(), copied in any::<prop::sample::Index>(),
        segment in 1_usize..50,
    ) {
        let mut entries = log(&chains);
        let copy = copied.get(&entries).clone();
        let chain = copy.chain;
        entries.insert(place.index(entries.len() + 1), copy);
        for (index, entry) in entries.iter_mut().enumerate() {
            entry.id = index as i64 + 1;
        }
        let faults = verify(&entries, segment).faults();
        prop_assert_eq!(faults.len(), 1);
        prop_assert_eq!(faults[0].chain, chain);
    }

    #[test]
    fn a_chain_that_is_written_anew_is_found_by_what_was_noted(
        chains in chains(), place in any::<prop::sample::Index>(),
    ) {
        let honest = log(&chains);
        let mut forged = honest.clone();
        let changed = place.index(forged.len());
        forged[changed].principal = "mallory".to_owned();
        let (chain, from) = (forged[changed].chain, forged[changed].seq);
        let mut previous = NO_HASH;
        for entry in forged.iter_mut().filter(|entry| entry.chain == chain) {
            if entry.seq >= from {
                entry.hash = entry.statement().hash(&previous, &mut Vec::new());
            }
            previous = entry.hash;
        }
        let mut verification = verify(&forged, 7);
        prop_assert_eq!(verification.faults(), vec![]);
        let noted = verify(&honest, 7).ends()[&chain];
        verification.expect(chain, noted, Some(verification.ends()[&chain].hash));
        prop_assert_eq!(verification.faults(), vec![Faulty { chain, seq: noted.seq, fault: Fault::Replaced }]);
    }
}

#[test]
fn the_encoding_stays_as_it_is() {
    let entries = log(&[0, 0]);
    let hex: String = entries[1].hash.iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(hex, @"7c6d772440659bb71451e65429ac39ffd72785b4b2a21e9d426bc6edb5ea68dc");
}

#[test]
fn an_entry_of_no_chain_is_found() {
    let mut segment = Segment::default();
    segment.take_unchained(5);
    let mut verification = Verification::default();
    verification.add(segment);
    assert_eq!(
        verification.faults().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["entry with id 5 belongs to no chain: it was inserted"]
    );
}

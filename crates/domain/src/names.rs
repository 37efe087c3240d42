//! Friendly names for things that their makers left unnamed.

use uuid::Uuid;

const ADJECTIVES: &[&str] = &[
    "amber", "ancient", "azure", "bold", "brave", "bright", "brisk", "calm", "candid", "carved", "clear", "clever",
    "coral", "crisp", "curious", "daring", "deft", "eager", "early", "fair", "fleet", "frank", "gentle", "gilded",
    "golden", "grand", "hardy", "humble", "ivory", "jolly", "keen", "kind", "late", "lively", "lofty", "loyal",
    "lucid", "mellow", "merry", "mighty", "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "plucky",
    "polite", "proud", "quick", "quiet", "rapid", "rustic", "serene", "sharp", "silver", "sly", "solid", "steady",
    "sunny", "swift", "vivid", "witty",
];

const NOUNS: &[&str] = &[
    "acorn", "anchor", "anvil", "arch", "aspen", "basalt", "beacon", "birch", "brook", "canyon", "cedar", "chisel",
    "cliff", "comet", "compass", "copper", "crane", "delta", "dune", "ember", "falcon", "fern", "fjord", "flint",
    "garnet", "geyser", "glacier", "granite", "grove", "harbor", "heron", "hill", "island", "jade", "lagoon",
    "lantern", "larch", "ledger", "lotus", "maple", "marble", "meadow", "mesa", "nile", "oak", "obelisk", "onyx",
    "opal", "otter", "papyrus", "pebble", "pine", "quarry", "quartz", "reef", "ridge", "river", "scroll", "slate",
    "spruce", "summit", "tundra", "valley", "willow",
];

/// A name made of an adjective, a noun and a number below 1000, such as `calm-otter-217`. Equal ids give equal
/// names; different ones rarely do.
pub fn random_name(id: Uuid) -> String {
    let bits = scrambled(id.as_u128());
    let adjective = ADJECTIVES[pick(bits, ADJECTIVES.len())];
    let noun = NOUNS[pick(bits >> 16, NOUNS.len())];
    format!("{adjective}-{noun}-{}", pick(bits >> 32, 1000))
}

fn pick(bits: u64, choices: usize) -> usize {
    (bits & 0xffff_ffff) as usize % choices
}

/// Spreads the bits of an id evenly, since ids from one moment or one counter differ in few of them: the finalizer
/// of SplitMix64 (Steele, Lea and Flood, 2014) over the folded id.
fn scrambled(id: u128) -> u64 {
    let mut bits = (id as u64) ^ ((id >> 64) as u64).rotate_left(32);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_has_two_words_and_a_number_and_follows_from_the_id() {
        let name = random_name(Uuid::from_u128(7));
        assert_eq!(name, random_name(Uuid::from_u128(7)));
        let parts: Vec<&str> = name.split('-').collect();
        assert!(ADJECTIVES.contains(&parts[0]) && NOUNS.contains(&parts[1]), "{name}");
        assert!(parts[2].parse::<u16>().unwrap() < 1000, "{name}");
    }

    #[test]
    fn ids_that_follow_each_other_get_different_names() {
        let names: HashSet<String> = (1..=1000).map(|id| random_name(Uuid::from_u128(id))).collect();
        assert!(names.len() > 990, "{}", names.len());
    }

    #[test]
    fn names_hold_nothing_that_a_path_or_a_model_name_may_not() {
        for word in ADJECTIVES.iter().chain(NOUNS) {
            assert!(word.chars().all(|c| c.is_ascii_lowercase()), "{word}");
        }
    }
}

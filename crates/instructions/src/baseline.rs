//! The committed counts, and how new ones compare with them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// How much dearer a path may get unnoticed, in percent. Runs of one binary differ by a tenth of that, but code moves
/// between units of code generation when something unrelated changes.
const TOLERANCE: f64 = 5.0;

#[derive(Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// With another one the counts cannot be compared.
    pub(crate) toolchain: Vec<String>,
    /// For one operation of each path.
    pub(crate) instructions: BTreeMap<String, u64>,
}

impl Baseline {
    pub(crate) fn read(file: &Path) -> Result<Baseline> {
        let text = std::fs::read(file).with_context(|| format!("cannot read the baseline {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no baseline", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    pub(crate) fn compare(&self, counted: &Baseline) -> Comparison {
        let paths = counted.instructions.iter().map(|(path, now)| Compared {
            path: path.clone(),
            now: *now,
            before: self.instructions.get(path).copied(),
        });
        let foreign = (self.toolchain != counted.toolchain).then(|| self.toolchain.join(", "));
        Comparison { paths: paths.collect(), foreign }
    }
}

pub(crate) struct Comparison {
    paths: Vec<Compared>,
    /// The toolchain of the baseline, when it is another one.
    foreign: Option<String>,
}

struct Compared {
    path: String,
    now: u64,
    before: Option<u64>,
}

impl Compared {
    /// In percent; above zero for dearer.
    fn change(&self) -> Option<f64> {
        self.before.map(|before| (self.now as f64 - before as f64) * 100.0 / before as f64)
    }

    fn is_dearer(&self) -> bool {
        self.change().is_some_and(|change| change > TOLERANCE)
    }

    fn is_cheaper(&self) -> bool {
        self.change().is_some_and(|change| change < -TOLERANCE)
    }
}

impl Comparison {
    /// Whether nothing got dearer, as far as that can be told. A path that the baseline lacks must get its count.
    pub(crate) fn is_fine(&self) -> bool {
        self.foreign.is_some() || self.paths.iter().all(|path| path.before.is_some() && !path.is_dearer())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{:<20}{:>16}{:>16}{:>10}", "path", "instructions", "baseline", "change")?;
        for path in &self.paths {
            let before = path.before.map_or("none".to_owned(), |before| before.to_string());
            let change = path.change().map_or(String::new(), |change| format!("{change:+.1} %"));
            let remark = match (path.is_dearer(), path.is_cheaper()) {
                (true, _) => "  dearer",
                (_, true) => "  cheaper",
                _ => "",
            };
            writeln!(f, "{:<20}{:>16}{before:>16}{change:>10}{remark}", path.path, path.now)?;
        }
        if let Some(toolchain) = &self.foreign {
            writeln!(f, "note: the baseline was counted with {toolchain}, so differences mean little")?;
        }
        if !self.is_fine() {
            writeln!(f, "hint: callgrind_annotate target/instructions/PATH.callgrind shows where they are executed")?;
        }
        if !self.is_fine() || self.paths.iter().any(Compared::is_cheaper) {
            writeln!(
                f,
                "hint: scripts/instructions.sh write makes these counts the baseline; commit it with the reason"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(toolchain: &str, counts: &[(&str, u64)]) -> Baseline {
        let instructions = counts.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect();
        Baseline { toolchain: vec![toolchain.to_owned()], instructions }
    }

    #[test]
    fn dearer_and_unknown_paths_fail_and_cheaper_ones_are_told() {
        let baseline = counts("1", &[("a", 1_000), ("b", 1_000)]);
        assert!(baseline.compare(&counts("1", &[("a", 1_050), ("b", 10)])).is_fine());
        assert!(!baseline.compare(&counts("1", &[("a", 1_051), ("b", 1_000)])).is_fine());
        assert!(!baseline.compare(&counts("1", &[("c", 1)])).is_fine());
        let cheaper = baseline.compare(&counts("1", &[("a", 949)])).to_string();
        assert!(cheaper.contains("-5.1 %  cheaper") && cheaper.contains("scripts/instructions.sh write"), "{cheaper}");
        let same = baseline.compare(&counts("1", &[("a", 960)])).to_string();
        assert!(!same.contains("hint"), "{same}");
    }

    #[test]
    fn another_toolchain_is_only_reported() {
        let comparison = counts("1", &[("a", 1_000)]).compare(&counts("2", &[("a", 2_000)]));
        assert!(comparison.is_fine());
        assert!(comparison.to_string().contains("counted with 1"));
    }
}

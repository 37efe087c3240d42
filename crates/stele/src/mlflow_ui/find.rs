//! Where an installed MLflow package has its web pages, without asking Python.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Where the pages are in the package `mlflow`.
pub(super) const IN_PACKAGE: &str = "server/js/build";

/// How many folders of one kind are looked at; nobody has so many Pythons.
const MOST: usize = 256;

/// The folders in which the active Python environment could have the pages, the likeliest first.
pub(super) fn in_environment() -> Vec<PathBuf> {
    let named = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".local"));
    let prefixes = named.chain(prefixes_with_python(&path)).chain(home);
    prefixes.take(MOST).flat_map(|prefix| in_prefix(&prefix)).collect()
}

/// `/venv` for `/venv/bin/python3`. A link is not followed: in a virtual environment it points at the Python that
/// the environment was made with.
fn prefixes_with_python(path: &OsStr) -> Vec<PathBuf> {
    env::split_paths(path)
        .filter(|folder| folder.is_absolute() && folder.join("python3").exists())
        .filter_map(|folder| folder.parent().map(Path::to_path_buf))
        .collect()
}

/// The package in each Python below a prefix, the newest Python first.
fn in_prefix(prefix: &Path) -> Vec<PathBuf> {
    let Ok(entries) = prefix.join("lib").read_dir() else { return Vec::new() };
    let mut pythons: Vec<(u32, PathBuf)> = entries
        .take(16 * MOST)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((minor_version(&entry.file_name())?, entry.path()))
        })
        .collect();
    pythons.sort_by(|one, other| other.cmp(one));
    let packages = |python: PathBuf| ["site-packages", "dist-packages"].map(|name| python.join(name));
    pythons
        .into_iter()
        .take(MOST)
        .flat_map(|(_, python)| packages(python))
        .map(|packages| packages.join("mlflow").join(IN_PACKAGE))
        .collect()
}

/// 11 for `python3.11`; 0 for `python3`, where Debian keeps its packages.
fn minor_version(name: &OsStr) -> Option<u32> {
    match name.to_str()?.strip_prefix("python3")? {
        "" => Some(0),
        minor => minor.strip_prefix('.')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
    }

    #[test]
    fn pages_are_looked_for_in_the_environment_of_each_python_on_the_path() {
        let root = tempfile::tempdir().unwrap();
        let (with, without) = (root.path().join("with"), root.path().join("without"));
        for folder in ["with/bin", "with/lib/python3.9", "with/lib/python3.11", "with/lib/python3", "without/bin"] {
            make(&root.path().join(folder));
        }
        make(&root.path().join("with/lib/pypy3.9"));
        std::fs::write(with.join("bin/python3"), "").unwrap();
        let path = env::join_paths([without.join("bin"), with.join("bin"), "relative".into()]).unwrap();
        assert_eq!(prefixes_with_python(&path), std::slice::from_ref(&with));
        let found = in_prefix(&with);
        let expected = ["python3.11", "python3.9", "python3"].into_iter().flat_map(|python| {
            ["site-packages", "dist-packages"].map(|kind| with.join("lib").join(python).join(kind).join("mlflow"))
        });
        assert_eq!(found, expected.map(|package| package.join(IN_PACKAGE)).collect::<Vec<_>>());
        assert!(in_prefix(&without).is_empty());
    }
}

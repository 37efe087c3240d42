//! The borders between the crates, read from their manifests.

use std::path::Path;

/// What each crate may depend on among ours, and which libraries are beyond its border.
const BORDERS: &[(&str, &[&str], &[&str])] = &[
    ("domain", &[], &["axum", "futures", "object_store", "postgres", "rusqlite", "tokio"]),
    // It reaches a database server and asks it nothing but how.
    ("postgres", &["stele-domain"], &["axum", "http", "r2d2", "refinery", "rusqlite"]),
    ("store", &["stele-domain", "stele-postgres"], &["axum", "http", "tower", "tower-http"]),
    // What rules say is computed: it reads nothing but what it is given.
    ("policy", &["stele-domain"], &["axum", "futures", "object_store", "postgres", "rusqlite", "tokio"]),
    (
        "app",
        &["stele-domain", "stele-policy", "stele-store"],
        &["axum", "http", "object_store", "postgres", "rusqlite"],
    ),
    ("mlflow", &["stele-app", "stele-domain"], &["object_store", "postgres", "r2d2", "rusqlite"]),
    ("aws", &["stele-app", "stele-domain"], &["object_store", "postgres", "r2d2", "rusqlite"]),
    ("sagemaker", &["stele-app", "stele-domain"], &["object_store", "postgres", "r2d2", "rusqlite"]),
    // It reads and writes databases of others, and reaches the record only through the app.
    (
        "transfer",
        &["stele-app", "stele-domain", "stele-postgres"],
        &["axum", "clap", "indicatif", "object_store", "r2d2", "refinery"],
    ),
    (
        "stele",
        &[
            "stele-app",
            "stele-aws",
            "stele-domain",
            "stele-mlflow",
            "stele-policy",
            "stele-sagemaker",
            "stele-store",
            "stele-transfer",
        ],
        &["object_store", "postgres", "rusqlite"],
    ),
];

/// The names under `[dependencies]` of a manifest.
fn dependencies(name: &str) -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).expect("every crate has a manifest");
    let section = text.split("[dependencies]").nth(1).expect("every crate lists dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next().map(str::trim));
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn crates_depend_only_on_what_lies_below_them() {
    for (name, ours, beyond) in BORDERS {
        for dependency in dependencies(name) {
            let foreign = dependency.starts_with("stele-") && !ours.contains(&dependency.as_str());
            assert!(!foreign, "{name} may not depend on {dependency}");
            assert!(!beyond.contains(&dependency.as_str()), "{dependency} is beyond the border of {name}");
        }
    }
}

#[test]
fn every_crate_has_its_borders() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in std::fs::read_dir(crates).expect("the crates are in one folder") {
        let name = entry.expect("the folder can be read").file_name().into_string().expect("names are UTF-8");
        assert!(
            name == "testkit" || name == "instructions" || BORDERS.iter().any(|(known, ..)| *known == name),
            "{name} has no borders"
        );
    }
}

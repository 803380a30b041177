//! The shape of the project, read from its manifests and sources: dependencies point downward, one
//! crate knows the platforms' SDKs, files stay small, every function has its four files, and is given the
//! same on both platforms.
#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

mod crates;
mod files;
mod promises;
mod spin;

use std::fs;
use std::path::{Path, PathBuf};

use stack::layout;
use toml::Table;

fn folders_in(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(layout::root().join(name)).expect("the folder exists");
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.join("Cargo.toml").is_file()).collect()
}

/// All Rust files of a folder of the project's root, but for build results.
fn sources(name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&layout::root().join(name), &mut found);
    assert!(!found.is_empty(), "there are no sources in {name}");
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).expect("a folder can be read").flatten().map(|e| e.path()) {
        let skipped = ["target", "build", "node_modules"];
        if path.is_dir() && !path.file_name().is_some_and(|n| skipped.iter().any(|s| n == *s)) {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A configuration of the project.
fn manifest(path: &Path) -> Table {
    let text = fs::read_to_string(path).expect("a manifest is text");
    text.parse().expect("a manifest is TOML")
}

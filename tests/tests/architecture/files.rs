//! Files stay small, and every function has its own.

use std::fs;

use ports::route::Function;
use stack::layout;

use crate::{folders_in, sources};

/// Lines of a file before its tests.
const MAX_LINES: usize = 400;
/// Lines of a function's `lib.rs`.
const MAX_LIB_LINES: usize = 10;

#[test]
fn files_stay_small() {
    for file in ["shared", "functions"].iter().flat_map(|folder| sources(folder)) {
        let inside = file.strip_prefix(layout::root()).expect("a source is inside the project");
        if inside.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source is text");
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let lines = text[..tests].lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines before its tests", inside.display());
    }
}

#[test]
fn every_function_has_its_files() {
    for folder in folders_in("functions") {
        let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        for file in ["Cargo.toml", "src/lib.rs", "src/handler.rs", "README.md"] {
            assert!(folder.join(file).is_file(), "functions/{name} has no {file}");
        }
        // The gateway's configuration is the root's, and Spin's is for all in one.
        let own = folder.join("wrangler.toml").is_file();
        let elsewhere = ["gateway", "ledger-kv"].contains(&name.as_str());
        assert_eq!(own, !elsewhere, "functions/{name}/wrangler.toml");
        let lib = fs::read_to_string(folder.join("src/lib.rs")).expect("lib.rs is text");
        let lines = lib.lines().count();
        assert!(lines <= MAX_LIB_LINES, "functions/{name}/src/lib.rs has {lines} lines");
    }
}

#[test]
fn every_function_is_reached_through_the_gateway() {
    let text = fs::read_to_string(layout::root().join("wrangler.toml")).expect("wrangler.toml");
    let gateway: toml::Table = text.parse().expect("wrangler.toml is TOML");
    let services = gateway["services"].as_array().expect("wrangler.toml has services");
    let mut known: Vec<_> = folders_in("functions");
    for function in Function::ALL {
        let name = function.name();
        let folder = layout::root().join("functions").join(name);
        assert!(known.contains(&folder), "there is no functions/{name}");
        known.retain(|other| *other != folder);
        let service = services.iter().find(|entry| {
            entry["binding"].as_str() == Some(function.binding())
                && entry["service"].as_str() == Some(format!("atoms-edge-{name}").as_str())
        });
        assert!(service.is_some(), "the gateway has no binding for {name}");
    }
    known.sort();
    let routeless =
        ["gateway", "ledger-kv"].map(|name| layout::root().join("functions").join(name));
    assert_eq!(known, routeless, "functions without routes");
    assert_eq!(services.len(), Function::ALL.len());
}

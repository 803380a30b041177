//! The shape of the project, read from its manifests and sources: dependencies point downward, one
//! crate knows the platforms' SDKs, files stay small, every function has its four files.
#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use ports::route::Function;
use stack::layout;

/// Which crates of `shared/` a crate of `shared/` may depend on. `testing` may use them all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ledger", &[]),
    ("oauth", &["ledger"]),
    ("snapshot", &["ledger"]),
    ("ports", &["ledger", "oauth"]),
    ("observe", &["ports"]),
    ("breaker", &["ledger", "ports"]),
    ("data", &["ports"]),
    ("stores", &["data", "ledger", "ports"]),
    ("audit", &["data", "ledger", "oauth", "ports"]),
    ("webhooks", &["breaker", "ledger", "ports"]),
    ("auth", &["data", "ledger", "oauth", "ports", "snapshot", "webhooks"]),
    ("mcp", &["data", "oauth", "ports"]),
    (
        "host",
        &[
            "audit", "auth", "breaker", "data", "ledger", "oauth", "observe", "ports", "snapshot",
            "stores", "webhooks",
        ],
    ),
];

/// The benchmark's bare Worker: what it measures is the platform without our host.
const FLOOR: &str = "tests/bench/floor";
/// Lines of a file before its tests.
const MAX_LINES: usize = 400;
/// Lines of a function's `lib.rs`.
const MAX_LIB_LINES: usize = 10;

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(layout::root().join("Cargo.toml")).no_deps();
    command.exec().expect("cargo metadata fails")
}

/// The folder of the project's root that a package is in.
fn home(package: &Package) -> String {
    let folder = package.manifest_path.parent().expect("a manifest is in a folder");
    let inside = folder.strip_prefix(layout::root()).expect("a package is inside the project");
    inside.components().next().map(|first| first.as_str().to_owned()).unwrap_or_default()
}

#[test]
fn dependencies_point_downward() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let of = |name: &str| packages.iter().find(|package| package.name.as_str() == name);
    let mut forbidden = Vec::new();
    for package in &packages {
        let (name, from) = (package.name.as_str(), home(package));
        for dependency in &package.dependencies {
            let Some(target) = of(&dependency.name).filter(|_| dependency.path.is_some()) else {
                continue;
            };
            let test = dependency.kind == DependencyKind::Development;
            let to = home(target);
            let allowed = match from.as_str() {
                "shared" => to == "shared" && may(name, &dependency.name, test),
                "functions" => to == "shared" && (test || dependency.name != "testing"),
                _ => to != "functions",
            };
            if !allowed {
                forbidden.push(format!("{name} → {}", dependency.name));
            }
        }
    }
    assert!(forbidden.is_empty(), "forbidden dependencies: {forbidden:?}");
}

/// Whether a crate of `shared/` may depend on another one, perhaps in its tests only.
fn may(name: &str, other: &str, test: bool) -> bool {
    name == "testing"
        || (test && other == "testing")
        || ALLOWED.iter().any(|(known, allowed)| *known == name && allowed.contains(&other))
}

#[test]
fn every_shared_crate_has_a_place() {
    let metadata = metadata();
    for package in metadata.workspace_packages().iter().filter(|package| home(package) == "shared")
    {
        let name = package.name.as_str();
        let known = name == "testing" || ALLOWED.iter().any(|(known, _)| *known == name);
        assert!(known, "shared/{name} is not in the table of allowed dependencies");
    }
}

#[test]
fn one_crate_depends_on_the_platforms() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            let platform = ["worker", "spin-sdk"].contains(&dependency.name.as_str());
            let name = package.name.as_str();
            let floor = package.manifest_path.starts_with(layout::root().join(FLOOR));
            assert!(!platform || name == "host" || floor, "{name} depends on {}", dependency.name);
        }
    }
}

#[test]
fn one_crate_names_the_platforms() {
    // Put together here, so that this file does not name them.
    let names = [["worker", "::"].concat(), ["spin", "_sdk"].concat()];
    let exceptions = ["shared/host", FLOOR].map(|folder| layout::root().join(folder));
    let folders = ["functions", "proxy", "shared", "tests", "xtask"];
    for file in folders.iter().flat_map(|folder| sources(folder)) {
        if exceptions.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source is text");
        for name in &names {
            assert!(!mentions(&text, name), "{} names {name}", file.display());
        }
    }
}

/// Whether a text has a name that is not the end of a longer one.
fn mentions(text: &str, name: &str) -> bool {
    let part_of_word = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    text.match_indices(name).any(|(at, _)| !part_of_word(&text[..at]))
}

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

/// The points of the protocol that are promised, by their names in tests: `f9_…` is a test of F9.
/// F7 and F13 are asked again by what binds keys, and F17 and F18 by what issues codes.
#[test]
fn every_point_of_the_protocol_has_a_test() {
    let points = [('f', 1..=15), ('v', 1..=11), ('i', 1..=9)];
    let texts: Vec<_> = ["shared", "tests"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|file| fs::read_to_string(file).expect("a source is text"))
        .collect();
    for (kind, numbers) in points {
        for number in numbers {
            let name = format!("fn {kind}{number}_");
            let tested = texts.iter().any(|text| text.contains(&name));
            assert!(tested, "there is no test named {kind}{number}_…");
        }
    }
}

#[test]
fn every_guarantee_names_a_test_that_exists() {
    let readme = fs::read_to_string(layout::root().join("README.md")).expect("README.md");
    let (_, rest) = readme.split_once("## Guarantees").expect("README.md states guarantees");
    let (section, _) = rest.split_once("\n## ").expect("another section follows");
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 10, "the table of guarantees is gone");
    for row in rows {
        let mut tests = row.split("[`").skip(1).peekable();
        assert!(tests.peek().is_some(), "no test holds this: {row}");
        for link in tests {
            let (name, rest) = link.split_once("`](").expect("a link");
            let (path, _) = rest.split_once(')').expect("a link");
            let text = fs::read_to_string(layout::root().join(path)).expect("the linked file");
            assert!(text.contains(&format!("fn {name}(")), "{path} has no test {name}");
        }
    }
}

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

//! Dependencies point downward, and one crate knows the platforms' SDKs.

use std::fs;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use stack::layout;

use crate::sources;

/// Which crates of `shared/` a crate of `shared/` may depend on. `testing` may use them all.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ledger", &[]),
    ("oauth", &["ledger"]),
    ("snapshot", &["ledger"]),
    ("ports", &["ledger", "oauth"]),
    ("observe", &["ledger", "ports"]),
    ("pages", &["ledger", "oauth"]),
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
            "audit", "auth", "breaker", "data", "ledger", "oauth", "observe", "pages", "ports",
            "snapshot", "stores", "webhooks",
        ],
    ),
];

/// What is a platform's program without our host: the benchmark's Worker, which measures the platform, and
/// the component that the host of our `spin.toml` is tested with.
const BARE: [&str; 2] = ["tests/bench/floor", "tests/spin-host/fixture"];

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
            let folder = &package.manifest_path;
            let bare = BARE.iter().any(|bare| folder.starts_with(layout::root().join(bare)));
            assert!(!platform || name == "host" || bare, "{name} depends on {}", dependency.name);
        }
    }
}

#[test]
fn one_crate_names_the_platforms() {
    // Put together here, so that this file does not name them.
    let names = [["worker", "::"].concat(), ["spin", "_sdk"].concat()];
    let exceptions = BARE.iter().chain(&["shared/host"]).map(|folder| layout::root().join(folder));
    let exceptions: Vec<_> = exceptions.collect();
    let folders = ["functions", "migrations", "proxy", "shared", "tests", "xtask"];
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

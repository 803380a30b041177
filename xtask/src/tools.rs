//! The tools of the project, in versions of the project's own: cargo tools in `target/tools`, npm
//! packages in `node_modules`. Nothing is installed twice.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use stack::layout;
use toml::{Table, Value};

use crate::run;

/// Makes a Worker of a crate.
pub(crate) const WORKER_BUILD: &str = "0.8.7";
/// Checks licences and sources.
const CARGO_DENY: &str = "0.20.2";

/// Install what a stack runs beside the functions and is not there.
///
/// # Errors
/// If an installation fails.
pub(crate) fn install_for_stacks() -> Result<()> {
    npm_packages()
}

/// Install what builds for Workers need and is not there.
///
/// # Errors
/// If an installation fails.
pub(crate) fn install_for_builds() -> Result<()> {
    npm_packages()?;
    // Its lock file names crates that not every mirror of the registry has.
    cargo_tool("wasm-bindgen-cli", &wasm_bindgen_version()?, false)?;
    cargo_tool("worker-build", WORKER_BUILD, true)
}

/// Install what the checks need and is not there.
///
/// # Errors
/// If an installation fails.
pub(crate) fn install_for_checks() -> Result<()> {
    cargo_tool("cargo-deny", CARGO_DENY, true)
}

/// The version of wasm-bindgen in Cargo.lock: crate and command line must be of one version.
///
/// # Errors
/// If there is no lock file or it has no wasm-bindgen.
pub(crate) fn wasm_bindgen_version() -> Result<String> {
    let lock: Table = fs::read_to_string(layout::root().join("Cargo.lock"))?.parse()?;
    let packages = lock.get("package").and_then(Value::as_array).context("an empty Cargo.lock")?;
    let version = packages
        .iter()
        .find(|package| package.get("name").and_then(Value::as_str) == Some("wasm-bindgen"))
        .and_then(|package| package.get("version")?.as_str());
    Ok(version.context("Cargo.lock has no wasm-bindgen")?.to_owned())
}

fn cargo_tool(name: &str, version: &str, locked: bool) -> Result<()> {
    let root = layout::target().join("tools");
    if installed(&root, name).as_deref() == Some(version) {
        return Ok(());
    }
    let mut command = Command::new("cargo");
    command.args(["install", name, "--version", version, "--force", "--root"]).arg(&root);
    if locked {
        command.arg("--locked");
    }
    // They run for seconds in all, and would be optimised for minutes.
    for (setting, value) in [("LTO", "off"), ("CODEGEN_UNITS", "16"), ("OPT_LEVEL", "1")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    // A build folder of its own that goes away: it shares nothing with ours.
    command
        .current_dir(layout::root())
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_BUILD_TARGET_DIR");
    run::step(&format!("install {name} {version}"), &mut command)
}

/// The version that cargo noted down when it installed a tool.
fn installed(root: &Path, name: &str) -> Option<String> {
    let notes: Table = fs::read_to_string(root.join(".crates.toml")).ok()?.parse().ok()?;
    let keys = notes.get("v1")?.as_table()?;
    keys.keys().find_map(|key| {
        let mut words = key.split(' ');
        (words.next() == Some(name)).then(|| words.next().map(str::to_owned))?
    })
}

fn npm_packages() -> Result<()> {
    if !packages_are_current() {
        // Not `npm ci`: it refuses a lock file that lacks packages for other platforms, and a registry
        // mirror may lack those.
        let mut install = npm();
        install.args(["install", "--no-save", "--no-audit", "--no-fund"]);
        run::step("install npm packages", &mut install)?;
    }
    if !binaries_work() {
        // Install scripts fetch or link the binaries; npm may have held them back.
        run::step("rebuild npm packages", npm().arg("rebuild"))?;
    }
    if !binaries_work() {
        bail!(
            "node_modules lacks binaries; see \"allowScripts\" in package.json, then `npm rebuild`"
        );
    }
    Ok(())
}

fn npm() -> Command {
    let mut command = Command::new("npm");
    command.current_dir(layout::root());
    command
}

/// npm writes its own copy of the lock file at the end of an installation.
fn packages_are_current() -> bool {
    let modified =
        |path: &str| layout::root().join(path).metadata().and_then(|file| file.modified());
    match (modified("package-lock.json"), modified("node_modules/.package-lock.json")) {
        (Ok(wanted), Ok(have)) => have >= wanted,
        _ => false,
    }
}

fn binaries_work() -> bool {
    let runs = |name: &str| {
        let output = Command::new(layout::npm_program(name)).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let newer_node = Command::new(layout::npm_program("node")).arg("--version").output();
    newer_node.is_ok_and(|output| output.stdout.starts_with(b"v22."))
        && runs("esbuild")
        && runs("workerd")
}

//! What a machine must bring itself: a Rust toolchain with the wasm targets, Node and npm.

use std::process::Command;

use anyhow::{Result, bail};

use crate::report;

/// The oldest Node that runs npm for us; newer ones come as npm packages.
const NODE: u32 = 20;
/// What functions are compiled for: Workers, Spin.
const TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip2"];

/// Checks all of it, and says in one line each what is missing.
///
/// # Errors
/// If anything is missing.
pub(crate) fn check() -> Result<()> {
    let missing: Vec<_> = TARGETS
        .into_iter()
        .map(missing_target)
        .chain([missing_node(), missing_npm()])
        .flatten()
        .collect();
    for line in &missing {
        report::line(&format!("✗ {line}"));
    }
    if missing.is_empty() { Ok(()) } else { bail!("something is missing on this machine") }
}

fn missing_target(target: &str) -> Option<String> {
    let sysroot = output("rustc", &["--print", "sysroot"])?;
    let library = std::path::Path::new(&sysroot).join("lib/rustlib").join(target);
    if library.is_dir() {
        return None;
    }
    Some(format!("a wasm target: rustup target add {target}"))
}

fn missing_node() -> Option<String> {
    let version = output("node", &["--version"]).unwrap_or_default();
    let major =
        version.trim_start_matches('v').split('.').next().and_then(|text| text.parse().ok());
    match major {
        Some(NODE..) => None,
        Some(_) => {
            Some(format!("Node {NODE} or newer (this one is {version}): https://nodejs.org"))
        }
        None => Some(format!("Node {NODE} or newer: https://nodejs.org")),
    }
}

fn missing_npm() -> Option<String> {
    let missing = output("npm", &["--version"]).is_none();
    missing.then(|| "npm, which usually comes with Node: https://nodejs.org".to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

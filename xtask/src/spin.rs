//! Builds the components that `spin.toml` names, which is the one list of them, and what serves them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use stack::layout;
use toml::{Table, Value};

use crate::{build, prerequisites, report, run, shrink, tools};

/// The largest component we accept, compressed.
const LIMIT: usize = 350 * 1024;
/// What the owners of ledgers build the host with, and nobody else may.
const OWNER_FEATURE: &str = "ledger-owner";

/// What `component` builds.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Its name in spin.toml
    name: String,
}

/// A component, as `spin.toml` declares it.
pub(crate) struct Component {
    name: String,
    /// Its crate.
    pub(crate) package: String,
    /// Where Spin looks for it, from the project's folder.
    source: PathBuf,
    /// Whether it owns ledgers.
    pub(crate) is_owner: bool,
}

/// `cargo xtask component`, which is what `spin build` runs for each.
///
/// # Errors
/// If there is none of that name, it does not build or is too large.
pub(crate) fn one(arguments: &Arguments) -> Result<()> {
    prerequisites::check()?;
    let mut components = declared()?;
    components.retain(|component| component.name == arguments.name);
    if components.is_empty() {
        bail!("spin.toml has no component {}", arguments.name);
    }
    make(&components)
}

/// Build the components and print their sizes.
///
/// # Errors
/// If one does not build or is too large.
pub(crate) fn components() -> Result<()> {
    make(&declared()?)
}

fn make(components: &[Component]) -> Result<()> {
    tools::install_for_stacks()?;
    // The owners build the host with a feature that the others must not have, so by themselves.
    for owners in [false, true] {
        let group: Vec<_> = components.iter().filter(|one| one.is_owner == owners).collect();
        if !group.is_empty() {
            compile(&group)?;
        }
    }
    build::two_at_a_time(components, shrink)?;
    sizes(components)
}

/// See to it that components can be served: by the `spin` on PATH, else by the program of
/// `tests/spin-host`. One line says by which.
///
/// # Errors
/// If that program does not build.
pub(crate) fn host() -> Result<()> {
    if let Some(spin) = stack::InstalledSpin::find() {
        report::line(&format!("✓ spin {} serves the components", spin.version));
        return Ok(());
    }
    // As its tests build it: with another set of features its compiler would be compiled twice.
    let mut command = Command::new("cargo");
    command.args(["test", "-p", "spin-host", "--no-run"]).current_dir(layout::root());
    run::step("build spin-host, which serves the components", &mut command)
}

/// The components, in the order of their names.
///
/// # Errors
/// If `spin.toml` or a component's `Cargo.toml` is not as we write them.
pub(crate) fn declared() -> Result<Vec<Component>> {
    let manifest = read(&layout::root().join("spin.toml"))?;
    let components = manifest.get("component").and_then(Value::as_table);
    let components = components.context("spin.toml has no components")?;
    components.iter().map(|(name, table)| component(name, table)).collect()
}

fn component(name: &str, table: &Value) -> Result<Component> {
    let source = table.get("source").and_then(Value::as_str);
    let source = source.with_context(|| format!("the component {name} has no file as source"))?;
    let cargo = read(&layout::root().join("functions").join(name).join("Cargo.toml"))?;
    let features = cargo.get("dependencies").and_then(|all| all.get("host")?.get("features"));
    let features = features.and_then(Value::as_array);
    Ok(Component {
        name: name.to_owned(),
        package: build::package_name(name),
        source: source.into(),
        is_owner: features.is_some_and(|features| features.contains(&OWNER_FEATURE.into())),
    })
}

fn read(path: &Path) -> Result<Table> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not TOML", path.display()))
}

fn compile(components: &[&Component]) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--profile", "spin", "--target", "wasm32-wasip2"])
        .current_dir(layout::root());
    for component in components {
        command.args(["--package", &component.package]);
    }
    let names: Vec<_> = components.iter().map(|component| component.name.as_str()).collect();
    run::step(&format!("compile {} to components", names.join(" ")), &mut command)
}

/// From where cargo put the component to where Spin looks for it, unless that is done.
fn shrink(component: &Component) -> Result<()> {
    let file = format!("wasm32-wasip2/spin/{}.wasm", component.package.replace('-', "_"));
    let built = layout::cargo_target().join(file);
    let source = layout::root().join(&component.source);
    let digest = digest(&built)?;
    let stamp = build::stamp(&format!("spin-{}", component.name));
    if source.is_file() && fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == digest) {
        return Ok(());
    }
    for file in [&source, &stamp] {
        fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
    }
    let since = Instant::now();
    shrink::component(&component.name, &built, &source)?;
    report::done(&format!("shrink {}", component.name), since.elapsed());
    Ok(fs::write(stamp, digest)?)
}

fn digest(built: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(shrink::recipe());
    for file in [built, &layout::root().join("package-lock.json")] {
        let content = fs::read(file).with_context(|| format!("there is no {}", file.display()))?;
        digest.update(Sha256::digest(content));
    }
    Ok(build::hexadecimal(digest))
}

fn sizes(components: &[Component]) -> Result<()> {
    report::line("  component      raw KB   gzip KB");
    let mut over = Vec::new();
    for component in components {
        let (raw, compressed) = build::measure(&[layout::root().join(&component.source)])?;
        build::row(&component.name, raw, compressed);
        if compressed > LIMIT {
            over.push(component.name.as_str());
        }
    }
    if over.is_empty() {
        return Ok(());
    }
    bail!("larger than 350 KB when compressed: {}", over.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owners_of_ledgers_are_known() {
        let declared = declared().unwrap();
        let owners = declared.iter().filter(|component| component.is_owner);
        let owners: Vec<_> = owners.map(|component| component.name.as_str()).collect();
        assert_eq!(owners, ["ledger", "ledger-kv"]);
    }
}

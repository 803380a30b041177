//! Builds the components that `spin.toml` names, which is the one list of them, and what serves them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use stack::layout;
use toml::{Table, Value};

use crate::{build, report, run};

/// The largest component we accept, compressed.
const LIMIT: usize = 350 * 1024;
/// What the owners of ledgers build the host with, and nobody else may.
const OWNER_FEATURE: &str = "ledger-owner";

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

/// Build the components and print their sizes.
///
/// # Errors
/// If one does not build or is too large.
pub(crate) fn components() -> Result<()> {
    let components = declared()?;
    // The owners build the host with a feature that the others must not have, so by themselves.
    for owners in [false, true] {
        let group: Vec<_> = components.iter().filter(|one| one.is_owner == owners).collect();
        compile(&group)?;
    }
    for component in &components {
        place(component)?;
    }
    sizes(&components)
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
    let command = table.get("build").and_then(|build| build.get("command")?.as_str());
    let package = command.and_then(|command| command.split_once("--package ")?.1.split(' ').next());
    let package =
        package.with_context(|| format!("the component {name} is not built with --package"))?;
    let cargo = read(&layout::root().join("functions").join(name).join("Cargo.toml"))?;
    let features = cargo.get("dependencies").and_then(|all| all.get("host")?.get("features"));
    let features = features.and_then(Value::as_array);
    Ok(Component {
        name: name.to_owned(),
        package: package.to_owned(),
        source: source.into(),
        is_owner: features.is_some_and(|features| features.contains(&OWNER_FEATURE.into())),
    })
}

fn read(path: &Path) -> Result<Table> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is not TOML", path.display()))
}

/// Like the build commands of `spin.toml`, many at once.
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

/// Cargo may build elsewhere than where `spin.toml` looks.
fn place(component: &Component) -> Result<()> {
    let source = layout::root().join(&component.source);
    let inside = component.source.strip_prefix("target").with_context(|| {
        format!("the source of the component {} is not in target/", component.name)
    })?;
    let built = layout::cargo_target().join(inside);
    if built == source {
        return Ok(());
    }
    if let Some(folder) = source.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(&built, &source).with_context(|| format!("cargo made no {}", built.display()))?;
    Ok(())
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

//! What must hold between the committed wrangler configurations.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use stack::layout::{self, FUNCTIONS};
use stack::settings::{SETTINGS, Setting, Settings};
use toml::{Table, Value};

/// The Worker that owns the Durable Object.
const OWNER: &str = "atoms-edge-ledger";
/// Functions with the ledger and the cache.
const STATEFUL: [&str; 7] =
    ["ledger", "token", "revoke", "introspect", "sessions", "mcp", "health"];

/// The name of a function's Worker.
pub(crate) fn worker_name(function: &str) -> String {
    format!("atoms-edge-{function}")
}

/// The configuration of a function, checked.
///
/// # Errors
/// Says what does not fit the other functions.
pub(crate) fn read(function: &str) -> Result<Table> {
    let path = layout::wrangler_config(function);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let config: Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    check(function, &config).with_context(|| format!("{} is not right", path.display()))?;
    Ok(config)
}

/// Settings in a configuration's `[vars]`.
///
/// # Errors
/// If one of them is not text, or is a secret.
pub(crate) fn vars(config: &Table) -> Result<Settings> {
    let Some(vars) = config.get("vars").and_then(Value::as_table) else {
        return Ok(Settings::new());
    };
    vars.iter()
        .map(|(name, value)| {
            let secret = |setting: &&Setting| {
                setting.name == name && setting.kind == stack::settings::Kind::Secret
            };
            ensure!(
                !SETTINGS.iter().any(|setting| secret(&setting)),
                "{name} is a secret, not a var"
            );
            let value = value.as_str().with_context(|| format!("the var {name} is not text"))?;
            Ok((name.clone(), value.to_owned()))
        })
        .collect()
}

fn check(function: &str, config: &Table) -> Result<()> {
    let name = worker_name(function);
    ensure!(text(config, "name") == Some(&name), "name must be {name}");
    ensure!(text(config, "compatibility_date").is_some(), "compatibility_date is missing");
    let main = text(config, "main").context("main is missing")?;
    let folder = layout::wrangler_config(function);
    let main = folder.parent().map(|folder| folder.join(main)).unwrap_or_default();
    let expected = layout::root().join("functions").join(function).join("build/index.js");
    ensure!(main == expected, "main must be functions/{function}/build/index.js");
    check_ledger(function, config)?;
    check_cache(function, config)?;
    check_services(function, config)?;
    vars(config).map(drop)
}

fn check_ledger(function: &str, config: &Table) -> Result<()> {
    let bindings = config.get("durable_objects").and_then(|objects| objects.get("bindings"));
    let found = list(bindings).find(|binding| text(binding, "name") == Some("LEDGER"));
    let Some(binding) = found else {
        ensure!(!STATEFUL.contains(&function), "the Durable Object binding LEDGER is missing");
        return Ok(());
    };
    ensure!(text(binding, "class_name") == Some("Ledger"), "LEDGER must be of class Ledger");
    match text(binding, "script_name") {
        None if function == "ledger" => {
            let made = list(config.get("migrations")).any(|migration| {
                let classes = migration.get("new_sqlite_classes").and_then(Value::as_array);
                classes.is_some_and(|classes| classes.contains(&Value::from("Ledger")))
            });
            ensure!(made, "no migration makes the class Ledger with SQLite");
        }
        Some(OWNER) if function != "ledger" => {}
        _ => bail!("LEDGER must be that of {OWNER} (script_name), and its own there"),
    }
    Ok(())
}

fn check_cache(function: &str, config: &Table) -> Result<()> {
    let mut namespaces = list(config.get("kv_namespaces"));
    let found = namespaces.any(|namespace| text(namespace, "binding") == Some("CACHE"));
    ensure!(found || !STATEFUL.contains(&function), "the KV binding CACHE is missing");
    Ok(())
}

/// What has the ledger reaches its owner in two ways: its objects, and the function that reaches every
/// other store.
fn check_owner(function: &str, services: &[&Table]) -> Result<()> {
    let bound = services.iter().any(|service| {
        text(service, "binding") == Some("LEDGERS") && text(service, "service") == Some(OWNER)
    });
    // The gateway hands on what is for the function's one route.
    let needs = function == "gateway" || STATEFUL.contains(&function) && function != "ledger";
    ensure!(bound || !needs, "the service binding LEDGERS to {OWNER} is missing");
    Ok(())
}

fn check_services(function: &str, config: &Table) -> Result<()> {
    let services: Vec<_> = list(config.get("services")).collect();
    for service in &services {
        let name = text(service, "service").unwrap_or_default();
        ensure!(
            FUNCTIONS.iter().any(|known| worker_name(known) == name),
            "no function is the service {name}"
        );
    }
    check_owner(function, &services)?;
    if function != "gateway" {
        return Ok(());
    }
    for callee in FUNCTIONS.iter().filter(|callee| !matches!(**callee, "gateway" | "ledger")) {
        let binding = callee.to_uppercase();
        let bound = services.iter().any(|service| {
            text(service, "binding") == Some(&binding)
                && text(service, "service") == Some(&worker_name(callee))
        });
        ensure!(bound, "the service binding {binding} to {} is missing", worker_name(callee));
    }
    Ok(())
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_str)
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

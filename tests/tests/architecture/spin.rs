//! `spin.toml` against the route table, the table of settings and the Workers' configurations: a component
//! is reached, told and granted what the function is on Workers, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ports::route::ROUTES;
use stack::Platform;
use stack::layout::{self, FUNCTIONS};
use stack::settings::{self, Kind, SETTINGS, Setting};
use toml::{Table, Value};

use crate::manifest;

/// The one component that is no function on Workers: there the ledger function has the key-value store in
/// it, here one component with all stores would be too large.
const KV_OWNER: &str = "ledger-kv";
/// What the other owner needs for its stores, and this one does not.
const OF_OTHER_STORES: [&str; 3] = ["REDIS_REST_URL", "REDIS_REST_TOKEN", "REDIS_URL"];
/// What a component may say of itself.
const KEYS: [&str; 7] = [
    "description",
    "source",
    "allowed_outbound_hosts",
    "key_value_stores",
    "sqlite_databases",
    "variables",
    "build",
];

fn spin() -> Table {
    manifest(&layout::root().join("spin.toml"))
}

fn components(spin: &Table) -> BTreeMap<&str, &Table> {
    let all = spin["component"].as_table().expect("components are a table");
    all.iter()
        .map(|(name, value)| (name.as_str(), value.as_table().expect("a component is a table")))
        .collect()
}

/// A list of texts; none is an empty one.
fn texts<'a>(component: &'a Table, key: &str) -> BTreeSet<&'a str> {
    let list = component.get(key).and_then(Value::as_array).into_iter().flatten();
    list.map(|value| value.as_str().expect("a text")).collect()
}

/// The settings of a function on Spin.
fn given(component: &str) -> Vec<&'static Setting> {
    let function = if component == KV_OWNER { "ledger" } else { component };
    settings::on(Platform::Spin)
        .filter(|setting| setting.functions.contains(&function))
        .filter(|setting| component != KV_OWNER || !OF_OTHER_STORES.contains(&setting.name))
        .collect()
}

fn has(component: &str, name: &str) -> bool {
    given(component).iter().any(|setting| setting.name == name)
}

#[test]
fn every_function_is_a_component() {
    let spin = spin();
    let functions = FUNCTIONS.into_iter().filter(|function| *function != "gateway");
    let expected: BTreeSet<_> = functions.chain([KV_OWNER]).collect();
    assert_eq!(components(&spin).into_keys().collect::<BTreeSet<_>>(), expected);
    for (name, component) in components(&spin) {
        let source = format!("target/components/{name}.wasm");
        assert_eq!(component["source"].as_str(), Some(source.as_str()), "{name}");
        let command = format!("cargo xtask component {name}");
        assert_eq!(component["build"]["command"].as_str(), Some(command.as_str()), "{name}");
    }
}

#[test]
fn every_route_is_a_trigger_of_its_function_and_nothing_else_is_public() {
    let spin = spin();
    let kinds = spin["trigger"].as_table().expect("triggers are a table");
    assert_eq!(kinds.keys().collect::<Vec<_>>(), ["http"]);
    let triggers = kinds["http"].as_array().expect("triggers are a list");
    let (mut public, mut private) = (Vec::new(), Vec::new());
    for trigger in triggers {
        let component = trigger["component"].as_str().expect("a trigger has a component");
        match &trigger["route"] {
            Value::String(route) => public.push((route.clone(), component)),
            hidden => {
                assert_eq!(hidden.get("private").and_then(Value::as_bool), Some(true));
                private.push(component);
            }
        }
    }
    let routes = ROUTES.iter();
    let mut expected: Vec<_> = routes
        .map(|route| (route.path.replace("{id}", ":id"), route.function.name()))
        // What is not there is answered as by the functions.
        .chain([("/...".to_owned(), "authorize")])
        .collect();
    expected.sort();
    public.sort();
    assert_eq!(public, expected);
    private.sort_unstable();
    assert_eq!(private, ["ledger", KV_OWNER]);
}

#[test]
fn every_component_is_given_the_settings_of_its_function() {
    let spin = spin();
    for (name, component) in components(&spin) {
        let expected: BTreeMap<_, _> = given(name)
            .iter()
            .map(|setting| setting.name.to_lowercase())
            .map(|variable| (variable.clone(), format!("{{{{ {variable} }}}}")))
            .collect();
        let variables = component["variables"].as_table().expect("variables are a table");
        let found: BTreeMap<_, _> = variables
            .iter()
            .map(|(variable, value)| (variable.clone(), value.as_str().unwrap_or("").to_owned()))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_setting_is_a_variable_and_the_secret_ones_are_secret() {
    let spin = spin();
    let variables = spin["variables"].as_table().expect("variables are a table");
    let expected: BTreeSet<_> =
        settings::on(Platform::Spin).map(|setting| setting.name.to_lowercase()).collect();
    assert_eq!(variables.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for setting in settings::on(Platform::Spin) {
        let variable = &variables[&setting.name.to_lowercase()];
        let secret = variable.get("secret").and_then(Value::as_bool).unwrap_or(false);
        assert_eq!(secret, setting.kind == Kind::Secret, "{}", setting.name);
        let default = variable.get("default").and_then(Value::as_str);
        // Without one, Spin itself would refuse to start what does not need the setting.
        let default = default.unwrap_or_else(|| panic!("{} has no default", setting.name));
        assert!(!secret || default.is_empty(), "{} is a secret in the open", setting.name);
    }
}

/// Spin tells a setting only to who asks for it by name.
#[test]
fn the_host_asks_for_every_setting() {
    let path = layout::root().join("shared/host/src/settings.rs");
    let names = fs::read_to_string(path).expect("the host's list of settings");
    let given = settings::on(Platform::Spin).filter(|setting| !setting.functions.is_empty());
    for setting in given {
        assert!(names.contains(&format!("\"{}\"", setting.name)), "{}", setting.name);
    }
}

/// Who asks the owner of the ledgers is told by the Workers' configurations.
fn asks_ledgers(function: &str) -> bool {
    if !FUNCTIONS.contains(&function) {
        return false;
    }
    let config = manifest(&layout::wrangler_config(function));
    let services = config.get("services").and_then(Value::as_array);
    services.into_iter().flatten().any(|service| service["binding"].as_str() == Some("LEDGERS"))
}

#[test]
fn a_component_reaches_only_what_its_settings_tell_it_of() {
    let spin = spin();
    for (name, component) in components(&spin) {
        let mut expected = BTreeSet::new();
        if asks_ledgers(name) {
            expected.insert("http://ledger.spin.internal");
        }
        // The owner with the public route hands maintenance on.
        if asks_ledgers(name) || name == "ledger" {
            expected.insert("http://ledger-kv.spin.internal");
        }
        let others = [
            ("SQL_URL", "{{ allow_sql }}"),
            ("WORKOS_API_URL", "{{ workos_api_url }}"),
            ("REDIS_URL", "{{ allow_redis }}"),
            ("WEBHOOK_SECRETS", "{{ allow_webhooks }}"),
            ("CLIENT_METADATA_HOSTS", "{{ allow_clients }}"),
        ];
        expected.extend(others.iter().filter(|(setting, _)| has(name, setting)).map(|(_, at)| at));
        assert_eq!(texts(component, "allowed_outbound_hosts"), expected, "{name}");
    }
}

#[test]
fn a_component_is_granted_only_the_stores_that_it_uses() {
    let spin = spin();
    for (name, component) in components(&spin) {
        // The guard counts there, and owners note there what webhooks have said.
        let kv = has(name, "GUARD_PER_MINUTE") || has(name, "WEBHOOK_SECRETS");
        let expected: &[&str] = if kv { &["default"] } else { &[] };
        assert!(texts(component, "key_value_stores").iter().eq(expected), "{name}");
        // The ledgers of one machine, which nobody but their owner may touch.
        let expected: &[&str] = if name == "ledger" { &["default"] } else { &[] };
        assert!(texts(component, "sqlite_databases").iter().eq(expected), "{name}");
        for key in component.keys() {
            assert!(KEYS.contains(&key.as_str()), "{name} has {key}");
        }
    }
}

#[test]
fn a_setting_is_for_functions_that_exist() {
    for setting in SETTINGS {
        for function in setting.functions {
            assert!(FUNCTIONS.contains(function), "{}: {function}", setting.name);
        }
    }
}

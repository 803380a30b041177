//! Every setting of the functions: who is given it, and whether it is a secret. The local stack and
//! the deployment both read this table, and `spin.toml` is held against it, so a function that asks for
//! a setting it is not given fails on a laptop already.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, bail};
use oauth::keys::{Derived, parse_key};
use ports::hosts;
use stores::StoreChoice;

use crate::Platform;

/// Values by name.
pub type Settings = BTreeMap<String, String>;

/// How a setting reaches a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the open: a `[vars]` entry, a variable of Spin.
    Var,
    /// Hidden: a wrangler secret, a secret variable of Spin.
    Secret,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name in the function's environment.
    pub name: &'static str,
    /// How it gets there.
    pub kind: Kind,
    /// Whether the functions answer 503 without it.
    pub required: bool,
    /// The functions that are given it.
    pub functions: &'static [&'static str],
    /// The only platform of which this row speaks; absent, it is the same on both.
    pub only: Option<Platform>,
}

const PRODUCT: &[&str] =
    &["authorize", "token", "revoke", "introspect", "sessions", "mcp", "health", "ledger"];
const EVERY: &[&str] =
    &["gateway", "authorize", "token", "revoke", "introspect", "sessions", "mcp", "health"];
/// Those that answer clients; on Spin, where no gateway is in front, the guard is in them.
const GUARDED: &[&str] =
    &["authorize", "token", "revoke", "introspect", "sessions", "mcp", "health"];
const WORKOS: &[&str] = &["authorize", "token", "health"];
const DATA: &[&str] =
    &["authorize", "token", "revoke", "introspect", "sessions", "mcp", "health", "ledger"];
const ADDRESSES: &[&str] = &["authorize", "token", "introspect", "revoke", "sessions", "mcp"];
const LEDGER: &[&str] =
    &["authorize", "token", "introspect", "revoke", "sessions", "mcp", "ledger"];
const REFRESH: &[&str] = &["token", "introspect", "revoke"];
/// Those that authenticate clients, and so ask for what these have published.
const CLIENTS: &[&str] = &["authorize", "token", "introspect", "revoke"];
const VERIFY: &[&str] = &["authorize", "token", "introspect", "revoke", "sessions", "mcp"];

/// The settings.
pub const SETTINGS: &[Setting] = &[
    var("PUBLIC_URL", PRODUCT),
    var("WORKOS_API_URL", WORKOS),
    var("WORKOS_ISSUER", WORKOS),
    var("WORKOS_CLIENT_ID", WORKOS),
    var("SQL_URL", DATA),
    secret("SQL_CONNECTION_STRING", DATA),
    var("PUBLIC_KEYS", VERIFY),
    secret("SIGNING_KEYS", &["token"]),
    var("INTROSPECTION_PUBLIC_KEYS", &["authorize"]),
    secret("INTROSPECTION_SIGNING_KEYS", &["introspect"]),
    secret("LEDGER_ADDRESS_KEY", ADDRESSES),
    secret("WORKOS_API_KEY", &["authorize", "token"]),
    Setting { required: false, ..secret("WORKOS_WEBHOOK_SECRET", &["sessions"]) },
    secret("UPSTREAM_KEYS", &["authorize", "token"]),
    secret("CODE_KEYS", &["authorize", "token"]),
    secret("REQUEST_KEYS", &["authorize"]),
    secret("LOGIN_KEYS", &["authorize", "sessions"]),
    secret("DPOP_NONCE_KEYS", &["authorize", "token", "sessions", "mcp"]),
    secret("DEVICE_KEY", &["token"]),
    secret("REFRESH_MAC_KEYS", REFRESH),
    secret("CLIENT_SECRET_KEY", CLIENTS),
    secret("INTERNAL_MAC_KEYS_ISSUER", &["token", "introspect", "revoke", "sessions"]),
    secret("INTERNAL_MAC_KEYS_MCP", &["token", "introspect", "revoke", "mcp"]),
    var("LEDGER_STORE", PRODUCT),
    optional("REDIS_REST_URL", &["ledger"]),
    Setting { required: false, ..secret("REDIS_REST_TOKEN", &["ledger"]) },
    Setting { required: false, ..on_spin(secret("REDIS_URL", &["ledger"])) },
    secret("AUDIT_KEYS", &["ledger"]),
    optional("AUDIT_LEVEL", LEDGER),
    optional("AUDIT_RETENTION_DAYS", &["ledger"]),
    optional("ALLOWED_ORIGINS", EVERY),
    optional("LOG_LEVEL", GUARDED),
    optional("CLIENT_METADATA_HOSTS", CLIENTS),
    Setting { required: false, ..secret("OPERATOR_KEY_HASHES", &["sessions", "ledger"]) },
    on_workers(optional("TRUSTED_PROXY_HEADER", CLIENTS)),
    on_spin(optional("TRUSTED_PROXY_HEADER", GUARDED)),
    on_spin(optional("GUARD_PER_MINUTE", GUARDED)),
    optional("NOT_BEFORE", LEDGER),
    optional("ON_DEVICE_CHANGE", LEDGER),
    optional("ON_NETWORK_CHANGE", LEDGER),
    optional("SESSION_MAX", LEDGER),
    optional("SESSION_ON_LIMIT", LEDGER),
    optional("SESSION_IDLE_SECONDS", LEDGER),
    optional("SESSION_ABSOLUTE_SECONDS", LEDGER),
    optional("OFFLINE_IDLE_SECONDS", LEDGER),
    optional("OFFLINE_ABSOLUTE_SECONDS", LEDGER),
    optional("REFRESH_GRACE_SECONDS", LEDGER),
    optional("REVOCATION_MEMORY_SECONDS", LEDGER),
    optional("ACCESS_TOKEN_SECONDS", LEDGER),
    optional("UPSTREAM_REFRESH_AHEAD_SECONDS", LEDGER),
    optional("RATE_LIMIT_TIER", LEDGER),
    optional("INTROSPECTION_MODE", &["ledger", "introspect"]),
    optional("MCP_TOOLS", &["mcp"]),
    optional("WEBHOOK_URLS", LEDGER),
    Setting { required: false, ..secret("WEBHOOK_SECRETS", &["ledger"]) },
    // Where components may connect to: the manifest reads these, and no function does.
    on_spin(optional("ALLOW_SQL", &[])),
    on_spin(optional("ALLOW_REDIS", &[])),
    on_spin(optional("ALLOW_WEBHOOKS", &[])),
    on_spin(optional("ALLOW_CLIENTS", &[])),
];

const fn var(name: &'static str, functions: &'static [&'static str]) -> Setting {
    Setting { name, kind: Kind::Var, required: true, functions, only: None }
}

const fn secret(name: &'static str, functions: &'static [&'static str]) -> Setting {
    Setting { name, kind: Kind::Secret, required: true, functions, only: None }
}

const fn optional(name: &'static str, functions: &'static [&'static str]) -> Setting {
    Setting { name, kind: Kind::Var, required: false, functions, only: None }
}

const fn on_workers(setting: Setting) -> Setting {
    Setting { only: Some(Platform::Workers), ..setting }
}

const fn on_spin(setting: Setting) -> Setting {
    Setting { only: Some(Platform::Spin), ..setting }
}

/// The rows of the table that a platform has.
pub fn on(platform: Platform) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.only.is_none_or(|only| only == platform))
}

/// The settings of one kind that a function is given on Workers. What a component is given on Spin is in
/// `spin.toml`.
pub fn of(function: &str, kind: Kind, values: &Settings) -> Settings {
    on(Platform::Workers)
        .filter(|setting| setting.kind == kind && setting.functions.contains(&function))
        .filter_map(|setting| Some((setting.name.to_owned(), values.get(setting.name)?.to_owned())))
        .collect()
}

/// The settings derived from the master secrets.
pub fn derived(keys: &Derived) -> Settings {
    keys.settings().iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// Checks what must hold before any function is started or deployed.
///
/// # Errors
/// Names the first setting that is unknown, missing or wrong.
pub fn check(values: &Settings) -> Result<()> {
    let absent = |name| values.get(name).is_none_or(|value| value.trim().is_empty());
    if let Some(missing) = SETTINGS.iter().find(|one| one.required && absent(one.name)) {
        bail!("{} is not set", missing.name);
    }
    check_each(values)
}

/// Checks each value by itself.
///
/// # Errors
/// Names the first setting that is unknown or wrong.
pub fn check_each(values: &Settings) -> Result<()> {
    for (name, value) in values {
        if !SETTINGS.iter().any(|setting| setting.name == name) {
            bail!("there is no setting {name}");
        }
        if !value.trim().is_empty() {
            check_value(name, value)?;
        }
    }
    check_store(values)?;
    let value = |name| values.get(name).map_or("", String::as_str);
    check_client_hosts(value("CLIENT_METADATA_HOSTS"), value("PUBLIC_URL"))?;
    webhooks::Settings::parse(value("PUBLIC_URL"), value("WEBHOOK_URLS"), value("WEBHOOK_SECRETS"))
        .map(drop)
        .map_err(|error| anyhow!("{error}"))
}

/// A store that is elsewhere must be known.
fn check_store(values: &Settings) -> Result<()> {
    let store = values.get("LEDGER_STORE").map_or("", String::as_str);
    let needed: &[&str] = match store {
        "redis" => &["REDIS_URL"],
        "redis-rest" => &["REDIS_REST_URL", "REDIS_REST_TOKEN"],
        _ => &[],
    };
    let absent = |name: &&&str| values.get(**name).is_none_or(|value| value.trim().is_empty());
    match needed.iter().find(absent) {
        Some(name) => bail!("{name} is not set, and LEDGER_STORE is {store}"),
        None => Ok(()),
    }
}

/// Whoever reaches the deployment could have it reach its neighbours.
fn check_client_hosts(listed: &str, public_url: &str) -> Result<()> {
    let own = url::Url::parse(public_url).ok();
    let local = own.as_ref().and_then(|url| url.host_str()).is_some_and(hosts::is_loopback);
    if !listed.trim().is_empty() && !local {
        bail!("CLIENT_METADATA_HOSTS is for a deployment on one's own machine only");
    }
    Ok(())
}

fn check_value(name: &str, value: &str) -> Result<()> {
    match name {
        "PUBLIC_URL" | "WORKOS_API_URL" | "WORKOS_ISSUER" | "SQL_URL" => check_url(name, value),
        "LEDGER_STORE" => match StoreChoice::parse(value) {
            // Which of them a platform has, its host knows.
            Ok(StoreChoice::Memory) => bail!("LEDGER_STORE names a store that no deployment has"),
            Ok(_) => Ok(()),
            Err(unknown) => bail!("LEDGER_STORE {unknown}"),
        },
        "REDIS_REST_URL" => check_url(name, value),
        "REDIS_URL"
            if !["redis://", "rediss://"].iter().any(|scheme| value.starts_with(scheme)) =>
        {
            bail!("REDIS_URL must be redis://host:port or rediss://host:port")
        }
        "AUDIT_LEVEL" if !matches!(value, "off" | "notable" | "all") => {
            bail!("AUDIT_LEVEL must be off, notable or all")
        }
        "SESSION_ON_LIMIT" if !matches!(value, "evict" | "deny") => {
            bail!("SESSION_ON_LIMIT must be evict or deny")
        }
        "INTROSPECTION_MODE" if !matches!(value, "strong" | "edge") => {
            bail!("INTROSPECTION_MODE must be strong or edge")
        }
        "ON_DEVICE_CHANGE" | "ON_NETWORK_CHANGE"
            if !matches!(value, "note" | "raise-risk" | "refuse") =>
        {
            bail!("{name} must be note, raise-risk or refuse")
        }
        "NOT_BEFORE" if ports::config::moment(value).is_none() => {
            bail!("NOT_BEFORE must be a time of RFC 3339 or seconds since 1970")
        }
        "MCP_TOOLS" if !matches!(value, "grouped" | "flat") => {
            bail!("MCP_TOOLS must be grouped or flat")
        }
        "TRUSTED_PROXY_HEADER" if !value.bytes().all(is_of_a_header) => {
            bail!("TRUSTED_PROXY_HEADER must be the name of a header")
        }
        "OPERATOR_KEY_HASHES" => check_operators(value),
        "SQL_CONNECTION_STRING" => match url::Url::parse(value) {
            Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Ok(()),
            _ => bail!("SQL_CONNECTION_STRING must be a postgresql:// URL"),
        },
        "WORKOS_WEBHOOK_SECRET" if value.len() < 16 => {
            bail!("{name} must have at least 16 characters")
        }
        "LOG_LEVEL" if !["info", "warn", "error"].contains(&value) => {
            bail!("{name} must be info, warn or error")
        }
        // 0 turns it off.
        "GUARD_PER_MINUTE" if value.parse::<u32>().is_err() => {
            bail!("{name} must be a whole number")
        }
        "SESSION_MAX" | "RATE_LIMIT_TIER" | "AUDIT_RETENTION_DAYS" => check_number(name, value),
        seconds if seconds.ends_with("_SECONDS") => check_number(name, value),
        _ => Ok(()),
    }
}

fn check_operators(value: &str) -> Result<()> {
    let mut entries = value.split(',').map(|entry| entry.trim().split_once('='));
    let legible = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    let named = |name: &str| (1..=64).contains(&name.len()) && name.bytes().all(legible);
    let known = |(name, hash): (&str, &str)| named(name) && parse_key(hash).is_ok();
    if entries.all(|entry| entry.is_some_and(known)) {
        return Ok(());
    }
    bail!("OPERATOR_KEY_HASHES must be name=digest,… as `cargo xtask secrets --operator` prints it")
}

const fn is_of_a_header(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn check_url(name: &str, value: &str) -> Result<()> {
    let Ok(url) = url::Url::parse(value) else { bail!("{name} is not a URL") };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        _ => bail!("{name} must be an https URL"),
    }
    if value.ends_with('/') || url.query().is_some() || url.fragment().is_some() {
        bail!("{name} must have no trailing slash, query or fragment");
    }
    Ok(())
}

fn check_number(name: &str, value: &str) -> Result<()> {
    match value.parse::<u64>() {
        Ok(1..) => Ok(()),
        _ => bail!("{name} must be a whole number above zero"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> Settings {
        let required = SETTINGS.iter().filter(|setting| setting.required);
        let mut values: Settings =
            required.map(|setting| (setting.name.to_owned(), "x".to_owned())).collect();
        for name in ["PUBLIC_URL", "WORKOS_API_URL", "WORKOS_ISSUER", "SQL_URL"] {
            values.insert(name.into(), "https://example.test".into());
        }
        values.insert("SQL_CONNECTION_STRING".into(), "postgresql://a:b@example.test/c".into());
        values.insert("LEDGER_STORE".into(), "durable-object".into());
        values
    }

    #[test]
    fn complete_settings_pass() {
        check(&complete()).unwrap();
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let cases = [
            ("PUBLIC_URL", "http://example.test"),
            ("PUBLIC_URL", "https://example.test/"),
            ("PUBLIC_URL", ""),
            ("SESSION_ON_LIMIT", "ask"),
            ("INTROSPECTION_MODE", "weak"),
            ("MCP_TOOLS", "many"),
            ("WORKOS_WEBHOOK_SECRET", "short"),
            ("AUDIT_LEVEL", "some"),
            ("LOG_LEVEL", "verbose"),
            ("AUDIT_RETENTION_DAYS", "0"),
            ("SESSION_MAX", "0"),
            ("REFRESH_GRACE_SECONDS", "1.5"),
            ("SQL_CONNECTION_STRING", "https://example.test"),
            ("SESSION_MIN", "1"),
            ("ON_DEVICE_CHANGE", "raise_risk"),
            ("ON_NETWORK_CHANGE", "deny"),
            ("NOT_BEFORE", "2026-11-21"),
            ("TRUSTED_PROXY_HEADER", "x forwarded for"),
            ("OPERATOR_KEY_HASHES", "ada"),
            ("OPERATOR_KEY_HASHES", "ada=secret"),
            ("RATE_LIMIT_TIER", "0"),
            ("WEBHOOK_URLS", "http://hooks.example.test"),
            ("WEBHOOK_URLS", "https://10.0.0.1"),
            ("CLIENT_METADATA_HOSTS", "http://127.0.0.1:4000"),
            ("WEBHOOK_SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            ("LEDGER_STORE", ""),
            ("LEDGER_STORE", "kv"),
            ("LEDGER_STORE", "memory"),
            ("GUARD_PER_MINUTE", "many"),
            ("REDIS_URL", "http://redis.test"),
            ("REDIS_REST_URL", "http://redis.test"),
        ];
        for (name, value) in cases {
            let mut values = complete();
            values.insert(name.into(), value.into());
            assert!(check(&values).unwrap_err().to_string().contains(name), "{name}={value}");
        }
    }

    #[test]
    fn a_store_elsewhere_must_be_known() {
        let mut values = complete();
        values.insert("LEDGER_STORE".into(), "postgres".into());
        check(&values).unwrap();
        values.insert("LEDGER_STORE".into(), "redis-rest".into());
        assert!(check(&values).unwrap_err().to_string().contains("REDIS_REST_URL"));
        values.insert("REDIS_REST_URL".into(), "https://redis.test".into());
        assert!(check(&values).unwrap_err().to_string().contains("REDIS_REST_TOKEN"));
        values.insert("REDIS_REST_TOKEN".into(), "x".into());
        check(&values).unwrap();
        assert!(of("ledger", Kind::Secret, &values).contains_key("REDIS_REST_TOKEN"));
        values.insert("LEDGER_STORE".into(), "redis".into());
        assert!(check(&values).unwrap_err().to_string().contains("REDIS_URL"));
        values.insert("REDIS_URL".into(), "redis://redis.test:6379".into());
        check(&values).unwrap();
        assert!(
            !of("ledger", Kind::Secret, &values).contains_key("REDIS_URL"),
            "Workers have none"
        );
    }

    #[test]
    fn a_platform_has_no_setting_twice() {
        for platform in [Platform::Workers, Platform::Spin] {
            let mut names: Vec<_> = on(platform).map(|setting| setting.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "on {platform}");
        }
    }

    #[test]
    fn a_function_gets_only_its_own() {
        let values = complete();
        assert!(of("gateway", Kind::Secret, &values).is_empty());
        assert!(of("token", Kind::Secret, &values).contains_key("SIGNING_KEYS"));
        assert!(!of("mcp", Kind::Secret, &values).contains_key("SIGNING_KEYS"));
        assert!(!of("token", Kind::Var, &values).contains_key("SIGNING_KEYS"));
    }
}

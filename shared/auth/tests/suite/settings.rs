//! Settings: whatever is wrong with one is told by its name and never by its value.

use auth::authorize::AuthorizeSettings;
use auth::settings::{
    ClientSettings, Introspector, MintSettings, TrailSettings, Verifier, webhook_secret,
};
use auth::{Settings, published};
use ledger::{AuditLevel, Limits, OnChange, OnLimit, Policy};
use ports::ConfigError;
use testing::World;

/// Everything that functions read.
fn load(world: &World) -> Result<(), ConfigError> {
    Settings::load(&world.platform)?;
    ClientSettings::load(&world.platform)?;
    MintSettings::load(&world.platform)?;
    Verifier::load(&world.platform)?;
    webhook_secret(&world.platform)?;
    Introspector::load(&world.platform)?;
    TrailSettings::load(&world.platform)?;
    AuthorizeSettings::load(&world.platform)?;
    Ok(())
}

const NEEDED: [&str; 20] = [
    "DEVICE_KEY",
    "PUBLIC_URL",
    "SQL_URL",
    "SQL_CONNECTION_STRING",
    "LEDGER_ADDRESS_KEY",
    "CLIENT_SECRET_KEY",
    "REFRESH_MAC_KEYS",
    "SIGNING_KEYS",
    "WORKOS_API_URL",
    "WORKOS_ISSUER",
    "WORKOS_CLIENT_ID",
    "WORKOS_API_KEY",
    "UPSTREAM_KEYS",
    "REQUEST_KEYS",
    "CODE_KEYS",
    "LOGIN_KEYS",
    "DPOP_NONCE_KEYS",
    "PUBLIC_KEYS",
    "INTROSPECTION_SIGNING_KEYS",
    "AUDIT_KEYS",
];

#[test]
fn a_whole_deployment_loads() {
    assert_eq!(load(&World::new()), Ok(()));
}

#[test]
fn each_missing_setting_is_named() {
    for setting in NEEDED {
        for empty in [false, true] {
            let world = World::new();
            if empty {
                world.platform.set(setting, "");
            } else {
                world.platform.unset(setting);
            }
            let error = load(&world).unwrap_err();
            assert_eq!((error.setting, error.problem), (setting, "is not set"));
        }
    }
}

#[test]
fn each_malformed_setting_is_named_and_its_value_is_not() {
    let url =
        ["canary", "canary.example/", "https://canary.example/", "ftp://canary.example", "/canary"];
    let key = ["canary", "Y2FuYXJ5", "canary!canary!canary!canary!canary!canary!c"];
    let ring = ["canary", "1=canary", "canary=Y2FuYXJ5", "1=Y2FuYXJ5,", "300=Y2FuYXJ5", ","];
    let set = [
        "canary",
        "{\"keys\":\"canary\"}",
        "{\"keys\":[]}",
        "{\"keys\":[{\"kid\":\"canary\"}]}",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"canary\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"canary\",\"k\":\"Y2FuYXJ5\"}]}",
    ];
    let number = ["canary", "-1", "1.5", "99999999999999999999", "0", "1s"];
    for (setting, values) in [
        ("PUBLIC_URL", url.as_slice()),
        ("SQL_URL", &url),
        ("WORKOS_API_URL", &url),
        ("LEDGER_ADDRESS_KEY", &key),
        ("DEVICE_KEY", &key),
        ("CLIENT_SECRET_KEY", &key),
        ("REFRESH_MAC_KEYS", &ring),
        ("UPSTREAM_KEYS", &ring),
        ("WORKOS_WEBHOOK_SECRET", &["canary", "canary canary x"]),
        ("SIGNING_KEYS", &set),
        ("PUBLIC_KEYS", &set),
        ("INTROSPECTION_SIGNING_KEYS", &set),
        ("SESSION_MAX", &number),
        ("SESSION_IDLE_SECONDS", &number),
        ("SESSION_ABSOLUTE_SECONDS", &number),
        ("OFFLINE_IDLE_SECONDS", &number),
        ("OFFLINE_ABSOLUTE_SECONDS", &number),
        ("REFRESH_GRACE_SECONDS", &number),
        ("REVOCATION_MEMORY_SECONDS", &number),
        ("ACCESS_TOKEN_SECONDS", &number),
        ("UPSTREAM_REFRESH_AHEAD_SECONDS", &number),
        ("RATE_LIMIT_TIER", &number),
        ("SESSION_ON_LIMIT", &["canary", "Evict", "DENY"]),
        ("INTROSPECTION_MODE", &["canary", "Edge", "weak"]),
        ("ON_DEVICE_CHANGE", &["canary", "raise_risk", "Note"]),
        ("ON_NETWORK_CHANGE", &["canary", "deny", "REFUSE"]),
        ("NOT_BEFORE", &["canary", "-1", "1.5", "2026-11-21", "2026-02-30T00:00:00Z"]),
        ("TRUSTED_PROXY_HEADER", &["canary canary", "canary:", "canäry"]),
        ("AUDIT_LEVEL", &["canary", "Off", "ALL"]),
        ("AUDIT_KEYS", &ring),
        ("AUDIT_RETENTION_DAYS", &number),
    ] {
        for value in values {
            let world = World::new();
            world.platform.set(setting, value);
            let error = load(&world).err();
            let Some(error) = error else { panic!("{setting} may be {value:?}") };
            assert_eq!(error.setting, setting, "{value:?}");
            let text = format!("{error} {error:?}");
            assert!(text.contains(setting) && !text.contains("canary"), "{text}");
        }
    }
}

#[test]
fn without_a_secret_there_is_no_webhook() {
    let world = World::new();
    assert!(webhook_secret(&world.platform).unwrap().is_some());
    world.platform.unset("WORKOS_WEBHOOK_SECRET");
    assert_eq!(webhook_secret(&world.platform), Ok(None));
}

#[test]
fn a_public_key_set_is_no_signing_key() {
    let public = ports::Config::get(&World::new().platform, "PUBLIC_KEYS").unwrap();
    for setting in ["SIGNING_KEYS", "INTROSPECTION_SIGNING_KEYS"] {
        let world = World::new();
        world.platform.set(setting, &public);
        assert_eq!(load(&world).unwrap_err().setting, setting);
    }
}

#[test]
fn what_is_published_are_the_public_keys_of_both_purposes_and_never_a_private_one() {
    let world = World::new();
    let published = published::keys(&world.platform).unwrap();
    assert_eq!(published["keys"].as_array().unwrap().len(), 2);
    assert!(published["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()));
    for setting in ["PUBLIC_KEYS", "INTROSPECTION_PUBLIC_KEYS"] {
        for other in ["", "canary", "SIGNING_KEYS", "INTROSPECTION_SIGNING_KEYS"] {
            let world = World::new();
            let private = ports::Config::get(&world.platform, other);
            world.platform.set(setting, private.as_deref().unwrap_or(other));
            let error = published::keys(&world.platform).unwrap_err();
            assert_eq!(error.setting, setting, "{other}");
        }
    }
}

#[test]
fn the_policy_is_the_default_unless_set() {
    let world = World::new();
    world.platform.unset("RATE_LIMIT_TIER");
    assert_eq!(Settings::load(&world.platform).unwrap().policy, Policy::default());
    for (name, value) in [
        ("SESSION_MAX", "3"),
        ("SESSION_ON_LIMIT", "deny"),
        ("SESSION_IDLE_SECONDS", "1"),
        ("SESSION_ABSOLUTE_SECONDS", "2"),
        ("OFFLINE_IDLE_SECONDS", "3"),
        ("OFFLINE_ABSOLUTE_SECONDS", "4"),
        ("REFRESH_GRACE_SECONDS", "5"),
        ("REVOCATION_MEMORY_SECONDS", "6"),
        ("ACCESS_TOKEN_SECONDS", "7"),
        ("UPSTREAM_REFRESH_AHEAD_SECONDS", "9"),
        ("RATE_LIMIT_TIER", "8"),
        ("ON_DEVICE_CHANGE", "refuse"),
        ("ON_NETWORK_CHANGE", "note"),
        ("NOT_BEFORE", "1970-01-01T00:00:09Z"),
        ("WEBHOOK_URLS", "https://hooks.example/atoms"),
        ("AUDIT_LEVEL", "all"),
    ] {
        world.platform.set(name, value);
    }
    let expected = Policy {
        max_sessions: 3,
        on_limit: OnLimit::Deny,
        idle: 1000,
        absolute: 2000,
        offline_idle: 3000,
        offline_absolute: 4000,
        grace: 5000,
        revocation_memory: 6000,
        access_token: 7000,
        upstream_ahead: 9000,
        limits: Limits { tier: 8, ..Limits::default() },
        on_device_change: OnChange::Refuse,
        on_network_change: OnChange::Note,
        not_before: Some(9000),
        webhooks: true,
        audit: AuditLevel::All,
        ..Settings::load(&World::new().platform).unwrap().policy
    };
    assert_eq!(Settings::load(&world.platform).unwrap().policy, expected);
}

#[test]
fn a_ledgers_address_depends_on_the_person_and_the_key_alone() {
    let settings = |key: Option<&str>| {
        let world = World::new();
        if let Some(key) = key {
            world.platform.set("LEDGER_ADDRESS_KEY", key);
        }
        world.platform.set("SESSION_MAX", "5");
        Settings::load(&world.platform).unwrap()
    };
    let (one, other) = (settings(None), settings(Some(&oauth::base64url(&[3; 32]))));
    assert_eq!(one.user_ledger("ada"), settings(None).user_ledger("ada"));
    assert_ne!(one.user_ledger("ada"), one.user_ledger("Ada"));
    assert_ne!(one.user_ledger("ada"), other.user_ledger("ada"));
}

#[test]
fn edge_mode_needs_a_store_whose_revocations_are_published() {
    let load = |store: &str, mode: &str| {
        let world = World::new();
        world.platform.set("LEDGER_STORE", store);
        world.platform.set("INTROSPECTION_MODE", mode);
        Introspector::load(&world.platform).map(|loaded| loaded.edge.is_some())
    };
    for store in ["", "durable-object"] {
        assert_eq!((load(store, "edge"), load(store, "strong")), (Ok(true), Ok(false)));
    }
    assert_eq!(load("redis", "edge").unwrap_err().setting, "INTROSPECTION_MODE");
    assert_eq!((load("redis", "strong"), load("redis", "")), (Ok(false), Ok(false)));
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    for (setting, value) in [
        ("PUBLIC_URL", "https://edge.example/path"),
        ("PUBLIC_URL", "https://edge.example?x"),
        ("PUBLIC_URL", "https://user@edge.example"),
        ("PUBLIC_URL", "HTTPS://edge.example"),
        ("REFRESH_GRACE_SECONDS", "900"),
        ("WEBHOOK_URLS", "https://169.254.169.254/"),
    ] {
        let world = World::new();
        world.platform.set(setting, value);
        assert_eq!(load(&world).unwrap_err().setting, setting, "{value}");
    }
}

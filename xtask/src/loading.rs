//! Loads the settings as the functions will at run time, before they are deployed: what they would
//! refuse is not sent.

use anyhow::{Result, anyhow, bail};
use auth::authorize::AuthorizeSettings;
use auth::edge::Edge;
use auth::login::LoginSettings;
use auth::operator::Operators;
use auth::settings::{
    ClientSettings, Introspector, MintSettings, ResourceSettings, Settings as Service, SqlSettings,
    TrailSettings, Verifier, WorkosSettings, webhook_secret,
};
use auth::{policy, published};
use host::{Origins, store};
use ports::{Config, ConfigError};
use stack::layout::FUNCTIONS;
use stack::settings::{self, Kind, Settings};

/// Load every function's settings from what it would be given.
///
/// # Errors
/// Names the function, the setting and the problem; never the value.
pub(crate) fn check(values: &Settings) -> Result<()> {
    for function in FUNCTIONS {
        load(function, values)?;
    }
    Ok(())
}

fn load(function: &str, values: &Settings) -> Result<()> {
    let mut given = Given(settings::of(function, Kind::Var, values));
    given.0.extend(settings::of(function, Kind::Secret, values));
    let outcome = match function {
        // It hands requests on and reads nothing.
        "gateway" => return Ok(()),
        "ledger" => owner(&given),
        "authorize" => authorize(&given),
        "token" => token(&given),
        "introspect" => introspect(&given),
        "revoke" => client_endpoint(&given),
        "sessions" => sessions(&given),
        "mcp" => resource(&given),
        "health" => health(&given),
        other => bail!("nobody knows what the function {other} loads"),
    };
    // Each of them answers browsers, but the one that has no route.
    let outcome = outcome.and_then(|()| match function {
        "ledger" => Ok(()),
        _ => store::on_workers(&given).and_then(|_| Origins::load(&given)).map(drop),
    });
    outcome.map_err(|ConfigError { setting, problem }| {
        anyhow!("the function {function} would refuse {setting}: it {problem}")
    })
}

fn owner(given: &Given) -> Result<(), ConfigError> {
    policy::load(given)?;
    store::check(given, store::on_workers(given))?;
    webhooks::Settings::load(given)?;
    // It must agree with introspection on its mode.
    Edge::load(given)?;
    TrailSettings::load(given).map(drop)
}

fn authorize(given: &Given) -> Result<(), ConfigError> {
    Service::load(given)?;
    AuthorizeSettings::load(given)?;
    ClientSettings::of_credentials(given)?;
    published::keys(given).map(drop)
}

fn token(given: &Given) -> Result<(), ConfigError> {
    ClientSettings::load(given)?;
    MintSettings::load(given)?;
    resource(given)
}

fn sessions(given: &Given) -> Result<(), ConfigError> {
    resource(given)?;
    Operators::load(given)?;
    LoginSettings::load(given)?;
    webhook_secret(given).map(drop)
}

fn introspect(given: &Given) -> Result<(), ConfigError> {
    Introspector::load(given)?;
    client_endpoint(given)
}

fn client_endpoint(given: &Given) -> Result<(), ConfigError> {
    Service::load(given)?;
    ClientSettings::load(given)?;
    Verifier::load(given).map(drop)
}

fn resource(given: &Given) -> Result<(), ConfigError> {
    Service::load(given)?;
    ResourceSettings::load(given).map(drop)
}

fn health(given: &Given) -> Result<(), ConfigError> {
    SqlSettings::load(given)?;
    WorkosSettings::load(given).map(drop)
}

/// The environment of one function.
struct Given(Settings);

impl Config for Given {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use oauth::keys::{Derived, Master};

    use super::*;

    fn complete() -> Settings {
        let keys = Derived::from_masters(&[Master { id: 1, secret: [1; 32] }]).unwrap();
        let mut values = settings::derived(&keys);
        for name in ["PUBLIC_URL", "WORKOS_API_URL", "WORKOS_ISSUER", "SQL_URL"] {
            values.insert(name.into(), "https://example.test".into());
        }
        values.insert("WORKOS_CLIENT_ID".into(), "client_1".into());
        values.insert("WORKOS_API_KEY".into(), "sk_1".into());
        values.insert("SQL_CONNECTION_STRING".into(), "postgresql://a:b@example.test/c".into());
        values.insert("LEDGER_STORE".into(), "durable-object".into());
        values
    }

    #[test]
    fn what_the_functions_accept_passes() {
        check(&complete()).unwrap();
        let mut values = complete();
        values.insert("SESSION_MAX".into(), "10".into());
        values.insert("ALLOWED_ORIGINS".into(), "https://app.example, http://localhost:1".into());
        check(&values).unwrap();
    }

    #[test]
    fn what_a_function_would_refuse_is_named_without_its_value() {
        for (name, value, function) in [
            ("SESSION_MAX", "70000", "ledger"),
            ("ACCESS_TOKEN_SECONDS", "4294967296", "ledger"),
            ("ALLOWED_ORIGINS", "https://app.example/path", "sessions"),
            ("LEDGER_ADDRESS_KEY", "c2hvcnQ", "sessions"),
            ("PUBLIC_KEYS", "{\"keys\":7}", "sessions"),
            ("INTERNAL_MAC_KEYS_MCP", "1=c2hvcnQ", "introspect"),
            ("REFRESH_MAC_KEYS", "1=c2hvcnQ", "introspect"),
            ("CLIENT_SECRET_KEY", "c2hvcnQ", "authorize"),
            ("AUDIT_KEYS", "1=c2hvcnQ", "ledger"),
            ("AUDIT_LEVEL", "All", "ledger"),
            ("LEDGER_STORE", "sqlite", "ledger"),
            ("OPERATOR_KEY_HASHES", "ada=c2hvcnQ", "sessions"),
            ("NOT_BEFORE", "yesterday", "ledger"),
            ("ON_DEVICE_CHANGE", "Refuse", "ledger"),
            ("ON_NETWORK_CHANGE", "deny", "ledger"),
            ("TRUSTED_PROXY_HEADER", "no header", "authorize"),
            ("DEVICE_KEY", "c2hvcnQ", "token"),
            ("SIGNING_KEYS", "{\"keys\":[]}", "token"),
            ("UPSTREAM_KEYS", "1=c2hvcnQ", "authorize"),
            ("WORKOS_API_KEY", "", "authorize"),
            ("WORKOS_WEBHOOK_SECRET", "too short", "sessions"),
            ("INTROSPECTION_SIGNING_KEYS", "{\"keys\":[]}", "introspect"),
            ("INTROSPECTION_PUBLIC_KEYS", "{\"keys\":[]}", "authorize"),
            ("WORKOS_API_URL", "https://example.test/", "authorize"),
            ("INTROSPECTION_MODE", "weak", "ledger"),
            ("WORKOS_CLIENT_ID", "", "authorize"),
            ("WEBHOOK_URLS", "https://192.168.0.1/hook", "ledger"),
            ("WEBHOOK_SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "ledger"),
        ] {
            let mut values = complete();
            values.insert(name.into(), value.into());
            let error = check(&values).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(function), "{name}: {error}");
            assert!(value.is_empty() || !error.contains(value), "{error}");
        }
    }
}

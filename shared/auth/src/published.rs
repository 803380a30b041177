//! The keys that the deployment publishes.

use oauth::access_token::VerifyingKeys;
use ports::config::parsed;
use ports::{Config, ConfigError};
use serde_json::{Value, json};

/// The JWK set that the deployment publishes (RFC 7517 section 5): the public keys of access tokens and
/// those of introspection answers.
///
/// # Errors
/// If a set is missing, is none of Ed25519 keys, or has a private part in it: that must never be
/// published by mistake.
pub fn keys(config: &impl Config) -> Result<Value, ConfigError> {
    let problem = "must be a JWK set of Ed25519 keys with kid, without private parts";
    let mut keys = Vec::new();
    for setting in ["PUBLIC_KEYS", "INTROSPECTION_PUBLIC_KEYS"] {
        keys.extend(parsed(config, setting, problem, |text| {
            VerifyingKeys::parse(text).map_err(drop)?;
            let mut set: Value = serde_json::from_slice(text.as_bytes()).map_err(drop)?;
            let keys = set["keys"].as_array_mut().map(std::mem::take).ok_or(())?;
            if keys.iter().any(|key| key.get("d").is_some()) { Err(()) } else { Ok(keys) }
        })?);
    }
    Ok(json!({ "keys": keys }))
}

//! The settings of the use cases, read once per instance.

use ledger::{Address, AuditLevel, Command, Envelope, Limits, OnLimit, Origin, Policy};
use oauth::access_token::{SigningKey, VerifyingKeys};
use oauth::internal_mac::InternalKeys;
use oauth::keys::{self, Key, KeyRing};
use oauth::resource::{Resources, Site};
use ports::config::{number, parsed, required};
use ports::{Config, ConfigError};
use serde_json::{Value, json};

use crate::clients::Known;

/// What every use case needs: who we are, where ledgers live, how long sessions last.
pub struct Settings {
    /// The issuer: the public URL without a trailing slash.
    pub issuer: String,
    /// The resources of the deployment.
    pub resources: Resources,
    /// The numbers of sessions.
    pub policy: Policy,
    /// Where to reach the database.
    pub sql: SqlSettings,
    address_key: Key,
}

/// Where to reach the database.
pub struct SqlSettings {
    /// The endpoint.
    pub url: String,
    /// Its credentials.
    pub connection_string: String,
    /// The clients that it told of lately.
    pub clients: Known,
}

/// What endpoints need that take clients' credentials and refresh tokens.
pub struct ClientSettings {
    /// The key of stored client secrets.
    pub client_secret_key: Key,
    /// The keys of refresh tokens.
    pub refresh_keys: KeyRing,
}

/// What only the token endpoint needs.
pub struct MintSettings {
    /// The key that signs access tokens.
    pub signing_key: SigningKey,
    /// The keys of their internal MACs.
    pub internal: InternalKeys,
    /// The identity provider.
    pub workos: WorkosSettings,
    /// Our grants there.
    pub upstream: UpstreamSettings,
}

/// What it takes to renew grants at the identity provider.
pub struct UpstreamSettings {
    /// The keys that seal its refresh tokens.
    pub keys: KeyRing,
    /// Our API key there: it authenticates us as the client.
    pub api_key: String,
}

/// What only the introspection endpoint needs.
pub struct Introspector {
    /// The key that signs answers, RFC 9701; it signs no tokens.
    pub signing_key: SigningKey,
}

/// What endpoints need that take access tokens.
pub struct Verifier {
    /// The public keys of access tokens.
    pub keys: VerifyingKeys,
    /// The keys of their internal MACs, of the audiences that the function serves.
    pub internal: InternalKeys,
}

/// What only the owner of the ledgers needs, to deliver their audit trail.
pub struct TrailSettings {
    /// Where to.
    pub sql: SqlSettings,
    /// The keys of its seals.
    pub keys: KeyRing,
}

/// The identity provider.
pub struct WorkosSettings {
    /// Where its API is, without a trailing slash.
    pub api_url: String,
    /// The `iss` of its access tokens.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
}

impl Settings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let issuer = public_url(config)?;
        Ok(Self {
            resources: Resources::of(&issuer),
            issuer,
            policy: policy(config)?,
            sql: SqlSettings::load(config)?,
            address_key: key(config, "LEDGER_ADDRESS_KEY")?,
        })
    }

    /// A command as it travels to a ledger.
    pub fn envelope(&self, command: Command) -> Envelope {
        Envelope { command, policy: self.policy.clone(), origin: Origin::default() }
    }

    /// Where the ledger of a person lives: a keyed hash, so that the address reveals nothing.
    pub fn user_ledger(&self, subject: &str) -> Address {
        let label = "atoms-edge ledger address";
        let mac = keys::mac(&self.address_key, label, &[b"user", subject.as_bytes()]);
        let mut address = [0; 16];
        address.copy_from_slice(&mac[..16]);
        Address::from_bytes(address)
    }
}

impl SqlSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self {
            url: url(config, "SQL_URL")?,
            connection_string: required(config, "SQL_CONNECTION_STRING")?,
            clients: Known::default(),
        })
    }
}

impl ClientSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self {
            client_secret_key: key(config, "CLIENT_SECRET_KEY")?,
            refresh_keys: parsed(config, "REFRESH_MAC_KEYS", RING, KeyRing::parse)?,
        })
    }
}

impl MintSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self {
            signing_key: parsed(config, "SIGNING_KEYS", PRIVATE_SET, SigningKey::newest_of)?,
            internal: internal_keys(config)?,
            workos: WorkosSettings::load(config)?,
            upstream: UpstreamSettings {
                keys: parsed(config, "UPSTREAM_KEYS", RING, KeyRing::parse)?,
                api_key: required(config, "WORKOS_API_KEY")?,
            },
        })
    }
}

impl Introspector {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let name = "INTROSPECTION_SIGNING_KEYS";
        Ok(Self { signing_key: parsed(config, name, PRIVATE_SET, SigningKey::newest_of)? })
    }
}

impl TrailSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self {
            sql: SqlSettings::load(config)?,
            keys: parsed(config, "AUDIT_KEYS", RING, KeyRing::parse)?,
        })
    }
}

impl WorkosSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self {
            api_url: url(config, "WORKOS_API_URL")?,
            issuer: required(config, "WORKOS_ISSUER")?,
            client_id: required(config, "WORKOS_CLIENT_ID")?,
        })
    }

    /// Where its public keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}/sso/jwks/{}", self.api_url, self.client_id)
    }
}

impl Verifier {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let set = "must be a JWK set of Ed25519 keys with kid";
        let keys = parsed(config, "PUBLIC_KEYS", set, VerifyingKeys::parse)?;
        Ok(Self { keys, internal: internal_keys(config)? })
    }
}

/// The secret of the identity provider's webhook; without one there is no webhook.
///
/// # Errors
/// If it is shorter than any that the provider makes.
pub fn webhook_secret(config: &impl Config) -> Result<Option<String>, ConfigError> {
    let setting = "WORKOS_WEBHOOK_SECRET";
    match config.get(setting) {
        Some(secret) if secret.len() < 16 => {
            Err(ConfigError { setting, problem: "must have at least 16 characters" })
        }
        other => Ok(other),
    }
}

/// The keys of the internal MAC, as far as the function is given them: without, signatures decide.
fn internal_keys(config: &impl Config) -> Result<InternalKeys, ConfigError> {
    let ring = |setting| match config.get(setting) {
        Some(text) => {
            KeyRing::parse(&text).map(Some).map_err(|_| ConfigError { setting, problem: RING })
        }
        None => Ok(None),
    };
    Ok(InternalKeys {
        issuer: ring("INTERNAL_MAC_KEYS_ISSUER")?,
        mcp: ring("INTERNAL_MAC_KEYS_MCP")?,
    })
}

const PRIVATE_SET: &str = "must be a private JWK set of Ed25519 keys with kid";
const RING: &str = "must be id=base64url,… with keys of 32 bytes";

/// The issuer.
///
/// # Errors
/// If the setting is missing or no URL of a host.
pub fn public_url(config: &impl Config) -> Result<String, ConfigError> {
    let setting = "PUBLIC_URL";
    let url = url(config, setting)?;
    // The routes are at the root of a host, and so is the metadata that names them.
    let root = Site::parse(&url).is_some_and(|site| site.origin() == url);
    if root { Ok(url) } else { Err(ConfigError { setting, problem: "must be an origin" }) }
}

/// The JWK set that the deployment publishes (RFC 7517 section 5): the public keys of access tokens and
/// those of introspection answers.
///
/// # Errors
/// If a set is missing, is none of Ed25519 keys, or has a private part in it: that must never be
/// published by mistake.
pub fn published_keys(config: &impl Config) -> Result<Value, ConfigError> {
    let problem = "must be a JWK set of Ed25519 keys with kid, without private parts";
    let mut keys = Vec::new();
    for setting in ["PUBLIC_KEYS", "INTROSPECTION_PUBLIC_KEYS"] {
        keys.extend(parsed(config, setting, problem, |text| {
            VerifyingKeys::parse(text).map_err(drop)?;
            let mut set: Value = serde_json::from_str(text).map_err(drop)?;
            let keys = set["keys"].as_array_mut().map(std::mem::take).ok_or(())?;
            if keys.iter().any(|key| key.get("d").is_some()) { Err(()) } else { Ok(keys) }
        })?);
    }
    Ok(json!({ "keys": keys }))
}

fn url(config: &impl Config, setting: &'static str) -> Result<String, ConfigError> {
    let problem = "must be an http(s) URL without a trailing slash";
    parsed(config, setting, problem, |text| {
        let uri: http::Uri = text.parse().map_err(|_| ())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if web && !text.ends_with('/') { Ok(text.to_owned()) } else { Err(()) }
    })
}

fn key(config: &impl Config, setting: &'static str) -> Result<Key, ConfigError> {
    parsed(config, setting, "must be 32 bytes in base64url", keys::parse_key)
}

fn policy(config: &impl Config) -> Result<Policy, ConfigError> {
    let defaults = Policy::default();
    let seconds = |setting, default| -> Result<u64, ConfigError> {
        match number::<u32>(config, setting)? {
            None => Ok(default),
            Some(0) => Err(ConfigError { setting, problem: "must be at least 1" }),
            Some(seconds) => Ok(u64::from(seconds) * 1000),
        }
    };
    let max_sessions = match number(config, "SESSION_MAX")? {
        Some(0) => {
            return Err(ConfigError { setting: "SESSION_MAX", problem: "must be at least 1" });
        }
        other => other.unwrap_or(defaults.max_sessions),
    };
    let tier = match number(config, "RATE_LIMIT_TIER")? {
        Some(0) => {
            return Err(ConfigError { setting: "RATE_LIMIT_TIER", problem: "must be at least 1" });
        }
        other => other.unwrap_or(1),
    };
    let grace = seconds("REFRESH_GRACE_SECONDS", defaults.grace)?;
    let access_token = seconds("ACCESS_TOKEN_SECONDS", defaults.access_token)?;
    if grace >= access_token {
        // A late replay would hand out an access token that has expired.
        let problem = "must be less than ACCESS_TOKEN_SECONDS";
        return Err(ConfigError { setting: "REFRESH_GRACE_SECONDS", problem });
    }
    Ok(Policy {
        max_sessions,
        on_limit: on_limit(config)?,
        idle: seconds("SESSION_IDLE_SECONDS", defaults.idle)?,
        absolute: seconds("SESSION_ABSOLUTE_SECONDS", defaults.absolute)?,
        offline_idle: seconds("OFFLINE_IDLE_SECONDS", defaults.offline_idle)?,
        offline_absolute: seconds("OFFLINE_ABSOLUTE_SECONDS", defaults.offline_absolute)?,
        grace,
        revocation_memory: seconds("REVOCATION_MEMORY_SECONDS", defaults.revocation_memory)?,
        access_token,
        upstream_ahead: seconds("UPSTREAM_REFRESH_AHEAD_SECONDS", defaults.upstream_ahead)?,
        limits: Limits { tier, ..Limits::default() },
        audit: audit_level(config)?,
        ..defaults
    })
}

fn audit_level(config: &impl Config) -> Result<AuditLevel, ConfigError> {
    match config.get("AUDIT_LEVEL").as_deref() {
        Some("off") => Ok(AuditLevel::Off),
        None | Some("notable") => Ok(AuditLevel::Notable),
        Some("all") => Ok(AuditLevel::All),
        Some(_) => {
            Err(ConfigError { setting: "AUDIT_LEVEL", problem: "must be off, notable or all" })
        }
    }
}

fn on_limit(config: &impl Config) -> Result<OnLimit, ConfigError> {
    match config.get("SESSION_ON_LIMIT").as_deref() {
        None | Some("evict") => Ok(OnLimit::EvictLongestIdle),
        Some("deny") => Ok(OnLimit::Deny),
        Some(_) => {
            Err(ConfigError { setting: "SESSION_ON_LIMIT", problem: "must be evict or deny" })
        }
    }
}

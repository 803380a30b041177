//! The settings of the use cases, read once per instance.

use std::cell::RefCell;

use data::clients::ClientRecord;
use http::HeaderName;
use ledger::{Address, Command, Envelope, Origin, Policy};
use oauth::access_token::{AccessToken, SigningKey, VerifyingKeys};
use oauth::internal_mac::InternalKeys;
use oauth::keys::{self, Key, KeyRing};
use oauth::resource::{Resources, Site};
use ports::config::{number, parsed, required};
use ports::{Config, ConfigError};

use crate::backoff::Backoff;
use crate::clients::Known;
use crate::edge::Edge;
use crate::proof::Nonces;
use crate::remote::Remote;
pub use crate::workos::{UpstreamSettings, WorkosSettings};
use crate::{Failure, policy};

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

/// Where to reach the database, and what is known of the clients in it and elsewhere.
pub struct SqlSettings {
    /// The endpoint.
    pub url: String,
    /// Its credentials.
    pub connection_string: String,
    /// The clients that were told of lately.
    pub clients: Known,
    /// How clients are asked for that are not in it.
    pub remote: Remote,
}

/// What endpoints need that take clients' credentials and refresh tokens.
pub struct ClientSettings {
    /// The key of stored client secrets.
    pub client_secret_key: Key,
    /// The keys of refresh tokens.
    pub refresh_keys: KeyRing,
    /// The header in which the deployment's own proxy tells the client's address.
    pub proxy_header: Option<HeaderName>,
    /// Who has failed lately, as far as this instance of the function has seen it.
    pub failures: RefCell<Backoff>,
}

/// What only the token endpoint needs.
pub struct MintSettings {
    /// The key that signs access tokens.
    pub signing_key: SigningKey,
    /// The keys of their internal MACs.
    pub internal: InternalKeys,
    /// The key of device fingerprints.
    pub device_key: Key,
    /// The keys of authorization codes.
    pub code_keys: KeyRing,
    /// The identity provider.
    pub workos: WorkosSettings,
    /// Our grants there.
    pub upstream: UpstreamSettings,
}

/// What only the introspection endpoint needs.
pub struct Introspector {
    /// The key that signs answers, RFC 9701; it signs no tokens.
    pub signing_key: SigningKey,
    /// In edge mode, what it needs.
    pub edge: Option<Edge>,
}

/// What endpoints need that take access tokens.
pub struct Verifier {
    /// The public keys of access tokens.
    pub keys: VerifyingKeys,
    /// The keys of their internal MACs, of the audiences that the function serves.
    pub internal: InternalKeys,
}

/// What endpoints need that are protected resources.
pub struct ResourceSettings {
    /// To recognise access tokens.
    pub verifier: Verifier,
    /// For the proofs that some come with.
    pub nonces: Nonces,
}

/// What only the owner of the ledgers needs, to deliver their audit trail.
pub struct TrailSettings {
    /// Where to.
    pub sql: SqlSettings,
    /// The keys of its seals.
    pub keys: KeyRing,
    /// How many days of it are kept; `None` for the usual number.
    pub days: Option<u32>,
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
            policy: policy::load(config)?,
            issuer,
            sql: SqlSettings::load(config)?,
            address_key: key(config, "LEDGER_ADDRESS_KEY")?,
        })
    }

    /// A command as it travels to a ledger.
    pub fn envelope(&self, command: Command) -> Envelope {
        Envelope { command, policy: self.policy.clone(), origin: Origin::default() }
    }

    /// A command of a client, judged by its own policy.
    ///
    /// # Errors
    /// [`Failure::Misconfigured`] if the client's policy is none.
    pub fn envelope_for(
        &self,
        record: &ClientRecord,
        command: Command,
    ) -> Result<Envelope, Failure> {
        Ok(Envelope { policy: self.policy_of(record)?, ..self.envelope(command) })
    }

    /// The deployment's policy with what is registered for a client.
    ///
    /// # Errors
    /// [`Failure::Misconfigured`] if that is no policy: to ignore it could mean sessions that live
    /// longer than somebody has decided.
    pub fn policy_of(&self, record: &ClientRecord) -> Result<Policy, Failure> {
        policy::of_client(&self.policy, record)
    }

    /// Where the ledger of a person lives: a keyed hash, so that the address reveals nothing.
    pub fn user_ledger(&self, subject: &str) -> Address {
        self.address(b"user", subject)
    }

    /// Where the ledger of a client lives: what it has used up, and the tokens that speak of nobody else.
    pub fn client_ledger(&self, client_id: &str) -> Address {
        self.address(b"client", client_id)
    }

    /// Where the ledger lives that knows an access token.
    pub fn ledger_of(&self, claims: &AccessToken) -> Address {
        if claims.is_of_client() {
            self.client_ledger(&claims.client_id)
        } else {
            self.user_ledger(&claims.sub)
        }
    }

    /// Where the ledger of a network lives, which is there to count what strangers in it do.
    pub fn network_ledger(&self, network: &str) -> Address {
        self.address(b"network", network)
    }

    fn address(&self, kind: &[u8], name: &str) -> Address {
        let label = "atoms-edge ledger address";
        let mac = keys::mac(&self.address_key, label, &[kind, name.as_bytes()]);
        Address::from_bytes(keys::half(&mac))
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
            remote: Remote::load(config)?,
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
            refresh_keys: parsed(config, "REFRESH_MAC_KEYS", RING, KeyRing::parse)?,
            ..Self::of_credentials(config)?
        })
    }

    /// Read the settings of an endpoint that takes credentials and no refresh tokens: it is not given
    /// their keys.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn of_credentials(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self {
            client_secret_key: key(config, "CLIENT_SECRET_KEY")?,
            refresh_keys: KeyRing::default(),
            proxy_header: proxy_header(config)?,
            failures: RefCell::default(),
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
            device_key: key(config, "DEVICE_KEY")?,
            code_keys: parsed(config, "CODE_KEYS", RING, KeyRing::parse)?,
            workos: WorkosSettings::load(config)?,
            upstream: UpstreamSettings::load(config)?,
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
        Ok(Self {
            signing_key: parsed(config, name, PRIVATE_SET, SigningKey::newest_of)?,
            edge: Edge::load(config)?,
        })
    }
}

impl TrailSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let setting = "AUDIT_RETENTION_DAYS";
        let days = number(config, setting)?;
        if days == Some(0) {
            return Err(ConfigError { setting, problem: "must be at least 1" });
        }
        Ok(Self {
            sql: SqlSettings::load(config)?,
            keys: parsed(config, "AUDIT_KEYS", RING, KeyRing::parse)?,
            days,
        })
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

impl ResourceSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self { verifier: Verifier::load(config)?, nonces: Nonces::load(config)? })
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
pub(crate) const RING: &str = "must be id=base64url,… with keys of 32 bytes";

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

pub(crate) fn url(config: &impl Config, setting: &'static str) -> Result<String, ConfigError> {
    let problem = "must be an http(s) URL without a trailing slash";
    parsed(config, setting, problem, |text| {
        let uri: http::Uri = text.parse().map_err(|_| ())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        if web && !text.ends_with('/') { Ok(text.to_owned()) } else { Err(()) }
    })
}

fn proxy_header(config: &impl Config) -> Result<Option<HeaderName>, ConfigError> {
    let setting = "TRUSTED_PROXY_HEADER";
    let problem = "must be the name of a header";
    let name = config.get(setting).map(|text| text.trim().parse());
    name.transpose().map_err(|_| ConfigError { setting, problem })
}

fn key(config: &impl Config, setting: &'static str) -> Result<Key, ConfigError> {
    parsed(config, setting, "must be 32 bytes in base64url", keys::parse_key)
}

//! OAuth clients, read and registered by the service itself.

use ports::{Millis, Sql, Statement};
use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::error::{Rule, columns, explain_service, only_row, required};
use crate::session::one_as_service;

const FIND: &str = include_str!("../queries/client_find.sql");
const REGISTER: &str = include_str!("../queries/client_register.sql");
const USED: &str = include_str!("../queries/client_used.sql");
const EXPIRE: &str = include_str!("../queries/client_expire.sql");
const WHAT: &str = "client";

const RULES: &[Rule] = &[
    Rule {
        constraint: "oauth_clients_client_id_length",
        field: "client_id",
        reason: "must have 1 to 200 characters",
    },
    Rule {
        constraint: "oauth_clients_name_length",
        field: "name",
        reason: "must have 1 to 200 characters and not be blank",
    },
    Rule {
        constraint: "oauth_clients_secret_hashes_method",
        field: "secret_hashes",
        reason: "must be there for clients that authenticate by a secret and for no other",
    },
    Rule { constraint: "oauth_clients_jwks_object", field: "jwks", reason: "must be an object" },
    Rule {
        constraint: "oauth_clients_keys_method",
        field: "jwks",
        reason: "or jwks_uri must be there for private_key_jwt and for nothing else",
    },
    Rule {
        constraint: "oauth_clients_auth_method_kind",
        field: "auth_method",
        reason: "must be none for public clients and for no other",
    },
    Rule {
        constraint: "oauth_clients_auth_method_known",
        field: "auth_method",
        reason: "is not known",
    },
    Rule {
        constraint: "oauth_clients_redirect_uris_count",
        field: "redirect_uris",
        reason: "must be at most 50",
    },
    Rule {
        constraint: "oauth_clients_dynamic_bounds",
        field: "origin",
        reason: "of a client that registers itself means an end, a token and no rights of ours",
    },
    Rule {
        constraint: "oauth_clients_registration_origin",
        field: "origin",
        reason: "must be dynamic for clients that manage themselves",
    },
    Rule { constraint: "oauth_clients_origin_known", field: "origin", reason: "is of no table" },
    Rule {
        constraint: "oauth_clients_policy_object",
        field: "policy",
        reason: "must be an object",
    },
    Rule {
        constraint: "oauth_clients_introspect_audiences_kind",
        field: "introspect_audiences",
        reason: "are for confidential clients only",
    },
];

/// Whether a client can keep a secret (RFC 6749 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// It cannot: an app on a user's device.
    #[default]
    Public,
    /// It can: it authenticates with its secret or its key.
    Confidential,
}

/// How a client became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOrigin {
    /// An operator registered it.
    #[default]
    Registered,
    /// It registered itself (RFC 7591).
    Dynamic,
    /// Its id is the address of its metadata document; it is in no table.
    Document,
}

/// What is registered of a client. Its JSON is what the cache holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClientRecord {
    /// Its name in the protocol.
    pub client_id: String,
    /// Its name for people.
    pub name: String,
    /// Whether it authenticates.
    pub kind: ClientKind,
    /// Hashes of the secrets in force; several while one is being replaced. Empty for public ones.
    pub secret_hashes: Vec<String>,
    /// Ours: may exchange AuthKit tokens and manage sessions.
    pub first_party: bool,
    /// Scopes that it may be granted.
    pub scopes: Vec<String>,
    /// Values of `grant_type` that it may use.
    pub grant_types: Vec<String>,
    /// Audiences whose tokens it may introspect, `*` for any; empty forbids introspection.
    pub introspect_audiences: Vec<String>,
    /// Refused everywhere.
    pub disabled: bool,
    /// The numbers of sessions that it has of its own; those that are absent are the deployment's.
    #[serde(default)]
    pub policy: Option<serde_json::Value>,
    /// Where an authorization answer may go.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The one way in which it authenticates (RFC 7591 section 2, `token_endpoint_auth_method`).
    /// Absent for clients of before there was a choice: `none` for public ones, the secret in either
    /// place for confidential ones.
    #[serde(default)]
    pub auth_method: Option<String>,
    /// Its public keys, RFC 7517 section 5; not beside `jwks_uri`.
    #[serde(default)]
    pub jwks: Option<serde_json::Value>,
    /// Where its public keys are.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Its page for people.
    #[serde(default)]
    pub client_uri: Option<String>,
    /// Its logo.
    #[serde(default)]
    pub logo_uri: Option<String>,
    /// The software that it is an installation of, as it says itself.
    #[serde(default)]
    pub software_id: Option<String>,
    /// From this time on it is nobody, in milliseconds.
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// How it became known.
    #[serde(default)]
    pub origin: ClientOrigin,
    /// It gets only tokens that are bound to a key (RFC 9449 section 5.2,
    /// `dpop_bound_access_tokens`).
    #[serde(default)]
    pub dpop_bound: bool,
    /// It must push its authorization requests (RFC 9126 section 6,
    /// `require_pushed_authorization_requests`).
    #[serde(default)]
    pub require_pushed: bool,
}

impl ClientRecord {
    /// Whether it is registered for a `grant_type`.
    pub fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.iter().any(|registered| registered == grant_type)
    }
}

/// The client of this name, disabled, over or neither.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn find(sql: &impl Sql, client_id: &str) -> Result<Option<ClientRecord>, DataError> {
    Ok(find_registration(sql, client_id).await?.map(|(record, _)| record))
}

/// The same, with the hash of the token by which it manages its registration (RFC 7592), if it has one.
/// That one is not for a cache.
///
/// # Errors
/// As of [`find`].
pub async fn find_registration(
    sql: &impl Sql,
    client_id: &str,
) -> Result<Option<(ClientRecord, Option<String>)>, DataError> {
    // Such a name cannot be stored, so the database would refuse the question.
    if client_id.contains('\0') {
        return Ok(None);
    }
    let parameters = vec![Some(client_id.to_owned())];
    let rows = one_as_service(sql, Statement { text: FIND, parameters })
        .await
        .map_err(|error| explain_service(error, WHAT, RULES))?;
    rows.rows.into_iter().next().map(record).transpose()
}

/// Register the client, or replace what is registered under its name. `token_hash` is that of the token
/// by which it manages its registration, if it does: of such a client only the same token replaces
/// anything.
///
/// # Errors
/// [`DataError::Invalid`] for a record that the schema refuses, [`DataError::Conflict`] if the name is
/// another client's.
pub async fn register(
    sql: &impl Sql,
    client: &ClientRecord,
    token_hash: Option<&str>,
) -> Result<(), DataError> {
    let json =
        serde_json::to_string(client).map_err(|error| DataError::Internal(error.to_string()))?;
    let parameters = vec![Some(json), token_hash.map(str::to_owned)];
    let rows = one_as_service(sql, Statement { text: REGISTER, parameters })
        .await
        .map_err(|error| explain_service(error, WHAT, RULES))?;
    if rows.rows.is_empty() { Err(DataError::Conflict { what: WHAT }) } else { Ok(()) }
}

/// A client that registered itself is in use: it ends at `until` if it is not used again.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn used(sql: &impl Sql, client_id: &str, until: Millis) -> Result<(), DataError> {
    let parameters = vec![Some(client_id.to_owned()), Some(until.to_string())];
    one_as_service(sql, Statement { text: USED, parameters })
        .await
        .map(drop)
        .map_err(|error| explain_service(error, WHAT, RULES))
}

/// Delete the clients that registered themselves and that nobody has used for long, and those that
/// have taken their registration back. Says how many there were.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn expire(sql: &impl Sql) -> Result<u64, DataError> {
    let rows = one_as_service(sql, Statement { text: EXPIRE, parameters: Vec::new() })
        .await
        .map_err(|error| explain_service(error, WHAT, RULES))?;
    let [count] = columns(only_row(rows)?)?;
    required(count)?.parse().map_err(|_| DataError::Internal("no count".to_owned()))
}

fn record(row: Vec<Option<String>>) -> Result<(ClientRecord, Option<String>), DataError> {
    let [json, token_hash] = columns(row)?;
    let record = serde_json::from_slice(required(json)?.as_bytes())
        .map_err(|error| DataError::Internal(format!("client record: {error}")))?;
    Ok((record, token_hash))
}

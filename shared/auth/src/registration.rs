//! Clients that register themselves (RFC 7591) and manage that by the token they were given (RFC 7592).
//!
//! Whoever asks is registered, and gets what any stranger gets: the scopes and grants that a person must
//! agree to. What is counted is how often a network asks.

use data::clients::{self as table, ClientOrigin, ClientRecord};
use data::{DataError, NeonSql};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use ledger::{Answer, Budget, Command, Outcome};
use oauth::client_auth::AuthMethod;
use oauth::client_metadata::ClientMetadata;
use oauth::{ErrorCode, OAuthError, base64url, keys, scope};
use ports::route::REGISTER;
use ports::{Clock, Fetch, Kv, Ledgers, Random};
use serde_json::{Map, Value, json};

use crate::client_documents::record;
use crate::clients::{UNUSED, replace};
use crate::settings::ClientSettings;
use crate::{Failure, Settings, network};

/// What a client is told, and what is left of the limit.
pub struct Registered {
    /// RFC 7591 section 3.2.1.
    pub body: Value,
    /// The client's name, for the log.
    pub client_id: String,
    /// What is left of the limit.
    pub budget: Option<Budget>,
}

/// What a client asks of its registration, RFC 7592 section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manage<'a> {
    /// To see it.
    Read,
    /// To have this in its place.
    Change(&'a [u8]),
    /// To end it.
    Remove,
}

/// Why a registration is not managed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManageError {
    /// There is no such client, or the token is not its own: nobody is told which.
    #[error("the token is not that of a registered client")]
    Token,
    /// As everywhere.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Register a client: 1. read what it tells, 2. count its network, 3. draw its name and secrets, 4. store
/// it. The secrets are told this once.
///
/// # Errors
/// `invalid_redirect_uri` or `invalid_client_metadata`, [`Failure::Limited`], [`Failure::Unavailable`].
pub async fn register<P: Clock + Fetch + Ledgers + Random>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Registered, Failure> {
    let metadata = ClientMetadata::registration(json_of(headers, body)?)?;
    permitted(settings, &metadata)?;
    let budget = count(platform, settings, client, headers).await?;
    let now = platform.now();
    let mut record = record(format!("dyn-{}", name(platform)), metadata, ClientOrigin::Dynamic);
    record.expires_at = Some(now.saturating_add(UNUSED));
    let secret = method(&record).has_secret().then(|| secret(platform));
    record.secret_hashes = hashes(client, secret.as_deref());
    let token = secret_of(platform, "reg_");
    let hash = keys::hash_registration_token(&client.client_secret_key, &token);
    table::register(&database(platform, settings), &record, Some(&hash)).await?;
    let mut told = told(settings, &record, secret.as_deref(), &token);
    told.insert("client_id_issued_at".to_owned(), (now / 1000).into());
    Ok(Registered { body: told.into(), client_id: record.client_id, budget })
}

/// Manage a registration by its token; what the client is told of it, if there is anything. A change is
/// heard of everywhere within a minute; the tokens of one that was removed end as soon as that.
///
/// # Errors
/// See [`ManageError`].
pub async fn manage<P: Clock + Fetch + Kv + Random>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    headers: &HeaderMap,
    client_id: &str,
    asked: Manage<'_>,
) -> Result<Option<Value>, ManageError> {
    let token = bearer(headers).ok_or(ManageError::Token)?;
    let hash = keys::hash_registration_token(&client.client_secret_key, token);
    let known = own(platform, settings, client, headers, client_id, &hash).await?;
    let (mut new, mut new_secret) = (known.clone(), None);
    match asked {
        Manage::Read => return Ok(Some(told(settings, &known, None, token).into())),
        Manage::Remove => (new.disabled, new.expires_at) = (true, Some(platform.now())),
        Manage::Change(body) => {
            let body = json_of(headers, body).map_err(Failure::from)?;
            let metadata = ClientMetadata::change(body, client_id).map_err(Failure::from)?;
            permitted(settings, &metadata)?;
            new = record(known.client_id, metadata, ClientOrigin::Dynamic);
            new.expires_at = Some(platform.now().saturating_add(UNUSED));
            new.secret_hashes = known.secret_hashes;
            if !method(&new).has_secret() {
                new.secret_hashes.clear();
            } else if new.secret_hashes.is_empty() {
                new_secret = Some(secret(platform));
                new.secret_hashes = hashes(client, new_secret.as_deref());
            }
        }
    }
    match table::register(&database(platform, settings), &new, Some(&hash)).await {
        // Somebody else was faster, and removed it.
        Err(DataError::Conflict { .. }) => return Err(ManageError::Token),
        other => other.map_err(Failure::from)?,
    }
    replace(platform, &settings.sql, &new).await;
    Ok((!new.disabled).then(|| told(settings, &new, new_secret.as_deref(), token).into()))
}

/// The registration that a token is of. Whoever guesses is slowed down.
async fn own<P: Clock + Fetch>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    headers: &HeaderMap,
    client_id: &str,
    hash: &str,
) -> Result<ClientRecord, ManageError> {
    let network = network::of(headers, client.proxy_header.as_ref());
    let (network, now) = (network.as_deref(), platform.now());
    let admitted = client.failures.borrow().admit(client_id, network, now);
    admitted.map_err(|until| Failure::Backoff { until })?;
    let found = table::find_registration(&database(platform, settings), client_id).await;
    let (record, known) = match found.map_err(Failure::from)? {
        Some((record, Some(known))) => (Some(record), known),
        _ => (None, String::new()),
    };
    let alive =
        |record: &ClientRecord| !record.disabled && record.expires_at.is_some_and(|end| end > now);
    let record = record.filter(alive).filter(|_| keys::equal(&known, hash));
    if record.is_none() {
        client.failures.borrow_mut().failed(client_id, network, now);
    }
    record.ok_or(ManageError::Token)
}

/// Count a registration of a network. One that is not known counts as one.
async fn count(
    platform: &impl Ledgers,
    settings: &Settings,
    client: &ClientSettings,
    headers: &HeaderMap,
) -> Result<Option<Budget>, Failure> {
    let network = network::of(headers, client.proxy_header.as_ref());
    let address = settings.network_ledger(network.as_deref().unwrap_or_default());
    let Answer { outcome, budget } =
        platform.ask(&address, &settings.envelope(Command::Register)).await?;
    match outcome {
        Outcome::Consumed => Ok(budget),
        Outcome::Limited(budget) => Err(Failure::Limited { budget }),
        other => Err(Failure::unexpected(&other)),
    }
}

/// A body that says that it is JSON.
fn json_of<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<&'b [u8], OAuthError> {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media.and_then(|media| media.split(';').next()).unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(body);
    }
    let description = "the content type must be application/json";
    Err(OAuthError::new(ErrorCode::InvalidClientMetadata, description))
}

/// Whether its keys are where they may be asked for.
fn permitted(settings: &Settings, metadata: &ClientMetadata) -> Result<(), Failure> {
    match &metadata.jwks_uri {
        Some(url) if !settings.sql.remote.permits(url) => {
            let description = "jwks_uri must be an https URL of the open internet";
            Err(OAuthError::new(ErrorCode::InvalidClientMetadata, description).into())
        }
        _ => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"))
}

/// What of a registration is told, RFC 7591 section 3.2.1. What is absent is left out: clients in use
/// take null for a mistake.
fn told(
    settings: &Settings,
    record: &ClientRecord,
    secret: Option<&str>,
    token: &str,
) -> Map<String, Value> {
    let id = &record.client_id;
    let all = json!({
        "client_id": id,
        "client_secret": secret,
        // It ends with the registration, which ends only if nobody uses it.
        "client_secret_expires_at": method(record).has_secret().then_some(0),
        "registration_access_token": token,
        "registration_client_uri": format!("{}{REGISTER}/{id}", settings.issuer),
        "redirect_uris": record.redirect_uris,
        "token_endpoint_auth_method": record.auth_method,
        "grant_types": record.grant_types,
        "response_types": ["code"],
        "client_name": record.name,
        "client_uri": record.client_uri,
        "logo_uri": record.logo_uri,
        "scope": scope::join(&record.scopes),
        "jwks": record.jwks,
        "jwks_uri": record.jwks_uri,
        "software_id": record.software_id,
        "dpop_bound_access_tokens": record.dpop_bound,
    });
    let Value::Object(mut all) = all else { return Map::new() };
    all.retain(|_, value| !value.is_null());
    all
}

fn method(record: &ClientRecord) -> AuthMethod {
    record.auth_method.as_deref().and_then(AuthMethod::parse).unwrap_or(AuthMethod::None)
}

fn database<'p, P: Fetch>(platform: &'p P, settings: &Settings) -> NeonSql<'p, P> {
    NeonSql::new(platform, settings.sql.url.clone(), settings.sql.connection_string.clone())
}

fn hashes(client: &ClientSettings, secret: Option<&str>) -> Vec<String> {
    let hash = |secret| keys::hash_client_secret(&client.client_secret_key, secret);
    secret.map(hash).into_iter().collect()
}

fn name(random: &impl Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    ledger::OnceId::from_bytes(bytes).to_string()
}

fn secret(random: &impl Random) -> String {
    secret_of(random, "cs_")
}

/// 256 random bits, recognisable by those who look for secrets where none should be.
fn secret_of(random: &impl Random, prefix: &str) -> String {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    format!("{prefix}{}", base64url(&bytes))
}

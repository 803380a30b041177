//! Who the client is: its record, from the cache or the database, and its proof.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use data::clients::{ClientKind, ClientRecord};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use oauth::client_auth::credentials;
use oauth::form::Form;
use oauth::keys;
use ports::{Clock, Fetch, Kv, Millis};
use serde::{Deserialize, Serialize};

use crate::settings::{ClientSettings, SqlSettings};
use crate::{Failure, network};

/// For this long a cached record is as good as the database's. A client that is disabled or whose
/// secret is withdrawn is refused after at most this time (plus the cache's own propagation).
const FRESH: Millis = 60_000;
/// For this long a cached record serves while the database is away.
const STALE: Millis = 24 * 60 * 60 * 1000;
/// How long the database may take while there is a stale record.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longer ids are nobody's.
const MAX_ID: usize = 200;

/// An instance remembers at most so many clients.
const MAX_KNOWN: usize = 256;

/// The fresh records that an instance has seen, so that it asks the cache once a minute for a client
/// and not once a request.
#[derive(Default)]
pub struct Known(RefCell<BTreeMap<String, Cached>>);

/// What the database said of a client, and when. A client that is gone leaves `None` behind, so that
/// its old record cannot come back while the database is away.
#[derive(Clone, Serialize, Deserialize)]
struct Cached {
    as_of: Millis,
    record: Option<ClientRecord>,
}

/// Authenticate the client of a request: `client_secret_basic`, `client_secret_post`, or by
/// `client_id` alone for public clients. RFC 6749 section 2.3.
///
/// # Errors
/// [`Failure::Client`] if it is unknown, disabled or its proof is wrong or missing,
/// [`Failure::Backoff`] if it, or somebody else in its network, has been wrong too often.
pub async fn authenticate<P: Clock + Fetch + Kv>(
    platform: &P,
    sql: &SqlSettings,
    settings: &ClientSettings,
    headers: &HeaderMap,
    form: &Form,
) -> Result<ClientRecord, Failure> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = authorization.is_some();
    let refuse = |reason| Failure::Client { basic, reason };
    let presented = credentials(authorization, form)
        .map_err(|error| match error.code {
            oauth::ErrorCode::InvalidClient => refuse("unreadable credentials"),
            _ => error.into(),
        })?
        .ok_or(refuse("no credentials"))?;
    let network = network::of(headers, settings.proxy_header.as_ref());
    let (id, network) = (presented.client_id.as_str(), network.as_deref());
    let admitted = settings.failures.borrow().admit(id, network, platform.now());
    admitted.map_err(|until| Failure::Backoff { until })?;
    let record = find(platform, sql, id).await?;
    let record = record.filter(|r| !r.disabled).ok_or(refuse("unknown or disabled client"))?;
    match (record.kind, presented.secret) {
        (ClientKind::Public, None) => Ok(record),
        (ClientKind::Public, Some(_)) => Err(refuse("a public client has no secret")),
        (ClientKind::Confidential, None) => Err(refuse("the secret is missing")),
        (ClientKind::Confidential, Some(secret)) => {
            let hash = keys::hash_client_secret(&settings.client_secret_key, &secret);
            // All are compared, so that time does not tell which one matched.
            let matches = record.secret_hashes.iter().filter(|h| keys::equal(h, &hash)).count();
            let mut failures = settings.failures.borrow_mut();
            if matches > 0 {
                failures.succeeded(id, network);
                return Ok(record);
            }
            failures.failed(id, network, platform.now());
            Err(refuse("wrong secret"))
        }
    }
}

/// A client's record: from memory or the cache while it is fresh, else from the database, else, when
/// the database is away, from the cache for up to a day.
///
/// # Errors
/// [`Failure::Unavailable`] if neither answers.
pub async fn find<P: Clock + Fetch + Kv>(
    platform: &P,
    sql: &SqlSettings,
    client_id: &str,
) -> Result<Option<ClientRecord>, Failure> {
    if client_id.len() > MAX_ID || !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(None);
    }
    if let Some(known) = sql.clients.get(client_id, platform.now()) {
        return Ok(known);
    }
    let key = format!("client/{client_id}");
    let cached = cached(platform, &key).await;
    if let Some(hit) = cached.as_ref().filter(|cached| cached.age(platform.now()) < FRESH) {
        sql.clients.put(client_id, hit.clone());
        return Ok(hit.record.clone());
    }
    // With a record to fall back on, a database that hangs must not hold up every request.
    let patience = if cached.is_some() { PATIENCE } else { data::DEFAULT_TIMEOUT };
    let database = data::NeonSql::new(platform, sql.url.clone(), sql.connection_string.clone())
        .with_timeout(patience);
    match data::clients::find(&database, client_id).await {
        Ok(record) => {
            // Names that never were anybody's are not kept: there is no end to them.
            if record.is_some() || cached.is_some() {
                let cached = Cached { as_of: platform.now(), record: record.clone() };
                remember(platform, &key, &cached).await;
                sql.clients.put(client_id, cached);
            }
            Ok(record)
        }
        Err(error) => match cached.filter(|cached| cached.age(platform.now()) < STALE) {
            Some(stale) => Ok(stale.record),
            None => Err(error.into()),
        },
    }
}

async fn cached(platform: &impl Kv, key: &str) -> Option<Cached> {
    let bytes = platform.get(key).await.ok()??;
    serde_json::from_slice(&bytes).ok()
}

/// A cache that cannot be written costs time, not correctness, so its error is dropped.
async fn remember(platform: &impl Kv, key: &str, cached: &Cached) {
    if let Ok(bytes) = serde_json::to_vec(cached) {
        let _ = platform.put(key, &bytes, Duration::from_millis(STALE)).await;
    }
}

impl Cached {
    const fn age(&self, now: Millis) -> Millis {
        now.saturating_sub(self.as_of)
    }
}

impl Known {
    /// What is known of a client and still fresh.
    fn get(&self, client_id: &str, now: Millis) -> Option<Option<ClientRecord>> {
        let known = self.0.borrow();
        let cached = known.get(client_id).filter(|cached| cached.age(now) < FRESH)?;
        Some(cached.record.clone())
    }

    fn put(&self, client_id: &str, cached: Cached) {
        let mut known = self.0.borrow_mut();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(client_id.to_owned(), cached);
    }
}

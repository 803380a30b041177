//! Who the client is: its record, from the cache or the database, and its proof.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use data::clients::{ClientKind, ClientOrigin, ClientRecord};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use oauth::client_auth::{AuthMethod, credentials};
use oauth::form::Form;
use oauth::keys;
use ports::{Clock, Fetch, Kv, Ledgers, Millis, Signatures, Sql};
use serde::{Deserialize, Serialize};

use crate::freshness::DAY;
use crate::settings::{ClientSettings, SqlSettings};
use crate::{Failure, Settings, client_documents, client_proof, network};

/// A registration that a client made by itself ends when nobody has asked for it for so long.
pub const UNUSED: Millis = 90 * DAY;

/// For this long a cached record is as good as the database's. A client that is disabled or whose
/// secret is withdrawn is refused after at most this time (plus the cache's own propagation).
const FRESH: Millis = 60_000;
/// For this long a cached record serves while the database is away.
const STALE: Millis = DAY;
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

/// Authenticate the client of a request, by the one method that it is registered for:
/// `client_secret_basic`, `client_secret_post`, `private_key_jwt`, or its name alone if it is public.
/// RFC 6749 section 2.3, RFC 7523 section 2.2.
///
/// # Errors
/// [`Failure::Client`] if it is unknown, disabled or its proof is wrong, missing or another than it is
/// registered for, [`Failure::Backoff`] if it, or somebody else in its network, has been wrong too often.
pub async fn authenticate<P: Clock + Fetch + Kv + Ledgers + Signatures>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
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
    let network = network::of(headers, client.proxy_header.as_ref());
    let (id, network) = (presented.client_id.as_str(), network.as_deref());
    let admitted = client.failures.borrow().admit(id, network, platform.now());
    admitted.map_err(|until| Failure::Backoff { until })?;
    let record = find(platform, &settings.sql, id).await?;
    let record = record.filter(|r| !r.disabled).ok_or(refuse("unknown or disabled client"))?;
    if !may_use(&record, presented.method) {
        return Err(refuse("not the method that the client is registered for"));
    }
    let proved = match presented.method {
        AuthMethod::None => return Ok(record),
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => {
            has_secret(&record, client, &presented.proof).then_some(()).ok_or("wrong secret")
        }
        AuthMethod::PrivateKeyJwt => {
            client_proof::check(platform, settings, &record, &presented.proof).await?
        }
    };
    let mut failures = client.failures.borrow_mut();
    match proved {
        Ok(()) => failures.succeeded(id, network),
        Err(_) => failures.failed(id, network, platform.now()),
    }
    proved.map(|()| record.clone()).map_err(refuse)
}

/// Whether a client is registered for a method: whoever can choose the weakest one needs no other.
fn may_use(record: &ClientRecord, method: AuthMethod) -> bool {
    match (&record.auth_method, record.kind) {
        (Some(registered), _) => registered == method.as_str(),
        (None, ClientKind::Public) => method == AuthMethod::None,
        (None, ClientKind::Confidential) => method.has_secret(),
    }
}

fn has_secret(record: &ClientRecord, client: &ClientSettings, secret: &str) -> bool {
    let hash = keys::hash_client_secret(&client.client_secret_key, secret);
    // All are compared, so that time does not tell which one matched.
    record.secret_hashes.iter().filter(|known| keys::equal(known, &hash)).count() > 0
}

/// A client's record: from memory or the cache while it is fresh, else from the database or, if the id
/// is an address, from the document there, else, when those are away, from the cache for up to a day.
/// `None` for one that is over, too.
///
/// # Errors
/// [`Failure::Unavailable`] if neither answers.
pub async fn find<P: Clock + Fetch + Kv>(
    platform: &P,
    sql: &SqlSettings,
    client_id: &str,
) -> Result<Option<ClientRecord>, Failure> {
    if !sql.remote.is_document(client_id) {
        return registered(platform, sql, client_id).await;
    }
    if let Some(known) = sql.clients.get(client_id, platform.now()) {
        return Ok(known);
    }
    let record = client_documents::find(platform, &sql.remote, client_id).await?;
    sql.clients.put(client_id, Cached { as_of: platform.now(), record: record.clone() });
    Ok(record)
}

/// The same for those alone that the database knows.
///
/// # Errors
/// [`Failure::Unavailable`] if neither it nor the cache answers.
pub async fn registered<P: Clock + Fetch + Kv>(
    platform: &P,
    sql: &SqlSettings,
    client_id: &str,
) -> Result<Option<ClientRecord>, Failure> {
    let stranger = sql.remote.is_document(client_id);
    if stranger
        || client_id.len() > MAX_ID
        || !client_id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Ok(None);
    }
    let record = match sql.clients.get(client_id, platform.now()) {
        Some(known) => known,
        None => look_up(platform, sql, client_id).await?,
    };
    let now = platform.now();
    Ok(record.filter(|record| record.expires_at.is_none_or(|end| end > now)))
}

async fn look_up<P: Clock + Fetch + Kv>(
    platform: &P,
    sql: &SqlSettings,
    client_id: &str,
) -> Result<Option<ClientRecord>, Failure> {
    let key = key(client_id);
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
        Ok(mut record) => {
            if let Some(record) = record.as_mut() {
                keep(&database, record, platform.now()).await;
            }
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

/// A client that registered itself is asked for: it goes on. That is written once a day at most, and if
/// it is not, then the next time.
async fn keep(database: &impl Sql, record: &mut ClientRecord, now: Millis) {
    let end = now.saturating_add(UNUSED);
    let due = record.expires_at.is_some_and(|known| known > now && known < end - DAY);
    if record.origin == ClientOrigin::Dynamic
        && due
        && data::clients::used(database, &record.client_id, end).await.is_ok()
    {
        record.expires_at = Some(end);
    }
}

/// A client has changed: whoever asks the cache hears of it now and not in a minute.
pub(crate) async fn replace(
    platform: &(impl Clock + Kv),
    sql: &SqlSettings,
    record: &ClientRecord,
) {
    let cached = Cached { as_of: platform.now(), record: Some(record.clone()) };
    remember(platform, &key(&record.client_id), &cached).await;
    sql.clients.put(&record.client_id, cached);
}

fn key(client_id: &str) -> String {
    format!("client/{client_id}")
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

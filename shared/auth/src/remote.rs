//! What strangers name and we fetch: documents and keys of clients.
//!
//! Whoever makes up addresses must neither reach what only we can reach, nor turn us against somebody
//! else. So only hosts of the open internet are asked, by TLS, which a host of a private network has no
//! certificate for; redirects are not followed; answers are short and come soon, or not at all; and an
//! instance asks only so often.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{StatusCode, Uri};
use oauth::resource::Site;
use ports::hosts::{is_loopback, is_public_name};
use ports::{AtMost, Clock, Config, ConfigError, Fetch, FetchError, Kv, Millis};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Failure;
use crate::freshness::{DAY, MINUTE, fresh_for};

/// Whoever does not answer by then is away.
const TIMEOUT: Duration = Duration::from_secs(5);
/// For so long after what is known was fresh it serves while the host is away.
const STALE: Millis = DAY;
/// A host that did not answer, or nothing of use, is not asked for the same again before.
const PAUSE: Millis = MINUTE;
/// So often an instance asks strangers in a minute, …
const PER_MINUTE: u32 = 60;
/// … and the same one.
const PER_HOST: u32 = 10;
/// Longer addresses are nobody's: platforms have no names for the cache of more than 512 bytes.
const MAX_URL: usize = 480;
/// Longer names of clients are none.
const MAX_ID: usize = 256;

/// Whom we ask, and how often we have.
pub struct Remote {
    /// Our own origin: nobody makes us ask ourselves.
    own: String,
    exempt: Vec<String>,
    spent: RefCell<Spent>,
}

#[derive(Default)]
struct Spent {
    minute: Millis,
    all: u32,
    hosts: BTreeMap<String, u32>,
}

/// What is fetched.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Before its names in the cache.
    pub(crate) prefix: &'static str,
    /// It is no longer, in bytes.
    pub(crate) longest: usize,
    /// What to keep of an answer from that address; `None` if it is none of the kind.
    pub(crate) read: fn(&[u8], &str) -> Option<Value>,
}

/// What was fetched.
#[derive(Default, Serialize, Deserialize)]
struct Cached {
    as_of: Millis,
    fresh_until: Millis,
    tried_at: Millis,
    value: Option<Value>,
}

/// Why there is nothing.
enum Unfetched {
    /// The host says so, or something that is none of the kind.
    Gone,
    /// It cannot be told.
    Away(String),
}

impl Remote {
    /// From `CLIENT_METADATA_HOSTS`: origins that may be asked whatever they are, for development on
    /// one's own machine.
    ///
    /// # Errors
    /// If it is no list of origins, or there is one though strangers reach the deployment.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let setting = "CLIENT_METADATA_HOSTS";
        let problem = "must be a comma-separated list of origins, such as http://127.0.0.1:4000";
        let listed = config.get(setting).unwrap_or_default();
        let listed = listed.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let exempt = listed.map(|entry| {
            let origin = Site::parse(entry).map(|site| site.origin());
            origin.filter(|origin| origin == entry).ok_or(ConfigError { setting, problem })
        });
        let exempt = exempt.collect::<Result<Vec<_>, _>>()?;
        let own = config.get("PUBLIC_URL").unwrap_or_default();
        let public = |own: Uri| !own.host().is_some_and(is_loopback);
        if !exempt.is_empty() && own.parse().is_ok_and(public) {
            let problem = "is for a deployment on one's own machine only";
            return Err(ConfigError { setting, problem });
        }
        Ok(Self { own, exempt, spent: RefCell::default() })
    }

    /// Whether a client's name says that it is the address of its document.
    pub fn is_document(&self, client_id: &str) -> bool {
        client_id.starts_with("https://") || self.is_exempt(client_id)
    }

    /// Whether it may be one: an address that may be asked, with a path that means one thing only.
    /// Section 3 of draft-ietf-oauth-client-id-metadata-document.
    pub fn may_be_document(&self, client_id: &str) -> bool {
        let path = client_id.split('?').next().unwrap_or_default();
        let path = path.splitn(4, '/').nth(3).unwrap_or_default().to_ascii_lowercase();
        let hidden = ["%2e", "%2f", "%5c"].into_iter().any(|code| path.contains(code));
        let dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
        client_id.len() <= MAX_ID && !path.is_empty() && !hidden && !dots && self.permits(client_id)
    }

    /// Whether an address may be asked: https, a name of the open internet and not ours, the usual port,
    /// no user information, no fragment.
    pub fn permits(&self, url: &str) -> bool {
        let letter = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
        if url.len() > MAX_URL || !url.bytes().all(letter) {
            return false;
        }
        if self.is_exempt(url) {
            return true;
        }
        let (Ok(uri), Some(site)) = (url.parse::<Uri>(), Site::parse(url)) else { return false };
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        url.starts_with("https://")
            && is_public_name(&host)
            && !host.ends_with('.')
            && site.origin() == format!("https://{host}")
            && site.origin() != self.own
    }

    fn is_exempt(&self, url: &str) -> bool {
        !self.exempt.is_empty()
            && Site::parse(url).is_some_and(|site| self.exempt.contains(&site.origin()))
    }

    /// Take one from what may be asked in a minute. One's own machine may be asked without end.
    fn spend(&self, url: &str, now: Millis) -> bool {
        if self.is_exempt(url) {
            return true;
        }
        let host = Site::parse(url).map(|site| site.origin()).unwrap_or_default();
        let mut spent = self.spent.borrow_mut();
        if spent.minute != now / MINUTE {
            *spent = Spent { minute: now / MINUTE, ..Spent::default() };
        }
        if spent.all >= PER_MINUTE || spent.hosts.get(&host).is_some_and(|asked| *asked >= PER_HOST)
        {
            return false;
        }
        spent.all += 1;
        *spent.hosts.entry(host).or_default() += 1;
        true
    }
}

/// What is at an address, from the cache while it is fresh and no older than `oldest`, else from its host,
/// else, while that is away, from the cache for a day more. `None` if there is nothing of the kind.
///
/// Of what is refused only that it was asked for is kept, for a minute: the draft forbids to cache an
/// error, and whoever makes up addresses must not make us ask again and again.
///
/// # Errors
/// [`Failure::Unavailable`] if the host is away and nothing is known, or too much is asked.
pub(crate) async fn get<P: Clock + Fetch + Kv>(
    platform: &P,
    remote: &Remote,
    kind: Kind,
    url: &str,
    oldest: Millis,
) -> Result<Option<Value>, Failure> {
    if !remote.permits(url) {
        return Ok(None);
    }
    let key = format!("{}/{url}", kind.prefix);
    let mut cached = cached(platform, &key).await;
    let now = platform.now();
    if cached.is_fresh(now, oldest) {
        return Ok(cached.value);
    }
    if now.saturating_sub(cached.tried_at) < PAUSE {
        return cached.stale(now, "asked a moment ago");
    }
    if !remote.spend(url, now) {
        return cached.stale(now, "too much is asked for");
    }
    let fetched = fetch(platform, url, kind).await;
    let now = platform.now();
    let outcome = match fetched {
        Ok((value, fresh_for)) => {
            cached = Cached::new(Some(value), fresh_for, now);
            Ok(cached.value.clone())
        }
        Err(Unfetched::Gone) => {
            cached = Cached::new(None, PAUSE, now);
            Ok(None)
        }
        Err(Unfetched::Away(cause)) => {
            cached.tried_at = now;
            cached.stale(now, &cause)
        }
    };
    remember(platform, &key, &cached, now).await;
    outcome
}

async fn fetch(
    platform: &(impl Clock + Fetch),
    url: &str,
    kind: Kind,
) -> Result<(Value, Millis), Unfetched> {
    let mut request = http::Request::get(url)
        .header(ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| Unfetched::Gone)?;
    request.extensions_mut().insert(AtMost(kind.longest));
    let response = match platform.fetch(request, TIMEOUT).await {
        Ok(response) => response,
        Err(FetchError::TooLong(_)) => return Err(Unfetched::Gone),
        Err(error) => return Err(Unfetched::Away(error.to_string())),
    };
    let status = response.status();
    let refuses = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
    // Wherever a redirect leads, that is another address, and another client's.
    if status.is_redirection() || status.is_success() && status != StatusCode::OK || refuses {
        return Err(Unfetched::Gone);
    }
    if status != StatusCode::OK {
        return Err(Unfetched::Away(format!("status {}", status.as_u16())));
    }
    let media = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if response.body().len() > kind.longest || !media.is_some_and(is_json) {
        return Err(Unfetched::Gone);
    }
    let value = (kind.read)(response.body(), url).ok_or(Unfetched::Gone)?;
    Ok((value, fresh_for(response.headers(), platform.now())))
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn cached(platform: &impl Kv, key: &str) -> Cached {
    match platform.get(key).await {
        Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_default(),
        _ => Cached::default(),
    }
}

/// A cache that cannot be written costs time, not correctness, so its error is dropped.
async fn remember(platform: &impl Kv, key: &str, cached: &Cached, now: Millis) {
    let left = cached.fresh_until.saturating_sub(now);
    let ttl = if cached.value.is_some() { left.saturating_add(STALE) } else { PAUSE };
    if let Ok(bytes) = serde_json::to_vec(cached) {
        let _ = platform.put(key, &bytes, Duration::from_millis(ttl)).await;
    }
}

impl Cached {
    const fn new(value: Option<Value>, fresh_for: Millis, now: Millis) -> Self {
        Self { as_of: now, fresh_until: now.saturating_add(fresh_for), tried_at: 0, value }
    }

    /// Nothing is fresh for longer than a day, whatever the cache says.
    fn is_fresh(&self, now: Millis, oldest: Millis) -> bool {
        now < self.fresh_until
            && self.fresh_until <= now.saturating_add(DAY)
            && now.saturating_sub(self.as_of) < oldest
    }

    fn stale(&self, now: Millis, cause: &str) -> Result<Option<Value>, Failure> {
        let serves = now < self.fresh_until.saturating_add(STALE)
            && self.fresh_until <= now.saturating_add(DAY);
        match &self.value {
            Some(value) if serves => Ok(Some(value.clone())),
            _ => Err(Failure::Unavailable(format!("a client's host: {cause}"))),
        }
    }
}

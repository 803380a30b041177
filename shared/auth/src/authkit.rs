//! AuthKit: whether an access token of the identity provider is in force, and whom it speaks of.

use std::time::Duration;

use oauth::ErrorCode;
use oauth::access_token::Audience;
use oauth::jwk::KeySet;
use oauth::jws::Jws;
use ports::{Clock, Fetch, Kv, Millis, PublicKey, Signatures};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::settings::WorkosSettings;

/// A key set is asked for again when it is older than this.
const FRESH: Millis = 10 * 60 * 1000;
/// For this long it serves while the provider is away.
const STALE: Millis = 24 * 60 * 60 * 1000;
/// A provider that answers is asked no more often than this: tokens with made-up keys must not turn
/// us against it.
const ASK_AT_MOST_EVERY: Millis = 5_000;
/// One that does not answer is left alone for this long, so that requests do not wait for it one after
/// the other.
const PAUSE: Millis = 1_000;
/// The provider's clock may differ from ours by this much.
const LEEWAY: Millis = 60_000;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Whom an AuthKit access token speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The person.
    pub user: String,
    /// The sign-in.
    pub session: String,
    /// The organization chosen at sign-in.
    pub organization: Option<String>,
    /// The role in it.
    pub role: Option<String>,
    /// When the token was issued.
    pub issued_at: Millis,
    /// When it expires.
    pub expires_at: Millis,
}

impl Identity {
    /// The sign-in as sessions name it.
    pub fn external_id(&self) -> String {
        external_id(&self.session)
    }
}

/// A sign-in as sessions name it.
pub fn external_id(session: &str) -> String {
    format!("workos:{session}")
}

#[derive(Deserialize)]
struct Claims {
    iat: u64,
    exp: u64,
    iss: String,
    sub: String,
    sid: String,
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    org_id: Option<String>,
    #[serde(default)]
    role: Option<String>,
}

/// The provider's key set, when it said so, and when it was last asked.
#[derive(Default, Serialize, Deserialize)]
struct Cached {
    as_of: Millis,
    tried_at: Millis,
    keys: Vec<serde_json::Value>,
}

/// Verify an AuthKit access token: RS256 by a key of the provider, its issuer, our client, its
/// expiry.
///
/// # Errors
/// `invalid_request` (RFC 8693 section 2.2.2) if it is not in force, [`Failure::Unavailable`] if
/// the provider's keys cannot be had.
pub async fn verify<P: Clock + Signatures + Fetch + Kv>(
    platform: &P,
    workos: &WorkosSettings,
    text: &str,
) -> Result<Identity, Failure> {
    let token = Jws::parse(text).ok_or(refuse("malformed"))?;
    if token.header.alg != "RS256" {
        return Err(refuse("wrong algorithm"));
    }
    let kid = token.header.kid.as_deref().ok_or(refuse("no key id"))?;
    let key = find_key(platform, workos, kid).await?;
    // Another kind of key under this name would make RS256 mean something else.
    let key =
        key.filter(|key| matches!(key, PublicKey::Rsa { .. })).ok_or(refuse("unknown key"))?;
    if !platform.verify(&key, token.signing_input.as_bytes(), &token.signature).await? {
        return Err(refuse("bad signature"));
    }
    identity(workos, &token, platform.now())
}

/// Read an AuthKit access token that came in the answer to our own request: TLS tells who it is
/// from, as OpenID Connect Core section 3.1.3.7 (6) has it, so no key is needed. All else is checked.
///
/// # Errors
/// `invalid_request` if it is not in force for us.
pub(crate) fn received(
    workos: &WorkosSettings,
    text: &str,
    now: Millis,
) -> Result<Identity, Failure> {
    identity(workos, &Jws::parse(text).ok_or(refuse("malformed"))?, now)
}

fn identity(workos: &WorkosSettings, token: &Jws<'_>, now: Millis) -> Result<Identity, Failure> {
    let claims: Claims = serde_json::from_slice(&token.payload)
        .map_err(|_| refuse("claims missing or malformed"))?;
    let (issued_at, expires_at) =
        (claims.iat.saturating_mul(1000), claims.exp.saturating_mul(1000));
    if expires_at.saturating_add(LEEWAY) <= now || issued_at > now.saturating_add(LEEWAY) {
        return Err(refuse("expired or not yet valid"));
    }
    if claims.iss != workos.issuer {
        return Err(refuse("wrong issuer"));
    }
    let ours = &workos.client_id;
    let for_us = claims.client_id.as_ref() == Some(ours)
        || claims.aud.is_some_and(|audience| audience.contains(ours));
    if !for_us {
        return Err(refuse("another client's token"));
    }
    if claims.sub.is_empty() || claims.sid.is_empty() {
        return Err(refuse("no subject or session"));
    }
    Ok(Identity {
        user: claims.sub,
        session: claims.sid,
        organization: claims.org_id,
        role: claims.role,
        issued_at,
        expires_at,
    })
}

async fn find_key<P: Clock + Fetch + Kv>(
    platform: &P,
    workos: &WorkosSettings,
    kid: &str,
) -> Result<Option<PublicKey>, Failure> {
    let url = workos.jwks_url();
    let name = format!("jwks/{url}");
    let mut cached: Cached = match platform.get(&name).await {
        Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_default(),
        _ => Cached::default(),
    };
    if let Some(answer) = cached.answer(kid, platform.now()) {
        return answer;
    }
    let fetched = fetch(platform, &url).await;
    // After the wait, which may have been longer than the pause.
    cached.tried_at = platform.now();
    let failure = match fetched {
        Ok(keys) => {
            (cached.as_of, cached.keys) = (cached.tried_at, keys);
            None
        }
        Err(failure) => Some(failure),
    };
    // A cache that cannot be written costs time, not correctness.
    if let Ok(bytes) = serde_json::to_vec(&cached) {
        let _ = platform.put(&name, &bytes, Duration::from_millis(STALE)).await;
    }
    match (failure, cached.stale(kid, cached.tried_at)) {
        (None, _) => Ok(cached.key(kid)),
        (Some(_), Some(key)) => Ok(Some(key)),
        (Some(failure), None) => Err(failure),
    }
}

async fn fetch(platform: &impl Fetch, url: &str) -> Result<Vec<serde_json::Value>, Failure> {
    let request = http::Request::get(url)
        .header(http::header::ACCEPT, "application/json")
        .body(bytes::Bytes::new())
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let response =
        platform.fetch(request, TIMEOUT).await.map_err(|error| away(&error.to_string()))?;
    if !response.status().is_success() {
        return Err(away(&format!("status {}", response.status().as_u16())));
    }
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<serde_json::Value>,
    }
    let document: Document =
        serde_json::from_slice(response.body()).map_err(|_| away("no key set"))?;
    Ok(document.keys)
}

impl Cached {
    /// What can be said of a key without asking the provider; `None` if it must be asked.
    fn answer(&self, kid: &str, now: Millis) -> Option<Result<Option<PublicKey>, Failure>> {
        if let Some(key) = self.key(kid).filter(|_| now.saturating_sub(self.as_of) < FRESH) {
            return Some(Ok(Some(key)));
        }
        let answered = self.as_of == self.tried_at;
        let enough = if answered { ASK_AT_MOST_EVERY } else { PAUSE };
        if now.saturating_sub(self.tried_at) >= enough {
            return None;
        }
        Some(match self.stale(kid, now) {
            Some(key) => Ok(Some(key)),
            None if answered => Ok(None),
            None => Err(away("asked a moment ago")),
        })
    }

    /// Only a key that is known may be served stale: of an unknown one nothing can be said.
    fn stale(&self, kid: &str, now: Millis) -> Option<PublicKey> {
        self.key(kid).filter(|_| now.saturating_sub(self.as_of) < STALE)
    }

    fn key(&self, kid: &str) -> Option<PublicKey> {
        let set = serde_json::to_vec(&serde_json::json!({ "keys": self.keys })).ok()?;
        KeySet::parse(&set).ok()?.get(kid).cloned()
    }
}

fn away(cause: &str) -> Failure {
    Failure::Unavailable(format!("identity provider's keys: {cause}"))
}

const fn refuse(reason: &'static str) -> Failure {
    Failure::refused(ErrorCode::InvalidRequest, "the subject token is not valid", reason)
}

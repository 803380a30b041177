//! AuthKit: whether an access token of the identity provider is in force, and whom it speaks of.

use std::time::Duration;

use jwt_compact::alg::{Rsa, RsaPublicKey};
use jwt_compact::jwk::JsonWebKey;
use jwt_compact::{AlgorithmExt as _, UntrustedToken};
use oauth::ErrorCode;
use ports::{Clock, Fetch, Kv, Millis};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::settings::WorkosSettings;

/// A key set is asked for again when it is older than this.
const FRESH: Millis = 10 * 60 * 1000;
/// For this long it serves while the provider is away.
const STALE: Millis = 24 * 60 * 60 * 1000;
/// An unknown key has the set fetched again, but no more often than this: tokens with made-up
/// keys must not turn us against the provider.
const REFETCH_AT_MOST_EVERY: Millis = 5_000;
/// The provider's clock may differ from ours by this much.
const LEEWAY: Millis = 60_000;
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_LENGTH: usize = 16 * 1024;

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
}

#[derive(Clone, Deserialize)]
struct Custom {
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

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The provider's key set with the time at which it said so.
#[derive(Serialize, Deserialize)]
struct KeySet {
    as_of: Millis,
    keys: Vec<serde_json::Value>,
}

/// Verify an AuthKit access token: RS256 by a key of the provider, its issuer, our client, its
/// expiry.
///
/// # Errors
/// `invalid_request` (RFC 8693 section 2.2.2) if it is not in force, [`Failure::Unavailable`] if
/// the provider's keys cannot be had.
pub async fn verify<P: Clock + Fetch + Kv>(
    platform: &P,
    workos: &WorkosSettings,
    text: &str,
) -> Result<Identity, Failure> {
    if text.len() > MAX_LENGTH {
        return Err(refuse("too long"));
    }
    let token = UntrustedToken::new(text).map_err(|_| refuse("malformed"))?;
    if token.algorithm() != "RS256" {
        return Err(refuse("wrong algorithm"));
    }
    let kid = token.header().key_id.as_deref().ok_or(refuse("no key id"))?;
    let key = find_key(platform, workos, kid).await?.ok_or(refuse("unknown key"))?;
    let claims = Rsa::rs256()
        .validator::<Custom>(&key)
        .validate(&token)
        .map_err(|_| refuse("bad signature or claims"))?
        .into_parts()
        .1;
    let now = platform.now();
    let expires =
        claims.expiration.map(|at| at.timestamp_millis()).and_then(|at| at.try_into().ok());
    let issued = claims.issued_at.map(|at| at.timestamp_millis()).and_then(|at| at.try_into().ok());
    let (Some(expires), Some(issued_at)): (Option<Millis>, Option<Millis>) = (expires, issued)
    else {
        return Err(refuse("no iat or exp"));
    };
    if expires.saturating_add(LEEWAY) <= now || issued_at > now.saturating_add(LEEWAY) {
        return Err(refuse("expired or not yet valid"));
    }
    identity(workos, claims.custom, issued_at)
}

fn identity(
    workos: &WorkosSettings,
    claims: Custom,
    issued_at: Millis,
) -> Result<Identity, Failure> {
    if claims.iss != workos.issuer {
        return Err(refuse("wrong issuer"));
    }
    let ours = |client: &String| *client == workos.client_id;
    let for_us = claims.client_id.as_ref().is_some_and(ours)
        || match &claims.aud {
            Some(Audience::One(one)) => ours(one),
            Some(Audience::Many(many)) => many.iter().any(ours),
            None => false,
        };
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
    })
}

async fn find_key<P: Clock + Fetch + Kv>(
    platform: &P,
    workos: &WorkosSettings,
    kid: &str,
) -> Result<Option<RsaPublicKey>, Failure> {
    let url = workos.jwks_url();
    let name = format!("jwks/{url}");
    let cached: Option<KeySet> = match platform.get(&name).await {
        Ok(Some(bytes)) => serde_json::from_slice(&bytes).ok(),
        _ => None,
    };
    let now = platform.now();
    let age = |set: &KeySet| now.saturating_sub(set.as_of);
    if let Some(set) = &cached {
        let known = set.key(kid);
        let enough = if known.is_some() { FRESH } else { REFETCH_AT_MOST_EVERY };
        if age(set) < enough {
            return Ok(known);
        }
    }
    match fetch(platform, &url).await {
        Ok(set) => {
            // A cache that cannot be written costs time, not correctness.
            if let Ok(bytes) = serde_json::to_vec(&set) {
                let _ = platform.put(&name, &bytes, Duration::from_millis(STALE)).await;
            }
            Ok(set.key(kid))
        }
        // Only a key that is known may be served stale: of an unknown one nothing can be said.
        Err(failure) => match cached.filter(|set| age(set) < STALE).and_then(|set| set.key(kid)) {
            Some(key) => Ok(Some(key)),
            None => Err(failure),
        },
    }
}

async fn fetch<P: Clock + Fetch>(platform: &P, url: &str) -> Result<KeySet, Failure> {
    let away = |cause: String| Failure::Unavailable(format!("identity provider's keys: {cause}"));
    let request = http::Request::get(url)
        .header(http::header::ACCEPT, "application/json")
        .body(bytes::Bytes::new())
        .map_err(|error| Failure::Internal(error.to_string()))?;
    let response =
        platform.fetch(request, TIMEOUT).await.map_err(|error| away(error.to_string()))?;
    if !response.status().is_success() {
        return Err(away(format!("status {}", response.status().as_u16())));
    }
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<serde_json::Value>,
    }
    let document: Document =
        serde_json::from_slice(response.body()).map_err(|_| away("no key set".to_owned()))?;
    Ok(KeySet { as_of: platform.now(), keys: document.keys })
}

impl KeySet {
    fn key(&self, kid: &str) -> Option<RsaPublicKey> {
        let key = self.keys.iter().find(|key| key["kid"] == kid)?;
        let jwk: JsonWebKey<'_> = serde_json::from_value(key.clone()).ok()?;
        RsaPublicKey::try_from(&jwk).ok()
    }
}

const fn refuse(reason: &'static str) -> Failure {
    Failure::refused(ErrorCode::InvalidRequest, "the subject token is not valid", reason)
}

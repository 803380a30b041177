//! WorkOS's token endpoint: a refresh token for a newer one and an access token, and the code of a
//! sign-in for the first of them.
//!
//! WorkOS rotates its refresh tokens: whoever asks and does not get to see the answer may have lost
//! the grant. So it matters not only whether to try again, but also whether an answer may be lost.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use oauth::keys::KeyRing;
use ports::config::{parsed, required};
use ports::{Clock, Config, ConfigError, Fetch, FetchError, Millis, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::settings::{RING, url};

/// The identity provider.
pub struct WorkosSettings {
    /// Where its API is, without a trailing slash.
    pub api_url: String,
    /// The `iss` of its access tokens.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
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

/// What it takes to renew grants at the identity provider.
pub struct UpstreamSettings {
    /// The keys that seal its refresh tokens.
    pub keys: KeyRing,
    /// Our API key there: it authenticates us as the client.
    pub api_key: String,
}

impl UpstreamSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        Ok(Self {
            keys: parsed(config, "UPSTREAM_KEYS", RING, KeyRing::parse)?,
            api_key: required(config, "WORKOS_API_KEY")?,
        })
    }
}

/// What WorkOS gives. It has no `Debug`: neither of the two is for a log.
#[derive(Clone, Serialize, Deserialize)]
pub struct Redeemed {
    /// Its access token, a JWT.
    pub access_token: String,
    /// The refresh token that replaces the one presented.
    pub refresh_token: String,
}

/// What WorkOS gives for the code of a sign-in. Nor has it a `Debug`.
#[derive(Clone, Deserialize)]
pub struct SignedIn {
    /// Its access token, a JWT.
    pub access_token: String,
    /// The first refresh token of the sign-in.
    pub refresh_token: String,
    /// Who signed in.
    #[serde(default)]
    pub user: Person,
}

/// What WorkOS tells of a person.
#[derive(Clone, Default, Deserialize)]
pub struct Person {
    /// As whom they have signed in.
    pub email: Option<String>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unredeemed {
    /// WorkOS says that the grant has ended, or that the code is none any more.
    Ended,
    /// It cannot be told; to be tried again.
    Retryable {
        /// Why, for the log and the audit trail.
        reason: &'static str,
        /// Not before this time, if WorkOS said so.
        retry_at: Option<Millis>,
        /// Whether the refresh token may have been replaced all the same.
        unsure: bool,
    },
}

impl Unredeemed {
    const fn retryable(reason: &'static str, unsure: bool) -> Self {
        Self::Retryable { reason, retry_at: None, unsure }
    }
}

/// Redeem a refresh token at WorkOS, within `patience`.
///
/// # Errors
/// See [`Unredeemed`].
pub async fn redeem(
    platform: &(impl Clock + Fetch),
    workos: &WorkosSettings,
    upstream: &UpstreamSettings,
    refresh_token: &str,
    patience: Duration,
) -> Result<Redeemed, Unredeemed> {
    let grant = Grant {
        grant_type: "refresh_token",
        refresh_token: Some(refresh_token),
        ..Grant::default()
    };
    let answer = ask(platform, workos, upstream, grant, patience).await;
    let redeemed: Redeemed = judge(answer, platform.now(), &ENDED[..1])?;
    if redeemed.refresh_token.is_empty() { Err(INCOMPLETE) } else { Ok(redeemed) }
}

/// Redeem the code of a sign-in at WorkOS, within `patience`. The verifier is that of the challenge which
/// the sign-in was asked for with.
///
/// # Errors
/// See [`Unredeemed`].
pub async fn sign_in(
    platform: &(impl Clock + Fetch),
    workos: &WorkosSettings,
    upstream: &UpstreamSettings,
    (code, code_verifier): (&str, &str),
    patience: Duration,
) -> Result<SignedIn, Unredeemed> {
    let grant = Grant {
        grant_type: "authorization_code",
        code: Some(code),
        code_verifier: Some(code_verifier),
        ..Grant::default()
    };
    let answer = ask(platform, workos, upstream, grant, patience).await;
    let signed_in: SignedIn = judge(answer, platform.now(), &ENDED)?;
    if signed_in.refresh_token.is_empty() { Err(INCOMPLETE) } else { Ok(signed_in) }
}

/// The codes of errors that end a grant: that of OAuth, and those that WorkOS's API has for codes.
const ENDED: [&str; 4] = ["invalid_grant", "invalid_code", "expired_code", "invalid_code_verifier"];

#[derive(Default, Serialize)]
struct Grant<'a> {
    grant_type: &'static str,
    client_id: &'a str,
    client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_verifier: Option<&'a str>,
}

async fn ask(
    platform: &impl Fetch,
    workos: &WorkosSettings,
    upstream: &UpstreamSettings,
    grant: Grant<'_>,
    patience: Duration,
) -> Result<Response, FetchError> {
    let (client_id, client_secret) = (&workos.client_id, &upstream.api_key);
    // Texts always have a JSON form.
    let body = serde_json::to_vec(&Grant { client_id, client_secret, ..grant }).unwrap_or_default();
    let request = http::Request::post(format!("{}/user_management/authenticate", workos.api_url))
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(body))
        .map_err(|error| FetchError::Connection(error.to_string()))?;
    platform.fetch(request, patience).await
}

const INCOMPLETE: Unredeemed = Unredeemed::retryable("an answer without tokens", true);

/// What an answer of the token endpoint means.
///
/// Only a code that says so ends a grant, whatever the status beside it (WorkOS has used 400 and 401).
/// That WorkOS does not know us, or our request, is our fault and says nothing of the grant.
fn judge<T: DeserializeOwned>(
    answer: Result<Response, FetchError>,
    now: Millis,
    ended: &[&str],
) -> Result<T, Unredeemed> {
    let response = match answer {
        Ok(response) => response,
        Err(FetchError::Timeout(_)) => {
            return Err(Unredeemed::retryable("no answer in time", true));
        }
        // Not asked at all: it has failed again and again.
        Err(FetchError::Paused(left)) => {
            let left = Millis::try_from(left.as_millis()).unwrap_or(Millis::MAX);
            let retry_at = Some(now.saturating_add(left));
            return Err(Unredeemed::Retryable { reason: "left alone", retry_at, unsure: false });
        }
        // Perhaps it broke after the request was read: that cannot be told from here.
        Err(FetchError::Connection(_) | FetchError::TooLong(_)) => {
            return Err(Unredeemed::retryable("no connection, or it broke", true));
        }
    };
    let status = response.status();
    let wait = |reason, unsure| {
        let retry_at = retry_after(&response).map(|wait| now.saturating_add(wait));
        Err(Unredeemed::Retryable { reason, retry_at, unsure })
    };
    match status {
        _ if status.is_success() => serde_json::from_slice(response.body()).map_err(|_| INCOMPLETE),
        StatusCode::TOO_MANY_REQUESTS => wait("too many requests", false),
        _ if status.is_client_error() => match code(&response).as_deref() {
            Some(code) if ended.contains(&code) => Err(Unredeemed::Ended),
            _ if status == StatusCode::UNAUTHORIZED => wait("it does not know us", false),
            _ => wait("it refuses our request", false),
        },
        // A redirect, or a failure in the midst of who knows what.
        _ => wait("it failed", true),
    }
}

/// The code of an error: in `error` as OAuth has it, in `code` as the rest of WorkOS's API.
fn code(response: &Response) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        error: Option<String>,
        code: Option<String>,
    }
    let problem: Problem = serde_json::from_slice(response.body()).ok()?;
    problem.error.or(problem.code)
}

/// How long to wait, if it is said in seconds.
fn retry_after(response: &Response) -> Option<Millis> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_000_000;

    fn answers(status: u16, body: &str, retry_after: Option<&str>) -> Result<(), Unredeemed> {
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(wait) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, wait.parse().unwrap());
        }
        let redeemed: Redeemed = judge(Ok(response), NOW, &ENDED[..1])?;
        if redeemed.refresh_token.is_empty() { Err(INCOMPLETE) } else { Ok(()) }
    }

    fn unanswered(error: FetchError) -> Result<(), Unredeemed> {
        judge::<Redeemed>(Err(error), NOW, &ENDED).map(drop)
    }

    /// Whether an answer may be lost, of those that are to be tried again.
    fn unsure(outcome: Result<(), Unredeemed>) -> bool {
        match outcome {
            Err(Unredeemed::Retryable { unsure, .. }) => unsure,
            other => panic!("not to be tried again: {other:?}"),
        }
    }

    #[test]
    fn tokens_are_tokens() {
        let body = r#"{"access_token":"a","refresh_token":"r","user":{},"organization_id":null}"#;
        assert_eq!(answers(200, body, None), Ok(()));
    }

    #[test]
    fn only_invalid_grant_ends_a_grant() {
        for status in [400, 401, 403] {
            for body in [
                r#"{"error":"invalid_grant","error_description":"Session has ended"}"#,
                r#"{"code":"invalid_grant","message":"Invalid refresh token"}"#,
            ] {
                assert_eq!(answers(status, body, None), Err(Unredeemed::Ended), "{status} {body}");
            }
        }
        for (status, body) in [
            (400, r#"{"error":"invalid_request"}"#),
            (400, r#"{"code":"invalid_code"}"#),
            (400, r#"{"message":"invalid_grant"}"#),
            (400, "invalid_grant"),
            (400, ""),
            (401, r#"{"error":"invalid_client"}"#),
            (401, r#"{"code":"unauthorized"}"#),
            (403, "{}"),
            (404, r#"{"code":"not_found"}"#),
            (422, "[]"),
            (429, r#"{"code":"rate_limit_exceeded"}"#),
        ] {
            assert!(!unsure(answers(status, body, None)), "{status} {body}: nothing has happened");
        }
    }

    #[test]
    fn a_code_that_is_none_is_known_by_any_of_its_words() {
        for word in ENDED {
            let body = format!(r#"{{"code":"{word}","message":"m"}}"#);
            let mut response = Response::new(body.into());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            let judged = judge::<SignedIn>(Ok(response), NOW, &ENDED).map(drop);
            assert_eq!(judged, Err(Unredeemed::Ended), "{word}");
        }
        let body = r#"{"access_token":"a","refresh_token":"r","user":{"email":"a@b","id":"u"}}"#;
        let signed_in = judge::<SignedIn>(Ok(Response::new(body.into())), NOW, &ENDED).ok();
        let signed_in = signed_in.map(|it| (it.refresh_token, it.user.email));
        assert_eq!(signed_in, Some(("r".to_owned(), Some("a@b".to_owned()))));
    }

    #[test]
    fn after_a_failure_or_an_answer_that_is_none_nobody_knows() {
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, r#"{"access_token":"a"}"#),
            (200, r#"{"access_token":"a","refresh_token":""}"#),
            (302, ""),
            (500, r#"{"error":"invalid_grant"}"#),
            (502, "<html>"),
            (503, ""),
        ] {
            assert!(unsure(answers(status, body, None)), "{status} {body}");
        }
        let timeout = FetchError::Timeout(Duration::from_secs(3));
        assert!(unsure(unanswered(timeout)));
        let broken = FetchError::Connection("reset".to_owned());
        assert!(unsure(unanswered(broken)));
        let paused = FetchError::Paused(Duration::from_secs(3));
        let (reason, retry_at) = ("left alone", Some(NOW + 3_000));
        let expected = Unredeemed::Retryable { reason, retry_at, unsure: false };
        assert_eq!(unanswered(paused), Err(expected), "it was not even asked");
    }

    #[test]
    fn how_long_to_wait_is_what_it_says() {
        for (status, header, expected) in [
            (429, Some("7"), Some(NOW + 7_000)),
            (503, Some(" 7 "), Some(NOW + 7_000)),
            (429, None, None),
            (429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
            (429, Some("18446744073709551615"), Some(Millis::MAX)),
        ] {
            let Err(Unredeemed::Retryable { retry_at, .. }) = answers(status, "", header) else {
                panic!("to be tried again")
            };
            assert_eq!(retry_at, expected, "{status} {header:?}");
        }
    }
}

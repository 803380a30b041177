//! Pushed authorization requests, RFC 9126: a client hands its request over itself, authenticated, before
//! it sends the person, who then carries nothing that they or others could change.

use data::clients::ClientRecord;
use ledger::{Command, Once, Outcome, Refusal};
use oauth::authorization::{AuthorizationRequest, Target, without_secrets};
use oauth::form::Form;
use oauth::{ErrorCode, OAuthError};
use ports::{Millis, Platform, Request};
use serde::Serialize;

use super::entry::trusted;
use super::sealed::{Pushed, once_id, open, seal};
use super::{AuthorizeSettings, Desk};
use crate::proof::Proved;
use crate::settings::{ClientSettings, Settings};
use crate::{Failure, clients, proof};

/// How long a client has to send the person. RFC 9126 section 2.2 thinks of 5 to 600 seconds.
const LIFETIME: Millis = 90_000;
/// What a request URI begins with, RFC 9126 section 2.2.
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The answer to a pushed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// To be used once, instead of the request.
    pub request_uri: String,
    /// For so many seconds.
    pub expires_in: u64,
    /// Whose it is, for the log.
    #[serde(skip)]
    pub client_id: String,
}

/// Take a client's request: 1. authenticate the client as at the token endpoint, 2. check all of the
/// request, and the proof of a key if one comes along, 3. seal it for this client.
///
/// # Errors
/// As of the token endpoint and of the authorization endpoint, told to the client.
pub async fn push<P: Platform>(
    platform: &P,
    service: &Settings,
    settings: &AuthorizeSettings,
    credentials: &ClientSettings,
    call: &Request,
    form: &Form,
) -> Result<Receipt, Failure> {
    let headers = call.headers();
    let desk = Desk { platform, service, settings, headers };
    without_secrets(&Form::of_query(call.uri().query())?)?;
    let client = clients::authenticate(platform, service, credentials, headers, form).await?;
    // RFC 9126 section 2.1: one does not lead to another.
    if form.get("request_uri").is_some() {
        return Err(OAuthError::invalid_request("request_uri cannot be pushed").into());
    }
    if form.get("client_id").is_some_and(|id| id != client.client_id) {
        return Err(OAuthError::invalid_request("client_id is not the one that is proved").into());
    }
    let target = Target::read(&client.client_id, form)?;
    trusted(&client, &target)?;
    let mut request = desk.parse(&client, target, form)?;
    request.key = desk.proved(&client, request.key, call).await?;
    let pushed = Pushed { request, id: once_id(platform), until: platform.now() + LIFETIME };
    let sealed = seal(platform, &settings.request_keys, &[&client.client_id], &pushed)?;
    Ok(Receipt {
        request_uri: format!("{PREFIX}{sealed}"),
        expires_in: LIFETIME / 1000,
        client_id: client.client_id,
    })
}

impl<P: Platform> Desk<'_, P> {
    /// The key that the code is for: the one that the client proves to hold, which is the one that it
    /// names, if it names one (RFC 9449 section 10.1).
    async fn proved(
        &self,
        client: &ClientRecord,
        named: Option<String>,
        call: &Request,
    ) -> Result<Option<String>, Failure> {
        let Self { platform, service, settings, .. } = *self;
        let proved = proof::check(platform, service, &settings.nonces, call, None).await?;
        let Some(Proved { key, once }) = proved else { return Ok(named) };
        if named.is_some_and(|named| named != key) {
            let told = "dpop_jkt names another key than the proof";
            return Err(Failure::refused(ErrorCode::InvalidDpopProof, told, told));
        }
        if !self.use_up(&client.client_id, once).await? {
            let told = "the proof has been used before";
            return Err(Failure::refused(ErrorCode::InvalidDpopProof, told, told));
        }
        Ok(Some(key))
    }

    /// Whether this is the first use of something of a client's.
    async fn use_up(&self, client_id: &str, once: Once) -> Result<bool, Failure> {
        let address = self.service.client_ledger(client_id);
        let command = self.service.envelope(Command::Consume { once: vec![once] });
        match self.platform.execute(&address, &command).await? {
            Outcome::Consumed => Ok(true),
            Outcome::Refused(Refusal::Replayed) => Ok(false),
            Outcome::Refused(_) => {
                Err(Failure::Unavailable("the client has too many requests at once".to_owned()))
            }
            Outcome::Limited(budget) => Err(Failure::Limited { budget }),
            other => Err(Failure::unexpected(&other)),
        }
    }
}

/// The request behind a request URI, which is used up by it. Whatever else is in the query does not
/// count, RFC 9101 section 6.3.
///
/// # Errors
/// `invalid_request_uri` if there is none, or not for this client, or not any more.
pub(super) async fn take<P: Platform>(
    desk: &Desk<'_, P>,
    client: &ClientRecord,
    form: &Form,
    uri: &str,
) -> Result<AuthorizationRequest, Failure> {
    if form.get("request").is_some() {
        return Err(OAuthError::invalid_request("request and request_uri at once").into());
    }
    let told = "only request URIs that were pushed here are served";
    let other = OAuthError::new(ErrorCode::RequestUriNotSupported, told);
    let sealed = uri.strip_prefix(PREFIX).ok_or(other)?;
    let (keys, now) = (&desk.settings.request_keys, desk.platform.now());
    let pushed: Pushed = open(keys, &[&client.client_id], sealed, now)
        .ok_or(refuse("unknown, another client's or too old"))?;
    let once = Once::new(pushed.id, pushed.until);
    let first = desk.use_up(&client.client_id, once).await?;
    if first { Ok(pushed.request) } else { Err(refuse("used before")) }
}

const fn refuse(reason: &'static str) -> Failure {
    let told = "the request has been used or is too old; start again at the application";
    Failure::refused(ErrorCode::InvalidRequestUri, told, reason)
}

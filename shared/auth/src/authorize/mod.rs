//! The authorization endpoint: from a client's request to a code for it, by way of the person's sign-in at
//! AuthKit and their consent. RFC 6749 section 4.1 as OAuth 2.1 has it, RFC 9126, RFC 9207.
//!
//! Nothing is stored on the way. What has to be remembered travels with the person, sealed and bound to
//! their browser; the ledger is asked only for what may be used once.

mod answer;
mod code;
mod entry;
pub mod pushed;
mod sealed;
mod sign_in;

use data::clients::ClientRecord;
use http::{HeaderMap, HeaderValue};
use oauth::authorization::Target;
use oauth::keys::KeyRing;
use oauth::{ErrorCode, OAuthError};
use ports::config::parsed;
use ports::route::CALLBACK;
use ports::{Config, ConfigError, Platform};

pub use answer::{Answered, answer};
pub use entry::authorize;
pub use sign_in::{Back, Departure, callback, login};

use crate::Failure;
use crate::login::{self, Login, LoginSettings};
use crate::proof::Nonces;
use crate::settings::{RING, Settings, UpstreamSettings, WorkosSettings};

/// What only the authorization endpoint needs.
pub struct AuthorizeSettings {
    /// Who is signed in.
    pub login: LoginSettings,
    /// The identity provider.
    pub workos: WorkosSettings,
    /// Our grants there.
    pub upstream: UpstreamSettings,
    /// Of the proofs that pushed requests come with.
    pub nonces: Nonces,
    request_keys: KeyRing,
    code_keys: KeyRing,
}

/// A request that has got as far as its client's redirect URI.
#[derive(Debug)]
pub struct Visit {
    /// Whose it is.
    pub target: Target,
    /// What the browser is to keep.
    pub cookies: Vec<HeaderValue>,
    /// What comes next; a failure is for the client to be told.
    pub next: Result<Next, Failure>,
}

/// What comes next for the person.
#[derive(Debug)]
pub enum Next {
    /// They sign in, at this address.
    SignIn(String),
    /// They are asked.
    Ask(Box<Ask>),
    /// They bring the client its code.
    Code(String),
}

/// What a person is asked.
#[derive(Debug)]
pub struct Ask {
    /// Who asks.
    pub client: ClientRecord,
    /// What for.
    pub scopes: Vec<String>,
    /// As whom the person is signed in, if it is known.
    pub email: Option<String>,
    /// The request, sealed.
    pub request: String,
    /// The token of the form.
    pub csrf: String,
}

/// Where a request is served, by which settings, and what it comes with.
struct Desk<'a, P> {
    platform: &'a P,
    service: &'a Settings,
    settings: &'a AuthorizeSettings,
    headers: &'a HeaderMap,
}

impl AuthorizeSettings {
    /// Read the settings.
    ///
    /// # Errors
    /// The first one that is missing or malformed.
    pub fn load(config: &impl Config) -> Result<Self, ConfigError> {
        let ring = |setting| parsed(config, setting, RING, KeyRing::parse);
        Ok(Self {
            login: LoginSettings::load(config)?,
            workos: WorkosSettings::load(config)?,
            upstream: UpstreamSettings::load(config)?,
            nonces: Nonces::load(config)?,
            request_keys: ring("REQUEST_KEYS")?,
            code_keys: ring("CODE_KEYS")?,
        })
    }
}

impl Visit {
    /// Where the person is sent, unless they are asked first: to sign in, or to the client with a code or
    /// an error.
    pub fn location(&self, issuer: &str) -> Option<String> {
        match &self.next {
            Ok(Next::Ask(_)) => None,
            Ok(Next::SignIn(location)) => Some(location.clone()),
            Ok(Next::Code(code)) => Some(self.target.success(issuer, code)),
            Err(failure) => Some(self.target.refusal(issuer, &told(failure))),
        }
    }
}

/// What a client is told of a failure by way of the person's browser, where there is no status:
/// RFC 6749 section 4.1.2.1.
pub fn told(failure: &Failure) -> OAuthError {
    match failure {
        Failure::Refused { told, .. } | Failure::Forbidden { told } => told.clone(),
        Failure::Limited { .. } | Failure::Backoff { .. } | Failure::Unavailable(_) => {
            let description = "the service cannot decide this at the moment; try again";
            OAuthError::new(ErrorCode::TemporarilyUnavailable, description)
        }
        _ => OAuthError::new(ErrorCode::ServerError, "the service failed"),
    }
}

impl<P: Platform> Desk<'_, P> {
    /// Who is signed in in the browser.
    async fn login(&self) -> Result<Option<Login>, Failure> {
        login::current(self.platform, self.service, &self.settings.login, self.headers).await
    }

    /// The callback of the sign-in, which is registered with AuthKit.
    fn callback(&self) -> String {
        format!("{}{}", self.service.issuer, CALLBACK)
    }
}

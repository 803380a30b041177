//! Bearer tokens at our own resources: RFC 6750, RFC 9068 section 4.

use ledger::{Check, Command, Inactive, Outcome, Standing, Usage};
use oauth::access_token::{AccessToken, InvalidAccessToken};
use ports::{Clock, LedgerError, Ledgers, Signatures};

use crate::access::{self, Purpose, VerifyError};
use crate::settings::{Settings, Verifier};

/// A token in force, for the resource that was asked for.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// What the token says.
    pub claims: AccessToken,
    /// What the ledger says of its session.
    pub standing: Standing,
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// No token: the challenge carries no error, RFC 6750 section 3.1.
    #[error("no token")]
    Missing,
    /// A token that is not in force here.
    #[error("{0}")]
    Invalid(&'static str),
    /// The ledger does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<LedgerError> for BearerError {
    fn from(error: LedgerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Let a request in by its `Authorization` header: the token's signature, type, issuer, expiry and
/// audience are checked, then the ledger is asked whether it is in force at this moment.
///
/// # Errors
/// See [`BearerError`].
pub async fn authenticate<P: Clock + Signatures + Ledgers>(
    platform: &P,
    settings: &Settings,
    verifier: &Verifier,
    authorization: Option<&str>,
    audience: &str,
) -> Result<Bearer, BearerError> {
    let text = token(authorization)?;
    let claims =
        access::verify(platform, settings, verifier, text, Purpose::UseAt(audience)).await?;
    if !claims.aud.contains(audience) {
        return Err(BearerError::Invalid("wrong audience"));
    }
    let check = Check {
        session: claims.sid,
        credential: access::credential(&claims),
        usage: Usage::Direct,
        key: None,
        proof: None,
    };
    let envelope = settings.envelope(Command::Check(check));
    match platform.execute(&settings.user_ledger(&claims.sub), &envelope).await? {
        Outcome::Active(standing) => Ok(Bearer { claims, standing }),
        Outcome::Inactive(reason) => Err(BearerError::Invalid(describe(reason))),
        other => Err(BearerError::Internal(other.out_of_turn())),
    }
}

impl Bearer {
    /// Whether the token allows something.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims.scope.split(' ').any(|granted| granted == scope)
    }
}

/// Why the ledger says no, for the log.
pub(crate) const fn describe(reason: Inactive) -> &'static str {
    match reason {
        Inactive::Unknown => "unknown session",
        Inactive::Ended(_) => "session ended",
        Inactive::TokenRevoked => "token revoked",
        Inactive::Superseded => "token superseded",
    }
}

pub(crate) fn token(authorization: Option<&str>) -> Result<&str, BearerError> {
    let header = authorization.ok_or(BearerError::Missing)?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(BearerError::Missing);
    }
    Ok(token.trim())
}

impl From<VerifyError> for BearerError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Internal(error) => Self::Internal(error.to_string()),
            VerifyError::Invalid(invalid) => Self::Invalid(match invalid {
                InvalidAccessToken::Malformed => "malformed",
                InvalidAccessToken::Unsupported => "wrong algorithm or type",
                InvalidAccessToken::UnknownKey => "unknown key",
                InvalidAccessToken::BadSignature => "bad signature",
                InvalidAccessToken::WrongIssuer => "wrong issuer",
                InvalidAccessToken::Expired => "expired",
                InvalidAccessToken::TooOld => "from before what is taken",
            }),
        }
    }
}

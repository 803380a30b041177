//! Access tokens at our own resources: RFC 6750, RFC 9068 section 4, and with the proof of a key
//! RFC 9449 section 7.

use http::header::AUTHORIZATION;
use ledger::{Check, Command, Inactive, Outcome, Refusal, Standing, Usage};
use oauth::access_token::{AccessToken, InvalidAccessToken};
use oauth::dpop::{self, InvalidProof};
use ports::{Clock, LedgerError, Ledgers, Request, Signatures};

use crate::access::{self, Purpose, VerifyError};
use crate::proof::{self, ProofError, Proved};
use crate::settings::{ResourceSettings, Settings};

/// A token in force, for the resource that was asked for.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// What the token says.
    pub claims: AccessToken,
    /// What the ledger says of its session.
    pub standing: Standing,
}

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 6750: whoever has it may use it.
    Bearer,
    /// RFC 9449: whoever holds its key may use it.
    Dpop,
}

impl Scheme {
    /// How the request presents its token, if it has one.
    pub fn of(request: &Request) -> Option<Self> {
        token(authorization(request)).ok().map(|(scheme, _)| scheme)
    }
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
    /// A token that is bound to a key, without a proof of it that is good for this request.
    #[error("{}", .0.as_str())]
    Proof(InvalidProof),
    /// The proof carries no nonce that is recent.
    #[error("no recent nonce")]
    Nonce,
    /// The ledger does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<ProofError> for BearerError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Invalid(invalid) => Self::Proof(invalid),
            ProofError::Nonce => Self::Nonce,
            ProofError::Internal(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<LedgerError> for BearerError {
    fn from(error: LedgerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Let a request in by its `Authorization` header: the token's signature, type, issuer, expiry and
/// audience are checked, then that its key is held if it is bound to one, then the ledger is asked
/// whether it is in force at this moment.
///
/// A token that is bound to a key is never taken as a bearer token, nor the other way round: that would
/// make a stolen one as good as the client's own (RFC 9449 section 7.2).
///
/// # Errors
/// See [`BearerError`].
pub async fn authenticate<P: Clock + Signatures + Ledgers>(
    platform: &P,
    settings: &Settings,
    resource: &ResourceSettings,
    request: &Request,
    audience: &str,
) -> Result<Bearer, BearerError> {
    let (scheme, text) = token(authorization(request))?;
    let purpose = Purpose::UseAt(audience);
    let claims = access::verify(platform, settings, &resource.verifier, text, purpose).await?;
    if !claims.aud.contains(audience) {
        return Err(BearerError::Invalid("wrong audience"));
    }
    let proved = match (scheme, &claims.cnf) {
        (Scheme::Bearer, None) => None,
        (Scheme::Bearer, Some(_)) => {
            return Err(BearerError::Invalid("bound to a key, presented as a bearer token"));
        }
        (Scheme::Dpop, None) => return Err(BearerError::Invalid("bound to no key")),
        (Scheme::Dpop, Some(bound)) => {
            let proved =
                proof::check(platform, settings, &resource.nonces, request, Some(text)).await?;
            let proved = proved.ok_or(BearerError::Proof(InvalidProof::Missing))?;
            if proved.key != bound.jkt {
                return Err(BearerError::Proof(InvalidProof::WrongKey));
            }
            Some(proved)
        }
    };
    let standing = in_force(platform, settings, &claims, proved).await?;
    Ok(Bearer { claims, standing })
}

/// Ask the ledger, which uses up the proof in the same step.
async fn in_force(
    platform: &impl Ledgers,
    settings: &Settings,
    claims: &AccessToken,
    proved: Option<Proved>,
) -> Result<Standing, BearerError> {
    let check = Check {
        session: claims.sid,
        credential: access::credential(claims),
        usage: Usage::Direct,
        proof: proved.as_ref().map(|proved| proved.once),
        key: proved.map(|proved| proved.key),
    };
    let envelope = settings.envelope(Command::Check(check));
    match platform.execute(&settings.ledger_of(claims), &envelope).await? {
        Outcome::Active(standing) => Ok(standing),
        Outcome::Inactive(reason) => Err(BearerError::Invalid(describe(reason))),
        Outcome::Refused(Refusal::Replayed) => Err(BearerError::Proof(InvalidProof::Replayed)),
        Outcome::Refused(Refusal::Full) => {
            Err(BearerError::Unavailable("no room to remember the proof".to_owned()))
        }
        other => Err(BearerError::Internal(other.out_of_turn())),
    }
}

impl Bearer {
    /// The thumbprint of the key that the token is bound to, and that has been proved to be held.
    pub fn key(&self) -> Option<&str> {
        self.claims.cnf.as_ref().map(|bound| bound.jkt.as_str())
    }

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

pub(crate) fn authorization(request: &Request) -> Option<&str> {
    request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok())
}

/// The scheme and the token of a header.
pub(crate) fn token(authorization: Option<&str>) -> Result<(Scheme, &str), BearerError> {
    let header = authorization.ok_or(BearerError::Missing)?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        _ if scheme.eq_ignore_ascii_case(dpop::SCHEME) => Scheme::Dpop,
        _ => return Err(BearerError::Missing),
    };
    Ok((scheme, token.trim()))
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

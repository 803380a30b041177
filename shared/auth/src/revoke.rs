//! Token revocation, RFC 7009.

use data::clients::ClientRecord;
use ledger::{Answer, Budget, Command, Outcome, Refusal, Revoke, Session};
use oauth::form::Form;
use oauth::{ErrorCode, OAuthError, introspection_jwt};
use ports::{Clock, Ledgers, Signatures};

use crate::Failure;
use crate::presented::{FORGED, Token};
use crate::settings::{ClientSettings, Settings, Verifier};

/// What is told of a revocation.
pub struct Revoked {
    /// The session, if the token named one.
    pub session: Option<String>,
    /// What came of it, for the log.
    pub outcome: &'static str,
    /// What is left of the rate limit that it has spent from, for the client.
    pub budget: Option<Budget>,
    /// Whether the token is one that nobody has minted.
    pub forged: bool,
}

/// Revoke a token of an authenticated client: a refresh token with its session, an access token
/// alone or, with `cascade=true`, with its session. A `reason` is kept for the person and the audit
/// trail.
///
/// A token that is unknown, malformed or expired is as good as revoked, so that is a success
/// (section 2.2). Another client's token is refused and survives (section 2.1).
///
/// # Errors
/// `invalid_grant` for another client's token; `unsupported_token_type` for what we sign and is no token
/// that could be revoked, an introspection answer.
pub async fn revoke<P: Clock + Signatures + Ledgers>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    verifier: &Verifier,
    record: &ClientRecord,
    form: &Form,
) -> Result<Revoked, Failure> {
    let text = form.require("token", "token is missing")?;
    let cascade = form.flag("cascade")?;
    let reason = reason(form.get("reason"))?;
    let token = match Token::read(platform, settings, client, verifier, text).await? {
        Ok(token) => token,
        Err(_) if introspection_jwt::resembles(text) => return Err(UNSUPPORTED),
        Err(why) => return Ok(Revoked { forged: why == FORGED, ..NOT_OURS }),
    };
    let (address, session, credential) = token.place(settings);
    let client_id = record.client_id.clone();
    let command = Command::RevokeToken(Revoke { session, credential, client_id, cascade, reason });
    let envelope = settings.envelope_for(record, command)?;
    let Answer { outcome, budget } = platform.ask(&address, &envelope).await?;
    match outcome {
        Outcome::Revoked { .. } => {
            let session = Some(session.to_string());
            Ok(Revoked { session, outcome: "revoked", budget, forged: false })
        }
        Outcome::Refused(Refusal::ForeignClient) => {
            Err(Failure::invalid_grant("another client's token"))
        }
        Outcome::Limited(budget) => Err(Failure::Limited { budget }),
        other => Err(Failure::unexpected(&other)),
    }
}

/// Why something is revoked, in the words of who does it.
///
/// # Errors
/// `invalid_request` if it is longer than what is kept: cut, it could say something else.
pub fn reason(text: Option<&str>) -> Result<Option<String>, OAuthError> {
    match text {
        Some(text) if text.chars().count() > Session::MAX_NOTE => {
            Err(OAuthError::invalid_request("reason has more than 200 characters"))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

const NOT_OURS: Revoked =
    Revoked { session: None, outcome: "nothing_to_revoke", budget: None, forged: false };

const UNSUPPORTED: Failure = Failure::refused(
    ErrorCode::UnsupportedTokenType,
    "this is no refresh or access token",
    "an introspection answer",
);

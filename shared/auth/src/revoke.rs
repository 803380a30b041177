//! Token revocation, RFC 7009.

use data::clients::ClientRecord;
use ledger::{Command, Outcome, Refusal, Revoke};
use oauth::form::Form;
use oauth::{ErrorCode, introspection_jwt};
use ports::{Clock, Ledgers, Signatures};

use crate::Failure;
use crate::presented::Token;
use crate::settings::{ClientSettings, Settings, Verifier};

/// What the log is told of a revocation.
pub struct Revoked {
    /// The session, if the token named one.
    pub session: Option<String>,
    /// What came of it.
    pub outcome: &'static str,
}

/// Revoke a token of an authenticated client: a refresh token with its session, an access token
/// alone or, with `cascade=true`, with its session.
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
    let token = match Token::read(platform, settings, client, verifier, text).await? {
        Ok(token) => token,
        Err(_) if introspection_jwt::resembles(text) => return Err(UNSUPPORTED),
        Err(_) => return Ok(NOT_OURS),
    };
    let (address, session, credential) = token.place(settings);
    let client_id = record.client_id.clone();
    let command =
        Command::RevokeToken(Revoke { session, credential, client_id, cascade, reason: None });
    let envelope = settings.envelope(command);
    match platform.execute(&address, &envelope).await? {
        Outcome::Revoked { .. } => {
            Ok(Revoked { session: Some(session.to_string()), outcome: "revoked" })
        }
        Outcome::Refused(Refusal::ForeignClient) => {
            Err(Failure::invalid_grant("another client's token"))
        }
        Outcome::Limited(budget) => Err(Failure::Limited { budget }),
        other => Err(Failure::unexpected(&other)),
    }
}

const NOT_OURS: Revoked = Revoked { session: None, outcome: "nothing_to_revoke" };

const UNSUPPORTED: Failure = Failure::refused(
    ErrorCode::UnsupportedTokenType,
    "this is no refresh or access token",
    "an introspection answer",
);

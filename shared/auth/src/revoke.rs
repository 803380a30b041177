//! Token revocation, RFC 7009.

use data::clients::ClientRecord;
use ledger::{Command, Credential, Envelope, Origin, Outcome, Refusal, Revoke};
use oauth::RefreshToken;
use oauth::form::Form;
use ports::{Clock, Ledgers, Signatures};

use crate::Failure;
use crate::access::{self, Purpose, VerifyError};
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
/// `invalid_grant` for another client's token.
pub async fn revoke<P: Clock + Signatures + Ledgers>(
    platform: &P,
    settings: &Settings,
    client: &ClientSettings,
    verifier: &Verifier,
    record: &ClientRecord,
    form: &Form,
) -> Result<Revoked, Failure> {
    let text = form.require("token", "token is missing")?;
    let cascade = match form.get("cascade") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(oauth::OAuthError::invalid_request("cascade is true or false").into());
        }
    };
    let (address, session, credential) = if RefreshToken::resembles(text) {
        let Ok(token) = RefreshToken::decode(text, &settings.issuer, &client.refresh_keys) else {
            return Ok(NOT_OURS);
        };
        let credential =
            Credential::Refresh { generation: token.generation, counter: token.counter };
        (token.address, token.session, credential)
    } else {
        let claims = match access::verify(platform, settings, verifier, text, Purpose::Whole).await
        {
            Ok(claims) => claims,
            Err(VerifyError::Invalid(_)) => return Ok(NOT_OURS),
            Err(VerifyError::Internal(error)) => return Err(error.into()),
        };
        let expires_at = claims.exp.saturating_mul(1000);
        let credential = Credential::Access { jti: claims.jti, expires_at };
        (settings.user_ledger(&claims.sub), claims.sid, credential)
    };
    let client_id = record.client_id.clone();
    let command =
        Command::RevokeToken(Revoke { session, credential, client_id, cascade, reason: None });
    let envelope = Envelope { command, policy: settings.policy.clone(), origin: Origin::default() };
    match platform.execute(&address, &envelope).await? {
        Outcome::Revoked { .. } => {
            Ok(Revoked { session: Some(session.to_string()), outcome: "revoked" })
        }
        Outcome::Refused(Refusal::ForeignClient) => {
            Err(Failure::invalid_grant("another client's token"))
        }
        other => Err(Failure::unexpected(&other)),
    }
}

const NOT_OURS: Revoked = Revoked { session: None, outcome: "nothing_to_revoke" };

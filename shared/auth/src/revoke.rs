//! Token revocation, RFC 7009.

use data::clients::ClientRecord;
use ledger::{Address, Command, Credential, Envelope, Origin, Outcome, Refusal, Revoke, SessionId};
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
    let cascade = form.flag("cascade")?;
    let Some((address, session, credential)) =
        read(platform, settings, client, verifier, text).await?
    else {
        return Ok(NOT_OURS);
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
        Outcome::Limited(budget) => Err(Failure::Limited { budget }),
        other => Err(Failure::unexpected(&other)),
    }
}

/// Which token of which session it is, and where that lives; `None` if it is none of ours in force.
async fn read(
    platform: &(impl Clock + Signatures),
    settings: &Settings,
    client: &ClientSettings,
    verifier: &Verifier,
    text: &str,
) -> Result<Option<(Address, SessionId, Credential)>, Failure> {
    if RefreshToken::resembles(text) {
        let token = RefreshToken::decode(text, &settings.issuer, &client.refresh_keys).ok();
        return Ok(token.map(|token| {
            let (generation, counter) = (token.generation, token.counter);
            (token.address, token.session, Credential::Refresh { generation, counter })
        }));
    }
    match access::verify(platform, settings, verifier, text, Purpose::Whole).await {
        Ok(claims) => {
            let expires_at = claims.exp.saturating_mul(1000);
            let credential = Credential::Access { jti: claims.jti, expires_at };
            Ok(Some((settings.user_ledger(&claims.sub), claims.sid, credential)))
        }
        Err(VerifyError::Invalid(_)) => Ok(None),
        Err(VerifyError::Internal(error)) => Err(error.into()),
    }
}

const NOT_OURS: Revoked = Revoked { session: None, outcome: "nothing_to_revoke" };

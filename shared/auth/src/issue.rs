//! From what the ledger decided to the tokens that a client gets.

use data::clients::ClientRecord;
use ledger::{Address, Answer, Budget, Envelope, Issue, Outcome, Refusal};
use oauth::access_token::{AccessToken, Audience, jti};
use oauth::dpop::{self, Confirmation};
use oauth::metadata::REFRESH_TOKEN;
use oauth::{RefreshToken, scope};
use ports::{Clock, Ledgers, Signatures};
use serde::Serialize;

use crate::settings::{ClientSettings, MintSettings, Settings};
use crate::{Failure, access};

/// A client should refresh this long before its access token expires, in seconds.
const REFRESH_AHEAD: u64 = 300;

/// The body of a successful token response, RFC 6749 section 5.1. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenResponse {
    /// The access token.
    pub access_token: String,
    /// Its type, RFC 8693 section 2.2.1; only in answers to a token exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
    /// How to use it: RFC 6750, or RFC 9449 if it is bound to a key.
    pub token_type: &'static str,
    /// For how long it works from now.
    pub expires_in: u64,
    /// When to refresh it, from now.
    pub refresh_in: u64,
    /// The refresh token, if the client may use it: one that acts for itself gets none, RFC 6749
    /// section 4.4.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What the access token allows.
    pub scope: String,
}

/// What the ledger makes of a command that starts a session: what its tokens are minted from, and what is
/// left of a rate limit; or why it refuses.
///
/// # Errors
/// If the ledger does not answer, or a limit is met.
pub(crate) async fn started(
    platform: &impl Ledgers,
    address: &Address,
    envelope: &Envelope,
) -> Result<Result<(Issue, Option<Budget>), Refusal>, Failure> {
    let Answer { outcome, budget } = platform.ask(address, envelope).await?;
    match outcome {
        Outcome::Issued(issue) => Ok(Ok((issue, budget))),
        Outcome::Refused(refusal) => Ok(Err(refusal)),
        Outcome::Limited(budget) => Err(Failure::Limited { budget }),
        other => Err(Failure::unexpected(&other)),
    }
}

/// Mint the tokens of an issue, the access token bound to `key` if there is one. The same issue gives the
/// same tokens, so a replay or a parallel refresh yields byte for byte what the first one did; only the
/// remaining times differ.
///
/// # Errors
/// [`Failure::Internal`] if a key is missing from the ring, [`Failure::Misconfigured`] if the client's
/// policy is none.
pub async fn mint(
    platform: &(impl Clock + Signatures),
    settings: &Settings,
    client: &ClientSettings,
    mint: &MintSettings,
    record: &ClientRecord,
    issue: &Issue,
    key: Option<&str>,
) -> Result<TokenResponse, Failure> {
    let claims = claims(settings, record, issue, key)?;
    let access_token = access::sign(platform, settings, mint, &claims).await?;
    let refreshes = record.may_use(REFRESH_TOKEN) && !claims.is_of_client();
    let refresh_token = refreshes.then(|| refresh_token(settings, client, issue)).transpose()?;
    let expires_in = claims.exp.saturating_sub(platform.now() / 1000);
    Ok(TokenResponse {
        access_token,
        issued_token_type: None,
        token_type: if key.is_some() { dpop::SCHEME } else { "Bearer" },
        expires_in,
        refresh_in: expires_in.saturating_sub(REFRESH_AHEAD),
        refresh_token,
        scope: claims.scope,
    })
}

fn claims(
    settings: &Settings,
    record: &ClientRecord,
    issue: &Issue,
    key: Option<&str>,
) -> Result<AccessToken, Failure> {
    let lifetime = settings.policy_of(record)?.access_token;
    let end = (issue.issued_at + lifetime).min(issue.absolute_end);
    let scope = scope::join(&issue.scopes);
    Ok(AccessToken {
        iss: settings.issuer.clone(),
        sub: issue.subject.id.clone(),
        aud: Audience::of(&issue.resources),
        exp: end / 1000,
        iat: issue.issued_at / 1000,
        jti: jti(&issue.session, issue.generation, issue.counter, &scope, &issue.resources, key),
        client_id: record.client_id.clone(),
        scope,
        sid: issue.session,
        org: issue.subject.organization.clone(),
        roles: issue.subject.roles.clone(),
        cnf: key.map(|jkt| Confirmation { jkt: jkt.to_owned() }),
    })
}

fn refresh_token(
    settings: &Settings,
    client: &ClientSettings,
    issue: &Issue,
) -> Result<String, Failure> {
    let token = RefreshToken {
        key_id: issue.key_id,
        address: settings.user_ledger(&issue.subject.id),
        session: issue.session,
        generation: issue.generation,
        counter: issue.counter,
    };
    token
        .encode(&settings.issuer, &client.refresh_keys)
        .ok_or_else(|| Failure::Internal(format!("refresh key {} is gone", issue.key_id)))
}

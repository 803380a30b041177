//! A person's own sessions: see them, end one, end all.

use data::DataError;
use ledger::{Budget, Command, Outcome, Refusal, SessionId, SessionView, UpstreamState};
use oauth::scope;
use ports::{Clock, Fetch, Kv, LedgerError, Ledgers, Signatures};
use serde::Serialize;

use crate::bearer::{self, Bearer, BearerError};
use crate::settings::{Settings, Verifier};
use crate::{Failure, clients};

/// One session, as the person sees it. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionEntry {
    /// Its name.
    pub id: SessionId,
    /// The client that holds its tokens.
    pub client_id: String,
    /// The device.
    pub device: DeviceEntry,
    /// Whether its grant at the identity provider is of use, if it holds one: `active` or
    /// `sign_in_required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<&'static str>,
    /// What it allows.
    pub scope: String,
    /// When it began.
    pub created_at: u64,
    /// When it was last used, to the minute.
    pub last_seen_at: u64,
    /// When it ends if it is not used again.
    pub idle_expires_at: u64,
    /// When it ends, used or not.
    pub expires_at: u64,
    /// Whether this very request came from it.
    pub current: bool,
}

/// The device of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceEntry {
    /// For a person to recognise.
    pub label: String,
}

/// Why a request about sessions is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionsError {
    /// The caller is not let in.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// The token lacks this scope.
    #[error("scope {0} is missing")]
    Scope(&'static str),
    /// Only first-party apps may manage sessions.
    #[error("not a first-party client")]
    ThirdParty,
    /// No active session of that name.
    #[error("no such session")]
    NotFound,
    /// A filter of the audit trail that is none, and what it should be.
    #[error("{0}")]
    Filter(&'static str),
    /// The person's clients ask too often; nothing was done.
    #[error("rate limit: {}", .0.class.as_str())]
    Limited(Budget),
    /// A dependency does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<LedgerError> for SessionsError {
    fn from(error: LedgerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<DataError> for SessionsError {
    fn from(error: DataError) -> Self {
        Failure::from(error).into()
    }
}

impl From<Failure> for SessionsError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(cause) => Self::Unavailable(cause),
            other => Self::Internal(other.to_string()),
        }
    }
}

/// Let a first-party app in that acts for a person with a token for the issuer itself.
///
/// # Errors
/// See [`SessionsError`].
pub async fn authorize<P: Clock + Signatures + Fetch + Kv + Ledgers>(
    platform: &P,
    settings: &Settings,
    verifier: &Verifier,
    authorization: Option<&str>,
    scope: &'static str,
) -> Result<Bearer, SessionsError> {
    let audience = settings.resources.issuer();
    let caller =
        bearer::authenticate(platform, settings, verifier, authorization, audience).await?;
    let record = clients::find(platform, &settings.sql, &caller.claims.client_id).await?;
    if !record.is_some_and(|record| record.first_party && !record.disabled) {
        return Err(SessionsError::ThirdParty);
    }
    if caller.has_scope(scope) { Ok(caller) } else { Err(SessionsError::Scope(scope)) }
}

/// The caller's active sessions, the most recently used first.
///
/// # Errors
/// See [`SessionsError`].
pub async fn list<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    caller: &Bearer,
) -> Result<Vec<SessionEntry>, SessionsError> {
    match execute(platform, settings, caller, Command::List).await? {
        Outcome::Sessions(views) => {
            Ok(views.into_iter().map(|view| entry(view, &caller.claims.sid)).collect())
        }
        other => Err(unexpected(&other)),
    }
}

/// End one session of the caller. One that was revoked within the last minute counts as ended by
/// this request: the ledger's answer may have been lost on the way and the command sent again.
///
/// # Errors
/// [`SessionsError::NotFound`] if it is not an active session of theirs.
pub async fn end<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    caller: &Bearer,
    session: &str,
) -> Result<(), SessionsError> {
    let session = session.parse().map_err(|_| SessionsError::NotFound)?;
    match execute(platform, settings, caller, Command::RevokeSession { session, reason: None })
        .await?
    {
        Outcome::Revoked { .. } => Ok(()),
        Outcome::Refused(Refusal::UnknownSession | Refusal::SessionEnded(_)) => {
            Err(SessionsError::NotFound)
        }
        other => Err(unexpected(&other)),
    }
}

/// End all sessions of the caller, or all but the current one; returns how many ended.
///
/// # Errors
/// See [`SessionsError`].
pub async fn end_all<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    caller: &Bearer,
    except_current: bool,
) -> Result<u32, SessionsError> {
    let except = except_current.then_some(caller.claims.sid);
    match execute(platform, settings, caller, Command::RevokeAll { except, reason: None }).await? {
        Outcome::Revoked { sessions } => Ok(sessions),
        other => Err(unexpected(&other)),
    }
}

/// The scope that a request needs, by what it does.
pub const fn scope_for(reads: bool) -> &'static str {
    if reads { scope::SESSIONS_READ } else { scope::SESSIONS_WRITE }
}

async fn execute<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    caller: &Bearer,
    command: Command,
) -> Result<Outcome, SessionsError> {
    let envelope = settings.envelope(command);
    match platform.execute(&settings.user_ledger(&caller.claims.sub), &envelope).await? {
        Outcome::Limited(budget) => Err(SessionsError::Limited(budget)),
        outcome => Ok(outcome),
    }
}

fn entry(view: SessionView, current: &SessionId) -> SessionEntry {
    SessionEntry {
        current: view.id == *current,
        id: view.id,
        client_id: view.client_id,
        device: DeviceEntry { label: view.device.label },
        upstream: view.upstream.map(|state| match state {
            UpstreamState::Good => "active",
            UpstreamState::NeedsSignIn => "sign_in_required",
        }),
        scope: scope::join(&view.scopes),
        created_at: view.created_at / 1000,
        last_seen_at: view.last_seen_at / 1000,
        idle_expires_at: view.idle_end / 1000,
        expires_at: view.absolute_end / 1000,
    }
}

fn unexpected(outcome: &Outcome) -> SessionsError {
    SessionsError::Internal(format!("the ledger answered out of turn: {outcome:?}"))
}

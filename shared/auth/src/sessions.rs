//! A person's sessions: see them, end one, end all. By the person themselves, or by an operator.

use data::DataError;
use data::clients::ClientRecord;
use ledger::{
    Actor, Answer, Budget, Command, Envelope, Outcome, PastRefresh, Policy, Refusal, RiskReason,
    SessionId, SessionView, UpstreamState,
};
use oauth::scope;
use ports::{Clock, Fetch, Kv, LedgerError, Ledgers, Request, Signatures};
use serde::Serialize;

use crate::bearer::{self, Bearer, BearerError, Scheme};
use crate::operator::{self, Operators};
use crate::settings::{ResourceSettings, Settings};
use crate::{Failure, clients};

/// One session, as the person sees it. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionEntry {
    /// Its name.
    pub id: SessionId,
    /// The client that holds its tokens.
    pub client_id: String,
    /// The device.
    pub device: DeviceEntry,
    /// The network prefix of the last refresh that told one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// How much it looks like somebody else's.
    pub risk: RiskEntry,
    /// Its last refreshes, the oldest first.
    pub refreshes: Vec<RefreshEntry>,
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

/// The risk of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskEntry {
    /// From 0.0 to 1.0.
    pub score: f64,
    /// What adds up to it.
    pub reasons: Vec<RiskReason>,
}

/// One refresh of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefreshEntry {
    /// When.
    pub at: u64,
    /// From which network prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Whether it was answered with tokens that had been given before.
    pub repeated: bool,
}

/// A person who is let in, by one of their clients.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their token.
    pub bearer: Bearer,
    /// The client.
    pub record: ClientRecord,
}

/// Who is let in.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A person, for themselves.
    Person(Box<Person>),
    /// An operator of this name, for somebody else.
    Operator(String),
}

/// Who acts, and on whose sessions.
#[derive(Debug, Clone)]
pub struct Acting {
    /// For the audit trail.
    pub actor: Actor,
    /// The person whose sessions they are.
    pub person: data::Caller,
    /// The session that the request comes from.
    pub current: Option<SessionId>,
    policy: Policy,
}

/// What was asked for, and what is left of the rate limit that it has spent from.
#[derive(Debug, Clone, PartialEq)]
pub struct Done<T> {
    /// What was asked for.
    pub value: T,
    /// For the client.
    pub budget: Option<Budget>,
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
    /// Only operators may name another person.
    #[error("not an operator")]
    OperatorOnly,
    /// An operator has to say whose sessions.
    #[error("an operator names no person")]
    UserMissing,
    /// No active session of that name.
    #[error("no such session")]
    NotFound,
    /// Only its own tokens extend a session.
    #[error("not the session of the token")]
    NotOwn,
    /// A session can be extended so often and no more.
    #[error("generations exhausted")]
    Exhausted,
    /// A filter of the audit trail that is none, and what it should be.
    #[error("{0}")]
    Filter(&'static str),
    /// The person's clients ask too often; nothing was done.
    #[error("rate limit: {}", .0.class.as_str())]
    Limited(Budget),
    /// What is registered of the client cannot be used.
    #[error("misconfigured: {0}")]
    Misconfigured(String),
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
            Failure::Misconfigured(cause) => Self::Misconfigured(cause),
            other => Self::Internal(other.to_string()),
        }
    }
}

/// Let a request in: an operator by their credential, a first-party app by its token.
///
/// # Errors
/// See [`SessionsError`].
pub async fn enter<P: Clock + Signatures + Fetch + Kv + Ledgers>(
    platform: &P,
    settings: &Settings,
    resource: &ResourceSettings,
    operators: &Operators,
    request: &Request,
    scope: &'static str,
) -> Result<Caller, SessionsError> {
    match bearer::token(bearer::authorization(request)) {
        Ok((Scheme::Bearer, credential)) if credential.starts_with(operator::PREFIX) => {
            match operators.recognise(credential) {
                Some(name) => Ok(Caller::Operator(name.to_owned())),
                None => Err(BearerError::Invalid("no operator's credential").into()),
            }
        }
        _ => {
            let person = authorize(platform, settings, resource, request, scope).await?;
            Ok(Caller::Person(Box::new(person)))
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
    resource: &ResourceSettings,
    request: &Request,
    scope: &'static str,
) -> Result<Person, SessionsError> {
    let audience = settings.resources.issuer();
    let bearer = bearer::authenticate(platform, settings, resource, request, audience).await?;
    // One that is not in the database is a stranger's.
    let record = clients::registered(platform, &settings.sql, &bearer.claims.client_id).await?;
    let admitted = |record: &ClientRecord| record.first_party && !record.disabled;
    // Nor is a client that acts for itself a person.
    let record = record.filter(|record| admitted(record) && !bearer.claims.is_of_client());
    let record = record.ok_or(SessionsError::ThirdParty)?;
    if bearer.has_scope(scope) {
        Ok(Person { bearer, record })
    } else {
        Err(SessionsError::Scope(scope))
    }
}

impl Caller {
    /// The caller acting on the sessions of `user`, whom operators must name and nobody else may.
    ///
    /// # Errors
    /// [`SessionsError::OperatorOnly`], [`SessionsError::UserMissing`], or
    /// [`SessionsError::Misconfigured`].
    pub fn acting(&self, settings: &Settings, user: Option<&str>) -> Result<Acting, SessionsError> {
        match (self, user) {
            (Self::Person(_), Some(_)) => Err(SessionsError::OperatorOnly),
            (Self::Person(person), None) => {
                let claims = &person.bearer.claims;
                let policy = settings.policy_of(&person.record)?;
                let person = data::Caller {
                    subject: claims.sub.clone(),
                    organization: claims.org.clone(),
                    roles: claims.roles.clone(),
                };
                Ok(Acting { actor: Actor::Client, person, current: Some(claims.sid), policy })
            }
            (Self::Operator(_), None) => Err(SessionsError::UserMissing),
            (Self::Operator(name), Some(user)) => {
                let (subject, roles) = (user.to_owned(), Vec::new());
                let person = data::Caller { subject, organization: None, roles };
                let actor = Actor::Operator(name.clone());
                Ok(Acting { actor, person, current: None, policy: settings.policy.clone() })
            }
        }
    }
}

/// The person's active sessions, the most recently used first.
///
/// # Errors
/// See [`SessionsError`].
pub async fn list<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    acting: &Acting,
) -> Result<Done<Vec<SessionEntry>>, SessionsError> {
    let Answer { outcome, budget } = ask(platform, settings, acting, Command::List).await?;
    match outcome {
        Outcome::Sessions(views) => {
            let entries = views.into_iter().map(|view| entry(view, acting.current));
            Ok(Done { value: entries.collect(), budget })
        }
        other => Err(unexpected(&other)),
    }
}

/// End one session of the person. One that was revoked within the last minute counts as ended by
/// this request: the ledger's answer may have been lost on the way and the command sent again.
///
/// # Errors
/// [`SessionsError::NotFound`] if it is not an active session of theirs.
pub async fn end<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    acting: &Acting,
    session: &str,
    reason: Option<String>,
) -> Result<Done<()>, SessionsError> {
    let session = session.parse().map_err(|_| SessionsError::NotFound)?;
    let command = Command::RevokeSession { session, reason };
    let Answer { outcome, budget } = ask(platform, settings, acting, command).await?;
    match outcome {
        Outcome::Revoked { .. } => Ok(Done { value: (), budget }),
        Outcome::Refused(Refusal::UnknownSession | Refusal::SessionEnded(_)) => {
            Err(SessionsError::NotFound)
        }
        other => Err(unexpected(&other)),
    }
}

/// End all sessions of the person, or all but the current one; returns how many ended.
///
/// # Errors
/// See [`SessionsError`].
pub async fn end_all<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    acting: &Acting,
    except_current: bool,
    reason: Option<String>,
) -> Result<Done<u32>, SessionsError> {
    let except = acting.current.filter(|_| except_current);
    let command = Command::RevokeAll { except, reason };
    let Answer { outcome, budget } = ask(platform, settings, acting, command).await?;
    match outcome {
        Outcome::Revoked { sessions } => Ok(Done { value: sessions, budget }),
        other => Err(unexpected(&other)),
    }
}

/// The scope that a request needs, by what it does.
pub const fn scope_for(reads: bool) -> &'static str {
    if reads { scope::SESSIONS_READ } else { scope::SESSIONS_WRITE }
}

async fn ask<P: Ledgers>(
    platform: &P,
    settings: &Settings,
    acting: &Acting,
    command: Command,
) -> Result<Answer, SessionsError> {
    let mut envelope = Envelope { policy: acting.policy.clone(), ..settings.envelope(command) };
    envelope.origin.actor = acting.actor.clone();
    let answer = platform.ask(&settings.user_ledger(&acting.person.subject), &envelope).await?;
    match answer.outcome {
        Outcome::Limited(budget) => Err(SessionsError::Limited(budget)),
        _ => Ok(answer),
    }
}

fn entry(view: SessionView, current: Option<SessionId>) -> SessionEntry {
    let past =
        |PastRefresh { at, network, repeated }| RefreshEntry { at: at / 1000, network, repeated };
    SessionEntry {
        current: Some(view.id) == current,
        id: view.id,
        client_id: view.client_id,
        device: DeviceEntry { label: view.device.label },
        network: view.network,
        risk: RiskEntry {
            score: f64::from(view.risk.per_mille) / 1000.0,
            reasons: view.risk.reasons,
        },
        refreshes: view.refreshes.into_iter().map(past).collect(),
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
    SessionsError::Internal(outcome.out_of_turn())
}

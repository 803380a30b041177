//! What a command must see of a ledger: the less, the fewer reads.

use ledger::{
    Class, Command, CreateSession, Credential, Envelope, Link, Millis, Once, OnceId, Revoke,
    SessionId,
};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Scope {
    /// These sessions.
    pub(super) sessions: Vec<SessionId>,
    /// Whether they are named by tokens of ours, so that they do exist, or did.
    pub(super) genuine: bool,
    /// Whether all others too, and which.
    pub(super) others: Others,
    /// Whether these access tokens were revoked.
    pub(super) tokens: Vec<String>,
    /// The sessions of this upstream sign-in.
    pub(super) sign_in: Option<SignIn>,
    /// The session that this authorization code has started.
    pub(super) code: Option<Code>,
    /// Whether these were used up.
    pub(super) once: Vec<OnceId>,
    /// What was spent of the rate limits.
    pub(super) windows: bool,
    /// The grants that the sessions hold at the identity provider.
    pub(super) upstream: bool,
    /// Which announcements.
    pub(super) webhooks: Announced,
}

/// Announcements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Announced {
    /// None.
    #[default]
    None,
    /// This one.
    One(Link),
    /// All that there are.
    All,
}

/// An upstream sign-in by a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignIn {
    pub(super) client_id: String,
    pub(super) external_id: String,
    pub(super) authenticated_at: Millis,
}

/// An authorization code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) id: OnceId,
    /// On the strength of which sign-in it was issued.
    pub(super) external_id: Option<String>,
    pub(super) issued_at: Millis,
}

/// Sessions that are not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Others {
    /// None.
    #[default]
    None,
    /// Those that have not been ended.
    Alive,
    /// All that there are.
    All,
}

impl Scope {
    /// Of a command to a ledger; of those that are about events nothing of it.
    pub(super) fn of(envelope: &Envelope) -> Self {
        let Envelope { command, policy, origin } = envelope;
        let limit = class(command).and_then(|class| policy.limits.of(class));
        let windows = origin.actor.is_client() && limit.is_some();
        Self { windows, ..Self::what(command) }
    }

    /// When the proof was issued that begins a session here.
    pub(super) fn proved_at(&self) -> Option<Millis> {
        let by_code = self.code.as_ref().map(|code| code.issued_at);
        by_code.or_else(|| Some(self.sign_in.as_ref()?.authenticated_at))
    }

    fn what(command: &Command) -> Self {
        match command {
            Command::CreateSession(create) => Self::sign_in(create),
            Command::Refresh(refresh) => {
                Self { once: names(refresh.proof), ..Self::grant_of(refresh.session) }
            }
            Command::Extend(extend) => Self::token_of(extend.session),
            Command::Check(check) => Self {
                tokens: token(&check.credential).into_iter().collect(),
                genuine: false,
                once: names(check.proof),
                ..Self::token_of(check.session)
            },
            Command::RevokeToken(revoke) => Self::tokens_of(std::slice::from_ref(revoke)),
            // More than are allowed are refused unseen.
            Command::RevokeMany { tokens } if tokens.len() > Command::MAX_TOKENS => Self::default(),
            Command::RevokeMany { tokens } => Self::tokens_of(tokens),
            Command::RevokeSession { session, .. } => {
                Self { genuine: false, ..Self::token_of(*session) }
            }
            Command::RevokeAll { .. }
            | Command::RevokeExternal { .. }
            | Command::RevokeSome { .. }
            | Command::List => Self::every(Others::Alive),
            Command::UpstreamGrant(grant) => Self::grant_of(grant.session),
            Command::UpstreamClaim { session, .. } => Self::grant_of(*session),
            Command::UpstreamStore(store) => Self::grant_of(store.session),
            Command::ClaimWebhooks { .. } => Self { webhooks: Announced::All, ..Self::default() },
            Command::SettleWebhook(settle) => {
                Self { webhooks: Announced::One(settle.id), ..Self::default() }
            }
            Command::Sweep => Self::every(Others::All),
            Command::Outbox { .. }
            | Command::AckOutbox { .. }
            | Command::AckEvents { .. }
            | Command::Register => Self::default(),
            Command::WasUsed { names } => Self { once: names.clone(), ..Self::default() },
            Command::Consume { once } => {
                Self { once: names(once.iter().copied()), ..Self::default() }
            }
        }
    }

    /// A code starts a session of its own, whatever else the sign-in has started.
    fn sign_in(create: &CreateSession) -> Self {
        let CreateSession { external_id, authenticated_at, .. } = create;
        let code = create.code.map(|code| Code {
            id: code.id,
            external_id: external_id.clone(),
            issued_at: *authenticated_at,
        });
        let external_id = external_id.clone().filter(|_| code.is_none());
        let sign_in = external_id.map(|external_id| SignIn {
            client_id: create.client_id.clone(),
            external_id,
            authenticated_at: *authenticated_at,
        });
        let once = names(create.code.into_iter().chain(create.proof));
        Self { sign_in, code, once, ..Self::every(Others::Alive) }
    }

    fn every(others: Others) -> Self {
        Self { others, ..Self::default() }
    }

    fn token_of(session: SessionId) -> Self {
        Self { sessions: vec![session], genuine: true, ..Self::default() }
    }

    fn grant_of(session: SessionId) -> Self {
        Self { upstream: true, ..Self::token_of(session) }
    }

    fn tokens_of(tokens: &[Revoke]) -> Self {
        let mut sessions: Vec<_> = tokens.iter().map(|revoke| revoke.session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        let each = tokens.iter().filter_map(|revoke| token(&revoke.credential));
        Self { sessions, genuine: true, tokens: each.collect(), ..Self::default() }
    }
}

fn names(once: impl IntoIterator<Item = Once>) -> Vec<OnceId> {
    once.into_iter().map(|once| once.id).collect()
}

fn token(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Access { jti, .. } => Some(jti.clone()),
        Credential::Refresh { .. } => None,
    }
}

/// The limit that a command may spend from.
const fn class(command: &Command) -> Option<Class> {
    match command {
        Command::Refresh(_) | Command::Extend(_) => Some(Class::Refresh),
        Command::RevokeToken(_) | Command::RevokeMany { .. } => Some(Class::Revoke),
        Command::RevokeSession { .. } => Some(Class::Delete),
        Command::RevokeAll { .. } => Some(Class::RevokeAll),
        Command::RevokeSome { which, .. } => Some(which.class()),
        Command::List => Some(Class::List),
        Command::Register => Some(Class::Register),
        Command::CreateSession(_)
        | Command::Check(_)
        | Command::RevokeExternal { .. }
        | Command::UpstreamGrant(_)
        | Command::UpstreamClaim { .. }
        | Command::UpstreamStore(_)
        | Command::ClaimWebhooks { .. }
        | Command::SettleWebhook(_)
        | Command::Sweep
        | Command::Outbox { .. }
        | Command::AckOutbox { .. }
        | Command::AckEvents { .. }
        | Command::Consume { .. }
        | Command::WasUsed { .. } => None,
    }
}

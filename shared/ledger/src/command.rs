use serde::{Deserialize, Serialize};

use crate::{Device, EndReason, Millis, Policy, SessionId, Subject, Usage};

/// A command with the policy it is to be judged by: what travels to the ledger's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// What to do.
    pub command: Command,
    /// By which numbers.
    pub policy: Policy,
}

/// Everything that can be asked of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Start a session, or return the one that the same upstream sign-in started before.
    CreateSession(CreateSession),
    /// Exchange a refresh token for its successor.
    Refresh(Refresh),
    /// Is this token in force? Enforces idle and absolute timeouts.
    Check(Check),
    /// Revoke one token, or with `cascade` its session.
    RevokeToken(Revoke),
    /// End one session by name.
    RevokeSession {
        /// Which one.
        session: SessionId,
    },
    /// End all sessions but one.
    RevokeAll {
        /// The one to keep.
        except: Option<SessionId>,
    },
    /// List the active sessions.
    List,
    /// Forget what need not be remembered and end what has timed out.
    Sweep,
}

/// See [`Command::CreateSession`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSession {
    /// Who signed in.
    pub subject: Subject,
    /// For which client.
    pub client_id: String,
    /// With which scopes.
    pub scopes: Vec<String>,
    /// For which resources.
    pub resources: Vec<String>,
    /// On which device.
    pub device: Device,
    /// The upstream sign-in; the same one by the same client yields the same session.
    pub external_id: Option<String>,
    /// When the upstream proof was issued. A proof from before the end of the session that it
    /// started cannot start another. Proofs carry whole seconds, rounded down, so one that was
    /// issued within the second after the end is refused too: the safe side, and a proof of the
    /// next second is accepted.
    pub authenticated_at: Millis,
    /// The key under which the first refresh token is minted.
    pub key_id: u8,
}

/// See [`Command::Refresh`]. The token's MAC has been checked before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// From the token.
    pub session: SessionId,
    /// From the token.
    pub generation: u16,
    /// From the token.
    pub counter: u32,
    /// The authenticated client; another client's token is refused without effect.
    pub client_id: String,
    /// Scopes asked for; `None` means all granted ones.
    pub scopes: Option<Vec<String>>,
    /// Resources asked for; `None` means all granted ones.
    pub resources: Option<Vec<String>>,
    /// The key under which a successor, if one is due, is minted.
    pub key_id: u8,
}

/// See [`Command::Check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// From the token.
    pub session: SessionId,
    /// Which token of the session.
    pub credential: Credential,
    /// Who asks.
    pub usage: Usage,
}

/// A token of a session, in the ledger's terms. Signature, expiry and audience have been checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// An access token.
    Access {
        /// Its `jti`.
        jti: String,
        /// Its `exp`, in milliseconds.
        expires_at: Millis,
    },
    /// A refresh token.
    Refresh {
        /// Its generation.
        generation: u16,
        /// Its counter.
        counter: u32,
    },
}

/// See [`Command::RevokeToken`]: RFC 7009. Revoking a refresh token always ends the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// From the token.
    pub session: SessionId,
    /// Which token of the session.
    pub credential: Credential,
    /// The authenticated client; another client's token is refused without effect.
    pub client_id: String,
    /// Whether an access token takes its session along.
    pub cascade: bool,
}

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// CreateSession, Refresh: mint tokens from this.
    Issued(Issue),
    /// Check: the token is in force.
    Active(Standing),
    /// Check: the token is not in force.
    Inactive(Inactive),
    /// RevokeToken, RevokeSession, RevokeAll: done, also when there was nothing left to do.
    Revoked {
        /// How many sessions ended by this command.
        sessions: u32,
    },
    /// List: active sessions, the most recently used first.
    Sessions(Vec<SessionView>),
    /// Sweep: done.
    Swept,
    /// CreateSession, Refresh, RevokeToken, RevokeSession: refused.
    Refused(Refusal),
}

/// All that tokens are minted from. The same values give the same tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// The session.
    pub session: SessionId,
    /// Generation of the refresh token to mint.
    pub generation: u16,
    /// Counter of the refresh token to mint.
    pub counter: u32,
    /// Key of the refresh token to mint.
    pub key_id: u8,
    /// `iat` of the access token.
    pub issued_at: Millis,
    /// Upper bound of every expiry.
    pub absolute_end: Millis,
    /// Whom the tokens speak of.
    pub subject: Subject,
    /// Scopes of the access token: as asked for, within the grant.
    pub scopes: Vec<String>,
    /// Audience of the access token: as asked for, within the grant.
    pub resources: Vec<String>,
    /// Whether this is an answer that was given before (a replay within the grace, a repeated
    /// creation), for logs.
    pub repeated: bool,
}

/// What introspection may say of a token in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Whom the session's tokens speak of.
    pub subject: Subject,
    /// The client that holds the tokens.
    pub client_id: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// Granted resources.
    pub resources: Vec<String>,
    /// When the checked credential was issued, as far as the ledger knows: for a refresh token
    /// the last rotation.
    pub rotated_at: Millis,
    /// When the session ends if it is not used again (the nearer of idle and absolute end).
    pub expires_at: Millis,
}

/// Why a token is not in force. For logs only: clients learn `active: false` and nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inactive {
    /// No such session.
    Unknown,
    /// The session has ended.
    Ended(EndReason),
    /// The access token was revoked by itself.
    TokenRevoked,
    /// The refresh token was replaced and its grace is over.
    Superseded,
}

/// Why a command was refused. Nothing changed but for a timeout that was noticed, and for `Reuse`,
/// which ends the session. (A counter at its largest value cannot rotate: that, too, ends the
/// session, and is `SessionEnded(Revoked)`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such session: never, or no longer remembered.
    UnknownSession,
    /// The session has ended.
    SessionEnded(EndReason),
    /// The token belongs to another client.
    ForeignClient,
    /// A scope was asked for that was not granted.
    ScopeNotGranted,
    /// A resource was asked for that was not granted.
    ResourceNotGranted,
    /// A replaced refresh token was used: the session has been ended now.
    Reuse,
    /// The user holds as many sessions as the policy allows.
    SessionLimit,
    /// The upstream proof is older than the end of the session that it started.
    StaleProof,
}

/// One active session, as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionView {
    /// Name of the session.
    pub id: SessionId,
    /// The client that holds the tokens.
    pub client_id: String,
    /// The device.
    pub device: Device,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// When it was created.
    pub created_at: Millis,
    /// When it was last used, to the minute.
    pub last_seen_at: Millis,
    /// When it ends if it is not used again.
    pub idle_end: Millis,
    /// When it ends, used or not.
    pub absolute_end: Millis,
}

/// Something that happened to a session and that the audit trail tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// What happened.
    pub kind: AuditKind,
    /// When.
    pub at: Millis,
    /// To which session.
    pub session: SessionId,
    /// Whose client.
    pub client_id: String,
}

/// What can happen to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuditKind {
    /// A session began.
    #[serde(rename = "session.created")]
    SessionCreated,
    /// A session ended, other than by reuse.
    #[serde(rename = "session.ended")]
    SessionEnded(EndReason),
    /// A refresh token was rotated.
    #[serde(rename = "token.rotated")]
    TokenRotated,
    /// A replayed refresh token was answered with the same successor within its grace.
    #[serde(rename = "token.replayed")]
    TokenReplayed,
    /// A replaced refresh token was used; the session has been ended.
    #[serde(rename = "token.reuse_detected")]
    ReuseDetected,
    /// One access token was revoked.
    #[serde(rename = "token.revoked")]
    TokenRevoked,
    /// A valid token was ahead of the ledger: the store had lost writes and was moved forward.
    #[serde(rename = "ledger.rollback")]
    Rollback,
}

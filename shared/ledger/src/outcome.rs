use serde::{Deserialize, Serialize};

use crate::{
    Budget, Claimed, Delivery, Device, EndReason, Millis, PastRefresh, Risk, SessionId, Subject,
    UpstreamOutcome, UpstreamState,
};

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// CreateSession, Refresh, Extend: mint tokens from this.
    Issued(Issue),
    /// Refresh: a proactive one came too early, and gets no tokens.
    NotDue {
        /// From when on it is due.
        due_at: Millis,
    },
    /// Check: the token is in force.
    Active(Standing),
    /// Check: the token is not in force.
    Inactive(Inactive),
    /// UpstreamGrant, UpstreamClaim, UpstreamStore, and a Refresh before which the grant is due.
    Upstream(UpstreamOutcome),
    /// RevokeToken, RevokeSession, RevokeAll, RevokeExternal, RevokeSome: done, also when there was nothing left to do.
    Revoked {
        /// How many sessions ended by this command.
        sessions: u32,
    },
    /// RevokeMany: what became of each token, in their order.
    Each(Vec<Outcome>),
    /// A rate limit was met; nothing changed. `remaining` is zero.
    Limited(Budget),
    /// List: active sessions, the most recently used first.
    Sessions(Vec<SessionView>),
    /// Outbox: what is to be delivered.
    Outbox(Delivery),
    /// AckOutbox: done.
    Acknowledged {
        /// How many events were forgotten.
        events: u32,
        /// How many are to be delivered still.
        pending: u32,
    },
    /// ClaimWebhooks: what is to be delivered now.
    Webhooks(Claimed),
    /// SettleWebhook: done, also when there was nothing left to settle.
    Settled,
    /// Sweep: done.
    Swept,
    /// Consume, Register: done.
    Consumed,
    /// WasUsed: whether one was, as far as its use is remembered still.
    Used(bool),
    /// CreateSession, Refresh, Extend, Check with a proof, Consume, RevokeToken, RevokeSession,
    /// UpstreamGrant, UpstreamClaim, UpstreamStore: refused.
    Refused(Refusal),
}

/// Why a command goes no further: the small outcomes, for the way through the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Refused(Refusal),
    NotDue { due_at: Millis },
    UpstreamDue,
    Limited(Budget),
}

impl Outcome {
    /// What is to be said of an answer that does not belong to its command: which one it is, without what
    /// is in it.
    pub fn out_of_turn(&self) -> String {
        format!("the ledger answered out of turn: {:?}", std::mem::discriminant(self))
    }
}

impl From<Stop> for Outcome {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => Self::Refused(refusal),
            Stop::NotDue { due_at } => Self::NotDue { due_at },
            Stop::UpstreamDue => Self::Upstream(UpstreamOutcome::Due),
            Stop::Limited(budget) => Self::Limited(budget),
        }
    }
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
    /// The thumbprint of the key that the session's refresh tokens are bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
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

/// Why a command was refused. Nothing changed but for a timeout that was noticed, and for `Reuse` and
/// a `Replayed` code, which end the session. (A counter at its largest value cannot rotate: that, too, ends the
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
    /// It comes from another device, and the policy refuses that.
    DeviceChanged,
    /// It comes from another network, and the policy refuses that.
    NetworkChanged,
    /// The session was extended as often as it can be.
    Exhausted,
    /// More tokens at once than [`Command::MAX_TOKENS`](crate::Command::MAX_TOKENS).
    TooMany,
    /// The user holds as many sessions as the policy allows.
    SessionLimit,
    /// The upstream proof is older than the end of the session that it started.
    StaleProof,
    /// What may be used once was used before, or its time is over. If it is an authorization code, the
    /// session that it started has been ended now.
    Replayed,
    /// The session is bound to another key than the one that was proved.
    WrongKey,
    /// As much is remembered to be used up as there is room for: try again later.
    Full,
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
    /// The network prefix of the last refresh that told one.
    pub network: Option<String>,
    /// The country that it was last used from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The sign-in at the identity provider that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// How risky it looks now, and why.
    pub risk: Risk,
    /// Its last refreshes, oldest first.
    pub refreshes: Vec<PastRefresh>,
    /// Whether its grant at the identity provider is of use, if it holds one.
    pub upstream: Option<UpstreamState>,
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

use serde::{Deserialize, Serialize};

use crate::{Millis, SessionId};

/// Everything that is remembered about one user's sessions. `Default` is the empty ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Version of this document's shape; see [`Ledger::SCHEMA`].
    #[serde(default)]
    pub schema: u16,
    /// Active sessions, and ended ones for as long as they are remembered.
    #[serde(default)]
    pub sessions: Vec<Session>,
    /// Access tokens revoked one by one, until they would have expired anyway.
    #[serde(default)]
    pub revoked_tokens: Vec<RevokedToken>,
}

impl Ledger {
    /// The shape that this code writes. Older shapes are read; newer ones are refused.
    pub const SCHEMA: u16 = 1;
}

/// One sign-in on one device by one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Name of the session, the token claim `sid`.
    pub id: SessionId,
    /// Who signed in, and as what.
    pub subject: Subject,
    /// The client that holds the tokens.
    pub client_id: String,
    /// Scopes granted at sign-in; a refresh can only narrow its access token.
    pub scopes: Vec<String>,
    /// Resources (audiences) granted at sign-in, RFC 8707.
    pub resources: Vec<String>,
    /// The device as the person would recognise it.
    pub device: Device,
    /// Identifies the upstream sign-in that this session came from, for idempotent creation.
    pub external_id: Option<String>,
    /// When the session was created.
    pub created_at: Millis,
    /// When the session was last used; written at most once a minute.
    pub last_seen_at: Millis,
    /// Ends after this long without use.
    pub idle: Millis,
    /// Ends at this time, used or not.
    pub absolute_end: Millis,
    /// Raised by `extend`, which starts the counter anew.
    pub generation: u16,
    /// The one refresh token that rotates next is the one with this counter.
    pub counter: u32,
    /// The key under which the current refresh token was minted.
    pub key_id: u8,
    /// When the counter reached its value: the `iat` of tokens minted at it.
    pub rotated_at: Millis,
    /// Whether the session lives.
    pub state: State,
}

/// Whom the session's tokens speak of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The token claim `sub`.
    pub id: String,
    /// The active organization, claim `org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Roles in that organization, claim `roles`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// What is known of the device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Device {
    /// For a person to recognise, for example "Firefox on Linux".
    pub label: String,
}

/// Whether a session lives, and if not, why and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The session's tokens work.
    Active,
    /// The session's tokens are refused for ever.
    Ended {
        /// Since when.
        at: Millis,
        /// Why.
        reason: EndReason,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The client or the person revoked it.
    Revoked,
    /// All sessions of the person were revoked.
    RevokedAll,
    /// A refresh token was used after it had been replaced: theft, or a broken client.
    Reuse,
    /// The person signed in on more devices than the policy allows.
    Evicted,
    /// Unused for longer than the policy allows.
    IdleTimeout,
    /// Reached its absolute end.
    AbsoluteTimeout,
}

/// One access token that was revoked by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedToken {
    /// The token claim `jti`.
    pub jti: String,
    /// When the token expires and need not be remembered any more.
    pub expires_at: Millis,
}

/// How a Check counts: only direct use by the person's client says that the person is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// A call that the client makes with its token: moves `last_seen_at`.
    Direct,
    /// A resource server asks about the token: moves `last_seen_at` too, as the token is in use.
    Introspection,
}

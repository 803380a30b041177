use serde::{Deserialize, Serialize};

use crate::id::LeaseId;
use crate::{
    Device, Link, Millis, Once, OnceId, Origin, Policy, SessionId, Settle, Signals, Subject,
    UpstreamGrant, UpstreamStore, Usage,
};

/// A command with the policy it is to be judged by: what travels to the ledger's owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// What to do.
    pub command: Command,
    /// By which numbers.
    pub policy: Policy,
    /// Who sent it.
    #[serde(default)]
    pub origin: Origin,
}

/// Everything that can be asked of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Start a session, or return the one that the same upstream sign-in started before. If the
    /// person has another organization or other roles by now, the session moves along and rotates:
    /// all tokens from then on speak of the new ones. Access tokens that were minted before keep
    /// what they say until they expire, which is at most [`Policy::access_token`] later.
    CreateSession(CreateSession),
    /// Exchange a refresh token for its successor.
    Refresh(Refresh),
    /// Start a new generation of a session's refresh tokens and its idle time anew.
    Extend(Extend),
    /// Is this token in force? Enforces idle and absolute timeouts.
    Check(Check),
    /// Revoke one token, or with `cascade` its session.
    RevokeToken(Revoke),
    /// Revoke up to [`Command::MAX_TOKENS`] tokens of the person, each as by `RevokeToken`.
    RevokeMany {
        /// Which ones.
        tokens: Vec<Revoke>,
    },
    /// End one session by name. One that was revoked within the last minute is as good as revoked
    /// by this command, whose answer may have been lost: it is no error and ends no session.
    RevokeSession {
        /// Which one.
        session: SessionId,
        /// Why, for the record. Longer ones are cut at 200 characters.
        #[serde(default)]
        reason: Option<String>,
    },
    /// End all sessions but one.
    RevokeAll {
        /// The one to keep.
        except: Option<SessionId>,
        /// Why, for the record. Longer ones are cut at 200 characters.
        #[serde(default)]
        reason: Option<String>,
    },
    /// End all sessions that came from one sign-in at the identity provider, which has ended it. A
    /// proof of that sign-in from before cannot start another one, for no client. It may be repeated.
    RevokeExternal {
        /// The sign-in, as in [`CreateSession::external_id`].
        external_id: String,
        /// Why, for the record. Longer ones are cut at 200 characters.
        #[serde(default)]
        reason: Option<String>,
    },
    /// End the sessions that a person does not want any more.
    RevokeSome {
        /// Which ones.
        which: Which,
        /// Why, for the record. Longer ones are cut at 200 characters.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Give a session the grant of the sign-in that it came from. One that was issued before the one
    /// that it holds is not taken.
    UpstreamGrant(UpstreamGrant),
    /// Ask to renew a session's grant at the identity provider. It is lent to one at a time; the
    /// same lease may ask again. Whoever gets it stores what came of it, or it counts as lost.
    UpstreamClaim {
        /// The session.
        session: SessionId,
        /// A name for the lease, drawn at random.
        lease: LeaseId,
    },
    /// Say what came of it.
    UpstreamStore(UpstreamStore),
    /// List the active sessions.
    List,
    /// Forget what need not be remembered and end what has timed out.
    Sweep,
    /// Show the oldest events of the audit trail that are to be delivered. Changes nothing.
    Outbox {
        /// How many at most.
        limit: u32,
    },
    /// Forget the events that were delivered, if they are the ones that are pending.
    AckOutbox {
        /// The number of the last one; all before it were delivered too.
        up_to: u64,
        /// Its link. A store that has lost writes numbers other events alike, and those have not
        /// been delivered: then nothing is forgotten.
        hash: Link,
    },
    /// Forget exactly these events. On a store that keeps the trail in one chain this is as
    /// `AckOutbox` for those at its beginning; where each event is kept by itself, only this is exact.
    AckEvents {
        /// The numbers and links of those that were delivered.
        events: Vec<(u64, Link)>,
    },
    /// Take announcements that are due, to deliver them: for [`Webhooks::LEASE`](crate::Webhooks)
    /// nobody else gets them.
    ClaimWebhooks {
        /// How many at most.
        limit: u32,
    },
    /// Tell what became of a claimed announcement.
    SettleWebhook(Settle),
    /// Take one from the limit on registrations of clients, in the ledger of the network that one comes
    /// from.
    Register,
    /// Use up what may be used once: all of it, or nothing if one of it was used before. Whoever does
    /// not get the answer must begin anew: repeated, it is refused.
    Consume {
        /// What.
        once: Vec<Once>,
    },
    /// Was one of these used up? Changes nothing.
    WasUsed {
        /// Their names.
        names: Vec<OnceId>,
    },
}

impl Command {
    /// Tokens that one command revokes.
    pub const MAX_TOKENS: usize = 100;

    /// Whether somebody asks for a revocation, and must not be told that it is done before everybody
    /// will hear of it.
    pub const fn revokes(&self) -> bool {
        matches!(
            self,
            Self::RevokeToken(_)
                | Self::RevokeMany { .. }
                | Self::RevokeSession { .. }
                | Self::RevokeAll { .. }
                | Self::RevokeExternal { .. }
                | Self::RevokeSome { .. }
        )
    }
}

/// See [`Command::RevokeSome`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All but those that came from one sign-in at the identity provider: the others, for a person who
    /// looks at them in the browser of that sign-in. Counted and remembered as the end of all.
    NotFrom(String),
    /// Those of one client: the person has disconnected it. Counted as the end of one session.
    OfClient(String),
}

/// See [`Command::CreateSession`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSession {
    /// Who signed in.
    pub subject: Subject,
    /// For which client.
    pub client_id: String,
    /// With which scopes: the grant of a new session. A session that is there already narrows its
    /// access token to them.
    pub scopes: Vec<String>,
    /// Whether nobody asked for those scopes. Then a session that is there already answers with all
    /// that it was granted, whatever the default is by now.
    #[serde(default)]
    pub scopes_by_default: bool,
    /// For which resources: as with the scopes.
    pub resources: Vec<String>,
    /// Whether nobody asked for those resources.
    #[serde(default)]
    pub resources_by_default: bool,
    /// On which device.
    pub device: Device,
    /// The upstream sign-in; the same one by the same client yields the same session.
    pub external_id: Option<String>,
    /// When the upstream proof, or the authorization code, was issued. A proof from before the end of the session that it
    /// started cannot start another. Proofs carry whole seconds, rounded down, so one that was
    /// issued within the second after the end is refused too: the safe side, and a proof of the
    /// next second is accepted. A code from before the moment when all sessions were revoked is refused,
    /// and so is every code of a sign-in that the provider has ended.
    pub authenticated_at: Millis,
    /// The key under which the first refresh token is minted.
    pub key_id: u8,
    /// A session that is there already rotates first if its access token expires within this time, and
    /// does not count if it ends within it.
    #[serde(default)]
    pub fresh_for: Millis,
    /// Where the sign-in came from: what the first refresh is compared with.
    #[serde(default)]
    pub signals: Signals,
    /// The authorization code that this redeems. Then it is always a new session, and the code is used
    /// up by it. If it was used before, the session that it started is ended (RFC 6749 section 4.1.2).
    #[serde(default)]
    pub code: Option<Once>,
    /// The DPoP proof of the call (RFC 9449 section 11.1), used up by a success.
    #[serde(default)]
    pub proof: Option<Once>,
    /// The thumbprint of the key that the refresh tokens are bound to (RFC 9449 section 5).
    #[serde(default)]
    pub key: Option<String>,
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
    /// Rotate only if the access token expires within five minutes; otherwise the answer is
    /// [`NotDue`](crate::Outcome::NotDue). A token that was replaced is judged as ever: a
    /// proactive refresh whose answer was lost gets it again.
    #[serde(default)]
    pub proactive: bool,
    /// Rotate whether or not it is due: overrules `proactive`. It changes nothing for a token that
    /// was replaced.
    #[serde(default)]
    pub force_rotation: bool,
    /// Whether the caller renews the session's grant at the identity provider when it is due. Then a
    /// refresh that would rotate answers [`Due`](crate::UpstreamOutcome::Due) first and changes
    /// nothing, so that its tokens tell what the provider says by now.
    #[serde(default)]
    pub renews_upstream: bool,
    /// Where the call comes from.
    #[serde(default)]
    pub signals: Signals,
    /// The thumbprint of the key that the caller has proved to hold. A session that is bound to another
    /// one, or to none where there is one, refuses without effect: all tokens of a session are of one key,
    /// or none is.
    #[serde(default)]
    pub key: Option<String>,
    /// The DPoP proof of the call (RFC 9449 section 11.1), used up by a success.
    #[serde(default)]
    pub proof: Option<Once>,
}

/// See [`Command::Extend`]. The absolute end stays where it is. The refresh token before it stays
/// good within the grace, for the same successor; so does the extension itself, until the first
/// refresh of its generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extend {
    /// Which one.
    pub session: SessionId,
    /// The authenticated client; another client's session is refused without effect.
    pub client_id: String,
    /// The key under which the refresh token is minted.
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
    /// The thumbprint of the key that the caller has proved to hold. A session that is bound to another
    /// one refuses; what its access token is bound to, the token itself says.
    #[serde(default)]
    pub key: Option<String>,
    /// The DPoP proof of the call (RFC 9449 section 11.1), used up if the token is in force.
    #[serde(default)]
    pub proof: Option<Once>,
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
    /// Why, for the record. Longer ones are cut at 200 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

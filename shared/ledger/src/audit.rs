use serde::{Deserialize, Serialize};

use crate::{EndReason, Millis, SessionId};

/// Who sent a command, and in the course of what: the audit trail tells it with each event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// On whose behalf.
    #[serde(skip_serializing_if = "Actor::is_client")]
    pub actor: Actor,
    /// The request, as the log lines name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The trace (W3C trace context).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Drawn at random for a command that uses something up ([`Command::is_of_once`](crate::Command::is_of_once)).
    /// If no answer comes and whoever carries it sends it again, the copy has the same number, and what
    /// the first one has used up does not stand in its way. Nobody outside the service can know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sending: Option<u32>,
}

/// On whose behalf a command is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The person, by one of their clients. Only they are held to the rate limits.
    #[default]
    Client,
    /// An operator of the deployment, by this name, for the person.
    Operator(String),
    /// A resource server that asks about a token, by its client id.
    ResourceServer(String),
    /// The service itself: sweeps, sign-outs that the identity provider tells of.
    Service,
}

impl Actor {
    /// Whether it is the person.
    pub const fn is_client(&self) -> bool {
        matches!(self, Self::Client)
    }
}

/// Something that happened to a session and that the audit trail tells of.
///
/// Its canonical form, over which the chain is computed, is its JSON with the members in this
/// order, without whitespace and without those that are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// Its number in this ledger, from 1, without gaps; 0 if it does not go to the audit trail.
    pub id: u64,
    /// What happened.
    pub kind: AuditKind,
    /// When.
    pub at: Millis,
    /// To which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Whose client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// In which organization the person was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The label of the session's device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The network prefix of the session's last refresh that told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Actor::is_client")]
    pub actor: Actor,
    /// How it came out.
    pub outcome: AuditOutcome,
    /// Why, in the words of whoever asked for it, or what is to be known besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The trace of that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// For how many alike it stands: more than one if the outbox had no room for each.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
}

/// How an event came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// Done.
    Success,
    /// Not done, with nothing changed.
    Refused,
    /// Somebody should look at it.
    Alert,
}

/// How much the audit trail is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditLevel {
    /// Nothing is kept: events are only in the answer to the command, for the log.
    Off,
    /// All but routine events.
    Notable,
    /// Routine events too: one for each refresh.
    All,
}

/// How an event is kept when there are many of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It happens all the time in good order.
    Routine,
    /// It can be caused at will by whoever holds a token, and changes nothing.
    Refusal,
    /// Each of it matters.
    Notable,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $outcome:ident, $weight:ident;)+) => {
        /// What can happen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum AuditKind {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl AuditKind {
            /// All that there are.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in the audit trail.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// How it comes out.
            pub const fn outcome(self) -> AuditOutcome {
                match self { $(Self::$name => AuditOutcome::$outcome),+ }
            }

            pub(crate) const fn weight(self) -> Weight {
                match self { $(Self::$name => Weight::$weight),+ }
            }
        }
    };
}

kinds! {
    /// A session began.
    SessionCreated = "session.created", Success, Notable;
    /// A repeated sign-in got the session that it had started before.
    SessionResumed = "session.resumed", Success, Routine;
    /// A sign-in was refused: the person holds as many sessions as are allowed.
    SessionDenied = "session.denied", Refused, Refusal;
    /// A session was extended by a new generation of refresh tokens.
    SessionExtended = "session.extended", Success, Notable;
    /// A session was ended by its client, its person or an operator.
    SessionRevoked = "session.revoked", Success, Notable;
    /// A session was ended along with the others of the person.
    SessionRevokedAll = "session.revoked_all", Success, Notable;
    /// A session made room for a new one.
    SessionEvicted = "session.evicted", Success, Notable;
    /// A session was unused for too long.
    SessionIdle = "session.idle_timeout", Success, Notable;
    /// A session reached its absolute end.
    SessionOver = "session.absolute_timeout", Success, Notable;
    /// A session was older than what the deployment still takes.
    SessionNotBefore = "session.not_before", Success, Notable;
    /// A session ended with the sign-in that it came from.
    SessionSignedOut = "session.signed_out", Success, Notable;
    /// A session ended because its grant at the identity provider has ended.
    SessionUpstreamEnded = "session.upstream_ended", Success, Notable;
    /// A session follows its person to another organization or other roles.
    SessionMoved = "session.moved", Success, Notable;
    /// A session's counter had reached its largest value.
    SessionExhausted = "session.exhausted", Success, Notable;
    /// An ended session is no longer remembered.
    SessionForgotten = "session.forgotten", Success, Routine;
    /// A refresh token was rotated.
    TokenRotated = "token.rotated", Success, Routine;
    /// A replayed refresh token was answered with the same successor within its grace.
    TokenReplayed = "token.replayed", Success, Routine;
    /// A proactive refresh came too early, and got nothing.
    TokenNotDue = "token.not_due", Success, Routine;
    /// A replaced refresh token was used; the session has been ended.
    ReuseDetected = "token.reuse_detected", Alert, Notable;
    /// One access token was revoked.
    TokenRevoked = "token.revoked", Success, Notable;
    /// One access token too many was revoked: its session has been ended instead.
    TokenEscalated = "token.revocation_escalated", Alert, Notable;
    /// A client presented another client's token.
    ForeignClient = "token.foreign_client", Alert, Refusal;
    /// A refresh asked for a scope that was not granted.
    ScopeRefused = "token.scope_refused", Refused, Refusal;
    /// A refresh asked for a resource that was not granted.
    ResourceRefused = "token.resource_refused", Refused, Refusal;
    /// A sign-in was proved by something older than the end of its session.
    ProofStale = "proof.stale", Refused, Refusal;
    /// The authorization code that started a session was used again; the session has been ended.
    CodeReplayed = "code.replayed", Alert, Notable;
    /// An authorization code was used that is used up or too old, and started no session that lives.
    CodeRefused = "code.refused", Refused, Refusal;
    /// A proof, an assertion or a request was used again that may be used once.
    OnceReplayed = "once.replayed", Refused, Refusal;
    /// A session is used from another device.
    DeviceChanged = "device.changed", Success, Notable;
    /// A refresh token was used with another key than it is bound to.
    KeyRefused = "key.refused", Alert, Refusal;
    /// A refresh from another device was refused.
    DeviceRefused = "device.refused", Alert, Refusal;
    /// A session is used from another network.
    NetworkChanged = "network.changed", Success, Routine;
    /// A refresh from another network was refused.
    NetworkRefused = "network.refused", Alert, Refusal;
    /// A session is used from another country.
    CountryChanged = "country.changed", Success, Notable;
    /// A session is used from a place that nobody reaches in the time.
    ImpossibleTravel = "travel.impossible", Alert, Notable;
    /// A session looks risky.
    RiskFlagged = "risk.flagged", Alert, Notable;
    /// A session does not look risky any more.
    RiskCleared = "risk.cleared", Success, Notable;
    /// A session looked too risky and has been ended.
    RiskEnded = "risk.ended", Alert, Notable;
    /// A session was given the grant of its sign-in at the identity provider.
    UpstreamGranted = "upstream.granted", Success, Notable;
    /// The grant was renewed.
    UpstreamRenewed = "upstream.renewed", Success, Routine;
    /// The grant could not be renewed; it is tried again.
    UpstreamFailed = "upstream.failed", Refused, Routine;
    /// Whoever renewed the grant did not come back: the answer is lost.
    UpstreamAnswerLost = "upstream.answer_lost", Alert, Notable;
    /// The grant is lost; the person has to sign in again for it.
    UpstreamSignIn = "upstream.sign_in_required", Alert, Notable;
    /// A rate limit was met.
    LimitReached = "limit.reached", Refused, Refusal;
    /// A valid token was ahead of the ledger: the store had lost writes and was moved forward.
    Rollback = "ledger.rollback", Alert, Notable;
    /// An announcement was given up: an endpoint of the webhooks did not take it for a day.
    WebhookFailed = "webhook.failed", Alert, Notable;
}

impl AuditKind {
    /// Whether whoever holds a token can cause it at will, and it changes nothing: a store that
    /// keeps each event by itself must not keep each of these.
    pub const fn is_at_will(self) -> bool {
        matches!(self.weight(), Weight::Refusal)
    }

    /// What the end of a session is called.
    pub const fn of_end(reason: EndReason) -> Self {
        match reason {
            EndReason::Revoked => Self::SessionRevoked,
            EndReason::RevokedAll => Self::SessionRevokedAll,
            EndReason::CodeReplayed => Self::CodeReplayed,
            EndReason::Reuse => Self::ReuseDetected,
            EndReason::Evicted => Self::SessionEvicted,
            EndReason::IdleTimeout => Self::SessionIdle,
            EndReason::AbsoluteTimeout => Self::SessionOver,
            EndReason::Risk => Self::RiskEnded,
            EndReason::NotBefore => Self::SessionNotBefore,
            EndReason::Exhausted => Self::SessionExhausted,
            EndReason::SignedOut => Self::SessionSignedOut,
            EndReason::UpstreamEnded => Self::SessionUpstreamEnded,
        }
    }

    /// Whether webhooks are told of it: reuse, risk, and every end of a session.
    pub const fn is_announced(self) -> bool {
        match self {
            Self::ReuseDetected
            | Self::CodeReplayed
            | Self::RiskFlagged
            | Self::RiskCleared
            | Self::RiskEnded
            | Self::SessionRevoked
            | Self::SessionRevokedAll
            | Self::SessionEvicted
            | Self::SessionIdle
            | Self::SessionOver
            | Self::SessionNotBefore
            | Self::SessionExhausted
            | Self::SessionSignedOut
            | Self::SessionUpstreamEnded => true,
            Self::SessionCreated
            | Self::SessionResumed
            | Self::SessionDenied
            | Self::SessionExtended
            | Self::SessionForgotten
            | Self::TokenRotated
            | Self::TokenReplayed
            | Self::TokenNotDue
            | Self::TokenRevoked
            | Self::TokenEscalated
            | Self::ForeignClient
            | Self::ScopeRefused
            | Self::ResourceRefused
            | Self::ProofStale
            | Self::CodeRefused
            | Self::OnceReplayed
            | Self::KeyRefused
            | Self::DeviceChanged
            | Self::DeviceRefused
            | Self::NetworkChanged
            | Self::NetworkRefused
            | Self::CountryChanged
            | Self::ImpossibleTravel
            | Self::LimitReached
            | Self::Rollback
            | Self::SessionMoved
            | Self::UpstreamGranted
            | Self::UpstreamRenewed
            | Self::UpstreamFailed
            | Self::UpstreamAnswerLost
            | Self::UpstreamSignIn
            | Self::WebhookFailed => false,
        }
    }
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_one(count: &u32) -> bool {
    *count == 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_stored_under_its_own_name() {
        let names: BTreeSet<_> = AuditKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), AuditKind::ALL.len());
        assert!(names.len() >= 25, "{}", names.len());
        for kind in AuditKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn an_event_has_one_canonical_form() {
        let event = AuditEvent {
            id: 7,
            kind: AuditKind::SessionRevoked,
            at: 1_700_000_000_000,
            session: Some(SessionId::from_bytes([0xab; 16])),
            client_id: Some("app".to_owned()),
            organization: Some("org".to_owned()),
            device: None,
            network: Some("192.0.2.0/24".to_owned()),
            actor: Actor::Operator("ops".to_owned()),
            outcome: AuditOutcome::Success,
            reason: Some("lost laptop".to_owned()),
            request_id: None,
            trace_id: None,
            count: 1,
        };
        let text = serde_json::to_string(&event).unwrap();
        let expected = format!(
            r#"{{"id":7,"kind":"session.revoked","at":1700000000000,"session":"{}","client_id":"app","organization":"org","network":"192.0.2.0/24","actor":{{"operator":"ops"}},"outcome":"success","reason":"lost laptop"}}"#,
            "ab".repeat(16)
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<AuditEvent>(&text).unwrap(), event);
    }
}

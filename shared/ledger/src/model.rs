use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Device, Millis, Once, OnceId, Outbox, RiskMemory, Seen, SessionId, Upstream, Webhooks, Window,
};

/// Everything that is remembered about one user's sessions. `Default` is the empty ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// Version of this document's shape; see [`Ledger::SCHEMA`].
    #[serde(default)]
    pub schema: u16,
    /// Whose ledger it is: the user that the first session spoke of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Active sessions, and ended ones for as long as they are remembered.
    #[serde(default)]
    pub sessions: Vec<Session>,
    /// Access tokens revoked one by one, until they would have expired anyway.
    #[serde(default)]
    pub revoked_tokens: Vec<RevokedToken>,
    /// What may be used once and was, until it is of no use anyway. At most [`Ledger::MAX_CONSUMED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumed: Vec<Once>,
    /// What was spent of the rate limits lately. It keeps no ledger alive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// The audit trail on its way out.
    #[serde(default, skip_serializing_if = "Outbox::is_unused")]
    pub outbox: Outbox,
    /// Announcements on their way to webhooks.
    #[serde(default, skip_serializing_if = "Webhooks::is_empty")]
    pub webhooks: Webhooks,
}

impl Ledger {
    /// The shape that this code writes. Older shapes are read; newer ones are refused.
    pub const SCHEMA: u16 = 3;

    /// Ended sessions that one ledger remembers, whatever the policy says, so that the document
    /// stays small. Beyond it those that ended first are forgotten. Their tokens stay refused (as
    /// of an unknown session); only [`StaleProof`](crate::Refusal::StaleProof) loses its memory,
    /// and upstream proofs live for minutes.
    pub const MAX_ENDED: usize = 100;

    /// Access tokens that can be revoked one by one at any time. A revocation must not be
    /// forgotten, so the next one ends its whole session instead.
    pub const MAX_REVOKED_TOKENS: usize = 256;

    /// Uses of what may be used once that are remembered at any time. None of them must be forgotten,
    /// so the next one is refused instead.
    pub const MAX_CONSUMED: usize = 512;

    /// Whether nothing is remembered, so that the document need not be kept. The head of an audit
    /// trail is remembered for ever: without it nobody could tell that the trail was cut.
    pub fn is_empty(&self) -> bool {
        self.has_nothing_to_end()
            && self.windows.is_empty()
            && self.outbox.is_unused()
            && self.webhooks.is_empty()
    }

    /// Whether nothing is held that a sweep ends, but for what was spent of rate limits.
    pub(crate) fn has_nothing_to_end(&self) -> bool {
        self.sessions.is_empty() && self.revoked_tokens.is_empty() && self.consumed.is_empty()
    }

    /// A stored document in the shape of this code. Every document passes here before it is used.
    ///
    /// # Errors
    /// [`UnsupportedSchema`] if newer code has written it: reading on would lose what that code
    /// has added.
    pub fn upgraded(self) -> Result<Self, UnsupportedSchema> {
        match self.schema {
            // Shape 0 is the document before its first write.
            0 | 1 => {
                // Schema 2 has added fields, all of which may be absent, and the owner.
                let first = self.sessions.first().map(|session| session.subject.id.clone());
                Ok(Self { schema: Self::SCHEMA, owner: self.owner.or(first), ..self })
            }
            // Schema 3 has added what is used up, and codes and keys of sessions: all may be absent, but
            // code that does not know of them would take a bound token for a free one.
            2 => Ok(Self { schema: Self::SCHEMA, ..self }),
            Self::SCHEMA => Ok(self),
            found => Err(UnsupportedSchema { found }),
        }
    }
}

/// The document was written by newer code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnsupportedSchema {
    /// The document's version.
    pub found: u16,
}

impl fmt::Display for UnsupportedSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ledger schema {} is newer than {}", self.found, Ledger::SCHEMA)
    }
}

impl std::error::Error for UnsupportedSchema {}

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
    /// The device that made the last rotation.
    pub device: Device,
    /// The network prefix of the last refresh that told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// What else the last refreshes told of where they came from.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub seen: Seen,
    /// What makes the session look risky.
    #[serde(default, skip_serializing_if = "RiskMemory::is_empty")]
    pub risk: RiskMemory,
    /// The last refreshes, oldest first, at most [`Session::REFRESHES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refreshes: Vec<PastRefresh>,
    /// Identifies the upstream sign-in that this session came from, for idempotent creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The authorization code that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<OnceId>,
    /// The thumbprint of the key that its refresh tokens are bound to (RFC 9449 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The grant of that sign-in, if it was handed over; an ended session keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
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
    /// The counter that the generation before ended at, which `extend` replaced; until the first
    /// rotation of the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_from: Option<u32>,
    /// When the counter reached its value: the `iat` of tokens minted at it.
    pub rotated_at: Millis,
    /// How long after that the token before still yields the same successor: what the policy said
    /// then, so that all who ask later (resource servers too, which do not know the client) agree.
    /// Absent in documents from before it was kept, and until the first rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Millis>,
    /// Replays of the token before the current one, counted as far as somebody asks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replays: u32,
    /// Whether an access token was revoked by itself since the counter reached its value: it may
    /// be the one that is minted at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub access_revoked: bool,
    /// Whether the session lives.
    pub state: State,
    /// Why it was revoked, in the words of who did it; at most [`Session::MAX_NOTE`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_note: Option<String>,
}

/// One refresh, as the person who looks at a session sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRefresh {
    /// When.
    pub at: Millis,
    /// From which network prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Whether it was answered with tokens that had been given before. Of many such ones from one
    /// network after one rotation, the first is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
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

/// Whether a session lives, and if not, why and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The session's tokens work.
    Active,
    /// The session's tokens are refused for ever.
    Ended {
        /// Since when. For a timeout this is when time ran out, not when somebody noticed.
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
    /// The authorization code that started it was used again.
    CodeReplayed,
    /// A refresh token was used after it had been replaced: theft, or a broken client.
    Reuse,
    /// The person signed in on more devices than the policy allows.
    Evicted,
    /// Unused for longer than the policy allows.
    IdleTimeout,
    /// Reached its absolute end.
    AbsoluteTimeout,
    /// Looked too much like somebody else's.
    Risk,
    /// Created before the moment from which on the deployment takes sessions.
    NotBefore,
    /// Its counter stands at the largest value and cannot rotate.
    Exhausted,
    /// The identity provider ended the sign-in that it came from, and told us.
    SignedOut,
    /// The identity provider refused to renew the grant of the sign-in that it came from.
    UpstreamEnded,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{refresh, run, run_by, session};
    use crate::{
        AuditLevel, Check, Command, Credential, Fingerprint, Inactive, Limits, Location, Outcome,
        Policy, Refresh, UpstreamState,
    };

    #[test]
    fn a_document_survives_json() {
        let mut ended = session(2);
        ended.external_id = Some("upstream".to_owned());
        ended.code = Some(OnceId::from_bytes([4; 16]));
        ended.key = Some("thumbprint".to_owned());
        ended.subject.organization = Some("org".to_owned());
        ended.subject.roles = vec!["admin".to_owned()];
        ended.state = State::Ended { at: 7, reason: EndReason::AbsoluteTimeout };
        let ledger = Ledger {
            schema: Ledger::SCHEMA,
            sessions: vec![session(1), ended],
            revoked_tokens: vec![RevokedToken { jti: "j".to_owned(), expires_at: Millis::MAX }],
            consumed: vec![Once::new(OnceId::from_bytes([5; 16]), 9)],
            ..Ledger::default()
        };
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    }

    #[test]
    fn a_document_without_optional_fields_is_read() {
        assert_eq!(serde_json::from_str::<Ledger>("{}").unwrap(), Ledger::default());
        let text = format!(
            r#"{{"schema":1,"sessions":[{{"id":"{}","subject":{{"id":"user"}},"client_id":"app",
            "scopes":["a","b"],"resources":["r1","r2"],"device":{{"label":"curl"}},
            "created_at":1000000,"last_seen_at":1000000,"idle":1800000,"absolute_end":87400000,
            "generation":0,"counter":0,"key_id":1,"rotated_at":1000000,"state":"active"}}]}}"#,
            "01".repeat(16)
        );
        let ledger: Ledger = serde_json::from_str(&text).unwrap();
        assert_eq!(ledger.sessions, vec![session(1)]);
        assert!(ledger.revoked_tokens.is_empty());
    }

    #[test]
    fn a_document_of_an_older_or_equal_schema_is_upgraded() {
        for schema in [0, 1, 2, Ledger::SCHEMA] {
            let ledger = Ledger { schema, sessions: vec![session(1)], ..Ledger::default() };
            let upgraded = ledger.clone().upgraded().unwrap();
            let owner = (schema < 2).then(|| "user".to_owned());
            assert_eq!(upgraded, Ledger { schema: Ledger::SCHEMA, owner, ..ledger });
        }
    }

    #[test]
    fn a_stored_document_of_schema_1_is_read_and_its_tokens_go_on() {
        let text = include_str!("../tests/fixtures/schema_1.json");
        let stored: Ledger = serde_json::from_str(text).unwrap();
        assert_eq!(stored.schema, 1);
        let mut ledger = stored.clone().upgraded().unwrap();
        assert_eq!(ledger.schema, Ledger::SCHEMA);
        assert_eq!(ledger.owner.as_deref(), Some("user_01HZX8K2M3N4P5Q6R7S8T9V0W1"));
        assert_eq!(ledger.sessions, stored.sessions);
        assert_eq!(ledger.revoked_tokens, stored.revoked_tokens);
        let command = Refresh {
            session: ledger.sessions[0].id,
            client_id: "atoms-web".to_owned(),
            ..refresh(1, 3)
        };
        let applied = run(&mut ledger, Command::Refresh(command), 1_750_000_700_000);
        assert!(matches!(applied.outcome, Outcome::Issued(issue) if issue.counter == 4));
        let ended = Command::Check(Check {
            session: ledger.sessions[1].id,
            credential: Credential::Refresh { generation: 0, counter: 0 },
            usage: Usage::Direct,
            key: None,
            proof: None,
        });
        let applied = run(&mut ledger, ended, 1_750_000_700_000);
        let revoked = Outcome::Inactive(Inactive::Ended(EndReason::Revoked));
        assert_eq!(applied.outcome, revoked);
    }

    /// What a deployment pays for: a session of a browser with everything that is ever kept.
    #[test]
    fn a_session_stays_small() {
        let text = include_str!("../tests/fixtures/schema_1.json");
        let mut session = serde_json::from_str::<Ledger>(text).unwrap().sessions.remove(0);
        let plain = serde_json::to_string(&session).unwrap().len();
        let network = Some("2001:db8:1234::/48".to_owned());
        session.device.fingerprint = Some(Fingerprint::from_bytes([7; 16]));
        session.network.clone_from(&network);
        session.seen = Seen {
            described: Some(Fingerprint::from_bytes([8; 16])),
            surroundings: Some(Fingerprint::from_bytes([9; 16])),
            country: Some("DE".to_owned()),
            asn: Some(64_500),
            user_agent_family: Some("Firefox".to_owned()),
            location: Location::from_degrees(52.52, 13.40).map(|place| (place, 1_750_000_600_000)),
        };
        let past = PastRefresh { at: 1_750_000_600_000, network, repeated: true };
        session.refreshes = vec![past; Session::REFRESHES];
        let full = serde_json::to_string(&session).unwrap().len();
        println!("bytes per session: {plain} without signals, {full} with all of them");
        assert!(plain < 800 && full < 1_500, "{plain} {full}");
        session.upstream = Some(Upstream {
            sealed: "x".repeat(120),
            issued_at: 1_750_000_600_000,
            expires_at: 1_750_000_900_000,
            renewed_at: 1_750_000_600_000,
            organization: Some("org_01HZX8K2M3N4P5Q6R7S8T9V0W1".to_owned()),
            role: Some("admin".to_owned()),
            next_subject: None,
            lease: None,
            failures: 0,
            retry_at: None,
            unsure: false,
            state: UpstreamState::Good,
        });
        let granted = serde_json::to_string(&session).unwrap().len() - full;
        println!("bytes of a grant at the identity provider: {granted}");
        assert!(granted < 350, "{granted}");
        let policy = Policy { audit: AuditLevel::All, limits: Limits::off(), ..Policy::default() };
        let mut ledger = Ledger { sessions: vec![session], ..Ledger::default() };
        let (session, client_id) = (ledger.sessions[0].id, "atoms-web".to_owned());
        let command = Refresh { session, client_id, ..refresh(1, 3) };
        run_by(&mut ledger, Command::Refresh(command), 1_750_000_700_000, &policy);
        let event = serde_json::to_string(&ledger.outbox.events).unwrap().len();
        let trail = serde_json::to_string(&ledger.outbox).unwrap().len() - event;
        println!("bytes of the audit trail: {trail} for ever, {event} for an undelivered event");
        assert!(trail < 250 && event < 350, "{trail} {event}");
    }

    #[test]
    fn a_stored_document_of_schema_2_goes_on_without_keys_and_codes() {
        let text = include_str!("../tests/fixtures/schema_2_without_webhooks.json");
        let stored: Ledger = serde_json::from_str(text).unwrap();
        assert_eq!((stored.schema, stored.consumed.len()), (2, 0));
        let mut ledger = stored.upgraded().unwrap();
        let session = ledger.sessions[0].clone();
        assert_eq!((session.code, &session.key), (None, &None));
        let (now, client_id) = (session.last_seen_at, session.client_id.clone());
        let (generation, counter) = (session.generation, session.counter);
        let command =
            Refresh { session: session.id, generation, counter, client_id, ..refresh(1, 0) };
        let applied = run(&mut ledger, Command::Refresh(command), now);
        assert!(matches!(applied.outcome, Outcome::Issued(_)), "{:?}", applied.outcome);
    }

    #[test]
    fn a_document_of_a_newer_schema_is_refused() {
        let ledger = Ledger { schema: Ledger::SCHEMA + 1, ..Ledger::default() };
        assert_eq!(ledger.upgraded(), Err(UnsupportedSchema { found: Ledger::SCHEMA + 1 }));
    }

    #[test]
    fn a_ledger_is_empty_when_nothing_is_remembered() {
        assert!(Ledger::default().is_empty());
        assert!(Ledger { schema: Ledger::SCHEMA, ..Ledger::default() }.is_empty());
        assert!(!Ledger { sessions: vec![session(1)], ..Ledger::default() }.is_empty());
        let outbox = Outbox { last: 1, ..Outbox::default() };
        assert!(!Ledger { outbox, ..Ledger::default() }.is_empty());
        let revoked_tokens = vec![RevokedToken { jti: "j".to_owned(), expires_at: 1 }];
        assert!(!Ledger { revoked_tokens, ..Ledger::default() }.is_empty());
        let consumed = vec![Once::new(OnceId::from_bytes([1; 16]), 1)];
        assert!(!Ledger { consumed, ..Ledger::default() }.is_empty());
    }
}

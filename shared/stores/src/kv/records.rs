//! What is under the keys, as JSON.

use std::time::Duration;

use ledger::{AuditEvent, EndReason, Ledger, Millis, Session, SessionId, State, Webhook, Which};
use ports::LedgerError;
use serde::{Deserialize, Serialize};

/// Nothing is kept for less.
const SHORTEST: Millis = 60_000;

/// The end of a session. It has a key of its own, so no refresh can write over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    /// Since when.
    pub(super) at: Millis,
    /// Why.
    pub(super) reason: EndReason,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

/// The use of a session between its rotations. It has a key of its own, so that somebody who asks
/// about a token far away does not write an old counter over a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Trace {
    /// When it was last used.
    pub(super) seen: Millis,
    /// The generation and counter at which an access token was last revoked by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) withdrawn: Option<(u16, u32)>,
}

/// The end of all sessions, or of all but one, or of those of one sign-in: it ends also those that nobody could see there and
/// then. Each end of all comprises those before it, so the last one is enough, whoever writes it. Ends
/// of some do not comprise each other, and are remembered together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purge {
    /// Sessions created up to this time have ended at it.
    pub(super) at: Millis,
    /// But for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) except: Option<SessionId>,
    /// Only those of this upstream sign-in, which has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed_out: Option<String>,
    /// Only those that the person does not want any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) which: Option<Which>,
    /// Why, in the words of who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<String>,
}

/// An event that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// Whose ledger it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    /// The event.
    pub(super) event: AuditEvent,
}

/// An announcement that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Announcement {
    /// Whose ledger it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    /// The announcement.
    pub(super) webhook: Webhook,
}

impl Purge {
    /// So many are remembered: the older ones have long been seen by everybody.
    const MAX: usize = 8;

    /// This one and those before it.
    pub(super) fn after(self, mut earlier: Vec<Self>) -> Vec<Self> {
        earlier.push(self);
        let surplus = earlier.len().saturating_sub(Self::MAX);
        earlier.split_off(surplus)
    }

    /// What it makes of a session.
    pub(super) fn end_of(&self, session: &Session) -> Option<Tombstone> {
        let meant = self.except != Some(session.id)
            && (self.signed_out.is_none() || self.signed_out == session.external_id)
            && self.which.as_ref().is_none_or(|which| which.means(session));
        let reason = match (&self.signed_out, &self.which) {
            (Some(_), _) => EndReason::SignedOut,
            (None, Some(which)) => which.end(),
            (None, None) => EndReason::RevokedAll,
        };
        let Self { at, note, .. } = self.clone();
        (meant && session.created_at <= at).then_some(Tombstone { at, reason, note })
    }
}

/// How far a session has come.
pub(super) const fn position(session: &Session) -> (u16, u32) {
    (session.generation, session.counter)
}

/// Of two states of one session the one that has come further. Of two at the same position the
/// first one's, with the earlier rotation: a grace is not extended by whoever writes last.
pub(super) fn merge(mine: Session, stored: Session) -> Session {
    let seen = mine.last_seen_at.max(stored.last_seen_at);
    let rotated_at = mine.rotated_at.min(stored.rotated_at);
    let further = match position(&mine).cmp(&position(&stored)) {
        std::cmp::Ordering::Less => stored,
        std::cmp::Ordering::Equal => Session { rotated_at, ..mine },
        std::cmp::Ordering::Greater => mine,
    };
    Session { last_seen_at: seen, ..further }
}

/// A session as it is stored: a ledger of this one, so that it is upgraded as every ledger. It
/// lives; its end, its grant, and what its trace tells, are not here.
pub(super) fn write_session(session: Session) -> Vec<u8> {
    let session = Session { state: State::Active, end_note: None, upstream: None, ..session };
    let owner = Some(session.subject.id.clone());
    let ledger =
        Ledger { schema: Ledger::SCHEMA, owner, sessions: vec![session], ..Ledger::default() };
    write(&ledger)
}

/// A stored session.
///
/// # Errors
/// If newer code has written it, or it makes no sense.
pub(super) fn read_session(bytes: &[u8]) -> Result<Session, LedgerError> {
    let ledger = read::<Ledger>(bytes)?.upgraded();
    let ledger = ledger.map_err(|error| LedgerError(error.to_string()))?;
    let session = ledger.sessions.into_iter().next();
    session.ok_or_else(|| LedgerError("a session's key holds none".to_owned()))
}

pub(super) fn write<T: Serialize>(record: &T) -> Vec<u8> {
    // Records are plain data: serialization cannot fail.
    serde_json::to_vec(record).unwrap_or_default()
}

/// A stored record.
///
/// # Errors
/// If it makes no sense. What it says is no part of the error.
pub(super) fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, LedgerError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (category, column) = (error.classify(), error.column());
        LedgerError(format!("unreadable record: {category:?} at {column}"))
    })
}

/// How long something is kept that is needed until a time.
pub(super) fn keep(until: Millis, now: Millis) -> Duration {
    Duration::from_millis(until.saturating_sub(now).max(SHORTEST))
}

#[cfg(test)]
mod tests {
    use ledger::{Device, RiskMemory, Seen, Subject};

    use super::*;

    fn session(generation: u16, counter: u32, rotated_at: Millis) -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            subject: Subject { id: "user".to_owned(), organization: None, roles: vec![] },
            client_id: "app".to_owned(),
            scopes: vec![],
            resources: vec![],
            device: Device { label: String::new(), fingerprint: None },
            network: None,
            seen: Seen::default(),
            risk: RiskMemory::default(),
            refreshes: vec![],
            external_id: Some("x".to_owned()),
            code: None,
            key: None,
            upstream: None,
            created_at: 100,
            last_seen_at: rotated_at,
            idle: 1_000,
            absolute_end: 10_000,
            generation,
            counter,
            key_id: 1,
            extended_from: None,
            rotated_at,
            grace: None,
            replays: 0,
            access_revoked: false,
            state: State::Active,
            end_note: None,
        }
    }

    #[test]
    fn the_state_that_has_come_further_wins_whoever_writes_it() {
        for (less, more) in [((0, 5), (0, 6)), ((0, 9), (1, 0)), ((1, 0), (1, 1))] {
            let (less, more) = (session(less.0, less.1, 300), session(more.0, more.1, 200));
            let expected = Session { last_seen_at: 300, ..more.clone() };
            assert_eq!(merge(less.clone(), more.clone()), expected);
            assert_eq!(merge(more, less), expected);
        }
    }

    #[test]
    fn the_grace_of_one_rotation_is_not_extended_by_who_writes_last() {
        let (early, late) = (session(0, 5, 200), session(0, 5, 300));
        for merged in [merge(early.clone(), late.clone()), merge(late, early)] {
            assert_eq!((merged.rotated_at, merged.last_seen_at), (200, 300));
        }
    }

    #[test]
    fn a_stored_session_lives_and_one_of_newer_code_is_refused() {
        let ended = Session {
            state: State::Ended { at: 1, reason: EndReason::Revoked },
            end_note: Some("why".to_owned()),
            ..session(0, 5, 200)
        };
        let stored = write_session(ended);
        assert_eq!(read_session(&stored), Ok(session(0, 5, 200)));
        let newer = Ledger { schema: Ledger::SCHEMA + 1, ..read(&stored).unwrap() };
        assert!(read_session(&write(&newer)).is_err());
        assert!(read_session(b"{\"schema\":2,\"sessions\":[]}").is_err());
        let told = read_session(b"{\"secret\":").unwrap_err();
        assert!(!told.0.contains("secret"), "{told}");
    }

    #[test]
    fn an_end_of_all_ends_what_began_before_it_but_for_one() {
        let purge = |at, except| Purge { at, except, signed_out: None, which: None, note: None };
        assert!(purge(100, None).end_of(&session(0, 0, 100)).is_some());
        assert!(purge(99, None).end_of(&session(0, 0, 100)).is_none());
        let spared = Some(SessionId::from_bytes([1; 16]));
        assert!(purge(500, spared).end_of(&session(0, 0, 100)).is_none());
        for (signed_out, ended) in [("x", Some(EndReason::SignedOut)), ("y", None)] {
            let signed_out = Some(signed_out.to_owned());
            let end = Purge { signed_out, ..purge(500, None) }.end_of(&session(0, 0, 100));
            assert_eq!(end.map(|end| end.reason), ended);
        }
        for (which, ended) in [
            (Which::OfClient("app".to_owned()), Some(EndReason::Revoked)),
            (Which::OfClient("other".to_owned()), None),
            (Which::NotFrom("x".to_owned()), None),
            (Which::NotFrom("y".to_owned()), Some(EndReason::RevokedAll)),
        ] {
            let end = Purge { which: Some(which), ..purge(500, None) }.end_of(&session(0, 0, 100));
            assert_eq!(end.map(|end| end.reason), ended);
        }
        let all = (0..20).fold(vec![], |all, at| purge(at, spared).after(all));
        assert_eq!((all.len(), all.last().map(|purge| purge.at)), (Purge::MAX, Some(19)));
    }
}

//! What was read of a ledger, and the ledger that it makes.

use std::collections::BTreeMap;

use ledger::{
    Ledger, Millis, Once, RevokedToken, Session, SessionId, State, Upstream, Webhooks, Window,
};
use ports::LedgerError;

use super::records::{Announcement, Purge, Tombstone, Trace, position, read};

/// What was read.
#[derive(Default)]
pub(super) struct View {
    /// Sessions that were asked for, whether or not they were found.
    pub(super) sessions: BTreeMap<SessionId, Held>,
    /// Access tokens that were asked for and are revoked.
    pub(super) revoked: Vec<RevokedToken>,
    /// The last end of all sessions.
    pub(super) purge: Option<Purge>,
    /// The ends of all sessions but one, or of one sign-in.
    pub(super) purges_of_some: Vec<Purge>,
    /// What was spent of the rate limits.
    pub(super) windows: Vec<Window>,
    /// The sessions of the upstream sign-in that was asked for.
    pub(super) signed_in: Vec<SessionId>,
    /// What was asked for and is used up.
    pub(super) consumed: Vec<Once>,
    /// Announcements that were asked for.
    pub(super) announced: Vec<Announcement>,
}

/// A session as it was read.
#[derive(Default)]
pub(super) struct Held {
    pub(super) session: Option<Session>,
    pub(super) tombstone: Option<Tombstone>,
    pub(super) trace: Trace,
    pub(super) upstream: Option<Upstream>,
}

impl Held {
    /// Whether there is no sign of it.
    pub(super) const fn is_missing(&self) -> bool {
        self.session.is_none() && self.tombstone.is_none()
    }

    /// The session with all that is known of it. Whatever has ended it wins over whatever else was
    /// written.
    fn assembled<'p>(&self, mut purges: impl Iterator<Item = &'p Purge>) -> Option<Session> {
        let mut session = self.session.clone()?;
        session.last_seen_at = session.last_seen_at.max(self.trace.seen);
        session.access_revoked = self.trace.withdrawn == Some(position(&session));
        session.upstream.clone_from(&self.upstream);
        let end = self.tombstone.clone();
        let end = end.or_else(|| purges.find_map(|purge| purge.end_of(&session)));
        if let Some(Tombstone { at, reason, note }) = end {
            session.state = State::Ended { at, reason };
            session.end_note = note;
        }
        Some(session)
    }
}

impl View {
    /// The ledger. Its outbox is empty: each event has a key of its own.
    pub(super) fn ledger(&self) -> Ledger {
        let assembled = self.sessions.values().map(|held| held.assembled(self.purges()));
        let sessions: Vec<_> = assembled.flatten().collect();
        let owner = sessions.first().map(|session| session.subject.id.clone());
        let pending = self.announced.iter().map(|one| one.webhook.clone()).collect();
        Ledger {
            schema: Ledger::SCHEMA,
            owner: owner.or_else(|| self.announced.iter().find_map(|one| one.owner.clone())),
            webhooks: Webhooks { pending, ..Webhooks::default() },
            sessions,
            revoked_tokens: self.revoked.clone(),
            consumed: self.consumed.clone(),
            windows: self.windows.clone(),
            ..Ledger::default()
        }
    }

    /// Whether nothing was known of a session.
    pub(super) fn is_new(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_none_or(Held::is_missing)
    }

    /// Whether one of these begins only now and had ended before, with all others.
    pub(super) fn has_ended_one_of(&self, sessions: &[Session]) -> bool {
        let mut begun = sessions.iter().filter(|session| self.is_new(session.id));
        begun.any(|session| self.purges().any(|purge| purge.end_of(session).is_some()))
    }

    /// Whether the identity provider has ended a sign-in.
    pub(super) fn has_signed_out(&self, external_id: &str) -> bool {
        self.purges().any(|purge| purge.signed_out.as_deref() == Some(external_id))
    }

    fn purges(&self) -> impl Iterator<Item = &Purge> {
        self.purge.iter().chain(&self.purges_of_some)
    }

    /// Sessions that were asked for and of which there is no sign.
    pub(super) fn missing(&self) -> impl Iterator<Item = SessionId> {
        let held = self.sessions.iter().filter(|(_, held)| held.is_missing());
        held.map(|(session, _)| *session)
    }
}

/// A revoked access token as its key tells of it.
///
/// # Errors
/// If the text makes no sense.
pub(super) fn revoked(jti: &str, until: &[u8]) -> Result<RevokedToken, LedgerError> {
    Ok(RevokedToken { jti: jti.to_owned(), expires_at: read::<Millis>(until)? })
}

use crate::risk::differs;
use crate::{
    EndReason, Issue, Ledger, Millis, PastRefresh, Policy, Session, SessionId, Signals, State,
};

/// Where a refresh token stands relative to the one that rotates next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the one that rotates next.
    Current,
    /// The last rotation replaced it.
    Previous,
    /// It was replaced before the last rotation.
    Older,
    /// The ledger has never heard of it: a write was lost.
    Ahead,
}

impl Ledger {
    pub(crate) fn find(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }
}

impl Session {
    /// Refreshes that a session remembers.
    pub const REFRESHES: usize = 5;

    /// Characters of the reason of a revocation that are kept.
    pub const MAX_NOTE: usize = 200;

    pub(crate) fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// When and why it ended.
    pub(crate) fn ended(&self) -> Option<(Millis, EndReason)> {
        match self.state {
            State::Active => None,
            State::Ended { at, reason } => Some((at, reason)),
        }
    }

    pub(crate) fn idle_end(&self) -> Millis {
        self.last_seen_at.saturating_add(self.idle)
    }

    /// When an active session ends if it is not used again, and what that end is called.
    pub(crate) fn deadline(&self, policy: &Policy) -> (Millis, EndReason) {
        let idle_end = self.idle_end();
        let timeout = if idle_end < self.absolute_end {
            (idle_end, EndReason::IdleTimeout)
        } else {
            (self.absolute_end, EndReason::AbsoluteTimeout)
        };
        match policy.not_before {
            Some(moment) if self.created_at < moment && moment < timeout.0 => {
                (moment, EndReason::NotBefore)
            }
            _ => timeout,
        }
    }

    /// When access tokens minted at the current counter expire.
    pub(crate) fn access_end(&self, policy: &Policy) -> Millis {
        self.rotated_at.saturating_add(policy.access_token).min(self.absolute_end)
    }

    /// Whether a call comes from another device than the one that made the last rotation.
    pub(crate) fn is_other_device(&self, signals: &Signals) -> bool {
        differs(self.device.fingerprint.as_ref(), signals.fingerprint.as_ref())
            || differs(self.seen.described.as_ref(), signals.described.as_ref())
    }

    pub(crate) fn place(&self, generation: u16, counter: u32) -> Place {
        let (asked, held) = ((generation, counter), (self.generation, self.counter));
        if asked == held {
            Place::Current
        } else if asked > held {
            Place::Ahead
        } else if generation == self.generation && self.counter.checked_sub(1) == Some(counter)
            || self.was_extended_from(generation, counter)
        {
            Place::Previous
        } else {
            Place::Older
        }
    }

    /// Whether the token is the one that `extend` replaced a moment ago. A larger counter than the
    /// ledger knew of then is one that it had lost.
    fn was_extended_from(&self, generation: u16, counter: u32) -> bool {
        generation.checked_add(1) == Some(self.generation)
            && self.extended_from.is_some_and(|last| counter >= last)
    }

    /// Notes that the current refresh token is new.
    pub(crate) fn settle(&mut self, key_id: u8, now: Millis, policy: &Policy) {
        self.key_id = key_id;
        self.rotated_at = now;
        self.grace = Some(policy.grace);
        self.last_seen_at = now;
        self.replays = 0;
        self.access_revoked = false;
        if let Some(next) = self.upstream.as_mut().and_then(|grant| grant.next_subject.take()) {
            self.subject = next;
        }
    }

    /// Adds to the history of refreshes.
    pub(crate) fn note_refresh(&mut self, at: Millis, repeated: bool) {
        let network = self.network.clone();
        let same = |last: &PastRefresh| last.repeated && last.network == network;
        if repeated && self.refreshes.last().is_some_and(same) {
            return;
        }
        if self.refreshes.len() >= Self::REFRESHES {
            self.refreshes.remove(0);
        }
        self.refreshes.push(PastRefresh { at, network, repeated });
    }

    /// Whether the token before the current one still counts. A rotation in the future means that
    /// the clock went back; the client is not to blame, so the grace holds.
    pub(crate) fn in_grace(&self, now: Millis, policy: &Policy) -> bool {
        now < self.grace_end(policy)
    }

    /// When the token before the current one stops to count.
    pub(crate) fn grace_end(&self, policy: &Policy) -> Millis {
        self.rotated_at.saturating_add(self.grace.unwrap_or(policy.grace))
    }

    /// What the tokens at the current counter are minted from.
    pub(crate) fn issue(
        &self,
        scopes: Vec<String>,
        resources: Vec<String>,
        repeated: bool,
    ) -> Issue {
        Issue {
            session: self.id,
            generation: self.generation,
            counter: self.counter,
            key_id: self.key_id,
            issued_at: self.rotated_at,
            absolute_end: self.absolute_end,
            subject: self.subject.clone(),
            scopes,
            resources,
            repeated,
        }
    }
}

/// The asked ones in the order of the grant, so that the same question has one answer however it
/// is spelled; `None` if one of them was not granted.
pub(crate) fn narrowed(granted: &[String], asked: &[String]) -> Option<Vec<String>> {
    asked
        .iter()
        .all(|one| granted.contains(one))
        .then(|| granted.iter().filter(|one| asked.contains(one)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{session, strings};

    #[test]
    fn the_nearer_timeout_is_the_deadline() {
        let mut session = session(1);
        session.last_seen_at = 100;
        session.idle = 50;
        session.absolute_end = 151;
        assert_eq!(session.deadline(&Policy::default()), (150, EndReason::IdleTimeout));
        session.absolute_end = 150;
        assert_eq!(session.deadline(&Policy::default()), (150, EndReason::AbsoluteTimeout));
    }

    #[test]
    fn times_at_the_end_of_time_do_not_overflow() {
        let mut session = session(1);
        session.last_seen_at = Millis::MAX;
        session.rotated_at = Millis::MAX;
        session.absolute_end = Millis::MAX;
        assert_eq!(session.deadline(&Policy::default()).0, Millis::MAX);
        let policy = Policy { grace: Millis::MAX, ..Policy::default() };
        assert!(session.in_grace(0, &policy));
        session.grace = Some(Millis::MAX);
        assert!(session.in_grace(0, &Policy::default()));
    }

    #[test]
    fn tokens_are_placed_by_generation_and_then_counter() {
        let mut session = session(1);
        (session.generation, session.counter) = (2, 5);
        let places = [
            ((2, 5), Place::Current),
            ((2, 4), Place::Previous),
            ((2, 3), Place::Older),
            ((1, 9), Place::Older),
            ((1, 4), Place::Older),
            ((2, 6), Place::Ahead),
            ((3, 0), Place::Ahead),
        ];
        for ((generation, counter), place) in places {
            assert_eq!(session.place(generation, counter), place, "{generation}.{counter}");
        }
    }

    #[test]
    fn counter_zero_has_no_previous() {
        let mut session = session(1);
        (session.generation, session.counter) = (1, 0);
        assert_eq!(session.place(0, u32::MAX), Place::Older);
        assert_eq!(session.place(0, 0), Place::Older);
    }

    #[test]
    fn narrowing_keeps_the_order_of_the_grant_and_drops_repeats() {
        let granted = strings(&["a", "b", "c"]);
        assert_eq!(narrowed(&granted, &strings(&["c", "a", "c"])), Some(strings(&["a", "c"])));
        assert_eq!(narrowed(&granted, &[]), Some(vec![]));
        assert_eq!(narrowed(&granted, &strings(&["a", "d"])), None);
    }
}

//! What a command is to write: the difference that it has made, key by key.

use std::collections::BTreeSet;
use std::time::Duration;

use ledger::{
    Applied, AuditEvent, AuditKind, Command, Envelope, Ledger, Millis, Outcome, Policy,
    RevokedToken, Session, SessionId, State, Webhook,
};

use super::keys::{Keys, digest};
use super::records::{Announcement, Pending, Purge, Tombstone, Trace, keep, position, write};
use super::view::{Held, View};
use super::{MARGIN, SETTLED};

/// An undelivered event is kept for a year.
const EVENT: Duration = Duration::from_secs(365 * 86_400);
/// An announcement that nobody delivers is of no use after a week.
const ANNOUNCEMENT: Duration = Duration::from_secs(7 * 86_400);
/// A window counts for two minutes.
const WINDOW: Duration = Duration::from_secs(120);
/// The random part of an event's number.
const RANDOM_BITS: u32 = 20;
/// An event that can be caused at will is kept once in this time.
const AT_WILL: Millis = 60_000;

/// See the module. In this order: what is told before it is done, what has ended before what goes
/// on.
#[derive(Default)]
pub(super) struct Plan {
    /// Events.
    pub(super) events: Vec<Write>,
    /// What no other write may undo: tombstones and the like.
    pub(super) ends: Vec<Write>,
    /// Sessions that have moved on.
    pub(super) sessions: Vec<Moved>,
    /// Everything else.
    pub(super) rest: Vec<Write>,
    /// Keys of what is forgotten.
    pub(super) gone: Vec<String>,
}

/// A session that has begun or moved on.
pub(super) struct Moved {
    pub(super) session: Session,
    /// Whether nothing was known of it before.
    pub(super) begun: bool,
    /// How long it is kept.
    pub(super) until: Millis,
}

/// One key to write.
pub(super) struct Write {
    pub(super) key: String,
    pub(super) value: Vec<u8>,
    pub(super) ttl: Duration,
    pub(super) care: Care,
}

/// What a write is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// The answer waits for it.
    Must,
    /// It is as good as written if anything is there already, or is being written.
    Once,
    /// The answer waits for it, and nobody else may be writing it.
    Alone,
    /// What is lost of it costs nobody anything.
    Best,
}

/// By what a plan is made, besides the difference.
pub(super) struct Basis<'a> {
    pub(super) keys: &'a Keys,
    pub(super) envelope: &'a Envelope,
    pub(super) now: Millis,
    /// As long as anything has to do with a session that begins now.
    pub(super) horizon: Millis,
}

impl Basis<'_> {
    /// The plan for what a command has made of what was read, and its answer with the numbers that
    /// its events have got.
    pub(super) fn plan(
        &self,
        view: &View,
        after: &Ledger,
        mut applied: Applied,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> (Applied, Plan) {
        // Whoever adds a part to the ledger must say here under which key it is kept.
        let Ledger {
            schema: _,
            owner: _,
            sessions: _,
            revoked_tokens: _,
            consumed: _,
            windows: _,
            outbox: _,
            webhooks: _,
        } = after;
        let before = view.ledger();
        let young = self.unsettled(&applied);
        applied.events.retain(|event| !is_young(event, &young));
        let mut plan = Plan::default();
        for session in after.sessions.iter().filter(|session| !young.contains(&session.id)) {
            let was = before.sessions.iter().find(|was| was.id == session.id);
            let held = view.sessions.get(&session.id);
            self.session(was, session, held, &mut plan);
            self.upstream(held, session, &mut plan);
        }
        self.forgotten(&before, after, &young, &mut plan);
        self.tokens(&before, after, &mut plan);
        self.consumed(&before, after, &mut plan);
        self.purge(&applied.outcome, view, &mut plan);
        self.webhooks(view, after, &young, &mut plan);
        self.sign_in(&before, after, view, &mut plan);
        if before.windows != after.windows {
            let (key, value) = (self.keys.windows(), write(&after.windows));
            plan.rest.push(Write { key, value, ttl: WINDOW, care: Care::Best });
        }
        self.number(&mut applied, after.owner.as_ref(), random, &mut plan);
        (applied, plan)
    }

    /// The sessions whose time seems to be up, but so lately that their last use may not be seen
    /// here yet. They are refused, and nothing is written of it.
    fn unsettled(&self, applied: &Applied) -> BTreeSet<SessionId> {
        let timeouts = applied.events.iter().filter(|event| is_timeout(event.kind));
        let young = timeouts.filter(|event| self.now < event.at.saturating_add(SETTLED));
        young.filter_map(|event| event.session).collect()
    }

    fn session(
        &self,
        was: Option<&Session>,
        session: &Session,
        held: Option<&Held>,
        plan: &mut Plan,
    ) {
        let until = remembered(session, &self.envelope.policy);
        if let State::Ended { at, reason } = session.state {
            // Also of one that had ended with all others: that end may be written over.
            if held.is_none_or(|held| held.tombstone.is_none()) {
                let tombstone = Tombstone { at, reason, note: session.end_note.clone() };
                let (key, value) = (self.keys.tombstone(session.id), write(&tombstone));
                // Longer than any refresh that has not seen it may keep the session.
                let ttl = keep(until.saturating_add(MARGIN), self.now);
                plan.ends.push(Write { key, value, ttl, care: Care::Must });
            }
            return;
        }
        if was.is_none_or(|was| lasting(was) != lasting(session)) {
            let (session, begun) = (session.clone(), was.is_none());
            plan.sessions.push(Moved { session, begun, until });
            return;
        }
        let trace = held.map_or_else(Trace::default, |held| held.trace);
        let now = Trace {
            seen: session.last_seen_at.max(trace.seen),
            withdrawn: session.access_revoked.then(|| position(session)).or(trace.withdrawn),
        };
        let withdrawn = session.access_revoked && was.is_some_and(|was| !was.access_revoked);
        if withdrawn || was.is_some_and(|was| was.last_seen_at != session.last_seen_at) {
            let care = if withdrawn { Care::Must } else { Care::Best };
            let (key, value) = (self.keys.trace(session.id), write(&now));
            plan.rest.push(Write { key, value, ttl: keep(until, self.now), care });
        }
    }

    /// The key of the end stays: a refresh far away may write the session once more.
    fn forgotten(
        &self,
        before: &Ledger,
        after: &Ledger,
        young: &BTreeSet<SessionId>,
        plan: &mut Plan,
    ) {
        let stays = |id| after.sessions.iter().any(|session| session.id == id);
        let sessions = before.sessions.iter().map(|session| session.id);
        for session in sessions.filter(|id| !stays(*id) && !young.contains(id)) {
            plan.gone.extend([self.keys.session(session), self.keys.trace(session)]);
        }
    }

    fn tokens(&self, before: &Ledger, after: &Ledger, plan: &mut Plan) {
        let is_new = |token: &&RevokedToken| !before.revoked_tokens.contains(token);
        for token in after.revoked_tokens.iter().filter(is_new) {
            let (key, value) = (self.keys.token(&token.jti), write(&token.expires_at));
            let ttl = keep(token.expires_at.saturating_add(MARGIN), self.now);
            plan.ends.push(Write { key, value, ttl, care: Care::Must });
        }
    }

    /// What is used up is so before anything comes of it.
    fn consumed(&self, before: &Ledger, after: &Ledger, plan: &mut Plan) {
        for once in after.consumed.iter().filter(|once| !before.consumed.contains(once)) {
            let (key, value) = (self.keys.used(once.id), write(&once.until));
            let ttl = keep(once.until, self.now);
            plan.ends.push(Write { key, value, ttl, care: Care::Alone });
        }
    }

    /// The end of many sessions is for those too that cannot be seen here yet.
    fn purge(&self, outcome: &Outcome, view: &View, plan: &mut Plan) {
        let (except, signed_out, which, reason) = match &self.envelope.command {
            Command::RevokeAll { except, reason } => (*except, None, None, reason),
            Command::RevokeExternal { external_id, reason } => {
                (None, Some(external_id.clone()), None, reason)
            }
            Command::RevokeSome { which, reason } => (None, None, Some(which.clone()), reason),
            _ => return,
        };
        if !matches!(outcome, Outcome::Revoked { .. }) {
            return;
        }
        let note = reason.as_deref().map(|note| note.chars().take(Session::MAX_NOTE).collect());
        let all = except.is_none() && signed_out.is_none() && which.is_none();
        let purge = Purge { at: self.now, except, signed_out, which, note };
        let (key, value) = if all {
            (self.keys.purge(), write(&purge))
        } else {
            let several = purge.after(view.purges_of_some.clone());
            (self.keys.purges_of_some(), write(&several))
        };
        let ttl = keep(self.horizon, self.now);
        plan.ends.push(Write { key, value, ttl, care: Care::Must });
    }

    /// The grant at the identity provider has a key of its own: it changes while nothing rotates, and
    /// what the provider has given must not be lost.
    fn upstream(&self, held: Option<&Held>, session: &Session, plan: &mut Plan) {
        let before = held.and_then(|held| held.upstream.as_ref());
        let Some(grant) = session.upstream.as_ref().filter(|grant| Some(*grant) != before) else {
            return;
        };
        let (key, value) = (self.keys.upstream(session.id), write(grant));
        let ttl = keep(remembered(session, &self.envelope.policy), self.now);
        plan.ends.push(Write { key, value, ttl, care: Care::Must });
    }

    fn webhooks(&self, view: &View, after: &Ledger, young: &BTreeSet<SessionId>, plan: &mut Plan) {
        let before =
            |webhook: &Webhook| view.announced.iter().find(|one| one.webhook.id == webhook.id);
        let pending = &after.webhooks.pending;
        for webhook in pending.iter().filter(|webhook| !is_young(&webhook.event, young)) {
            let known = before(webhook);
            if known.is_some_and(|known| known.webhook == *webhook) {
                continue;
            }
            let announcement =
                Announcement { owner: after.owner.clone(), webhook: webhook.clone() };
            let (key, value) = (self.keys.webhook(webhook.id), write(&announcement));
            // One that is new may have been announced already: a timeout may be noticed twice.
            let care = if known.is_none() { Care::Once } else { Care::Must };
            plan.events.push(Write { key, value, ttl: ANNOUNCEMENT, care });
        }
        let stays =
            |one: &&Announcement| !pending.iter().any(|webhook| webhook.id == one.webhook.id);
        let gone = view.announced.iter().filter(stays);
        plan.gone.extend(gone.map(|one| self.keys.webhook(one.webhook.id)));
    }

    /// A session that was begun is found by its sign-in; one of a code needs not be.
    fn sign_in(&self, before: &Ledger, after: &Ledger, view: &View, plan: &mut Plan) {
        let known = |id| before.sessions.iter().any(|session| session.id == id);
        for session in after.sessions.iter().filter(|session| !known(session.id)) {
            let Some(external_id) = session.external_id.as_ref().filter(|_| session.code.is_none())
            else {
                continue;
            };
            let key = self.keys.sign_in(&session.client_id, external_id);
            let others = view.signed_in.iter().filter(|other| **other != session.id);
            let names: Vec<_> = [session.id].iter().chain(others).take(SIGN_INS).copied().collect();
            let ttl = keep(self.horizon, self.now);
            plan.rest.push(Write { key, value: write(&names), ttl, care: Care::Best });
        }
    }

    /// Gives each event that is kept a number that no other has.
    fn number(
        &self,
        applied: &mut Applied,
        owner: Option<&String>,
        random: &mut dyn FnMut(&mut [u8]),
        plan: &mut Plan,
    ) {
        for event in applied.events.iter_mut().filter(|event| event.id != 0) {
            let repeats = is_timeout(event.kind) || event.kind.is_at_will();
            event.id =
                if repeats { repeated_number(event, self.now) } else { number(self.now, random) };
            let pending = Pending { owner: owner.cloned(), event: event.clone() };
            let care = if repeats { Care::Once } else { Care::Must };
            let (key, value) = (self.keys.event(event.id), write(&pending));
            plan.events.push(Write { key, value, ttl: EVENT, care });
        }
    }
}

/// Sessions of one upstream sign-in that are told apart: each of them needs a proof of its own.
const SIGN_INS: usize = 4;

/// How long there must be a trace of a session: its tokens are told apart from unknown ones.
pub(super) const fn remembered(session: &Session, policy: &Policy) -> Millis {
    session.absolute_end.saturating_add(policy.revocation_memory)
}

/// The number of events that come after all that were written before a time.
pub(super) const fn number_at(time: Millis) -> u64 {
    time.saturating_mul(1 << RANDOM_BITS)
}

fn number(now: Millis, random: &mut dyn FnMut(&mut [u8])) -> u64 {
    let mut bytes = [0; 4];
    random(&mut bytes);
    number_at(now) | u64::from(u32::from_be_bytes(bytes) >> (u32::BITS - RANDOM_BITS))
}

/// What may be noticed many times has the same number each time: a timeout for ever, since it is
/// dated when time ran out; what can be caused at will for a minute.
fn repeated_number(event: &AuditEvent, now: Millis) -> u64 {
    let at = if is_timeout(event.kind) { event.at } else { now - now % AT_WILL };
    let hash = digest(&[
        event.kind.as_str().as_bytes(),
        event.session.as_ref().map_or(&[], |session| session.as_bytes().as_slice()),
        event.client_id.as_deref().unwrap_or_default().as_bytes(),
        event.reason.as_deref().unwrap_or_default().as_bytes(),
    ]);
    let part = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    number_at(at) | u64::from(part >> (u32::BITS - RANDOM_BITS))
}

/// What of a session is under its own key. A repeated answer changes nothing there: many of them
/// come at once, and one key can be written once a second.
fn lasting(session: &Session) -> Session {
    Session {
        last_seen_at: 0,
        replays: 0,
        refreshes: vec![],
        access_revoked: false,
        upstream: None,
        ..session.clone()
    }
}

const fn is_timeout(kind: AuditKind) -> bool {
    matches!(kind, AuditKind::SessionIdle | AuditKind::SessionOver | AuditKind::SessionNotBefore)
}

fn is_young(event: &AuditEvent, young: &BTreeSet<SessionId>) -> bool {
    (is_timeout(event.kind) || event.kind == AuditKind::SessionForgotten)
        && event.session.is_some_and(|session| young.contains(&session))
}

#[cfg(test)]
mod tests {
    use ledger::{Actor, AuditOutcome};

    use super::*;

    fn event(kind: AuditKind, at: Millis) -> AuditEvent {
        AuditEvent {
            id: 1,
            kind,
            at,
            session: Some(SessionId::from_bytes([1; 16])),
            client_id: None,
            organization: None,
            device: None,
            network: None,
            actor: Actor::Client,
            outcome: AuditOutcome::Success,
            reason: None,
            request_id: None,
            trace_id: None,
            count: 1,
        }
    }

    #[test]
    fn numbers_are_in_the_order_of_time_and_fit_a_signed_column() {
        let mut largest = |out: &mut [u8]| out.fill(0xff);
        let mut smallest = |out: &mut [u8]| out.fill(0);
        let now = 1_780_000_000_000;
        assert!(number(now, &mut largest) < number(now + 1, &mut smallest));
        assert_eq!(number(now, &mut smallest), number_at(now));
        assert!(i64::try_from(number(now * 2, &mut largest)).is_ok());
    }

    #[test]
    fn a_timeout_has_one_number_and_a_refusal_one_a_minute() {
        let idle = event(AuditKind::SessionIdle, 77);
        assert_eq!(repeated_number(&idle, 100), repeated_number(&idle, 1 << 40));
        let other = AuditEvent { session: None, ..idle.clone() };
        assert_ne!(repeated_number(&idle, 100), repeated_number(&other, 100));
        let refusal = event(AuditKind::ForeignClient, 77);
        assert_eq!(repeated_number(&refusal, 60_000), repeated_number(&refusal, 119_999));
        assert_ne!(repeated_number(&refusal, 119_999), repeated_number(&refusal, 120_000));
    }
}

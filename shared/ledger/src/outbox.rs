//! The audit trail on its way out. An event is added in the same step as the change that it tells
//! of, and stays until its delivery was acknowledged.
//!
//! Each event is chained to the one before it: its link is SHA-256 over the link before and the
//! event's canonical form. Whoever delivers seals links with a key; here there is none. The head of
//! the chain stays in the ledger, so that a removed, changed or truncated row is found.
//!
//! The outbox is bounded, and what finds no room is counted, never dropped: events alike (same kind,
//! session, client, actor and reason) become one, with their number and the time of the last, which
//! is chained as soon as deliveries make room. Routine events and refusals are counted from
//! [`Outbox::ROUTINE`] pending events on, all others from [`Outbox::MAX`] on. A refusal is counted
//! also while one alike is pending, up to [`Outbox::REFUSALS`], from where on it writes nothing: it
//! can be caused at will by whoever holds a token.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit::Weight;
use crate::{AuditEvent, AuditLevel, Link};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Outbox {
    /// The number of the last event that was chained.
    pub last: u64,
    /// The link before the first pending event.
    pub base: Link,
    /// The link of the last event.
    pub head: Link,
    /// Chained events, to be delivered, in order and without gaps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<AuditEvent>,
    /// Events that found no room, counted; not chained yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<AuditEvent>,
}

/// An event with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainedEvent {
    /// What happened.
    pub event: AuditEvent,
    /// The link before it.
    pub prev: Link,
    /// Its own link: also a good name for idempotent delivery, as a store that lost writes numbers
    /// other events alike.
    pub hash: Link,
}

/// Events to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Whose ledger it is.
    pub owner: Option<String>,
    /// The oldest ones that are pending, in order.
    pub events: Vec<ChainedEvent>,
    /// How many more are pending.
    pub more: u32,
}

impl ChainedEvent {
    /// Events with this number or a larger one, and no link before them, are in no chain: a store whose
    /// writers do not see each other numbers them by their time. No chain gets so long.
    pub const ALONE: u64 = 1 << 40;

    /// Whether it is in no chain.
    pub fn is_alone(&self) -> bool {
        self.event.id >= Self::ALONE && self.prev == Link::default()
    }
}

impl Link {
    /// The link that a name stands for.
    pub(crate) fn of(name: &str) -> Self {
        Self::from_bytes(Sha256::digest(name).into())
    }

    /// The link of an event that follows this one.
    #[must_use]
    pub fn then(&self, event: &AuditEvent) -> Self {
        // An event is plain data: serialization cannot fail.
        let canonical = serde_json::to_vec(event).unwrap_or_default();
        let hash = Sha256::new().chain_update(self.as_bytes()).chain_update(canonical);
        Self::from_bytes(hash.finalize().into())
    }
}

impl Outbox {
    /// So many pending events leave no room for routine events and refusals.
    pub const ROUTINE: usize = 256;

    /// So many pending events leave no room for any.
    pub const MAX: usize = 1_024;

    /// A counted refusal that stands for so many stands for more: it is not counted on.
    pub const REFUSALS: u32 = 100;

    /// So many counted events are told apart; beyond, only their kinds are.
    const MAX_WITHHELD: usize = 128;

    /// Whether nothing has ever been in it.
    pub fn is_unused(&self) -> bool {
        *self == Self::default()
    }

    /// Takes an event, numbers it if it is chained, and says whether the outbox is different now.
    pub(crate) fn add(&mut self, event: &mut AuditEvent, level: AuditLevel) -> bool {
        let weight = event.kind.weight();
        match (level, weight) {
            (AuditLevel::Off, _) | (AuditLevel::Notable, Weight::Routine) => return false,
            _ => {}
        }
        if self.withheld.iter().any(|other| alike(other, event)) || !self.takes(event) {
            return self.withhold(event.clone());
        }
        self.chain(event);
        true
    }

    /// The oldest pending events.
    pub(crate) fn oldest(&self, limit: u32) -> (Vec<ChainedEvent>, u32) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut prev = self.base;
        let chained = self.events.iter().take(limit).map(|event| {
            let hash = prev.then(event);
            let chained = ChainedEvent { event: event.clone(), prev, hash };
            prev = hash;
            chained
        });
        let chained: Vec<_> = chained.collect();
        let more = self.events.len() - chained.len();
        (chained, u32::try_from(more).unwrap_or(u32::MAX))
    }

    /// Forgets the events up to that number, if that one has that link, and chains counted ones into
    /// the room that is left. Says how many were forgotten.
    pub(crate) fn acknowledge(&mut self, up_to: u64, hash: Link) -> u32 {
        let delivered = self.events.iter().take_while(|event| event.id <= up_to).count();
        let link =
            self.events.iter().take(delivered).fold(self.base, |link, event| link.then(event));
        if delivered == 0 || link != hash {
            return 0;
        }
        self.events.drain(..delivered);
        self.base = link;
        for mut event in std::mem::take(&mut self.withheld) {
            if self.takes(&event) {
                self.chain(&mut event);
            } else {
                self.withheld.push(event);
            }
        }
        u32::try_from(delivered).unwrap_or(u32::MAX)
    }

    /// The number and link of the last pending event that was delivered along with all before it.
    pub(crate) fn delivered(&self, events: &[(u64, Link)]) -> (u64, Link) {
        let linked = self.events.iter().scan(self.base, |link, event| {
            *link = link.then(event);
            Some((event.id, *link))
        });
        linked.take_while(|one| events.contains(one)).last().unwrap_or_default()
    }

    /// Whether there is room for the event by itself.
    fn takes(&self, event: &AuditEvent) -> bool {
        let pending = self.events.len();
        match event.kind.weight() {
            Weight::Notable => pending < Self::MAX,
            Weight::Routine => pending < Self::ROUTINE,
            Weight::Refusal => {
                pending < Self::ROUTINE && !self.events.iter().any(|other| alike(other, event))
            }
        }
    }

    fn chain(&mut self, event: &mut AuditEvent) {
        self.last = self.last.saturating_add(1);
        event.id = self.last;
        self.head = self.head.then(event);
        self.events.push(event.clone());
    }

    fn withhold(&mut self, mut event: AuditEvent) -> bool {
        let place = |event: &AuditEvent| self.withheld.iter().position(|one| alike(one, event));
        let mut found = place(&event);
        if found.is_none() && self.withheld.len() >= Self::MAX_WITHHELD {
            (event.session, event.client_id, event.reason) = (None, None, None);
            (event.organization, event.device, event.network) = (None, None, None);
            found = place(&event);
        }
        let Some(found) = found.and_then(|index| self.withheld.get_mut(index)) else {
            self.withheld.push(event);
            return true;
        };
        if event.kind.weight() == Weight::Refusal && found.count >= Self::REFUSALS {
            return false;
        }
        event.count = found.count.saturating_add(1);
        *found = event;
        true
    }
}

fn alike(one: &AuditEvent, other: &AuditEvent) -> bool {
    let key = |event: &AuditEvent| (event.kind, event.session);
    key(one) == key(other)
        && one.client_id == other.client_id
        && one.reason == other.reason
        && one.actor == other.actor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NOW, id, ledger, refresh, run_by};
    use crate::{AuditKind, Command, Ledger, Limits, Outcome, Policy, Refresh};

    fn all() -> Policy {
        Policy { audit: AuditLevel::All, limits: Limits::off(), ..Policy::default() }
    }

    fn rotate(ledger: &mut Ledger, times: u32, policy: &Policy) {
        for _ in 0..times {
            let counter = ledger.sessions[0].counter;
            run_by(ledger, Command::Refresh(refresh(1, counter)), NOW, policy);
        }
    }

    fn peek(ledger: &mut Ledger, limit: u32) -> Delivery {
        match run_by(ledger, Command::Outbox { limit }, NOW, &all()).outcome {
            Outcome::Outbox(delivery) => delivery,
            other => panic!("not a delivery: {other:?}"),
        }
    }

    /// As whoever has delivered all that is pending up to that number.
    fn acknowledge(ledger: &mut Ledger, up_to: u64) -> Outcome {
        let mut delivered = peek(ledger, 9_999).events;
        delivered.retain(|one| one.event.id <= up_to);
        let hash = delivered.last().map(|one| one.hash).unwrap_or_default();
        run_by(ledger, Command::AckOutbox { up_to, hash }, NOW, &all()).outcome
    }

    #[test]
    fn events_are_numbered_and_chained_in_the_step_of_their_change() {
        let mut ledger = ledger(&[1]);
        rotate(&mut ledger, 3, &all());
        let delivery = peek(&mut ledger, 2);
        let ids: Vec<_> = delivery.events.iter().map(|chained| chained.event.id).collect();
        assert_eq!((ids, delivery.more), (vec![1, 2], 1));
        let mut link = Link::default();
        for chained in peek(&mut ledger, 100).events {
            assert_eq!((chained.prev, chained.hash), (link, link.then(&chained.event)));
            link = chained.hash;
        }
        assert_eq!(link, ledger.outbox.head);
    }

    #[test]
    fn exactly_what_was_delivered_is_forgotten_and_the_chain_goes_on() {
        let mut ledger = ledger(&[1]);
        rotate(&mut ledger, 3, &all());
        let before = peek(&mut ledger, 100).events;
        let first = peek(&mut ledger, 2).events;
        rotate(&mut ledger, 1, &all());
        assert_eq!(acknowledge(&mut ledger, 2), Outcome::Acknowledged { events: 2, pending: 2 });
        assert_eq!(acknowledge(&mut ledger, 2), Outcome::Acknowledged { events: 0, pending: 2 });
        let rest = peek(&mut ledger, 100).events;
        assert_eq!(rest[0], before[2], "a later look shows the same");
        assert_eq!(rest[0].prev, first[1].hash);
        assert_eq!(acknowledge(&mut ledger, 9), Outcome::Acknowledged { events: 2, pending: 0 });
        let head = ledger.outbox.head;
        assert_eq!(ledger.outbox.base, head);
        rotate(&mut ledger, 1, &all());
        let next = peek(&mut ledger, 1).events;
        assert_eq!((next[0].event.id, next[0].prev), (5, head));
    }

    #[test]
    fn exact_acknowledgement_forgets_what_stands_at_the_beginning() {
        let mut ledger = ledger(&[1]);
        rotate(&mut ledger, 4, &all());
        let links = peek(&mut ledger, 100).events;
        let exactly = |ledger: &mut Ledger, ids: &[u64]| {
            let meant = links.iter().filter(|one| ids.contains(&one.event.id));
            let events = meant.map(|one| (one.event.id, one.hash)).collect();
            run_by(ledger, Command::AckEvents { events }, NOW, &all()).outcome
        };
        let forgotten = |events, pending| Outcome::Acknowledged { events, pending };
        assert_eq!(exactly(&mut ledger, &[]), forgotten(0, 4));
        assert_eq!(exactly(&mut ledger, &[2, 3]), forgotten(0, 4), "the first is pending still");
        assert_eq!(exactly(&mut ledger, &[4, 2, 1]), forgotten(2, 2));
        assert_eq!(exactly(&mut ledger, &[1, 2, 3, 4]), forgotten(2, 0));
    }

    #[test]
    fn events_that_are_only_numbered_like_the_delivered_ones_stay() {
        let mut ledger = ledger(&[1]);
        rotate(&mut ledger, 1, &all());
        let restored = ledger.clone();
        rotate(&mut ledger, 2, &all());
        let delivered = peek(&mut ledger, 100).events;
        let mut ledger = restored;
        let command = Command::RevokeSession { session: id(1), reason: None };
        run_by(&mut ledger, command, NOW, &all());
        let ack = |at: usize| Command::AckOutbox {
            up_to: delivered[at].event.id,
            hash: delivered[at].hash,
        };
        let outcome = run_by(&mut ledger, ack(1), NOW, &all()).outcome;
        assert_eq!(outcome, Outcome::Acknowledged { events: 0, pending: 2 });
        let outcome = run_by(&mut ledger, ack(2), NOW, &all()).outcome;
        assert_eq!(outcome, Outcome::Acknowledged { events: 0, pending: 2 });
        let outcome = run_by(&mut ledger, ack(0), NOW, &all()).outcome;
        assert_eq!(outcome, Outcome::Acknowledged { events: 1, pending: 1 });
    }

    #[test]
    fn routine_events_without_room_are_counted_and_told_when_there_is_room() {
        let mut ledger = ledger(&[1, 2]);
        let rotations = u32::try_from(Outbox::ROUTINE).unwrap() + 50;
        rotate(&mut ledger, rotations, &all());
        assert_eq!(ledger.outbox.events.len(), Outbox::ROUTINE);
        assert_eq!(ledger.outbox.withheld.len(), 1);
        let command = Command::RevokeSession { session: id(2), reason: None };
        run_by(&mut ledger, command, NOW, &all());
        assert_eq!(ledger.outbox.events.len(), Outbox::ROUTINE + 1, "what matters has room");
        acknowledge(&mut ledger, 1_000);
        let rest = peek(&mut ledger, 10).events;
        let told: Vec<_> = rest.iter().map(|one| (one.event.kind, one.event.count)).collect();
        assert_eq!(told, [(AuditKind::TokenRotated, 50)]);
        assert_eq!(rest[0].prev, ledger.outbox.base);
    }

    #[test]
    fn a_refusal_is_told_once_while_it_is_pending_and_counted_to_a_bound() {
        let mut ledger = ledger(&[1]);
        let policy = Policy { limits: Limits::off(), ..Policy::default() };
        let foreign = Refresh { client_id: "thief".to_owned(), ..refresh(1, 0) };
        for attempt in 0..2 * Outbox::REFUSALS {
            let command = Command::Refresh(foreign.clone());
            let changed = run_by(&mut ledger, command, NOW, &policy).changed;
            assert_eq!(changed, attempt <= Outbox::REFUSALS, "{attempt}");
        }
        assert_eq!(ledger.outbox.events.len(), 1);
        acknowledge(&mut ledger, 1);
        assert_eq!(ledger.outbox.events[0].count, Outbox::REFUSALS);
        assert_eq!(ledger.outbox.events[0].id, 2);
    }

    #[test]
    fn the_outbox_is_bounded_whatever_happens_and_loses_no_count() {
        let mut outbox = Outbox::default();
        let total = 3_000_u32;
        for number in 0..total {
            let session = Some(crate::SessionId::from_bytes([0; 16]));
            let client_id = Some(number.to_string());
            let mut event = event(AuditKind::SessionCreated);
            (event.session, event.client_id) = (session, client_id);
            outbox.add(&mut event, AuditLevel::Notable);
        }
        assert_eq!(outbox.events.len(), Outbox::MAX);
        assert_eq!(outbox.withheld.len(), Outbox::MAX_WITHHELD + 1);
        let mut told = 0;
        while let Some(last) = outbox.events.last().map(|event| event.id) {
            told += outbox.events.iter().map(|event| event.count).sum::<u32>();
            outbox.acknowledge(last, outbox.head);
        }
        assert_eq!(told, total);
        assert!(outbox.withheld.is_empty());
        assert_eq!(outbox.base, outbox.head);
    }

    #[test]
    fn the_level_decides_what_is_kept_and_the_answer_tells_all() {
        for (level, kept) in [(AuditLevel::Off, 0), (AuditLevel::Notable, 0), (AuditLevel::All, 1)]
        {
            let mut ledger = ledger(&[1]);
            let policy = Policy { audit: level, ..all() };
            let applied = run_by(&mut ledger, Command::Refresh(refresh(1, 0)), NOW, &policy);
            assert_eq!(applied.events.len(), 1);
            assert_eq!((ledger.outbox.events.len(), applied.events[0].id), (kept, kept as u64));
        }
    }

    #[test]
    fn a_changed_event_breaks_the_chain() {
        let event = event(AuditKind::SessionCreated);
        let link = Link::default().then(&event);
        assert_ne!(Link::default().then(&AuditEvent { at: NOW + 1, ..event.clone() }), link);
        assert_ne!(link.then(&event), link);
        // Fixed for ever: rows of years are verified by it.
        let expected = "2aaf777bdaa9467f9dc22f04fd8680e712e21cf58cfb1e3453cc32d3dfb6114a";
        assert_eq!(link.to_string(), expected);
    }

    fn event(kind: AuditKind) -> AuditEvent {
        AuditEvent {
            id: 0,
            kind,
            at: NOW,
            session: None,
            client_id: None,
            organization: None,
            device: None,
            network: None,
            actor: crate::Actor::Client,
            outcome: kind.outcome(),
            reason: None,
            request_id: None,
            trace_id: None,
            count: 1,
        }
    }
}

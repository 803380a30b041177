//! Announcements on their way to webhooks. One is added in the same step as the change that it tells
//! of, and stays until every endpoint has taken it or it was given up. It does not depend on the
//! audit trail, whose outbox another part of the service delivers at its own pace.
//!
//! Whoever delivers claims what is due: it is theirs for [`Webhooks::LEASE`], then others may have
//! it, so that a delivery that died in the middle is repeated. Receivers know an announcement that
//! comes twice by its id.
//!
//! The queue is bounded: beyond [`Webhooks::MAX`] the oldest is dropped, and counted.

use serde::{Deserialize, Serialize};

use crate::step::Step;
use crate::{AuditEvent, AuditKind, Ledger, Link, Millis, Outcome};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Webhooks {
    /// To be delivered, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<Webhook>,
    /// How many found no room since that was last told.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: u32,
}

/// One announcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name, the same in every attempt: a hash of the person and the event.
    pub id: Link,
    /// What happened.
    pub event: AuditEvent,
    /// How often its delivery was begun.
    #[serde(default)]
    pub attempts: u32,
    /// When it is to be delivered, or while it is claimed, when others may have it.
    pub next_at: Millis,
    /// The endpoints that need not be tried any more, by the names that whoever delivers gives them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<String>,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Whose ledger it is.
    pub owner: Option<String>,
    /// The announcements, claimed, those first that have been due longest.
    pub webhooks: Vec<Webhook>,
    /// How many were dropped since the last claim.
    pub dropped: u32,
}

/// What became of a claimed announcement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// Which one.
    pub id: Link,
    /// The `next_at` that the claim gave it. If it has another by now, the lease was over and the
    /// announcement is somebody else's: nothing changes.
    pub lease: Millis,
    /// What now.
    pub then: Settled,
}

/// See [`Settle::then`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// Every endpoint has it.
    Done,
    /// It was tried for long enough; the audit trail tells of it.
    GivenUp,
    /// Try again later.
    Retry {
        /// When.
        at: Millis,
        /// The endpoints that need not be tried any more, at most [`Webhooks::MAX_SETTLED`].
        settled: Vec<String>,
    },
}

impl Webhooks {
    /// Announcements that one ledger keeps.
    pub const MAX: usize = 64;
    /// A claim lasts so long.
    pub const LEASE: Millis = 2 * 60_000;
    /// Names of endpoints that are kept for each announcement.
    pub const MAX_SETTLED: usize = 16;

    /// Whether there is nothing to deliver and nothing to tell.
    pub const fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.dropped == 0
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<Millis> {
        self.pending.iter().map(|webhook| webhook.next_at).min()
    }

    /// Takes an event to be announced right away.
    pub(crate) fn add(&mut self, owner: Option<&str>, event: &AuditEvent, now: Millis) {
        if self.pending.len() >= Self::MAX {
            self.pending.remove(0);
            self.dropped = self.dropped.saturating_add(1);
        }
        let id = Link::of(owner.unwrap_or_default()).then(event);
        let event = event.clone();
        self.pending.push(Webhook { id, event, attempts: 0, next_at: now, settled: Vec::new() });
    }
}

/// See [`Command::ClaimWebhooks`](crate::Command::ClaimWebhooks).
pub(crate) fn claim(ledger: &mut Ledger, limit: u32, step: &mut Step<'_>) -> Outcome {
    let Webhooks { pending, dropped } = &mut ledger.webhooks;
    let mut due: Vec<&mut Webhook> =
        pending.iter_mut().filter(|webhook| webhook.next_at <= step.now).collect();
    due.sort_by_key(|webhook| webhook.next_at);
    due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let webhooks: Vec<Webhook> = due
        .into_iter()
        .map(|webhook| {
            webhook.attempts = webhook.attempts.saturating_add(1);
            webhook.next_at = step.now.saturating_add(Webhooks::LEASE);
            webhook.clone()
        })
        .collect();
    let dropped = std::mem::take(dropped);
    step.changed |= !webhooks.is_empty() || dropped > 0;
    Outcome::Webhooks(Claimed { owner: ledger.owner.clone(), webhooks, dropped })
}

/// See [`Command::SettleWebhook`](crate::Command::SettleWebhook).
pub(crate) fn settle(ledger: &mut Ledger, command: Settle, step: &mut Step<'_>) -> Outcome {
    let pending = &mut ledger.webhooks.pending;
    let claimed = |one: &Webhook| one.id == command.id && one.next_at == command.lease;
    let Some(index) = pending.iter().position(claimed) else { return Outcome::Settled };
    match command.then {
        Settled::Done => {
            pending.remove(index);
            step.changed = true;
        }
        Settled::GivenUp => {
            let webhook = pending.remove(index);
            step.tell_like(AuditKind::WebhookFailed, &webhook.event);
            step.changed = true;
        }
        Settled::Retry { at, mut settled } => {
            settled.truncate(Webhooks::MAX_SETTLED);
            let webhook = &mut pending[index];
            // Told twice, it stands as it stood.
            step.changed |= webhook.settled != settled || webhook.next_at != at;
            webhook.settled = settled;
            webhook.next_at = at;
        }
    }
    Outcome::Settled
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{NOW, id, ledger, refresh, run, run_by};
    use crate::{AuditLevel, Command, Limits, Policy};

    fn on() -> Policy {
        let (limits, audit) = (Limits::off(), AuditLevel::Off);
        Policy { webhooks: true, limits, audit, ..Policy::default() }
    }

    fn revoke(ledger: &mut Ledger, name: u8) {
        let command = Command::RevokeSession { session: id(name), reason: Some("lost".to_owned()) };
        run_by(ledger, command, NOW, &on());
    }

    fn claim(ledger: &mut Ledger, now: Millis) -> Claimed {
        match run_by(ledger, Command::ClaimWebhooks { limit: 100 }, now, &on()).outcome {
            Outcome::Webhooks(claimed) => claimed,
            other => panic!("{other:?}"),
        }
    }

    fn settle(ledger: &mut Ledger, webhook: &Webhook, then: Settled) -> Vec<AuditKind> {
        let settle = Settle { id: webhook.id, lease: webhook.next_at, then };
        crate::fixture::kinds(&run_by(ledger, Command::SettleWebhook(settle), NOW, &on()))
    }

    #[test]
    fn what_matters_is_announced_with_the_change_and_the_rest_is_not() {
        let mut ledger = ledger(&[1, 2]);
        run_by(&mut ledger, Command::Refresh(refresh(1, 0)), NOW, &on());
        run_by(&mut ledger, Command::Refresh(refresh(1, 1)), NOW, &on());
        assert!(ledger.webhooks.is_empty(), "a rotation is nobody's business");
        run_by(&mut ledger, Command::Refresh(refresh(1, 0)), NOW, &on());
        revoke(&mut ledger, 2);
        let kinds: Vec<_> = ledger.webhooks.pending.iter().map(|one| one.event.kind).collect();
        assert_eq!(kinds, [AuditKind::ReuseDetected, AuditKind::SessionRevoked]);
        assert_eq!(ledger.webhooks.next_due(), Some(NOW));
        assert!(!ledger.is_empty());
    }

    #[test]
    fn without_webhooks_nothing_is_kept() {
        let mut ledger = ledger(&[1]);
        run(&mut ledger, Command::RevokeSession { session: id(1), reason: None }, NOW);
        assert!(ledger.webhooks.is_empty());
    }

    #[test]
    fn a_claim_is_exclusive_until_its_lease_is_over() {
        let mut ledger = ledger(&[1]);
        revoke(&mut ledger, 1);
        let first = claim(&mut ledger, NOW);
        assert_eq!((first.webhooks.len(), first.webhooks[0].attempts), (1, 1));
        let end = NOW + Webhooks::LEASE;
        assert!(claim(&mut ledger, end - 1).webhooks.is_empty());
        let second = claim(&mut ledger, end);
        assert_eq!(second.webhooks[0].attempts, 2, "the first died in the middle");
        assert_eq!(second.webhooks[0].id, first.webhooks[0].id, "a receiver knows it again");
        settle(&mut ledger, &first.webhooks[0], Settled::Done);
        assert_eq!(ledger.webhooks.pending.len(), 1, "the first is too late");
        settle(&mut ledger, &second.webhooks[0], Settled::Done);
        assert!(ledger.webhooks.is_empty());
    }

    #[test]
    fn a_retry_remembers_who_has_it() {
        let mut ledger = ledger(&[1]);
        revoke(&mut ledger, 1);
        for attempt in 1..4 {
            let now = ledger.webhooks.next_due().unwrap();
            let webhook = claim(&mut ledger, now).webhooks.remove(0);
            assert_eq!((webhook.attempts, webhook.settled.len()), (attempt, attempt as usize - 1));
            let settled = vec!["endpoint".to_owned(); attempt as usize];
            settle(&mut ledger, &webhook, Settled::Retry { at: now + 5_000, settled });
            assert_eq!(ledger.webhooks.next_due(), Some(now + 5_000));
        }
    }

    #[test]
    fn a_retry_that_says_what_is_known_changes_nothing() {
        let mut ledger = ledger(&[1]);
        revoke(&mut ledger, 1);
        let webhook = claim(&mut ledger, NOW).webhooks.remove(0);
        let settled = vec!["endpoint".to_owned()];
        let then = Settled::Retry { at: webhook.next_at, settled };
        let again = Settle { id: webhook.id, lease: webhook.next_at, then };
        let again = Command::SettleWebhook(again);
        assert!(run_by(&mut ledger, again.clone(), NOW, &on()).changed);
        assert!(!run_by(&mut ledger, again, NOW, &on()).changed);
    }

    #[test]
    fn one_that_is_given_up_is_told_to_the_audit_trail() {
        let mut ledger = ledger(&[1]);
        revoke(&mut ledger, 1);
        let webhook = claim(&mut ledger, NOW).webhooks.remove(0);
        let told = settle(&mut ledger, &webhook, Settled::GivenUp);
        assert_eq!(told, [AuditKind::WebhookFailed]);
        assert!(ledger.webhooks.is_empty(), "and that is not announced in turn");
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_dropped_and_counted() {
        let mut ledger = Ledger::default();
        let total = Webhooks::MAX + 10;
        for number in 0..total {
            ledger.sessions = vec![crate::fixture::session(u8::try_from(number).unwrap())];
            revoke(&mut ledger, u8::try_from(number).unwrap());
        }
        assert_eq!(ledger.webhooks.pending.len(), Webhooks::MAX);
        assert_eq!(ledger.webhooks.pending[0].event.session, Some(id(10)));
        let claimed = claim(&mut ledger, NOW);
        assert_eq!((claimed.webhooks.len(), claimed.dropped), (Webhooks::MAX, 10));
        assert_eq!(claim(&mut ledger, NOW).dropped, 0, "told once");
    }

    #[test]
    fn a_document_from_before_webhooks_is_read() {
        let text = include_str!("../tests/fixtures/schema_2_without_webhooks.json");
        let ledger: Ledger = serde_json::from_str(text).unwrap();
        let mut ledger = ledger.upgraded().unwrap();
        assert!(ledger.webhooks.is_empty());
        let command = Command::RevokeAll { except: None, reason: None };
        let now = ledger.sessions[0].last_seen_at;
        let outcome = run_by(&mut ledger, command, now, &on()).outcome;
        assert_eq!(outcome, Outcome::Revoked { sessions: 1 });
        assert_eq!(ledger.webhooks.pending.len(), 1, "and goes on with them");
    }

    #[test]
    fn each_event_of_each_person_has_a_name_of_its_own() {
        let mut ledger = ledger(&[1, 2]);
        revoke(&mut ledger, 1);
        revoke(&mut ledger, 2);
        let event = ledger.webhooks.pending[0].event.clone();
        ledger.webhooks.add(Some("another"), &event, NOW);
        let ids: std::collections::BTreeSet<_> =
            ledger.webhooks.pending.iter().map(|one| one.id).collect();
        assert_eq!(ids.len(), 3);
    }
}

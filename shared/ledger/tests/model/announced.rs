//! What holds for the announcements to webhooks.

use ledger::{AuditKind, Command, Millis, Outcome, Settled, Webhook, Webhooks};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::laws::Scene;

const ANNOUNCED: [AuditKind; 14] = [
    AuditKind::SessionRevoked,
    AuditKind::SessionRevokedAll,
    AuditKind::SessionEvicted,
    AuditKind::SessionIdle,
    AuditKind::SessionOver,
    AuditKind::SessionNotBefore,
    AuditKind::SessionExhausted,
    AuditKind::ReuseDetected,
    AuditKind::CodeReplayed,
    AuditKind::RiskFlagged,
    AuditKind::RiskCleared,
    AuditKind::RiskEnded,
    AuditKind::SessionSignedOut,
    AuditKind::SessionUpstreamEnded,
];

const MINUTES: Millis = 60_000;

pub(crate) fn holds(scene: &Scene<'_>) -> TestCaseResult {
    let (before, after) = (&scene.before.webhooks, &scene.after.webhooks);
    prop_assert!(after.pending.len() <= Webhooks::MAX);
    match scene.command {
        Command::ClaimWebhooks { limit } => {
            let Outcome::Webhooks(claimed) = &scene.applied.outcome else {
                return Err(TestCaseError::fail("a claim has an answer"));
            };
            prop_assert_eq!((claimed.dropped, after.dropped), (before.dropped, 0));
            prop_assert_eq!(&claimed.owner, &scene.before.owner);
            let due = before.pending.iter().filter(|one| one.next_at <= scene.now).count();
            prop_assert_eq!(claimed.webhooks.len(), due.min(usize::try_from(*limit).expect("few")));
            claimed_by_one(scene, &claimed.webhooks)
        }
        Command::SettleWebhook(settle) => {
            let was = |one: &&Webhook| one.id == settle.id && one.next_at == settle.lease;
            let found = before.pending.iter().find(was);
            let given_up = found.is_some() && settle.then == Settled::GivenUp;
            let told = scene.applied.events.iter().map(|event| (event.kind, event.session));
            let expected = found.filter(|_| given_up).map(|one| one.event.session);
            let expected = expected.map(|session| (AuditKind::WebhookFailed, session));
            prop_assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(expected));
            let kept = !matches!(settle.then, Settled::Done | Settled::GivenUp);
            let gone = usize::from(found.is_some() && !kept);
            prop_assert_eq!(after.pending.len() + gone, before.pending.len());
            Ok(())
        }
        _ => added(scene),
    }
}

/// What was claimed is nobody else's until the lease is over, and nothing else has moved.
fn claimed_by_one(scene: &Scene<'_>, claimed: &[Webhook]) -> TestCaseResult {
    let after = &scene.after.webhooks.pending;
    for (was, is) in scene.before.webhooks.pending.iter().zip(after) {
        prop_assert_eq!((was.id, &was.event, &was.settled), (is.id, &is.event, &is.settled));
        if was == is {
            prop_assert!(!claimed.contains(is));
        } else {
            prop_assert!(claimed.contains(is) && was.next_at <= scene.now);
            prop_assert_eq!(is.attempts, was.attempts + 1);
            prop_assert_eq!(is.next_at, scene.now + 2 * MINUTES);
        }
    }
    prop_assert_eq!(after.len(), scene.before.webhooks.pending.len());
    Ok(())
}

/// Every event that matters is announced or counted, in order, in the same step.
fn added(scene: &Scene<'_>) -> TestCaseResult {
    let (before, after) = (&scene.before.webhooks, &scene.after.webhooks);
    let events = scene.applied.events.iter();
    let new: Vec<_> = events
        .filter(|event| scene.policy.webhooks && ANNOUNCED.contains(&event.kind))
        .map(|event| (event.clone(), 0, scene.now))
        .collect();
    let old = before.pending.iter().map(|one| (one.event.clone(), one.attempts, one.next_at));
    let all: Vec<_> = old.chain(new).collect();
    let surplus = all.len().saturating_sub(Webhooks::MAX);
    let held = after.pending.iter().map(|one| (one.event.clone(), one.attempts, one.next_at));
    prop_assert_eq!(held.collect::<Vec<_>>(), &all[surplus..]);
    prop_assert_eq!(after.dropped, before.dropped + u32::try_from(surplus).expect("few"));
    Ok(())
}

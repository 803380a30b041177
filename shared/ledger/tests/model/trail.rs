//! What holds for the audit trail.

use ledger::{AuditKind, AuditLevel, Command, Outbox, Outcome};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::laws::{Scene, bare};

const ROUTINE: [AuditKind; 8] = [
    AuditKind::SessionResumed,
    AuditKind::SessionForgotten,
    AuditKind::TokenRotated,
    AuditKind::TokenReplayed,
    AuditKind::TokenNotDue,
    AuditKind::NetworkChanged,
    AuditKind::UpstreamRenewed,
    AuditKind::UpstreamFailed,
];

pub(crate) fn holds(scene: &Scene<'_>) -> TestCaseResult {
    is_one_chain(&scene.after.outbox)?;
    forgets_only_what_was_delivered(scene)?;
    counts_every_event(scene)
}

fn is_one_chain(outbox: &Outbox) -> TestCaseResult {
    let pending = u64::try_from(outbox.events.len()).expect("few");
    prop_assert!(pending <= outbox.last);
    let (mut id, mut link) = (outbox.last - pending, outbox.base);
    for event in &outbox.events {
        id += 1;
        prop_assert_eq!(event.id, id);
        link = link.then(event);
    }
    prop_assert_eq!(link, outbox.head);
    prop_assert!(outbox.withheld.is_empty() || !outbox.events.is_empty());
    Ok(())
}

fn forgets_only_what_was_delivered(scene: &Scene<'_>) -> TestCaseResult {
    let (before, after) = (&scene.before.outbox, &scene.after.outbox);
    if let Command::Outbox { .. } = scene.command {
        prop_assert_eq!(scene.before, scene.after);
    }
    let Command::AckOutbox { up_to, hash } = scene.command else {
        prop_assert!(after.events.starts_with(&before.events));
        prop_assert_eq!(after.base, before.base);
        return Ok(());
    };
    let (delivered, left): (Vec<_>, Vec<_>) =
        before.events.iter().cloned().partition(|event| event.id <= *up_to);
    if delivered.iter().fold(before.base, |link, event| link.then(event)) != *hash {
        prop_assert_eq!(before, after);
        return Ok(());
    }
    prop_assert!(after.events.starts_with(&left));
    let events = u32::try_from(before.events.len() - left.len()).expect("few");
    let pending = u32::try_from(after.events.len()).expect("few");
    prop_assert_eq!(&scene.applied.outcome, &Outcome::Acknowledged { events, pending });
    prop_assert_eq!(total(after) + sum(before, *up_to), total(before));
    prop_assert_eq!(bare(scene.before).sessions, bare(scene.after).sessions);
    Ok(())
}

/// No event that the level asks for is lost, chained or counted.
fn counts_every_event(scene: &Scene<'_>) -> TestCaseResult {
    if matches!(scene.command, Command::AckOutbox { .. }) {
        return Ok(());
    }
    let asked = |kind| match scene.policy.audit {
        AuditLevel::Off => false,
        AuditLevel::Notable => !ROUTINE.contains(&kind),
        AuditLevel::All => true,
    };
    let told = scene.applied.events.iter().filter(|event| asked(event.kind)).count();
    let told = u64::try_from(told).expect("few");
    prop_assert_eq!(total(&scene.after.outbox), total(&scene.before.outbox) + told);
    Ok(())
}

fn total(outbox: &Outbox) -> u64 {
    outbox.events.iter().chain(&outbox.withheld).map(|event| u64::from(event.count)).sum()
}

fn sum(outbox: &Outbox, up_to: u64) -> u64 {
    let delivered = outbox.events.iter().filter(|event| event.id <= up_to);
    delivered.map(|event| u64::from(event.count)).sum()
}

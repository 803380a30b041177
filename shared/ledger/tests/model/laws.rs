//! What holds for every command, whatever the model says.

use std::collections::BTreeSet;

use ledger::{
    Applied, AuditKind, Command, EndReason, Issue, Ledger, Millis, Once, Outbox, Outcome, Policy,
    Refresh, Refusal, Session, SessionId, Signals, State, UpstreamAnswer, UpstreamOutcome,
    Webhooks, next_due,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::simple::once_of;
use crate::{Token, run};
use crate::{announced, trail};

/// One command and what it did.
pub(crate) struct Scene<'a> {
    pub(crate) command: &'a Command,
    pub(crate) before: &'a Ledger,
    pub(crate) after: &'a Ledger,
    pub(crate) applied: &'a Applied,
    pub(crate) now: Millis,
    pub(crate) policy: &'a Policy,
    pub(crate) names: u64,
}

pub(crate) fn hold(scene: &Scene<'_>) -> TestCaseResult {
    is_deterministic(scene)?;
    tells_the_truth(scene)?;
    the_dead_stay_dead(scene)?;
    strangers_change_nothing(scene)?;
    refusals_change_nothing(scene)?;
    reuse_ends_its_session_only(scene)?;
    replays_converge_and_extend_nothing(scene)?;
    nothing_is_used_twice(scene)?;
    sent_again_it_is_the_same_use(scene)?;
    a_replayed_code_ends_what_it_started(scene)?;
    a_grant_is_lent_to_one_at_a_time(scene)?;
    an_outage_of_the_provider_ends_nothing(scene)?;
    the_limit_holds(scene)?;
    sweeps_when_due(scene)?;
    survives_storage(scene)?;
    trail::holds(scene)?;
    announced::holds(scene)
}

/// Of all tokens ever issued for a session and not ahead of the ledger, at most one advances it,
/// and all that get an answer get the same one.
pub(crate) fn one_live_counter(
    ledger: &Ledger,
    tokens: &[Token],
    now: Millis,
    policy: &Policy,
) -> TestCaseResult {
    for session in &ledger.sessions {
        let (mut advancing, mut replaying) = (BTreeSet::new(), BTreeSet::new());
        let held = (session.generation, session.counter);
        let own = tokens.iter().filter(|token| token.session == session.id);
        for token in own.filter(|token| (token.generation, token.counter) <= held) {
            let command = Command::Refresh(Refresh {
                session: session.id,
                generation: token.generation,
                counter: token.counter,
                client_id: session.client_id.clone(),
                scopes: None,
                resources: None,
                key_id: 0,
                proactive: false,
                force_rotation: false,
                renews_upstream: false,
                signals: Signals::default(),
                key: session.key.clone(),
                proof: None,
            });
            let applied = run(&mut ledger.clone(), &command, now, policy, 0);
            match applied.outcome {
                Outcome::Issued(issue) if issue.repeated => {
                    prop_assert_eq!((issue.generation, issue.counter), held);
                    replaying.insert((token.generation, token.counter));
                }
                Outcome::Issued(_) => {
                    advancing.insert((token.generation, token.counter));
                }
                _ => {}
            }
        }
        prop_assert!(advancing.len() <= 1);
        // An extension also takes tokens that the store had lost the issue of.
        prop_assert!(replaying.len() <= 1 || session.extended_from.is_some());
        if session.state != State::Active {
            prop_assert!(advancing.is_empty() && replaying.is_empty());
        }
    }
    Ok(())
}

fn is_deterministic(scene: &Scene<'_>) -> TestCaseResult {
    let mut again = scene.before.clone();
    let applied = run(&mut again, scene.command, scene.now, scene.policy, scene.names);
    prop_assert_eq!(&applied, scene.applied);
    prop_assert_eq!(&again, scene.after);
    Ok(())
}

fn tells_the_truth(scene: &Scene<'_>) -> TestCaseResult {
    prop_assert_eq!(scene.applied.changed, scene.before != scene.after);
    let silent = [
        AuditKind::TokenReplayed,
        AuditKind::TokenNotDue,
        AuditKind::SessionResumed,
        AuditKind::SessionDenied,
        AuditKind::ProofStale,
        AuditKind::CodeRefused,
        AuditKind::OnceReplayed,
        AuditKind::KeyRefused,
        AuditKind::ForeignClient,
        AuditKind::ScopeRefused,
        AuditKind::ResourceRefused,
        AuditKind::DeviceRefused,
        AuditKind::NetworkRefused,
        AuditKind::LimitReached,
    ];
    let loud = scene.applied.events.iter().any(|event| !silent.contains(&event.kind));
    prop_assert!(scene.applied.changed || !loud, "an event without a change");
    Ok(())
}

fn the_dead_stay_dead(scene: &Scene<'_>) -> TestCaseResult {
    for before in &scene.before.sessions {
        let Some(after) = find(scene.after, before.id) else {
            let forgotten = matches!(scene.command, Command::Sweep);
            prop_assert!(forgotten, "only a sweep forgets (far from the bound)");
            continue;
        };
        prop_assert_eq!(after.absolute_end, before.absolute_end);
        prop_assert!((after.generation, after.counter) >= (before.generation, before.counter));
        if before.state != State::Active {
            prop_assert_eq!(after, before);
        }
    }
    Ok(())
}

fn strangers_change_nothing(scene: &Scene<'_>) -> TestCaseResult {
    let session = match scene.command {
        Command::Refresh(command) => command.session,
        Command::Extend(command) => command.session,
        Command::Check(command) => command.session,
        Command::RevokeToken(command) => command.session,
        Command::RevokeSession { session, .. } => *session,
        Command::UpstreamGrant(command) => command.session,
        Command::UpstreamClaim { session, .. } => *session,
        Command::UpstreamStore(command) => command.session,
        _ => return Ok(()),
    };
    if find(scene.before, session).is_none() {
        prop_assert_eq!(bare(scene.before), bare(scene.after));
        let mut told = scene.applied.events.iter().map(|event| event.kind);
        prop_assert!(told.all(|kind| kind == AuditKind::OnceReplayed));
    }
    Ok(())
}

fn refusals_change_nothing(scene: &Scene<'_>) -> TestCaseResult {
    if let Outcome::Limited(_) = scene.applied.outcome {
        prop_assert_eq!(bare(&with_timeouts_of(scene)), bare(scene.after));
    }
    let Outcome::Refused(refusal) = scene.applied.outcome else { return Ok(()) };
    if refusal == Refusal::ForeignClient {
        prop_assert_eq!(bare(scene.before), bare(scene.after));
    }
    let told = |kind| scene.applied.events.iter().any(|event| event.kind == kind);
    if !matches!(refusal, Refusal::Reuse | Refusal::SessionEnded(EndReason::Risk))
        && !told(AuditKind::CodeReplayed)
    {
        prop_assert_eq!(bare(&with_timeouts_of(scene)), bare(scene.after));
    }
    Ok(())
}

fn reuse_ends_its_session_only(scene: &Scene<'_>) -> TestCaseResult {
    let reused = scene.applied.outcome == Outcome::Refused(Refusal::Reuse);
    let told = scene.applied.events.iter().any(|event| event.kind == AuditKind::ReuseDetected);
    prop_assert_eq!(reused, told);
    let Command::Refresh(command) = scene.command else {
        prop_assert!(!reused);
        return Ok(());
    };
    if reused {
        let mut expected = scene.before.clone();
        for session in expected.sessions.iter_mut().filter(|one| one.id == command.session) {
            session.state = State::Ended { at: scene.now, reason: EndReason::Reuse };
            session.upstream = None;
        }
        prop_assert_eq!(bare(&expected), bare(scene.after));
    }
    Ok(())
}

/// A refresh that was answered gets the same answer until the grace is over, and being answered
/// does not prolong the grace.
fn replays_converge_and_extend_nothing(scene: &Scene<'_>) -> TestCaseResult {
    let Command::Refresh(command) = scene.command else { return Ok(()) };
    let Outcome::Issued(issue) = &scene.applied.outcome else { return Ok(()) };
    // Whoever asks again proves it again.
    let command = &Command::Refresh(Refresh { proof: None, ..command.clone() });
    let end = issue.issued_at + scene.policy.grace;
    let mut ledger = scene.after.clone();
    for now in [scene.now, end.saturating_sub(1)] {
        if now >= end || times_out(&ledger, issue.session, now, scene.policy) {
            continue;
        }
        let again = run(&mut ledger, command, now, scene.policy, 0);
        let too_risky = Outcome::Refused(Refusal::SessionEnded(EndReason::Risk));
        if again.outcome == too_risky || matches!(again.outcome, Outcome::Limited(_)) {
            return Ok(());
        }
        let same = Outcome::Issued(Issue { repeated: true, ..issue.clone() });
        prop_assert_eq!(again.outcome, same);
    }
    if !times_out(&ledger, issue.session, end, scene.policy) {
        let late = run(&mut ledger, command, end, scene.policy, 0);
        prop_assert_eq!(late.outcome, Outcome::Refused(Refusal::Reuse));
    }
    Ok(())
}

/// What succeeds uses up all that it may use once, which nobody has used before; what fails uses
/// nothing.
fn nothing_is_used_twice(scene: &Scene<'_>) -> TestCaseResult {
    let used = |ledger: &Ledger| -> Vec<_> {
        let lasting = ledger.consumed.iter().filter(|once| once.until > scene.now);
        lasting.map(|once| Once::new(once.id, once.until)).collect()
    };
    let (before, after) = (used(scene.before), used(scene.after));
    let uses = once_of(scene.command);
    let outcome = &scene.applied.outcome;
    if matches!(outcome, Outcome::Issued(_) | Outcome::Active(_) | Outcome::Consumed) {
        for once in &uses {
            prop_assert!(once.until > scene.now && before.iter().all(|used| used.id != once.id));
        }
        prop_assert_eq!(after, [before, uses].concat());
    } else {
        prop_assert_eq!(after, before);
    }
    Ok(())
}

/// A copy of what has succeeded, by whoever has sent it, uses nothing up and is answered alike, however
/// often it comes. (What a refresh comes to then is for the grace to say.)
fn sent_again_it_is_the_same_use(scene: &Scene<'_>) -> TestCaseResult {
    let is_success = matches!(
        scene.applied.outcome,
        Outcome::Issued(_) | Outcome::Active(_) | Outcome::Consumed
    );
    if scene.names == 0 || !is_success || !scene.command.is_of_once() {
        return Ok(());
    }
    let mut ledger = scene.after.clone();
    for _ in 0..2 {
        let again = run(&mut ledger, scene.command, scene.now, scene.policy, scene.names).outcome;
        prop_assert_eq!(&ledger.consumed, &scene.after.consumed);
        prop_assert!(again != Outcome::Refused(Refusal::Replayed));
        let expected = match (scene.command, &scene.applied.outcome) {
            (Command::CreateSession(create), Outcome::Issued(issue)) if create.code.is_some() => {
                prop_assert_eq!(&ledger, scene.after);
                Outcome::Issued(Issue { repeated: true, ..issue.clone() })
            }
            (Command::Consume { .. }, outcome) => outcome.clone(),
            _ => continue,
        };
        prop_assert_eq!(again, expected);
    }
    Ok(())
}

fn a_replayed_code_ends_what_it_started(scene: &Scene<'_>) -> TestCaseResult {
    let Command::CreateSession(create) = scene.command else { return Ok(()) };
    let Some(code) = create.code else { return Ok(()) };
    let own = |session: &&Session| session.code == Some(code.id);
    let alive = scene.after.sessions.iter().filter(own).filter(|one| one.state == State::Active);
    let replayed = scene.applied.outcome == Outcome::Refused(Refusal::Replayed);
    let by_proof = scene.applied.events.iter().any(|event| event.kind == AuditKind::OnceReplayed);
    prop_assert!(!replayed || by_proof || alive.count() == 0);
    Ok(())
}

/// Who gets the refresh token of a grant is the only one to have it.
fn a_grant_is_lent_to_one_at_a_time(scene: &Scene<'_>) -> TestCaseResult {
    let Command::UpstreamClaim { session, lease } = scene.command else { return Ok(()) };
    let lent = matches!(&scene.applied.outcome, Outcome::Upstream(UpstreamOutcome::Leased { .. }));
    let held =
        |ledger| find(ledger, *session).and_then(|one: &Session| one.upstream.as_ref()?.lease);
    prop_assert!(!lent || held(scene.after).is_some_and(|held| held.id == *lease));
    if let Some(held) = held(scene.before).filter(|held| lent && scene.now < held.until) {
        prop_assert_eq!(held.id, *lease, "it was lent to another");
    }
    Ok(())
}

/// A session ends with its grant only if the provider says so and no answer of it may be lost.
fn an_outage_of_the_provider_ends_nothing(scene: &Scene<'_>) -> TestCaseResult {
    let alive = |ledger: &Ledger| {
        let sessions = ledger.sessions.iter();
        sessions.filter(|session| session.state == State::Active).count()
    };
    let Command::UpstreamStore(command) = scene.command else { return Ok(()) };
    let before = find(scene.before, command.session).and_then(|session| session.upstream.as_ref());
    let sure = command.answer == UpstreamAnswer::Ended && before.is_some_and(|it| !it.unsure);
    prop_assert!(sure || alive(&with_timeouts_of(scene)) == alive(scene.after));
    Ok(())
}

fn the_limit_holds(scene: &Scene<'_>) -> TestCaseResult {
    let sessions = scene.after.sessions.iter();
    let active = sessions.filter(|session| session.state == State::Active).count();
    prop_assert!(active <= usize::from(scene.policy.max_sessions.max(1)));
    Ok(())
}

fn sweeps_when_due(scene: &Scene<'_>) -> TestCaseResult {
    let Some(due) = next_due(scene.after, scene.policy) else {
        prop_assert!(bare(scene.after).is_empty());
        return Ok(());
    };
    for (now, work) in [(due - 1, false), (due, true)] {
        let swept = run(&mut scene.after.clone(), &Command::Sweep, now, scene.policy, 0);
        prop_assert_eq!(swept.changed, work);
    }
    Ok(())
}

fn survives_storage(scene: &Scene<'_>) -> TestCaseResult {
    let text = serde_json::to_string(scene.after).expect("a ledger is JSON");
    let read: Ledger = serde_json::from_str(&text).expect("what was written can be read");
    prop_assert_eq!(&read, scene.after);
    if scene.applied.changed {
        prop_assert_eq!(read.clone().upgraded(), Ok(read));
    }
    Ok(())
}

/// Without what every command may change: the audit trail and the announcements.
pub(crate) fn bare(ledger: &Ledger) -> Ledger {
    let (outbox, webhooks) = (Outbox::default(), Webhooks::default());
    Ledger { outbox, webhooks, schema: 0, ..ledger.clone() }
}

/// The ledger before, with those timeouts that the one after shows.
fn with_timeouts_of(scene: &Scene<'_>) -> Ledger {
    let mut ledger = scene.before.clone();
    for session in &mut ledger.sessions {
        let after = find(scene.after, session.id).map(|after| after.state.clone());
        if let Some(State::Ended { at, reason }) = after
            && session.state == State::Active
            && matches!(
                reason,
                EndReason::IdleTimeout | EndReason::AbsoluteTimeout | EndReason::NotBefore
            )
            && at <= scene.now
        {
            session.state = State::Ended { at, reason };
            session.upstream = None;
        }
    }
    ledger
}

fn times_out(ledger: &Ledger, id: SessionId, now: Millis, policy: &Policy) -> bool {
    find(ledger, id).is_none_or(|session| {
        let timeout = session.absolute_end.min(session.last_seen_at + session.idle);
        let taken = policy.not_before.filter(|moment| session.created_at < *moment);
        now >= taken.map_or(timeout, |moment| moment.min(timeout))
    })
}

fn find(ledger: &Ledger, id: SessionId) -> Option<&Session> {
    ledger.sessions.iter().find(|session| session.id == id)
}

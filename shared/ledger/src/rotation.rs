use crate::outcome::Stop;
use crate::risk::{self, MANY_REPLAYS, differs};
use crate::session::{Place, narrowed};
use crate::step::Step;
use crate::{
    AuditKind, Budget, Class, EndReason, Ledger, Millis, OnChange, Outcome, Refresh, Refusal,
    Session, Signals,
};

/// A proactive refresh rotates from this long before the access token expires.
const AHEAD: Millis = 300_000;

/// See [`Command::Refresh`](crate::Command::Refresh). Client, end, scope, resource, key and what
/// the policy binds a session to are judged before the token's place, so that none of them can be
/// learned by, or cost, a rotation.
pub(crate) fn refresh(ledger: &mut Ledger, command: Refresh, step: &mut Step<'_>) -> Outcome {
    let command = Refresh { signals: command.signals.bounded(), ..command };
    let Some(session) = ledger.find(command.session) else {
        return Outcome::Refused(Refusal::UnknownSession);
    };
    if session.client_id != command.client_id {
        return step.refuse(Refusal::ForeignClient, AuditKind::ForeignClient, session);
    }
    step.expire(session);
    if let Some((_, reason)) = session.ended() {
        return Outcome::Refused(Refusal::SessionEnded(reason));
    }
    let Some(scopes) = within(&session.scopes, command.scopes.as_deref()) else {
        return step.refuse(Refusal::ScopeNotGranted, AuditKind::ScopeRefused, session);
    };
    let Some(resources) = within(&session.resources, command.resources.as_deref()) else {
        return step.refuse(Refusal::ResourceNotGranted, AuditKind::ResourceRefused, session);
    };
    if session.key != command.key {
        return step.refuse(Refusal::WrongKey, AuditKind::KeyRefused, session);
    }
    if let Some((refusal, kind)) = unbound(session, &command.signals, step) {
        return step.refuse(refusal, kind, session);
    }
    match turn(session, &command, step) {
        Ok(repeated) => Outcome::Issued(session.issue(scopes, resources, repeated)),
        Err(stop) => stop.into(),
    }
}

/// What was asked for within the grant; all of it if nothing was asked for.
pub(crate) fn within(granted: &[String], asked: Option<&[String]>) -> Option<Vec<String>> {
    asked.map_or_else(|| Some(granted.to_vec()), |asked| narrowed(granted, asked))
}

/// What the policy refuses of where the refresh comes from.
fn unbound(session: &Session, signals: &Signals, step: &Step<'_>) -> Option<(Refusal, AuditKind)> {
    let network = &session.network;
    if step.policy.on_device_change == OnChange::Refuse && session.is_other_device(signals) {
        return Some((Refusal::DeviceChanged, AuditKind::DeviceRefused));
    }
    (step.policy.on_network_change == OnChange::Refuse
        && differs(network.as_ref(), signals.network.as_ref()))
    .then_some((Refusal::NetworkChanged, AuditKind::NetworkRefused))
}

/// Brings the session to the counter that answers the presented token; says whether it had been
/// there before, or what else the answer is.
fn turn(session: &mut Session, command: &Refresh, step: &mut Step<'_>) -> Result<bool, Stop> {
    match session.place(command.generation, command.counter) {
        Place::Current => {
            wait(session, command, step)?;
            if command.renews_upstream
                && session
                    .upstream
                    .as_ref()
                    .is_some_and(|grant| grant.is_due(step.now, step.policy))
            {
                return Err(Stop::UpstreamDue);
            }
            step.spend(Class::Refresh)?;
            advance(session, command, step)
        }
        Place::Previous if repeats(session, command, step) => replay(session, command, step),
        Place::Previous | Place::Older => {
            step.end(session, EndReason::Reuse);
            Err(Stop::Refused(Refusal::Reuse))
        }
        Place::Ahead => {
            step.spend(Class::Refresh)?;
            // Only we can have minted it, so the store has lost a write: catch up with it.
            session.generation = command.generation;
            session.counter = command.counter;
            if let Some(grant) = &mut session.upstream {
                // Perhaps the newest answer of the identity provider was among them.
                grant.unsure = true;
            }
            step.changed = true;
            step.tell(AuditKind::Rollback, session);
            advance(session, command, step)
        }
    }
}

/// A proactive refresh before its time gets nothing.
fn wait(session: &mut Session, command: &Refresh, step: &mut Step<'_>) -> Result<(), Stop> {
    let due_at = session.access_end(step.policy).saturating_sub(AHEAD);
    if !command.proactive || command.force_rotation || step.now >= due_at {
        return Ok(());
    }
    step.touch(session);
    step.tell(AuditKind::TokenNotDue, session);
    Err(Stop::NotDue { due_at })
}

/// Whether the token before the current one is presented again by whoever had it replaced.
fn repeats(session: &Session, command: &Refresh, step: &Step<'_>) -> bool {
    session.in_grace(step.now, step.policy) && !session.is_other_device(&command.signals)
}

/// The same tokens again, also if the access token among them has been revoked since. All who hold
/// the replaced token must converge on one successor: a rotation here would replace the refresh
/// token that the first of them was given, and make a reuse of the next replay. With the successor
/// they get an access token that works.
fn replay(session: &mut Session, command: &Refresh, step: &mut Step<'_>) -> Result<bool, Stop> {
    let limit = step.policy.limits.of(Class::Replay).filter(|_| step.origin.actor.is_client());
    if let Some(limit) = limit.filter(|limit| session.replays >= *limit) {
        let reset_at = session.grace_end(step.policy);
        return Err(step.limited(Budget { class: Class::Replay, limit, remaining: 0, reset_at }));
    }
    let before = session.clone();
    let bound = limit.unwrap_or_default().max(MANY_REPLAYS);
    session.replays = session.replays.saturating_add(1).min(bound);
    risk::judge(session, &command.signals, true, step);
    if session.is_active() {
        step.touch(session);
        session.note_refresh(step.now, true);
        step.tell(AuditKind::TokenReplayed, session);
    }
    step.changed |= before != *session;
    alive(session).map(|()| true)
}

fn advance(session: &mut Session, command: &Refresh, step: &mut Step<'_>) -> Result<bool, Stop> {
    risk::judge(session, &command.signals, false, step);
    alive(session)?;
    rotate(session, command.key_id, step).map_err(Stop::Refused)?;
    session.note_refresh(step.now, false);
    Ok(false)
}

fn alive(session: &Session) -> Result<(), Stop> {
    match session.ended() {
        None => Ok(()),
        Some((_, reason)) => Err(Stop::Refused(Refusal::SessionEnded(reason))),
    }
}

/// Moves the session to its next refresh token.
pub(crate) fn rotate(
    session: &mut Session,
    key_id: u8,
    step: &mut Step<'_>,
) -> Result<bool, Refusal> {
    let Some(next) = session.counter.checked_add(1) else {
        // A counter that wraps would revive the oldest token.
        step.end(session, EndReason::Exhausted);
        return Err(Refusal::SessionEnded(EndReason::Exhausted));
    };
    session.counter = next;
    session.extended_from = None;
    session.settle(key_id, step.now, step.policy);
    step.changed = true;
    step.tell(AuditKind::TokenRotated, session);
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, refresh, run, run_by, strings};
    use crate::{Applied, Command, Issue, Millis, Policy, State};

    fn at(ledger: &mut Ledger, command: &Refresh, now: Millis) -> Applied {
        run(ledger, Command::Refresh(command.clone()), now)
    }

    fn issued(applied: &Applied) -> &Issue {
        match &applied.outcome {
            Outcome::Issued(issue) => issue,
            other => panic!("not issued: {other:?}"),
        }
    }

    fn refused_without_effect(command: &Refresh, refusal: Refusal) {
        let mut ledger = ledger(&[1, 2]);
        ledger.sessions[0].counter = 5;
        for counter in [0, 4, 5, 6] {
            let before = ledger.clone();
            let applied = at(&mut ledger, &Refresh { counter, ..command.clone() }, NOW + 1);
            assert_eq!(applied.outcome, Outcome::Refused(refusal));
            assert_eq!(ledger, before);
        }
    }

    #[test]
    fn f17_a_bound_token_is_of_use_with_its_own_key_only_and_survives_every_other() {
        for key in [None, Some("other".to_owned())] {
            let mut ledger = ledger(&[1]);
            ledger.sessions[0].counter = 5;
            ledger.sessions[0].key = Some("held".to_owned());
            for counter in [0, 4, 5, 6] {
                let before = ledger.clone();
                let command = Refresh { key: key.clone(), ..refresh(1, counter) };
                let applied = at(&mut ledger, &command, NOW + 1);
                assert_eq!(applied.outcome, Outcome::Refused(Refusal::WrongKey));
                assert_eq!(kinds(&applied), [AuditKind::KeyRefused]);
                assert_eq!(ledger, before);
            }
            let held = Refresh { key: Some("held".to_owned()), ..refresh(1, 5) };
            assert_eq!(issued(&at(&mut ledger, &held, NOW + 1)).counter, 6);
            let free = Refresh { key, ..refresh(1, 5) };
            let applied = at(&mut ledger, &free, NOW + 2);
            assert_eq!(applied.outcome, Outcome::Refused(Refusal::WrongKey), "f13, in the grace");
        }
    }

    #[test]
    fn a_free_token_is_of_use_without_a_key_only() {
        let mut ledger = ledger(&[1]);
        let proved = Refresh { key: Some("any".to_owned()), ..refresh(1, 0) };
        let refused = Outcome::Refused(Refusal::WrongKey);
        assert_eq!(at(&mut ledger, &proved, NOW).outcome, refused);
        assert_eq!(issued(&at(&mut ledger, &refresh(1, 0), NOW)).counter, 1);
    }

    #[test]
    fn the_current_token_rotates() {
        let mut ledger = ledger(&[1, 2]);
        let other = ledger.sessions[1].clone();
        let applied = at(&mut ledger, &refresh(1, 0), NOW + 7);
        let issue = issued(&applied);
        assert_eq!((issue.session, issue.generation, issue.counter), (id(1), 0, 1));
        assert_eq!((issue.key_id, issue.issued_at, issue.repeated), (2, NOW + 7, false));
        assert_eq!(issue.scopes, strings(&["a", "b"]));
        assert_eq!(issue.resources, strings(&["r1", "r2"]));
        assert_eq!(kinds(&applied), [AuditKind::TokenRotated]);
        let session = &ledger.sessions[0];
        assert_eq!((session.rotated_at, session.last_seen_at), (NOW + 7, NOW + 7));
        assert_eq!(issue.absolute_end, session.absolute_end);
        assert_eq!(ledger.sessions[1], other);
    }

    #[test]
    fn the_previous_token_within_grace_gets_the_same_successor() {
        let grace = Policy::default().grace;
        let mut ledger = ledger(&[1]);
        let first = issued(&at(&mut ledger, &refresh(1, 0), NOW + 7)).clone();
        for after in [0, 1, MINUTE, grace - 1] {
            let again = Refresh { key_id: 9, ..refresh(1, 0) };
            let applied = at(&mut ledger, &again, NOW + 7 + after);
            assert_eq!(*issued(&applied), Issue { repeated: true, ..first.clone() });
            assert_eq!(kinds(&applied), [AuditKind::TokenReplayed]);
            assert_eq!(ledger.sessions[0].rotated_at, NOW + 7);
        }
    }

    #[test]
    fn the_previous_token_at_the_end_of_grace_is_reuse() {
        let grace = Policy::default().grace;
        let mut ledger = ledger(&[1, 2]);
        let other = ledger.sessions[1].clone();
        at(&mut ledger, &refresh(1, 0), NOW);
        at(&mut ledger, &refresh(1, 0), NOW + grace - 1);
        let applied = at(&mut ledger, &refresh(1, 0), NOW + grace);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::Reuse));
        assert_eq!(kinds(&applied), [AuditKind::ReuseDetected]);
        let ended = State::Ended { at: NOW + grace, reason: EndReason::Reuse };
        assert_eq!(ledger.sessions[0].state, ended);
        assert_eq!(ledger.sessions[1], other);
        let applied = at(&mut ledger, &refresh(1, 1), NOW + grace);
        let ended = Refusal::SessionEnded(EndReason::Reuse);
        assert_eq!(applied.outcome, Outcome::Refused(ended));
    }

    #[test]
    fn a_token_older_than_the_previous_one_is_reuse_at_once() {
        let mut ledger = ledger(&[1]);
        at(&mut ledger, &refresh(1, 0), NOW);
        at(&mut ledger, &refresh(1, 1), NOW);
        let applied = at(&mut ledger, &refresh(1, 0), NOW);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::Reuse));
        assert!(!ledger.sessions[0].is_active());
    }

    #[test]
    fn a_token_of_an_older_generation_is_reuse() {
        let mut ledger = ledger(&[1]);
        (ledger.sessions[0].generation, ledger.sessions[0].counter) = (1, 5);
        let applied = at(&mut ledger, &refresh(1, 5), NOW);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::Reuse));
    }

    #[test]
    fn a_rotation_in_the_future_is_still_in_grace() {
        let mut ledger = ledger(&[1]);
        at(&mut ledger, &refresh(1, 0), NOW);
        let applied = at(&mut ledger, &refresh(1, 0), NOW - 500_000);
        assert!(issued(&applied).repeated);
        assert_eq!(ledger.sessions[0].last_seen_at, NOW);
    }

    #[test]
    fn a_replay_counts_as_use() {
        let mut ledger = ledger(&[1]);
        at(&mut ledger, &refresh(1, 0), NOW);
        at(&mut ledger, &refresh(1, 0), NOW + MINUTE - 1);
        assert_eq!(ledger.sessions[0].last_seen_at, NOW);
        at(&mut ledger, &refresh(1, 0), NOW + MINUTE);
        assert_eq!(ledger.sessions[0].last_seen_at, NOW + MINUTE);
    }

    #[test]
    fn a_token_ahead_of_the_ledger_moves_it_forward() {
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].counter = 3;
        let ahead = Refresh { generation: 1, ..refresh(1, 2) };
        let applied = at(&mut ledger, &ahead, NOW + 5);
        let issue = issued(&applied);
        assert_eq!((issue.generation, issue.counter, issue.repeated), (1, 3, false));
        assert_eq!(kinds(&applied), [AuditKind::Rollback, AuditKind::TokenRotated]);
        assert!(issued(&at(&mut ledger, &ahead, NOW + 6)).repeated);
    }

    #[test]
    fn a_token_ahead_of_an_ended_session_is_refused() {
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].state = State::Ended { at: NOW, reason: EndReason::Revoked };
        let applied = at(&mut ledger, &refresh(1, 9), NOW);
        let ended = Refusal::SessionEnded(EndReason::Revoked);
        assert_eq!(applied.outcome, Outcome::Refused(ended));
        assert!(!applied.changed && applied.events.is_empty());
    }

    #[test]
    fn the_last_counter_ends_the_session_and_does_not_wrap() {
        for stored in [u32::MAX, 0] {
            let mut ledger = ledger(&[1]);
            ledger.sessions[0].counter = stored;
            let applied = at(&mut ledger, &refresh(1, u32::MAX), NOW);
            let ended = Refusal::SessionEnded(EndReason::Exhausted);
            assert_eq!(applied.outcome, Outcome::Refused(ended));
            assert_eq!(ledger.sessions[0].ended(), Some((NOW, EndReason::Exhausted)));
        }
    }

    #[test]
    fn an_unknown_session_is_refused_without_effect() {
        refused_without_effect(&refresh(9, 0), Refusal::UnknownSession);
    }

    #[test]
    fn a_foreign_client_is_refused_without_effect() {
        let command = Refresh {
            client_id: "other".to_owned(),
            scopes: Some(strings(&["z"])),
            ..refresh(1, 0)
        };
        refused_without_effect(&command, Refusal::ForeignClient);
        let mut ledger = ledger(&[1]);
        let applied = at(&mut ledger, &command, Millis::MAX);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::ForeignClient));
        assert!(!applied.changed, "not even a timeout is noticed");
    }

    #[test]
    fn a_scope_beyond_the_grant_is_refused_without_effect_in_every_path() {
        let command = Refresh { scopes: Some(strings(&["a", "c"])), ..refresh(1, 0) };
        refused_without_effect(&command, Refusal::ScopeNotGranted);
    }

    #[test]
    fn a_resource_beyond_the_grant_is_refused_without_effect_in_every_path() {
        let command = Refresh { resources: Some(strings(&["r3"])), ..refresh(1, 0) };
        refused_without_effect(&command, Refusal::ResourceNotGranted);
    }

    #[test]
    fn a_refresh_narrows_its_access_token_and_not_the_grant() {
        let mut ledger = ledger(&[1]);
        let narrow = Refresh {
            scopes: Some(strings(&["b"])),
            resources: Some(strings(&["r1"])),
            ..refresh(1, 0)
        };
        let applied = at(&mut ledger, &narrow, NOW);
        assert_eq!(issued(&applied).scopes, strings(&["b"]));
        assert_eq!(issued(&applied).resources, strings(&["r1"]));
        let applied = at(&mut ledger, &refresh(1, 1), NOW);
        assert_eq!(issued(&applied).scopes, strings(&["a", "b"]));
        assert_eq!(issued(&applied).resources, strings(&["r1", "r2"]));
    }

    #[test]
    fn a_timed_out_session_is_ended_and_refused() {
        let mut ledger = ledger(&[1]);
        let end = ledger.sessions[0].idle_end();
        let applied = at(&mut ledger, &refresh(1, 0), end);
        let refusal = Refusal::SessionEnded(EndReason::IdleTimeout);
        assert_eq!(applied.outcome, Outcome::Refused(refusal));
        assert_eq!(kinds(&applied), [AuditKind::of_end(EndReason::IdleTimeout)]);
        let applied = at(&mut ledger, &refresh(1, 0), end - 1);
        assert_eq!(applied.outcome, Outcome::Refused(refusal), "also when the clock goes back");
        assert!(applied.events.is_empty());
    }

    #[test]
    fn a_proactive_refresh_waits_for_the_last_five_minutes() {
        let access = Policy::default().access_token;
        let due_at = NOW + access - AHEAD;
        let proactive = Refresh { proactive: true, ..refresh(1, 0) };
        let mut ledger = ledger(&[1]);
        for now in [NOW, due_at - 1] {
            let applied = at(&mut ledger, &proactive, now);
            assert_eq!(applied.outcome, Outcome::NotDue { due_at });
            assert_eq!(kinds(&applied), [AuditKind::TokenNotDue]);
        }
        assert_eq!(ledger.sessions[0].counter, 0);
        let forced = Refresh { force_rotation: true, ..proactive.clone() };
        assert_eq!(issued(&at(&mut ledger.clone(), &forced, NOW)).counter, 1);
        assert_eq!(issued(&at(&mut ledger, &proactive, due_at)).counter, 1);
    }

    #[test]
    fn a_replaced_token_gets_what_it_ever_gets_however_it_is_presented() {
        for (proactive, force_rotation) in [(true, false), (false, true), (true, true)] {
            let mut ledger = ledger(&[1]);
            at(&mut ledger, &refresh(1, 0), NOW);
            let again = Refresh { proactive, force_rotation, ..refresh(1, 0) };
            let applied = at(&mut ledger, &again, NOW + 1);
            assert_eq!((issued(&applied).counter, issued(&applied).repeated), (1, true));
            at(&mut ledger, &refresh(1, 1), NOW + 1);
            assert_eq!(at(&mut ledger, &again, NOW + 2).outcome, Outcome::Refused(Refusal::Reuse));
        }
    }

    #[test]
    fn a_session_from_before_the_deployments_moment_ends_at_it() {
        let moment = NOW + MINUTE;
        let policy = Policy { not_before: Some(moment), ..Policy::default() };
        for (created, ends) in [(NOW, true), (moment, false)] {
            let mut ledger = ledger(&[1]);
            ledger.sessions[0].created_at = created;
            let command = Command::Refresh(refresh(1, 0));
            assert!(
                issued(&run_by(&mut ledger.clone(), command.clone(), moment - 1, &policy)).counter
                    == 1
            );
            let applied = run_by(&mut ledger, command, moment + 5, &policy);
            let refused = Outcome::Refused(Refusal::SessionEnded(EndReason::NotBefore));
            assert_eq!(applied.outcome == refused, ends);
            let end = ends.then_some((moment, EndReason::NotBefore));
            assert_eq!(ledger.sessions[0].ended(), end);
        }
    }
}

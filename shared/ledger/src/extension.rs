use crate::step::Step;
use crate::{AuditKind, Class, Extend, Ledger, Outcome, Refusal, Session};

/// See [`Command::Extend`](crate::Command::Extend).
pub(crate) fn extend(ledger: &mut Ledger, command: &Extend, step: &mut Step<'_>) -> Outcome {
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
    if is_new(session, step) {
        // A repeated call must not replace the refresh token that the first one gave.
        step.touch(session);
        return Outcome::Issued(issue(session, true));
    }
    let Some(generation) = session.generation.checked_add(1) else {
        return Outcome::Refused(Refusal::Exhausted);
    };
    if let Err(limited) = step.spend(Class::Refresh) {
        return limited.into();
    }
    session.extended_from = Some(session.counter);
    (session.generation, session.counter) = (generation, 0);
    session.settle(command.key_id, step.now, step.policy);
    step.changed = true;
    step.tell(AuditKind::SessionExtended, session);
    Outcome::Issued(issue(session, false))
}

/// Whether the session was extended a moment ago and not refreshed since.
fn is_new(session: &Session, step: &Step<'_>) -> bool {
    session.extended_from.is_some() && session.in_grace(step.now, step.policy)
}

fn issue(session: &Session, repeated: bool) -> crate::Issue {
    session.issue(session.scopes.clone(), session.resources.clone(), repeated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, refresh, run};
    use crate::{Applied, Command, EndReason, Millis, Policy, Refresh};

    fn at(ledger: &mut Ledger, now: Millis) -> Applied {
        let command = Extend { session: id(1), client_id: "app".to_owned(), key_id: 7 };
        run(ledger, Command::Extend(command), now)
    }

    fn token(applied: &Applied) -> (u16, u32, bool) {
        match &applied.outcome {
            Outcome::Issued(issue) => (issue.generation, issue.counter, issue.repeated),
            other => panic!("not issued: {other:?}"),
        }
    }

    fn extended() -> Ledger {
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].counter = 5;
        at(&mut ledger, NOW + MINUTE);
        ledger
    }

    #[test]
    fn an_extension_starts_a_generation_and_the_idle_time_within_the_absolute_end() {
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].counter = 5;
        let end = ledger.sessions[0].absolute_end;
        let applied = at(&mut ledger, NOW + MINUTE);
        assert_eq!(token(&applied), (1, 0, false));
        assert_eq!(kinds(&applied), [AuditKind::SessionExtended]);
        let session = &ledger.sessions[0];
        assert_eq!((session.last_seen_at, session.rotated_at), (NOW + MINUTE, NOW + MINUTE));
        assert_eq!((session.absolute_end, session.key_id), (end, 7));
    }

    #[test]
    fn the_token_before_it_yields_the_same_successor_within_the_grace() {
        let grace = Policy::default().grace;
        let mut ledger = extended();
        for after in [0, grace - 1] {
            let applied = run(&mut ledger, Command::Refresh(refresh(1, 5)), NOW + MINUTE + after);
            assert_eq!(token(&applied), (1, 0, true));
        }
        let mut late = ledger.clone();
        let applied = run(&mut late, Command::Refresh(refresh(1, 5)), NOW + MINUTE + grace);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::Reuse));
        let mut older = ledger.clone();
        let applied = run(&mut older, Command::Refresh(refresh(1, 4)), NOW + MINUTE);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::Reuse));
        let lost = run(&mut ledger, Command::Refresh(refresh(1, 6)), NOW + MINUTE);
        assert_eq!(token(&lost), (1, 0, true), "a token that the ledger had lost");
    }

    #[test]
    fn after_the_first_refresh_of_the_generation_the_one_before_is_reuse() {
        let mut ledger = extended();
        let next = Refresh { generation: 1, ..refresh(1, 0) };
        assert_eq!(token(&run(&mut ledger, Command::Refresh(next), NOW + MINUTE)), (1, 1, false));
        let applied = run(&mut ledger, Command::Refresh(refresh(1, 5)), NOW + MINUTE);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::Reuse));
    }

    #[test]
    fn a_repeated_extension_gives_the_same_token_until_it_was_used_or_the_grace_is_over() {
        let grace = Policy::default().grace;
        let mut ledger = extended();
        assert_eq!(token(&at(&mut ledger, NOW + 2 * MINUTE)), (1, 0, true));
        assert_eq!(token(&at(&mut ledger.clone(), NOW + MINUTE + grace)), (2, 0, false));
        let next = Refresh { generation: 1, ..refresh(1, 0) };
        run(&mut ledger, Command::Refresh(next), NOW + 2 * MINUTE);
        assert_eq!(token(&at(&mut ledger, NOW + 2 * MINUTE)), (2, 0, false));
    }

    #[test]
    fn what_cannot_be_extended_is_refused() {
        let mut ledger = ledger(&[2]);
        let unknown = Outcome::Refused(Refusal::UnknownSession);
        assert_eq!(at(&mut ledger, NOW).outcome, unknown);
        let mut ledger = extended();
        let foreign = Extend { session: id(1), client_id: "other".to_owned(), key_id: 7 };
        let applied = run(&mut ledger, Command::Extend(foreign), NOW);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::ForeignClient));
        ledger.sessions[0].generation = u16::MAX;
        ledger.sessions[0].extended_from = None;
        assert_eq!(at(&mut ledger, NOW).outcome, Outcome::Refused(Refusal::Exhausted));
        let end = ledger.sessions[0].idle_end();
        let ended = Refusal::SessionEnded(EndReason::IdleTimeout);
        assert_eq!(at(&mut ledger, end).outcome, Outcome::Refused(ended));
    }
}

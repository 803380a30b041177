use crate::step::Step;
use crate::{
    AuditKind, Credential, EndReason, Ledger, Millis, Outcome, Refusal, Revoke, RevokedToken,
    SessionId,
};

/// See [`Command::RevokeToken`](crate::Command::RevokeToken), RFC 7009.
pub(crate) fn revoke_token(ledger: &mut Ledger, command: Revoke, step: &mut Step<'_>) -> Outcome {
    let Ledger { sessions, revoked_tokens, .. } = ledger;
    let Some(session) = sessions.iter_mut().find(|session| session.id == command.session) else {
        return Outcome::Revoked { sessions: 0 };
    };
    if session.client_id != command.client_id {
        return step.refuse(Refusal::ForeignClient, AuditKind::ForeignClient, session);
    }
    step.expire(session);
    if !session.is_active() {
        return Outcome::Revoked { sessions: 0 };
    }
    if let (Credential::Access { jti, expires_at }, false) = (command.credential, command.cascade) {
        match withdraw(revoked_tokens, jti, expires_at, step.now) {
            Withdrawal::Nothing => return Outcome::Revoked { sessions: 0 },
            Withdrawal::Done => {
                step.changed = true;
                step.tell(AuditKind::TokenRevoked, session);
                return Outcome::Revoked { sessions: 0 };
            }
            Withdrawal::NoRoom => {}
        }
    }
    step.end(session, EndReason::Revoked);
    Outcome::Revoked { sessions: 1 }
}

/// See [`Command::RevokeSession`](crate::Command::RevokeSession).
pub(crate) fn revoke_session(
    ledger: &mut Ledger,
    session: SessionId,
    step: &mut Step<'_>,
) -> Outcome {
    let Some(session) = ledger.find(session) else {
        return Outcome::Refused(Refusal::UnknownSession);
    };
    step.expire(session);
    if let Some((_, reason)) = session.ended() {
        return Outcome::Refused(Refusal::SessionEnded(reason));
    }
    step.end(session, EndReason::Revoked);
    Outcome::Revoked { sessions: 1 }
}

/// See [`Command::RevokeAll`](crate::Command::RevokeAll).
pub(crate) fn revoke_all(
    ledger: &mut Ledger,
    except: Option<SessionId>,
    step: &mut Step<'_>,
) -> Outcome {
    let mut ended = 0;
    for session in &mut ledger.sessions {
        step.expire(session);
        if session.is_active() && Some(session.id) != except {
            step.end(session, EndReason::RevokedAll);
            ended += 1;
        }
    }
    Outcome::Revoked { sessions: ended }
}

enum Withdrawal {
    /// The token has expired or was revoked before.
    Nothing,
    /// The token is remembered as revoked.
    Done,
    /// The ledger remembers as many as it can.
    NoRoom,
}

fn withdraw(
    revoked: &mut Vec<RevokedToken>,
    jti: String,
    expires_at: Millis,
    now: Millis,
) -> Withdrawal {
    if expires_at <= now || revoked.iter().any(|token| token.jti == jti) {
        return Withdrawal::Nothing;
    }
    if revoked.len() >= Ledger::MAX_REVOKED_TOKENS {
        let Some(expired) = revoked.iter().position(|token| token.expires_at <= now) else {
            return Withdrawal::NoRoom;
        };
        revoked.swap_remove(expired);
    }
    revoked.push(RevokedToken { jti, expires_at });
    Withdrawal::Done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, run, session};
    use crate::{Applied, Command, Session};

    fn access(jti: &str) -> Revoke {
        let credential = Credential::Access { jti: jti.to_owned(), expires_at: NOW + 15 * MINUTE };
        Revoke { session: id(1), credential, client_id: "app".to_owned(), cascade: false }
    }

    fn refresh(counter: u32) -> Revoke {
        Revoke { credential: Credential::Refresh { generation: 0, counter }, ..access("") }
    }

    fn at(ledger: &mut Ledger, command: Revoke, now: Millis) -> Applied {
        run(ledger, Command::RevokeToken(command), now)
    }

    fn revoked(sessions: u32) -> Outcome {
        Outcome::Revoked { sessions }
    }

    #[test]
    fn a_refresh_token_of_any_counter_ends_its_session_only() {
        for counter in [0, 4, 5, 6] {
            let mut ledger = ledger(&[1, 2]);
            ledger.sessions[0].counter = 5;
            let applied = at(&mut ledger, refresh(counter), NOW);
            assert_eq!(applied.outcome, revoked(1));
            assert_eq!(kinds(&applied), [AuditKind::of_end(EndReason::Revoked)]);
            assert_eq!(ledger.sessions[0].ended(), Some((NOW, EndReason::Revoked)));
            assert_eq!(ledger.sessions[1], session(2));
        }
    }

    #[test]
    fn an_access_token_with_cascade_ends_its_session() {
        let mut ledger = ledger(&[1, 2]);
        let applied = at(&mut ledger, Revoke { cascade: true, ..access("j") }, NOW);
        assert_eq!(applied.outcome, revoked(1));
        assert!(!ledger.sessions[0].is_active());
        assert!(ledger.revoked_tokens.is_empty());
    }

    #[test]
    fn an_access_token_alone_is_remembered_once() {
        let mut ledger = ledger(&[1]);
        let applied = at(&mut ledger, access("j"), NOW);
        assert_eq!(applied.outcome, revoked(0));
        assert_eq!(kinds(&applied), [AuditKind::TokenRevoked]);
        let applied = at(&mut ledger, access("j"), NOW);
        assert_eq!(applied.outcome, revoked(0));
        assert!(applied.events.is_empty());
        assert_eq!(ledger.revoked_tokens.len(), 1);
        assert!(ledger.sessions[0].is_active());
    }

    #[test]
    fn an_expired_access_token_is_not_remembered() {
        let mut ledger = ledger(&[1]);
        let applied = at(&mut ledger, access("j"), NOW + 15 * MINUTE);
        assert_eq!(applied.outcome, revoked(0));
        assert!(!applied.changed && applied.events.is_empty());
    }

    #[test]
    fn at_the_bound_an_expired_entry_makes_room() {
        let mut ledger = full();
        ledger.revoked_tokens[3].expires_at = NOW;
        assert_eq!(at(&mut ledger, access("j"), NOW).outcome, revoked(0));
        assert_eq!(ledger.revoked_tokens.len(), Ledger::MAX_REVOKED_TOKENS);
        assert!(ledger.revoked_tokens.iter().any(|token| token.jti == "j"));
        assert!(!ledger.revoked_tokens.iter().any(|token| token.jti == "3"));
    }

    #[test]
    fn at_the_bound_the_session_ends_instead() {
        let mut ledger = full();
        assert_eq!(at(&mut ledger, access("j"), NOW).outcome, revoked(1));
        assert!(!ledger.sessions[0].is_active());
        assert_eq!(ledger.revoked_tokens.len(), Ledger::MAX_REVOKED_TOKENS);
    }

    #[test]
    fn a_token_of_an_unknown_session_is_revoked_already() {
        let mut ledger = ledger(&[]);
        let applied = at(&mut ledger, refresh(0), NOW);
        assert_eq!(applied.outcome, revoked(0));
        assert!(!applied.changed);
    }

    #[test]
    fn a_foreign_clients_token_survives() {
        let mut ledger = ledger(&[1]);
        for command in [refresh(0), access("j"), Revoke { cascade: true, ..access("j") }] {
            let command = Revoke { client_id: "other".to_owned(), ..command };
            let applied = at(&mut ledger, command, Millis::MAX);
            assert_eq!(applied.outcome, Outcome::Refused(Refusal::ForeignClient));
            assert_eq!(kinds(&applied), [AuditKind::ForeignClient]);
            assert!(!applied.changed);
        }
    }

    #[test]
    fn a_token_of_an_ended_session_is_revoked_already() {
        let mut ledger = ledger(&[1]);
        let end = ledger.sessions[0].idle_end();
        let applied = at(&mut ledger, refresh(0), end);
        assert_eq!(applied.outcome, revoked(0));
        assert_eq!(kinds(&applied), [AuditKind::of_end(EndReason::IdleTimeout)]);
        assert!(!at(&mut ledger, access("j"), NOW).changed);
    }

    #[test]
    fn a_session_is_revoked_by_name_once() {
        let mut ledger = ledger(&[1, 2]);
        let command = Command::RevokeSession { session: id(1) };
        assert_eq!(run(&mut ledger, command.clone(), NOW).outcome, revoked(1));
        assert!(ledger.sessions[1].is_active());
        let again = Outcome::Refused(Refusal::SessionEnded(EndReason::Revoked));
        assert_eq!(run(&mut ledger, command, NOW).outcome, again);
        let command = Command::RevokeSession { session: id(9) };
        let unknown = Outcome::Refused(Refusal::UnknownSession);
        assert_eq!(run(&mut ledger, command, NOW).outcome, unknown);
    }

    #[test]
    fn a_timed_out_session_cannot_be_revoked_by_name() {
        let mut ledger = ledger(&[1]);
        let end = ledger.sessions[0].idle_end();
        let applied = run(&mut ledger, Command::RevokeSession { session: id(1) }, end);
        let ended = Refusal::SessionEnded(EndReason::IdleTimeout);
        assert_eq!(applied.outcome, Outcome::Refused(ended));
        assert!(applied.changed);
    }

    #[test]
    fn all_sessions_but_the_excepted_one_are_revoked() {
        let mut ledger = ledger(&[1, 2, 3, 4]);
        ledger.sessions[3].absolute_end = NOW;
        let applied = run(&mut ledger, Command::RevokeAll { except: Some(id(2)) }, NOW);
        assert_eq!(applied.outcome, revoked(2), "the timed out one is not counted");
        let active: Vec<_> = ledger.sessions.iter().map(Session::is_active).collect();
        assert_eq!(active, [false, true, false, false]);
        assert_eq!(ledger.sessions[0].ended(), Some((NOW, EndReason::RevokedAll)));
        let applied = run(&mut ledger, Command::RevokeAll { except: None }, NOW);
        assert_eq!(applied.outcome, revoked(1));
        assert_eq!(run(&mut ledger, Command::RevokeAll { except: None }, NOW).outcome, revoked(0));
    }

    fn full() -> Ledger {
        let mut ledger = ledger(&[1]);
        ledger.revoked_tokens = (0..Ledger::MAX_REVOKED_TOKENS)
            .map(|number| RevokedToken { jti: number.to_string(), expires_at: NOW + 1 })
            .collect();
        ledger
    }
}

use crate::session::Place;
use crate::step::Step;
use crate::{
    AuditKind, Check, Credential, Inactive, Ledger, Outcome, Refusal, RevokedToken, Session,
    Standing,
};

/// See [`Command::Check`](crate::Command::Check). Never reuse, and never moves a counter: whoever
/// asks about a token need not be its holder. Every use counts as use, whoever reports it.
pub(crate) fn check(ledger: &mut Ledger, command: &Check, step: &mut Step<'_>) -> Outcome {
    let Ledger { sessions, revoked_tokens, .. } = ledger;
    let Some(session) = sessions.iter_mut().find(|session| session.id == command.session) else {
        return Outcome::Inactive(Inactive::Unknown);
    };
    step.expire(session);
    if let Some((_, reason)) = session.ended() {
        return Outcome::Inactive(Inactive::Ended(reason));
    }
    if let Some(inactive) = withdrawn(session, revoked_tokens, &command.credential, step) {
        return Outcome::Inactive(inactive);
    }
    let (held, proved) = (&session.key, &command.key);
    if proved.is_some() && held.is_some() && held != proved {
        return step.refuse(Refusal::WrongKey, AuditKind::KeyRefused, session);
    }
    step.touch(session);
    Outcome::Active(Standing {
        subject: session.subject.clone(),
        client_id: session.client_id.clone(),
        scopes: session.scopes.clone(),
        resources: session.resources.clone(),
        rotated_at: session.rotated_at,
        expires_at: session.deadline(step.policy).0,
        key: session.key.clone(),
    })
}

/// Why a token of an active session is not in force.
fn withdrawn(
    session: &Session,
    revoked: &[RevokedToken],
    credential: &Credential,
    step: &Step<'_>,
) -> Option<Inactive> {
    match credential {
        Credential::Access { jti, .. } => {
            revoked.iter().any(|token| token.jti == *jti).then_some(Inactive::TokenRevoked)
        }
        Credential::Refresh { generation, counter } => {
            let in_force = match session.place(*generation, *counter) {
                // Ahead: the store has lost a write, which is not the token's fault.
                Place::Current | Place::Ahead => true,
                Place::Previous => session.in_grace(step.now, step.policy),
                Place::Older => false,
            };
            (!in_force).then_some(Inactive::Superseded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, run};
    use crate::{Applied, Command, EndReason, Millis, Policy, Usage};

    fn at(ledger: &mut Ledger, name: u8, credential: Credential, now: Millis) -> Applied {
        let command = Check {
            session: id(name),
            credential,
            usage: Usage::Introspection,
            key: None,
            proof: None,
        };
        run(ledger, Command::Check(command), now)
    }

    fn refresh(generation: u16, counter: u32) -> Credential {
        Credential::Refresh { generation, counter }
    }

    fn access(jti: &str) -> Credential {
        Credential::Access { jti: jti.to_owned(), expires_at: NOW + 15 * MINUTE }
    }

    fn active(applied: &Applied) -> bool {
        matches!(applied.outcome, Outcome::Active(_))
    }

    #[test]
    fn a_token_of_an_unknown_session_is_inactive() {
        let applied = at(&mut ledger(&[1]), 9, access("j"), NOW);
        assert_eq!(applied.outcome, Outcome::Inactive(Inactive::Unknown));
    }

    #[test]
    fn an_access_token_is_active_unless_revoked() {
        let mut ledger = ledger(&[1]);
        let expires_at = NOW + MINUTE;
        ledger.revoked_tokens.push(RevokedToken { jti: "dead".to_owned(), expires_at });
        assert!(active(&at(&mut ledger, 1, access("j"), NOW)));
        let applied = at(&mut ledger, 1, access("dead"), NOW);
        assert_eq!(applied.outcome, Outcome::Inactive(Inactive::TokenRevoked));
    }

    #[test]
    fn the_grace_of_the_rotation_holds_for_whoever_asks() {
        let mut ledger = ledger(&[1]);
        let short = Policy { grace: 1_000, ..Policy::default() };
        let rotation = Command::Refresh(crate::fixture::refresh(1, 0));
        crate::fixture::run_by(&mut ledger, rotation, NOW, &short);
        assert!(active(&at(&mut ledger, 1, refresh(0, 0), NOW + 999)));
        assert!(!active(&at(&mut ledger, 1, refresh(0, 0), NOW + 1_000)));
    }

    #[test]
    fn a_refresh_token_is_active_while_current_or_in_grace() {
        let grace = Policy::default().grace;
        let mut ledger = ledger(&[1]);
        (ledger.sessions[0].generation, ledger.sessions[0].counter) = (1, 5);
        let before = ledger.clone();
        let cases = [
            ((1, 5), NOW, true),
            ((1, 4), NOW, true),
            ((1, 4), NOW + grace - 1, true),
            ((1, 4), NOW + grace, false),
            ((1, 3), NOW, false),
            ((0, 9), NOW, false),
            ((1, 6), NOW, true),
            ((2, 0), NOW, true),
        ];
        for ((generation, counter), now, expected) in cases {
            let applied = at(&mut ledger, 1, refresh(generation, counter), now);
            assert_eq!(active(&applied), expected, "{generation}.{counter} at {now}");
            if !expected {
                assert_eq!(applied.outcome, Outcome::Inactive(Inactive::Superseded));
            }
            assert!(applied.events.is_empty());
            ledger.sessions[0].last_seen_at = NOW;
            assert_eq!(ledger, before, "ends nothing and moves no counter");
        }
    }

    #[test]
    fn an_inactive_token_does_not_count_as_use() {
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].counter = 5;
        assert!(!at(&mut ledger, 1, refresh(0, 0), NOW + 2 * MINUTE).changed);
    }

    #[test]
    fn an_active_token_moves_last_seen_once_a_minute_and_with_it_the_end() {
        let mut ledger = ledger(&[1]);
        let idle = ledger.sessions[0].idle;
        for (now, end) in [(NOW + MINUTE - 1, NOW + idle), (NOW + MINUTE, NOW + MINUTE + idle)] {
            let applied = at(&mut ledger, 1, access("j"), now);
            let Outcome::Active(standing) = applied.outcome else { panic!("active") };
            assert_eq!(standing.expires_at, end);
            assert_eq!(standing.rotated_at, NOW);
            assert_eq!(applied.changed, now == NOW + MINUTE);
        }
    }

    #[test]
    fn the_absolute_end_bounds_the_standing() {
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].absolute_end = NOW + MINUTE;
        let applied = at(&mut ledger, 1, access("j"), NOW);
        let Outcome::Active(standing) = applied.outcome else { panic!("active") };
        assert_eq!(standing.expires_at, NOW + MINUTE);
    }

    #[test]
    fn a_timed_out_session_is_ended_and_its_tokens_inactive() {
        let mut ledger = ledger(&[1]);
        let end = ledger.sessions[0].idle_end();
        let applied = at(&mut ledger, 1, access("j"), end);
        let ended = Inactive::Ended(EndReason::IdleTimeout);
        assert_eq!(applied.outcome, Outcome::Inactive(ended));
        assert_eq!(kinds(&applied), [AuditKind::of_end(EndReason::IdleTimeout)]);
        let applied = at(&mut ledger, 1, refresh(0, 0), end);
        assert_eq!(applied.outcome, Outcome::Inactive(ended));
        assert!(!applied.changed);
    }
}

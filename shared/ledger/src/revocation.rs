use crate::outcome::Stop;
use crate::step::Step;
use crate::{
    AuditKind, Class, Command, Credential, EndReason, Ledger, Millis, Outcome, Refusal, Revocation,
    Revoke, RevokedToken, Session, SessionId, Which,
};

/// For so long a revocation by name may be repeated. The ports send a command again when its answer
/// was lost, and a person whose request failed half-way tries again.
const REPEATABLE: Millis = 60_000;

/// See [`Command::RevokeToken`](crate::Command::RevokeToken), RFC 7009.
pub(crate) fn revoke_token(ledger: &mut Ledger, command: Revoke, step: &mut Step<'_>) -> Outcome {
    revoke(ledger, command, step).unwrap_or_else(Outcome::from)
}

/// See [`Command::RevokeMany`](crate::Command::RevokeMany). It spends once, before the first token
/// that has an effect; so when the limit is met, nothing has changed.
pub(crate) fn revoke_many(
    ledger: &mut Ledger,
    tokens: Vec<Revoke>,
    step: &mut Step<'_>,
) -> Outcome {
    if tokens.len() > Command::MAX_TOKENS {
        return Outcome::Refused(Refusal::TooMany);
    }
    let each = tokens.into_iter().map(|token| revoke(ledger, token, step));
    each.collect::<Result<_, _>>().map_or_else(|limited: Stop| limited.into(), Outcome::Each)
}

/// Revokes a token, or says that the limit is met.
fn revoke(ledger: &mut Ledger, command: Revoke, step: &mut Step<'_>) -> Result<Outcome, Stop> {
    let Ledger { sessions, revoked_tokens, .. } = ledger;
    let nothing = Ok(Outcome::Revoked { sessions: 0 });
    let Some(session) = sessions.iter_mut().find(|session| session.id == command.session) else {
        return nothing;
    };
    if session.client_id != command.client_id {
        return Ok(step.refuse(Refusal::ForeignClient, AuditKind::ForeignClient, session));
    }
    step.expire(session);
    if !session.is_active() {
        return nothing;
    }
    let note = command.reason.as_deref();
    if let (Credential::Access { jti, expires_at }, false) = (command.credential, command.cascade) {
        if expires_at <= step.now || revoked_tokens.iter().any(|token| token.jti == jti) {
            return nothing;
        }
        step.spend(Class::Revoke)?;
        if withdraw(revoked_tokens, &jti, expires_at, step.now) {
            let (of, jti) = (session.id, Some(jti));
            step.revocations.push(Revocation { session: of, jti, until: expires_at });
            session.access_revoked = true;
            step.changed = true;
            step.tell_why(AuditKind::TokenRevoked, session, note);
            return nothing;
        }
        step.tell(AuditKind::TokenEscalated, session);
    }
    step.spend(Class::Revoke)?;
    step.revoke(session, EndReason::Revoked, note);
    Ok(Outcome::Revoked { sessions: 1 })
}

/// See [`Command::RevokeSession`](crate::Command::RevokeSession).
pub(crate) fn revoke_session(
    ledger: &mut Ledger,
    session: SessionId,
    note: Option<&str>,
    step: &mut Step<'_>,
) -> Outcome {
    let Some(session) = ledger.find(session) else {
        return Outcome::Refused(Refusal::UnknownSession);
    };
    step.expire(session);
    if let Some((at, reason)) = session.ended() {
        let revoked = matches!(reason, EndReason::Revoked | EndReason::RevokedAll);
        return if revoked && step.now < at.saturating_add(REPEATABLE) {
            Outcome::Revoked { sessions: 0 }
        } else {
            Outcome::Refused(Refusal::SessionEnded(reason))
        };
    }
    if let Err(limited) = step.spend(Class::Delete) {
        return limited.into();
    }
    step.revoke(session, EndReason::Revoked, note);
    Outcome::Revoked { sessions: 1 }
}

/// See [`Command::RevokeAll`](crate::Command::RevokeAll). What finds nothing to end is not counted.
pub(crate) fn revoke_all(
    ledger: &mut Ledger,
    except: Option<SessionId>,
    note: Option<&str>,
    step: &mut Step<'_>,
) -> Outcome {
    let mut ended = 0;
    ledger.sessions.iter_mut().for_each(|session| step.expire(session));
    let active = ledger.sessions.iter_mut().filter(|session| session.is_active());
    for session in active.filter(|session| Some(session.id) != except) {
        if let Err(limited) = step.spend(Class::RevokeAll) {
            return limited.into();
        }
        step.revoke(session, EndReason::RevokedAll, note);
        ended += 1;
    }
    Outcome::Revoked { sessions: ended }
}

/// See [`Command::RevokeSome`](crate::Command::RevokeSome). It spends once, before the first session that
/// ends; what finds nothing to end is not counted.
pub(crate) fn revoke_some(
    ledger: &mut Ledger,
    which: &Which,
    note: Option<&str>,
    step: &mut Step<'_>,
) -> Outcome {
    let mut ended = 0;
    ledger.sessions.iter_mut().for_each(|session| step.expire(session));
    let active = ledger.sessions.iter_mut().filter(|session| session.is_active());
    for session in active.filter(|session| which.means(session)) {
        if ended == 0
            && let Err(limited) = step.spend(which.class())
        {
            return limited.into();
        }
        step.revoke(session, which.end(), note);
        ended += 1;
    }
    Outcome::Revoked { sessions: ended }
}

impl Which {
    /// Whether a session is one of them.
    pub fn means(&self, session: &Session) -> bool {
        match self {
            Self::NotFrom(sign_in) => session.external_id.as_ref() != Some(sign_in),
            Self::OfClient(client_id) => session.client_id == *client_id,
        }
    }

    /// As what they end.
    pub const fn end(&self) -> EndReason {
        match self {
            Self::NotFrom(_) => EndReason::RevokedAll,
            Self::OfClient(_) => EndReason::Revoked,
        }
    }

    /// The limit that their end spends from.
    pub const fn class(&self) -> Class {
        match self {
            Self::NotFrom(_) => Class::RevokeAll,
            Self::OfClient(_) => Class::Delete,
        }
    }
}

/// See [`Command::RevokeExternal`](crate::Command::RevokeExternal).
pub(crate) fn revoke_external(
    ledger: &mut Ledger,
    external_id: &str,
    note: Option<&str>,
    step: &mut Step<'_>,
) -> Outcome {
    let mut ended = 0;
    let same = |session: &&mut Session| session.external_id.as_deref() == Some(external_id);
    for session in ledger.sessions.iter_mut().filter(same) {
        step.expire(session);
        if session.is_active() {
            step.revoke(session, EndReason::SignedOut, note);
            ended += 1;
        }
    }
    Outcome::Revoked { sessions: ended }
}

/// Remembers a token as revoked; `false` if the ledger remembers as many as it can.
fn withdraw(revoked: &mut Vec<RevokedToken>, jti: &str, expires_at: Millis, now: Millis) -> bool {
    if revoked.len() >= Ledger::MAX_REVOKED_TOKENS {
        let Some(expired) = revoked.iter().position(|token| token.expires_at <= now) else {
            return false;
        };
        revoked.swap_remove(expired);
    }
    revoked.push(RevokedToken { jti: jti.to_owned(), expires_at });
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, run, run_by, session};
    use crate::{Actor, Applied, Context, Limits, Origin, Policy, State, apply};

    fn access(jti: &str) -> Revoke {
        let credential = Credential::Access { jti: jti.to_owned(), expires_at: NOW + 15 * MINUTE };
        Revoke {
            session: id(1),
            credential,
            client_id: "app".to_owned(),
            cascade: false,
            reason: None,
        }
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

    fn ends(ledger: &mut Ledger, which: Which, now: Millis) -> Outcome {
        run(ledger, Command::RevokeSome { which, reason: None }, now).outcome
    }

    #[test]
    fn the_sessions_of_a_client_end_and_no_others() {
        let mut ledger = ledger(&[1, 2, 3]);
        ledger.sessions[1].client_id = "other".to_owned();
        let client = || Which::OfClient("app".to_owned());
        assert_eq!(ends(&mut ledger, client(), NOW), revoked(2));
        assert_eq!(ledger.sessions[0].ended(), Some((NOW, EndReason::Revoked)));
        assert!(ledger.sessions[1].is_active());
        assert_eq!(ends(&mut ledger, client(), NOW), revoked(0), "it may be repeated");
    }

    #[test]
    fn the_sessions_of_other_sign_ins_end() {
        let mut ledger = ledger(&[1, 2, 3, 4]);
        for (session, sign_in) in ledger.sessions.iter_mut().zip(["here", "there", "here"]) {
            session.external_id = Some(sign_in.to_owned());
        }
        assert_eq!(ends(&mut ledger, Which::NotFrom("here".to_owned()), NOW), revoked(2));
        let active: Vec<_> = ledger.sessions.iter().map(Session::is_active).collect();
        assert_eq!(active, [true, false, true, false], "one without a sign-in came from elsewhere");
        assert_eq!(ledger.sessions[1].ended(), Some((NOW, EndReason::RevokedAll)));
    }

    #[test]
    fn many_ends_at_once_are_counted_once() {
        let limits = Limits { delete: 1, revoke_all: 1, ..Limits::default() };
        let policy = Policy { limits, ..Policy::default() };
        let mut ledger = ledger(&[1, 2, 3, 4]);
        ledger.sessions[3].client_id = "other".to_owned();
        let mut by = |which| {
            let command = Command::RevokeSome { which, reason: None };
            run_by(&mut ledger, command, NOW, &policy).outcome
        };
        assert_eq!(by(Which::OfClient("app".to_owned())), revoked(3));
        let other = || Which::OfClient("other".to_owned());
        assert!(matches!(by(other()), Outcome::Limited(budget) if budget.class == Class::Delete));
        assert_eq!(by(Which::NotFrom("here".to_owned())), revoked(1));
        assert_eq!(by(other()), revoked(0), "nothing is left to be counted");
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
    fn a_session_is_revoked_by_name_once_and_a_repetition_within_a_minute_is_no_error() {
        let mut ledger = ledger(&[1, 2]);
        let command = Command::RevokeSession { session: id(1), reason: None };
        assert_eq!(run(&mut ledger, command.clone(), NOW).outcome, revoked(1));
        assert!(ledger.sessions[1].is_active());
        for now in [NOW - 1, NOW, NOW + MINUTE - 1] {
            let again = run(&mut ledger, command.clone(), now);
            assert_eq!((again.outcome, again.changed), (revoked(0), false));
        }
        let late = run(&mut ledger, command.clone(), NOW + MINUTE);
        assert_eq!(late.outcome, Outcome::Refused(Refusal::SessionEnded(EndReason::Revoked)));
        ledger.sessions[0].state = State::Ended { at: NOW, reason: EndReason::RevokedAll };
        assert_eq!(run(&mut ledger, command.clone(), NOW).outcome, revoked(0));
        ledger.sessions[0].state = State::Ended { at: NOW, reason: EndReason::Reuse };
        let otherwise = Outcome::Refused(Refusal::SessionEnded(EndReason::Reuse));
        assert_eq!(run(&mut ledger, command, NOW).outcome, otherwise);
        let command = Command::RevokeSession { session: id(9), reason: None };
        let unknown = Outcome::Refused(Refusal::UnknownSession);
        assert_eq!(run(&mut ledger, command, NOW).outcome, unknown);
    }

    #[test]
    fn a_timed_out_session_cannot_be_revoked_by_name() {
        let mut ledger = ledger(&[1]);
        let end = ledger.sessions[0].idle_end();
        let applied =
            run(&mut ledger, Command::RevokeSession { session: id(1), reason: None }, end);
        let ended = Refusal::SessionEnded(EndReason::IdleTimeout);
        assert_eq!(applied.outcome, Outcome::Refused(ended));
        assert!(applied.changed);
    }

    #[test]
    fn all_sessions_but_the_excepted_one_are_revoked() {
        let mut ledger = ledger(&[1, 2, 3, 4]);
        ledger.sessions[3].absolute_end = NOW;
        let applied =
            run(&mut ledger, Command::RevokeAll { except: Some(id(2)), reason: None }, NOW);
        assert_eq!(applied.outcome, revoked(2), "the timed out one is not counted");
        let active: Vec<_> = ledger.sessions.iter().map(Session::is_active).collect();
        assert_eq!(active, [false, true, false, false]);
        assert_eq!(ledger.sessions[0].ended(), Some((NOW, EndReason::RevokedAll)));
        let applied = run(&mut ledger, Command::RevokeAll { except: None, reason: None }, NOW);
        assert_eq!(applied.outcome, revoked(1));
        assert_eq!(
            run(&mut ledger, Command::RevokeAll { except: None, reason: None }, NOW).outcome,
            revoked(0)
        );
    }

    #[test]
    fn many_tokens_are_revoked_each_with_its_own_answer_for_the_price_of_one() {
        let mut ledger = ledger(&[1, 2, 3]);
        let tokens = vec![
            Revoke { session: id(9), ..refresh(0) },
            Revoke { client_id: "other".to_owned(), ..refresh(0) },
            refresh(0),
            refresh(0),
            Revoke { session: id(2), ..access("j") },
            Revoke { session: id(3), cascade: true, ..access("k") },
        ];
        let policy = Policy { limits: Limits { revoke: 1, ..Limits::off() }, ..Policy::default() };
        let command = Command::RevokeMany { tokens };
        let applied = run_by(&mut ledger, command, NOW, &policy);
        let foreign = Outcome::Refused(Refusal::ForeignClient);
        let each = [revoked(0), foreign, revoked(1), revoked(0), revoked(0), revoked(1)];
        assert_eq!(applied.outcome, Outcome::Each(each.to_vec()));
        assert_eq!(applied.budget.map(|budget| budget.remaining), Some(0));
        let before = ledger.clone();
        let command = Command::RevokeMany { tokens: vec![Revoke { session: id(2), ..refresh(0) }] };
        let applied = run_by(&mut ledger, command, NOW, &policy);
        assert!(
            matches!(applied.outcome, Outcome::Limited(budget) if budget.class == Class::Revoke)
        );
        assert_eq!(ledger.sessions, before.sessions);
    }

    #[test]
    fn more_tokens_than_the_bound_are_refused_together() {
        let mut ledger = ledger(&[1]);
        let tokens = vec![refresh(0); Command::MAX_TOKENS + 1];
        let applied = run(&mut ledger, Command::RevokeMany { tokens }, NOW);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::TooMany));
        assert!(ledger.sessions[0].is_active());
    }

    #[test]
    fn the_reason_is_kept_with_the_end_and_told_and_cut() {
        let reason = Some("é".repeat(1_000));
        let cut = Some("é".repeat(Session::MAX_NOTE));
        for command in [
            Command::RevokeToken(Revoke { reason: reason.clone(), ..refresh(0) }),
            Command::RevokeSession { session: id(1), reason: reason.clone() },
            Command::RevokeAll { except: None, reason: reason.clone() },
        ] {
            let mut ledger = ledger(&[1]);
            let applied = run(&mut ledger, command, NOW);
            assert_eq!(ledger.sessions[0].end_note, cut);
            assert_eq!(applied.events[0].reason, cut);
        }
        let applied = at(&mut ledger(&[1]), Revoke { reason, ..access("j") }, NOW);
        assert_eq!(applied.events[0].reason, cut);
    }

    #[test]
    fn a_person_may_end_all_once_a_minute_and_an_operator_at_any_time() {
        let policy = Policy::default();
        let mut ledger = ledger(&[1, 2]);
        let but = |name| Command::RevokeAll { except: Some(id(name)), reason: None };
        assert_eq!(run_by(&mut ledger, but(1), NOW, &policy).outcome, revoked(1));
        assert_eq!(run_by(&mut ledger, but(1), NOW, &policy).outcome, revoked(0));
        let limited = run_by(&mut ledger, but(9), NOW, &policy);
        assert!(matches!(limited.outcome, Outcome::Limited(_)));
        assert_eq!(kinds(&limited), [AuditKind::LimitReached]);
        assert_eq!(limited.events[0].reason.as_deref(), Some("revoke_all"));
        let actor = Actor::Operator("ops".to_owned());
        let origin = Origin { actor: actor.clone(), ..Origin::default() };
        let context = Context { now: NOW, policy: &policy, origin: &origin };
        let applied = apply(&mut ledger, but(9), context, &mut |_| ());
        assert_eq!(applied.outcome, revoked(1));
        assert_eq!(applied.events[0].actor, actor);
    }

    fn full() -> Ledger {
        let mut ledger = ledger(&[1]);
        ledger.revoked_tokens = (0..Ledger::MAX_REVOKED_TOKENS)
            .map(|number| RevokedToken { jti: number.to_string(), expires_at: NOW + 1 })
            .collect();
        ledger
    }
}

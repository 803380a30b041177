//! What may be used once: an authorization code, a pushed authorization request, the `jti` of a client
//! assertion or of a DPoP proof. Its use is remembered until it would be of no use anyway, in the same
//! step as what it was used for: of any number of parallel attempts one succeeds.

use serde::{Deserialize, Serialize};

use crate::step::Step;
use crate::{AuditKind, Command, EndReason, Ledger, Millis, OnceId, Refusal};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// Its name.
    pub id: OnceId,
    /// When it stops to be of use, and its use need not be remembered any more. From then on it counts
    /// as used.
    pub until: Millis,
    /// Of a use: the sending of the command that has used it ([`Origin::sending`](crate::Origin::sending)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u32>,
}

impl Once {
    /// What may be used until then.
    pub const fn new(id: OnceId, until: Millis) -> Self {
        Self { id, until, by: None }
    }

    /// Whether this very sending has used it.
    fn is_used_by(&self, consumed: &[Self], sending: Option<u32>) -> bool {
        let by = |used: &Self| used.by.is_some() && used.by == sending;
        consumed.iter().any(|used| used.id == self.id && by(used))
    }
}

/// What a command uses up if it succeeds.
///
/// # Errors
/// [`Refusal::Replayed`] if one of it was used before; for an authorization code the session that it
/// started has been ended then. [`Refusal::Full`] if there is no room to remember it.
pub(crate) fn admit(
    ledger: &mut Ledger,
    command: &Command,
    step: &mut Step<'_>,
) -> Result<Vec<Once>, Refusal> {
    let (all, code) = (uses(command), code_of(command));
    let (consumed, sending) = (&ledger.consumed, step.origin.sending);
    // Whatever became of the memory: there is what it has started.
    let has_started = |one: &Once| {
        code.is_some() && ledger.sessions.iter().any(|session| session.code == Some(one.id))
    };
    let is_used = |(at, one): (usize, &Once)| {
        let named = |all: &[Once]| all.iter().any(|other| other.id == one.id);
        let before = named(consumed) || at == 0 && has_started(one);
        one.until <= step.now || named(&all[..at]) || before && !one.is_used_by(consumed, sending)
    };
    match (all.iter().enumerate().position(is_used), code) {
        (None, _) => {}
        (Some(0), Some(code)) => {
            end_of_code(ledger, command, code.id, step);
            return Err(Refusal::Replayed);
        }
        (Some(_), _) => {
            step.tell_of_none(AuditKind::OnceReplayed, client_of(command));
            return Err(Refusal::Replayed);
        }
    }
    let is_new = |one: &Once| !one.is_used_by(consumed, sending);
    let new: Vec<Once> =
        all.into_iter().filter(is_new).map(|one| Once { by: sending, ..one }).collect();
    let kept = consumed.iter().filter(|used| used.until > step.now).count();
    let has_room = new.is_empty() || kept + new.len() <= Ledger::MAX_CONSUMED;
    has_room.then_some(new).ok_or(Refusal::Full)
}

/// Whether one of these was used up, and is remembered to be.
pub(crate) fn was_used(ledger: &Ledger, names: &[OnceId], now: Millis) -> bool {
    ledger.consumed.iter().any(|used| now < used.until && names.contains(&used.id))
}

/// Remembers what was used up.
pub(crate) fn use_up(ledger: &mut Ledger, all: Vec<Once>, step: &mut Step<'_>) {
    if !all.is_empty() {
        forget(ledger, step);
        ledger.consumed.extend(all);
        step.changed = true;
    }
}

/// When all that was used up may be forgotten. What is over before that goes with the next use.
pub(crate) fn due(ledger: &Ledger) -> Option<Millis> {
    ledger.consumed.iter().map(|used| used.until).max()
}

/// Forgets what is of no use any more.
pub(crate) fn forget(ledger: &mut Ledger, step: &mut Step<'_>) {
    let before = ledger.consumed.len();
    ledger.consumed.retain(|used| used.until > step.now);
    step.changed |= before != ledger.consumed.len();
}

impl Command {
    /// Whether a success of it uses something up, so that a copy of it would fail if it did not say that it
    /// is one.
    pub fn is_of_once(&self) -> bool {
        !uses(self).is_empty()
    }
}

/// What a command would use up, the authorization code first.
fn uses(command: &Command) -> Vec<Once> {
    let proof = match command {
        Command::CreateSession(command) => command.proof,
        Command::Refresh(command) => command.proof,
        Command::Check(command) => command.proof,
        Command::Consume { once } => return once.clone(),
        _ => None,
    };
    code_of(command).into_iter().chain(proof).collect()
}

fn code_of(command: &Command) -> Option<Once> {
    match command {
        Command::CreateSession(command) => command.code,
        _ => None,
    }
}

/// Whose client it is, if the command says so.
fn client_of(command: &Command) -> Option<&str> {
    match command {
        Command::CreateSession(command) => Some(&command.client_id),
        Command::Refresh(command) => Some(&command.client_id),
        _ => None,
    }
}

/// An authorization code was used again: whatever the first use has issued may be in the wrong hands
/// (RFC 6749 section 4.1.2).
fn end_of_code(ledger: &mut Ledger, command: &Command, code: OnceId, step: &mut Step<'_>) {
    for session in ledger.sessions.iter_mut().filter(|session| session.code == Some(code)) {
        step.expire(session);
        if session.is_active() {
            step.end(session, EndReason::CodeReplayed);
            return;
        }
    }
    step.tell_of_none(AuditKind::CodeRefused, client_of(command));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, kinds, ledger, refresh, run, sign_in};
    use crate::{
        Applied, Check, Context, CreateSession, Credential, Inactive, Issue, Origin, Outcome,
        Policy, Refresh, Session, Usage, apply, next_due,
    };

    const REPLAYED: Outcome = Outcome::Refused(Refusal::Replayed);

    fn once(name: u8) -> Once {
        Once::new(OnceId::from_bytes([name; 16]), NOW + MINUTE)
    }

    /// As sent by somebody who sends it again, should no answer come.
    fn send(ledger: &mut Ledger, command: &Command, sending: u32, now: Millis) -> Applied {
        let origin = Origin { sending: Some(sending), ..Origin::default() };
        let context = Context { now, policy: &Policy::default(), origin: &origin };
        apply(ledger, command.clone(), context, &mut |bytes| bytes.fill(7))
    }

    fn consume(ledger: &mut Ledger, once: &[Once], now: Millis) -> Applied {
        run(ledger, Command::Consume { once: once.to_vec() }, now)
    }

    fn redeem(ledger: &mut Ledger, name: u8, now: Millis) -> Applied {
        let code = Some(once(name));
        run(ledger, Command::CreateSession(CreateSession { code, ..sign_in(Some("x"), NOW) }), now)
    }

    fn proved(counter: u32, proof: Once) -> Command {
        Command::Refresh(Refresh { proof: Some(proof), ..refresh(1, counter) })
    }

    #[test]
    fn what_may_be_used_once_is_used_once_until_it_is_of_no_use() {
        let mut ledger = Ledger::default();
        assert_eq!(consume(&mut ledger, &[once(1)], NOW).outcome, Outcome::Consumed);
        for now in [NOW, NOW + MINUTE - 1, NOW + MINUTE, NOW + MINUTE + 1] {
            let again = consume(&mut ledger, &[once(1)], now);
            assert_eq!((&again.outcome, again.changed), (&REPLAYED, false), "{now}");
            assert_eq!(kinds(&again), [AuditKind::OnceReplayed]);
        }
        assert_eq!(consume(&mut ledger, &[once(2)], NOW + 1).outcome, Outcome::Consumed);
    }

    #[test]
    fn all_of_it_is_used_up_or_nothing() {
        let mut ledger = Ledger::default();
        consume(&mut ledger, &[once(1)], NOW);
        let before = ledger.clone();
        for several in [[once(2), once(1)], [once(2), once(2)]] {
            assert_eq!(consume(&mut ledger, &several, NOW).outcome, REPLAYED);
            assert_eq!(ledger, before);
        }
        assert_eq!(consume(&mut ledger, &[once(2), once(3)], NOW).outcome, Outcome::Consumed);
        assert_eq!(ledger.consumed, [once(1), once(2), once(3)]);
    }

    #[test]
    fn nothing_is_forgotten_early_and_beyond_the_bound_the_next_use_is_refused() {
        let mut ledger = Ledger::default();
        let name = |number: usize| {
            let number = u128::try_from(number).unwrap();
            Once { id: OnceId::from_bytes(number.to_be_bytes()), ..once(0) }
        };
        let all: Vec<_> = (0..Ledger::MAX_CONSUMED).map(name).collect();
        assert_eq!(consume(&mut ledger, &all, NOW).outcome, Outcome::Consumed);
        let last = Once { until: NOW + 9 * MINUTE, ..name(Ledger::MAX_CONSUMED) };
        let refused = consume(&mut ledger, &[last], NOW + MINUTE - 1);
        assert_eq!(refused.outcome, Outcome::Refused(Refusal::Full));
        assert_eq!(consume(&mut ledger, &all[..1], NOW + 1).outcome, REPLAYED);
        assert_eq!(consume(&mut ledger, &[], NOW + 1).outcome, Outcome::Consumed);
        let created = run(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW + 1);
        assert!(matches!(created.outcome, Outcome::Issued(_)), "what uses up nothing goes on");
        assert_eq!(consume(&mut ledger, &[last], NOW + MINUTE).outcome, Outcome::Consumed);
        assert_eq!(ledger.consumed, [last], "what is over made room");
    }

    #[test]
    fn a_ledger_is_kept_as_long_as_it_must_remember() {
        let mut ledger = Ledger::default();
        let later = Once { until: NOW + 2 * MINUTE, ..once(2) };
        consume(&mut ledger, &[once(1), later], NOW);
        assert!(!ledger.is_empty());
        assert_eq!(next_due(&ledger, &Policy::default()), Some(later.until));
        run(&mut ledger, Command::Sweep, later.until - 1);
        assert_eq!(ledger.consumed.len(), 2);
        run(&mut ledger, Command::Sweep, later.until);
        assert!(ledger.is_empty());
    }

    #[test]
    fn f18_a_replayed_code_ends_the_session_that_it_started_and_no_other() {
        let mut ledger = ledger(&[1]);
        let first = redeem(&mut ledger, 7, NOW);
        assert!(matches!(first.outcome, Outcome::Issued(_)));
        let again = redeem(&mut ledger, 7, NOW + 1);
        assert_eq!(again.outcome, REPLAYED);
        assert_eq!(kinds(&again), [AuditKind::CodeReplayed]);
        assert_eq!(again.revocations.len(), 1, "its access tokens die too");
        let ends: Vec<_> = ledger.sessions.iter().map(Session::ended).collect();
        assert_eq!(ends, [None, Some((NOW + 1, EndReason::CodeReplayed))]);
        let third = redeem(&mut ledger, 7, NOW + 2);
        assert_eq!((third.outcome, third.changed), (REPLAYED, false));
    }

    #[test]
    fn f18_a_code_that_is_too_old_ends_its_session_too_and_starts_none() {
        let mut ledger = Ledger::default();
        let late = redeem(&mut ledger, 7, NOW + MINUTE);
        assert_eq!((late.outcome, ledger.sessions.len()), (REPLAYED, 0));
        redeem(&mut ledger, 7, NOW);
        let much_later = NOW + 9 * MINUTE;
        consume(&mut ledger, &[Once { until: much_later + 1, ..once(1) }], much_later);
        assert_eq!(ledger.consumed.len(), 1, "its use is forgotten");
        assert_eq!(redeem(&mut ledger, 7, much_later).outcome, REPLAYED);
        assert!(!ledger.sessions[0].is_active());
    }

    #[test]
    fn a_command_that_is_sent_again_is_no_second_use() {
        let mut ledger = ledger(&[1]);
        let create =
            CreateSession { code: Some(once(7)), proof: Some(once(8)), ..sign_in(Some("x"), NOW) };
        let credential = Credential::Access { jti: "j".to_owned(), expires_at: NOW + MINUTE };
        let (session, key, usage) = (id(1), None, Usage::Direct);
        let check = Check { session, credential, usage, key, proof: Some(once(3)) };
        for command in [
            Command::CreateSession(create),
            proved(0, once(2)),
            Command::Check(check),
            Command::Consume { once: vec![once(4), once(5)] },
        ] {
            let first = send(&mut ledger, &command, 1, NOW);
            let held = ledger.clone();
            let mut second = send(&mut ledger, &command, 1, NOW + 1);
            if let Outcome::Issued(issue) = &mut second.outcome {
                assert!(std::mem::take(&mut issue.repeated));
            }
            assert_eq!(second.outcome, first.outcome);
            assert_eq!((&ledger.consumed, ledger.sessions.len()), (&held.consumed, 2));
            for other in
                [send(&mut held.clone(), &command, 2, NOW), run(&mut held.clone(), command, NOW)]
            {
                assert_eq!(other.outcome, REPLAYED, "another's");
            }
        }
    }

    #[test]
    fn a_code_that_is_sent_again_gives_nothing_that_has_gone_on_or_ended() {
        let mut ledger = Ledger::default();
        let create = CreateSession { code: Some(once(7)), ..sign_in(Some("x"), NOW) };
        let create = Command::CreateSession(create);
        let first = send(&mut ledger, &create, 1, NOW).outcome;
        let Outcome::Issued(Issue { session, .. }) = first else { panic!("{first:?}") };
        let mut rotated = ledger.clone();
        let refresh = Refresh { session, ..refresh(1, 0) };
        run(&mut rotated, Command::Refresh(refresh), NOW + 1);
        assert_eq!(rotated.sessions[0].counter, 1);
        run(&mut ledger, Command::RevokeSession { session, reason: None }, NOW + 1);
        for mut ledger in [rotated, ledger] {
            let before = ledger.clone();
            assert_eq!(send(&mut ledger, &create, 1, NOW + 2).outcome, REPLAYED);
            assert_eq!(ledger.sessions, before.sessions, "it is nobody's but ours");
        }
    }

    #[test]
    fn of_many_redemptions_of_one_code_one_succeeds() {
        let mut ledger = Ledger::default();
        let outcomes = (0..50).map(|after| redeem(&mut ledger, 7, NOW + after).outcome);
        let issued = outcomes.filter(|outcome| matches!(outcome, Outcome::Issued(_))).count();
        assert_eq!((issued, ledger.sessions.len()), (1, 1));
    }

    #[test]
    fn each_code_starts_a_session_of_its_own() {
        let mut ledger = Ledger::default();
        run(&mut ledger, Command::CreateSession(sign_in(Some("x"), NOW)), NOW);
        redeem(&mut ledger, 7, NOW);
        redeem(&mut ledger, 8, NOW);
        assert_eq!(ledger.sessions.len(), 3, "for one sign-in of one client");
        let exchanged = run(&mut ledger, Command::CreateSession(sign_in(Some("x"), NOW)), NOW);
        let Outcome::Issued(issue) = exchanged.outcome else { panic!("issued") };
        assert_eq!(issue.session, ledger.sessions[0].id, "an exchange gets none of a code");
    }

    #[test]
    fn a_code_outlives_the_end_of_a_session_but_not_a_sign_out() {
        let end = |command: Command, code: Once, at: Millis| {
            let mut ledger = ledger(&[1]);
            ledger.sessions[0].external_id = Some("x".to_owned());
            run(&mut ledger, command, NOW + 2);
            let code = Some(code);
            let create = CreateSession { code, ..sign_in(Some("x"), at) };
            run(&mut ledger, Command::CreateSession(create), NOW + 3).outcome
        };
        let revoke = Command::RevokeSession { session: id(1), reason: None };
        assert!(matches!(end(revoke, once(1), NOW), Outcome::Issued(_)));
        let stale = Outcome::Refused(Refusal::StaleProof);
        let out = Command::RevokeExternal { external_id: "x".to_owned(), reason: None };
        // A code may be issued long after the sign-in, and before anybody hears of its end.
        assert_eq!(end(out.clone(), once(1), NOW), stale);
        assert_eq!(end(out, once(1), NOW + 3), stale);
        let all = Command::RevokeAll { except: None, reason: None };
        assert_eq!(end(all.clone(), once(1), NOW + 2), stale);
        assert!(matches!(end(all, once(1), NOW + 3), Outcome::Issued(_)));
    }

    #[test]
    fn a_refused_code_is_not_used_up() {
        let mut ledger = ledger(&[1]);
        run(&mut ledger, Command::RevokeAll { except: None, reason: None }, NOW + 1);
        assert_eq!(redeem(&mut ledger, 7, NOW + 2).outcome, Outcome::Refused(Refusal::StaleProof));
        assert!(ledger.consumed.is_empty());
    }

    #[test]
    fn a_proof_is_used_up_by_a_success_and_by_nothing_else() {
        let mut ledger = ledger(&[1]);
        let foreign = Refresh { client_id: "other".to_owned(), ..refresh(1, 0) };
        run(&mut ledger, Command::Refresh(Refresh { proof: Some(once(1)), ..foreign }), NOW);
        assert!(ledger.consumed.is_empty());
        let rotated = run(&mut ledger, proved(0, once(1)), NOW);
        assert!(matches!(rotated.outcome, Outcome::Issued(_)));
        let before = ledger.clone();
        for counter in [0, 1] {
            assert_eq!(run(&mut ledger, proved(counter, once(1)), NOW + 1).outcome, REPLAYED);
            assert_eq!(ledger, before, "a replayed proof costs no rotation and is no reuse");
        }
        let replay = run(&mut ledger, proved(0, once(2)), NOW + 1);
        assert!(matches!(replay.outcome, Outcome::Issued(issue) if issue.repeated));
        let early = Refresh { proactive: true, proof: Some(once(3)), ..refresh(1, 1) };
        let early = run(&mut ledger, Command::Refresh(early), NOW + 1);
        assert!(matches!(early.outcome, Outcome::NotDue { .. }));
        assert_eq!(ledger.consumed, [once(1), once(2)]);
    }

    #[test]
    fn a_check_uses_up_its_proof_if_the_token_is_in_force() {
        let mut ledger = ledger(&[1, 2]);
        ledger.sessions[1].key = Some("held".to_owned());
        let check = |session: u8, key: Option<&str>| {
            let credential = Credential::Access { jti: "j".to_owned(), expires_at: NOW + MINUTE };
            let key = key.map(str::to_owned);
            let (session, proof) = (id(session), Some(once(1)));
            Command::Check(Check { session, credential, usage: Usage::Direct, key, proof })
        };
        let unknown = run(&mut ledger, check(9, None), NOW).outcome;
        assert_eq!(unknown, Outcome::Inactive(Inactive::Unknown));
        let other = run(&mut ledger, check(2, Some("other")), NOW);
        assert_eq!(other.outcome, Outcome::Refused(Refusal::WrongKey));
        assert_eq!(kinds(&other), [AuditKind::KeyRefused]);
        assert!(ledger.consumed.is_empty());
        let first = run(&mut ledger, check(2, Some("held")), NOW).outcome;
        let Outcome::Active(standing) = first else { panic!("{first:?}") };
        assert_eq!(standing.key.as_deref(), Some("held"));
        assert_eq!(run(&mut ledger, check(1, None), NOW).outcome, REPLAYED);
    }
}

use serde::{Deserialize, Serialize};

use crate::step::{Context, Step};
use crate::{
    AuditEvent, Budget, Class, Command, Delivery, Ledger, Link, Millis, Outcome, SessionId,
    checking, extension, lifecycle, once, revocation, rotation, upstream, webhooks,
};

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The answer.
    pub outcome: Outcome,
    /// For the audit trail, in order.
    pub events: Vec<AuditEvent>,
    /// Whether the ledger is different now and must be written before the answer is given.
    pub changed: bool,
    /// What is left of the rate limit that the command has spent from, if it has.
    pub budget: Option<Budget>,
    /// What was in force before the command and is not any more. Timeouts that no access token
    /// outlives are none.
    pub revocations: Vec<Revocation>,
}

/// Access tokens that stop working before they expire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Their session.
    pub session: SessionId,
    /// The one token that is meant; `None`: all of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// When the last of them has expired by itself.
    pub until: Millis,
}

impl Revocation {
    /// The end of a session is told of for as long as access tokens of this lifetime may be in force.
    /// Those that live longer, by whatever policy they were minted, are for the ledger to judge.
    pub const LONGEST: Millis = 3_600_000;
}

/// What a ledger's owner answers: as much of [`Applied`] as its caller needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What the command came to.
    pub outcome: Outcome,
    /// What is left of the rate limit that the command has spent from, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl From<Applied> for Answer {
    fn from(Applied { outcome, budget, .. }: Applied) -> Self {
        Self { outcome, budget }
    }
}

impl Answer {
    /// To a command that is not applied, as a limit is met.
    pub const fn limited(budget: Budget) -> Self {
        Self { outcome: Outcome::Limited(budget), budget: None }
    }
}

/// Applies a command to a ledger: the only way a ledger changes. The same arguments give the same
/// result, every command has an outcome, and a clock that goes back does no harm.
///
/// The ledger is one that came through [`Ledger::upgraded`], or a new one. `random` fills its
/// argument with unpredictable bytes: the name of a new session, or how long to wait after a failure.
pub fn apply(
    ledger: &mut Ledger,
    command: Command,
    context: Context<'_>,
    random: &mut dyn FnMut(&mut [u8]),
) -> Applied {
    let mut step = Step::new(context);
    step.windows = std::mem::take(&mut ledger.windows);
    let outcome = dispatch(ledger, command, &mut step, random);
    if step.changed {
        lifecycle::forget_surplus(ledger, &mut step);
    }
    ledger.windows = step.windows;
    for event in &mut step.events {
        step.changed |= ledger.outbox.add(event, step.policy.audit);
        if step.policy.webhooks && event.kind.is_announced() {
            ledger.webhooks.add(ledger.owner.as_deref(), event, step.now);
            step.changed = true;
        }
    }
    if step.changed {
        ledger.schema = Ledger::SCHEMA;
    }
    let Step { events, changed, budget, revocations, .. } = step;
    Applied { outcome, events, changed, budget, revocations }
}

fn dispatch(
    ledger: &mut Ledger,
    command: Command,
    step: &mut Step<'_>,
    random: &mut dyn FnMut(&mut [u8]),
) -> Outcome {
    let used = match once::admit(ledger, &command, step) {
        Ok(used) => used,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let outcome = execute(ledger, command, step, random);
    if matches!(outcome, Outcome::Issued(_) | Outcome::Active(_) | Outcome::Consumed) {
        once::use_up(ledger, used, step);
    }
    outcome
}

fn execute(
    ledger: &mut Ledger,
    command: Command,
    step: &mut Step<'_>,
    random: &mut dyn FnMut(&mut [u8]),
) -> Outcome {
    match command {
        Command::CreateSession(command) => lifecycle::create(ledger, command, step, random),
        Command::Refresh(command) => rotation::refresh(ledger, command, step),
        Command::Extend(command) => extension::extend(ledger, &command, step),
        Command::Check(command) => checking::check(ledger, &command, step),
        Command::RevokeToken(command) => revocation::revoke_token(ledger, command, step),
        Command::RevokeMany { tokens } => revocation::revoke_many(ledger, tokens, step),
        Command::RevokeSession { session, reason } => {
            revocation::revoke_session(ledger, session, reason.as_deref(), step)
        }
        Command::RevokeAll { except, reason } => {
            revocation::revoke_all(ledger, except, reason.as_deref(), step)
        }
        Command::RevokeSome { which, reason } => {
            revocation::revoke_some(ledger, &which, reason.as_deref(), step)
        }
        Command::RevokeExternal { external_id, reason } => {
            revocation::revoke_external(ledger, &external_id, reason.as_deref(), step)
        }
        Command::UpstreamGrant(command) => upstream::grant(ledger, command, step),
        Command::UpstreamClaim { session, lease } => upstream::claim(ledger, session, lease, step),
        Command::UpstreamStore(command) => upstream::store(ledger, command, step, random),
        Command::List => lifecycle::list(ledger, step),
        Command::Sweep => lifecycle::sweep(ledger, step),
        Command::Outbox { limit } => outbox(ledger, limit),
        Command::AckOutbox { up_to, hash } => acknowledge(ledger, up_to, hash, step),
        Command::AckEvents { events } => {
            let (up_to, hash) = ledger.outbox.delivered(&events);
            acknowledge(ledger, up_to, hash, step)
        }
        Command::ClaimWebhooks { limit } => webhooks::claim(ledger, limit, step),
        Command::SettleWebhook(command) => webhooks::settle(ledger, command, step),
        Command::Consume { .. } => Outcome::Consumed,
        Command::WasUsed { names } => Outcome::Used(once::was_used(ledger, &names, step.now)),
        Command::Register => match step.spend(Class::Register) {
            Ok(()) => Outcome::Consumed,
            Err(limited) => limited.into(),
        },
    }
}

fn outbox(ledger: &Ledger, limit: u32) -> Outcome {
    let (events, more) = ledger.outbox.oldest(limit);
    Outcome::Outbox(Delivery { owner: ledger.owner.clone(), events, more })
}

fn acknowledge(ledger: &mut Ledger, up_to: u64, hash: Link, step: &mut Step<'_>) -> Outcome {
    let events = ledger.outbox.acknowledge(up_to, hash);
    step.changed |= events > 0;
    let pending = u32::try_from(ledger.outbox.events.len()).unwrap_or(u32::MAX);
    Outcome::Acknowledged { events, pending }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{MINUTE, NOW, id, ledger, refresh, run, run_by, session, sign_in};
    use crate::{Credential, EndReason, Policy, Refusal, Revoke, State};

    #[test]
    fn a_written_ledger_carries_the_current_schema() {
        let mut ledger = Ledger::default();
        run(&mut ledger, Command::List, NOW);
        assert_eq!(ledger, Ledger::default());
        run(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW);
        assert_eq!(ledger.schema, Ledger::SCHEMA);
    }

    #[test]
    fn what_was_spent_is_remembered_for_as_long_as_it_counts() {
        let policy = Policy::default();
        let ask = |ledger: &mut Ledger, command, now| run_by(ledger, command, now, &policy);
        let mut ledger = Ledger::default();
        assert_eq!(ask(&mut ledger, Command::Register, NOW).outcome, Outcome::Consumed);
        assert!(!ledger.is_empty(), "a store that forgot it would limit nobody");
        let end = crate::next_due(&ledger, &policy).unwrap();
        assert!(end > NOW + MINUTE && end <= NOW + 2 * MINUTE);
        assert!(!ask(&mut ledger, Command::Sweep, end - 1).changed);
        assert!(ask(&mut ledger, Command::Sweep, end).changed);
        assert!(ledger.is_empty());
    }

    #[test]
    fn the_sessions_that_ended_first_are_forgotten_beyond_the_bound() {
        let mut ledger = ledger(&[200]);
        for number in 0..Ledger::MAX_ENDED {
            let mut ended = session(u8::try_from(number).unwrap());
            let at = NOW + 1_000 - Millis::try_from(number).unwrap();
            ended.state = State::Ended { at, reason: EndReason::Revoked };
            ledger.sessions.push(ended);
        }
        run(&mut ledger, Command::RevokeSession { session: id(200), reason: None }, NOW + 2_000);
        assert_eq!(ledger.sessions.len(), Ledger::MAX_ENDED);
        let last = u8::try_from(Ledger::MAX_ENDED - 1).unwrap();
        assert!(!ledger.sessions.iter().any(|session| session.id == id(last)));
        assert!(ledger.sessions.iter().any(|session| session.id == id(200)));
        let applied = run(&mut ledger, Command::Refresh(refresh(last, 0)), NOW + 2_000);
        assert_eq!(applied.outcome, Outcome::Refused(Refusal::UnknownSession));
    }

    fn revocations(
        ledger: &mut Ledger,
        command: Command,
        now: Millis,
    ) -> Vec<(u8, Option<String>)> {
        let applied = run(ledger, command, now);
        let each = applied.revocations.into_iter();
        each.map(|one| (one.session.as_bytes()[0], one.jti)).collect()
    }

    #[test]
    fn whatever_ends_a_session_or_a_token_is_told_as_a_revocation() {
        let whole = |names: &[u8]| names.iter().map(|&name| (name, None)).collect::<Vec<_>>();
        let token = |name: u8, cascade| Revoke {
            session: id(name),
            credential: Credential::Access { jti: "j".to_owned(), expires_at: NOW + 9 },
            client_id: "app".to_owned(),
            cascade,
            reason: None,
        };
        let mut five = ledger(&[1, 2, 3, 4, 5]);
        five.sessions[1].counter = 5;
        for (command, expected) in [
            (Command::Refresh(refresh(1, 0)), vec![]),
            (Command::RevokeToken(token(1, false)), vec![(1, Some("j".to_owned()))]),
            (Command::RevokeToken(token(1, false)), vec![]),
            (Command::RevokeToken(token(1, true)), whole(&[1])),
            (Command::RevokeToken(token(1, true)), vec![]),
            (Command::Refresh(refresh(2, 0)), whole(&[2])),
            (Command::RevokeSession { session: id(3), reason: None }, whole(&[3])),
            (Command::RevokeAll { except: Some(id(4)), reason: None }, whole(&[5])),
            (Command::List, vec![]),
        ] {
            assert_eq!(revocations(&mut five, command.clone(), NOW), expected, "{command:?}");
        }
        let mut full = ledger(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        full.sessions[6].last_seen_at -= 1;
        let newcomer = Command::CreateSession(sign_in(None, NOW));
        assert_eq!(revocations(&mut full, newcomer, NOW), whole(&[7]), "evicted");
    }

    #[test]
    fn a_timeout_is_a_revocation_if_an_access_token_outlives_it() {
        for (idle, expected) in [(Revocation::LONGEST - 1, 1), (Revocation::LONGEST, 0)] {
            let mut ledger = ledger(&[1]);
            ledger.sessions[0].idle = idle;
            let applied = run(&mut ledger, Command::Sweep, NOW + idle);
            assert_eq!(applied.revocations.len(), expected, "{idle}");
            assert!(!ledger.sessions[0].is_active());
        }
        let mut ledger = ledger(&[1]);
        ledger.sessions[0].absolute_end = NOW + 5;
        assert!(run(&mut ledger, Command::Sweep, NOW + 5).revocations.is_empty());
    }

    #[test]
    fn a_revocation_matters_until_the_last_token_has_expired() {
        let hour = NOW + Revocation::LONGEST;
        for (absolute_end, until) in [(NOW + 9_000_000, hour), (NOW + 5, NOW + 5)] {
            let mut ledger = ledger(&[1]);
            ledger.sessions[0].absolute_end = absolute_end;
            let command = Command::RevokeSession { session: id(1), reason: None };
            assert_eq!(run(&mut ledger, command, NOW).revocations[0].until, until);
        }
    }

    #[test]
    fn extreme_times_do_not_panic() {
        for now in [0, 1, Millis::MAX - 1, Millis::MAX] {
            let mut ledger = ledger(&[1, 2]);
            ledger.sessions[1].last_seen_at = Millis::MAX;
            ledger.sessions[1].rotated_at = Millis::MAX;
            for command in [
                Command::Refresh(refresh(1, 0)),
                Command::Refresh(refresh(2, 0)),
                Command::CreateSession(sign_in(Some("x"), Millis::MAX)),
                Command::List,
                Command::Sweep,
                Command::RevokeAll { except: None, reason: None },
                Command::Sweep,
            ] {
                run(&mut ledger, command, now);
                crate::next_due(&ledger, &Policy::default());
            }
        }
    }
}

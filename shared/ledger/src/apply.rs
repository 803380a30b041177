use serde::{Deserialize, Serialize};

use crate::step::{Context, Step};
use crate::{AuditEvent, Budget, Command, Delivery, Ledger, Link, Outcome};
use crate::{checking, extension, lifecycle, revocation, rotation, upstream, webhooks};

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
    Applied { outcome, events: step.events, changed: step.changed, budget: step.budget }
}

fn dispatch(
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
        Command::ClaimWebhooks { limit } => webhooks::claim(ledger, limit, step),
        Command::SettleWebhook(command) => webhooks::settle(ledger, command, step),
    }
}

fn outbox(ledger: &Ledger, limit: u32) -> Outcome {
    let (events, more) = ledger.outbox.oldest(limit);
    let (owner, outbox) = (ledger.owner.clone(), &ledger.outbox);
    Outcome::Outbox(Delivery { owner, events, more, last: outbox.last, head: outbox.head })
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
    use crate::fixture::{NOW, id, ledger, refresh, run, session, sign_in};
    use crate::{EndReason, Millis, Policy, Refusal, State};

    #[test]
    fn a_written_ledger_carries_the_current_schema() {
        let mut ledger = Ledger::default();
        run(&mut ledger, Command::List, NOW);
        assert_eq!(ledger, Ledger::default());
        run(&mut ledger, Command::CreateSession(sign_in(None, NOW)), NOW);
        assert_eq!(ledger.schema, Ledger::SCHEMA);
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

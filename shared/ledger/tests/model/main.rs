//! Random histories of a ledger, held against a deliberately simple model and against laws that
//! hold whatever the model says. The histories contain parallel and late replays, clocks that go
//! back, foreign clients, and stores that lose writes.

// `cfg(test)` tells clippy that these are tests.
#[cfg(test)]
mod announced;
#[cfg(test)]
mod grant;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod past;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod simple;
#[cfg(test)]
mod suspicion;
#[cfg(test)]
mod trail;

use ledger::{
    Applied, AuditKind, Command, Context, Ledger, Millis, Outcome, Policy, Refresh, apply,
};
use ops::{Op, Order, Pick};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use simple::Simple;

const START: Millis = 1_700_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_history_follows_the_model(
        policy in ops::policy(),
        ops in prop::collection::vec(ops::op(), 1..60),
    ) {
        let mut world = World::new(policy);
        for op in ops {
            world.perform(op)?;
        }
    }
}

/// A refresh token that was issued once, and stands for its access token too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    session: ledger::SessionId,
    client_id: String,
    generation: u16,
    counter: u32,
    issued_at: Millis,
}

/// The state of the store and of its model: what a restore brings back together.
#[derive(Debug, Clone, Default)]
struct Stored {
    ledger: Ledger,
    model: Simple,
}

struct World {
    policy: Policy,
    now: Millis,
    stored: Stored,
    saved: Stored,
    /// All that were ever issued: clients keep them when the store loses writes.
    tokens: Vec<Token>,
    names: u64,
}

impl World {
    fn new(policy: Policy) -> Self {
        let (stored, saved) = (Stored::default(), Stored::default());
        Self { policy, now: START, stored, saved, tokens: Vec::new(), names: 0 }
    }

    fn perform(&mut self, op: Op) -> TestCaseResult {
        match op {
            Op::Pass(time) => self.now = self.now.saturating_add(time),
            Op::Back(time) => self.now = self.now.saturating_sub(time),
            Op::Save => self.saved = self.stored.clone(),
            Op::Restore => self.stored = self.saved.clone(),
            Op::Parallel { refresh, times } => {
                let Command::Refresh(first) = self.asked(&refresh) else {
                    unreachable!("a refresh makes a refresh command");
                };
                for key_id in 0..times {
                    self.command(&Command::Refresh(Refresh { key_id, ..first.clone() }))?;
                }
            }
            Op::Sequence(ops) => ops.into_iter().try_for_each(|op| self.perform(op))?,
            Op::Command(order) => self.command(&self.asked(&order))?,
        }
        Ok(())
    }

    fn asked(&self, order: &Order) -> Command {
        order.command(&self.tokens, &self.stored.ledger, self.now)
    }

    fn command(&mut self, command: &Command) -> TestCaseResult {
        let before = self.stored.ledger.clone();
        let applied = run(&mut self.stored.ledger, command, self.now, &self.policy, self.names);
        let after = &self.stored.ledger;
        let scene = laws::Scene {
            command,
            before: &before,
            after,
            applied: &applied,
            now: self.now,
            policy: &self.policy,
            names: self.names,
        };
        laws::hold(&scene)?;
        let name = ledger::SessionId::from_bytes(name(self.names));
        let expected = self.stored.model.expect(command, self.now, &self.policy, name);
        prop_assert_eq!(&plain(&applied.outcome), &expected.0, "outcome of {:?}", command);
        let told = applied.events.iter().filter(|event| event.kind != AuditKind::WebhookFailed);
        let events: Vec<_> = told.map(|event| (event.kind, event.session)).collect();
        prop_assert_eq!(events, expected.1, "events of {:?}", command);
        self.stored.model.agrees_with(after, &applied.outcome, self.now)?;
        self.remember(&applied.outcome);
        self.names += 1;
        laws::one_live_counter(&self.stored.ledger, &self.tokens, self.now, &self.policy)
    }

    fn remember(&mut self, outcome: &Outcome) {
        let Outcome::Issued(issue) = outcome else { return };
        let sessions = &self.stored.ledger.sessions;
        let Some(session) = sessions.iter().find(|session| session.id == issue.session) else {
            return;
        };
        let token = Token {
            session: issue.session,
            client_id: session.client_id.clone(),
            generation: issue.generation,
            counter: issue.counter,
            issued_at: issue.issued_at,
        };
        if !self.tokens.contains(&token) {
            self.tokens.push(token);
        }
    }
}

/// Without the scores, which the model compares by itself.
fn plain(outcome: &Outcome) -> Outcome {
    if let Outcome::Outbox(_)
    | Outcome::Acknowledged { .. }
    | Outcome::Webhooks(_)
    | Outcome::Settled = outcome
    {
        // Held by a law.
        return Outcome::Swept;
    }
    let mut outcome = outcome.clone();
    if let Outcome::Sessions(views) = &mut outcome {
        views.iter_mut().for_each(|view| view.risk = ledger::Risk::default());
    }
    outcome
}

fn name(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

fn run(
    ledger: &mut Ledger,
    command: &Command,
    now: Millis,
    policy: &Policy,
    number: u64,
) -> Applied {
    // Each command is sent by itself; those that laws think up say nothing of it.
    let sending = u32::try_from(number).ok().filter(|number| *number > 0);
    let origin = ledger::Origin { sending, ..ledger::Origin::default() };
    let context = Context { now, policy, origin: &origin };
    apply(ledger, command.clone(), context, &mut |bytes| bytes.copy_from_slice(&name(number)))
}

/// The token that is meant, or one of a session that never was.
fn picked(tokens: &[Token], pick: Pick) -> Token {
    let index = match pick {
        Pick::Stranger => None,
        Pick::Recent(back) => tokens.len().checked_sub(back + 1),
        Pick::Any(index) => (!tokens.is_empty()).then(|| index.index(tokens.len())),
    };
    index.map_or_else(
        || Token {
            session: ledger::SessionId::from_bytes([0xff; 16]),
            client_id: "client-0".to_owned(),
            generation: 0,
            counter: 0,
            issued_at: START,
        },
        |index| tokens[index].clone(),
    )
}

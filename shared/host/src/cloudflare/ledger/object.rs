//! The Durable Object that owns one ledger. It is single-threaded and its storage is strongly
//! consistent, so a command that it applies between two awaits is atomic, and the platform holds
//! the answer back until the write is durable.

#![expect(missing_docs, reason = "the exports that the durable_object macro writes have none")]

use std::cell::RefCell;

use ledger::{
    Actor, Applied, Command, Context, Envelope, Millis, Origin, Policy, Throttle, apply, next_due,
};
use worker::wasm_bindgen;
use worker::{
    DurableObject, Env, Request, Response, ResponseBuilder, Result, State, console_log,
    durable_object,
};

use super::storage::Held;
use super::webhooks;
use crate::cloudflare::platform::{fill, now};

/// A sweep that failed is tried again after this many milliseconds.
const RETRY: i64 = 60_000;

/// One user's ledger.
#[durable_object(alarm)]
pub struct Ledger {
    state: State,
    pub(super) env: Env,
    memory: RefCell<Option<Memory>>,
    throttle: RefCell<Throttle>,
}

/// What the object remembers between commands, so that a check reads no storage.
struct Memory {
    held: Held,
    /// When the alarm is set to ring.
    armed: Option<Millis>,
}

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Self {
        console_error_panic_hook::set_once();
        let (memory, throttle) = (RefCell::new(None), RefCell::default());
        Self { state, env, memory, throttle }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if let Err(error) = webhooks::ready(&self.env) {
            failed("misconfigured", &error.to_string());
            return Response::error("misconfigured", 503);
        }
        let body = request.bytes().await?;
        let envelope: Envelope = match serde_json::from_slice(&body) {
            Ok(envelope) => envelope,
            Err(error) => return Response::error(format!("unreadable command: {error}"), 400),
        };
        let admitted = self.throttle.borrow_mut().admit(&envelope, now());
        if let Err(limited) = admitted {
            return Ok(ResponseBuilder::new().fixed(serde_json::to_vec(&limited)?));
        }
        let applied = self.execute(envelope)?;
        let outcome = serde_json::to_vec(&applied.outcome)?;
        self.arm().await?;
        Ok(ResponseBuilder::new().fixed(outcome))
    }

    /// Sweep and deliver. It never fails: a failing alarm would be retried and then given up by the
    /// platform.
    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = self.maintain().await {
            // Whatever was wrong may be over by then.
            let _ = self.state.storage().set_alarm(RETRY).await;
            failed("sweep_failed", &error.to_string());
        }
        Response::empty()
    }
}

impl Ledger {
    /// Apply a command and store what it changed, without an await in between.
    pub(super) fn execute(&self, envelope: Envelope) -> Result<Applied> {
        let Envelope { command, policy, origin } = envelope;
        let mut memory = self.memory.borrow_mut();
        // Taken, not borrowed: if storing fails, what is in memory must not outlive the failure.
        let mut taken = match memory.take() {
            Some(taken) => taken,
            None => self.load(&policy)?,
        };
        let context = Context { now: now(), policy: &policy, origin: &origin };
        let applied = apply(&mut taken.held.document, command, context, &mut fill);
        taken.held.policy = policy;
        if applied.changed {
            taken.held.store(&self.state.storage().sql())?;
        }
        *memory = Some(taken);
        log(&applied);
        Ok(applied)
    }

    /// A command of the service itself, by the policy of the last command.
    pub(super) fn maintenance(&self, command: Command) -> Result<Applied> {
        let policy = {
            let mut memory = self.memory.borrow_mut();
            if memory.is_none() {
                *memory = Some(self.load(&Policy::default())?);
            }
            memory.as_ref().map(|memory| memory.held.policy.clone()).unwrap_or_default()
        };
        let origin = Origin { actor: Actor::Service, ..Origin::default() };
        self.execute(Envelope { command, policy, origin })
    }

    /// What is due, each part on its own; then the alarm is set for what is due next. A part that
    /// waits for others sets it before it does.
    async fn maintain(&self) -> Result<()> {
        // The alarm that rings is no longer set.
        self.disarmed();
        self.maintenance(Command::Sweep)?;
        if self.held(|held| held.document.is_empty()) {
            self.state.storage().delete_all().await?;
            *self.memory.borrow_mut() = None;
            return Ok(());
        }
        webhooks::deliver(self).await?;
        self.disarmed();
        self.arm().await
    }

    /// Whatever the alarm is set for, it is to be set anew.
    fn disarmed(&self) {
        if let Some(memory) = self.memory.borrow_mut().as_mut() {
            memory.armed = None;
        }
    }

    /// A look at what is held; the default if nothing is.
    pub(super) fn held<T: Default>(&self, look: impl FnOnce(&Held) -> T) -> T {
        self.memory.borrow().as_ref().map(|memory| look(&memory.held)).unwrap_or_default()
    }

    fn load(&self, policy: &Policy) -> Result<Memory> {
        Ok(Memory { held: Held::load(&self.state.storage().sql(), policy)?, armed: None })
    }

    /// Set the one alarm for the next sweep or announcement, unless it rings before that anyway: use
    /// of a session moves its timeout away, and an alarm that finds nothing to do sets itself anew.
    pub(super) async fn arm(&self) -> Result<()> {
        let due = {
            let mut memory = self.memory.borrow_mut();
            let Some(memory) = memory.as_mut() else { return Ok(()) };
            let Held { document, policy, .. } = &memory.held;
            let sweep = next_due(document, policy).map(|due| jittered(due.max(now())));
            let announcement = document.webhooks.next_due();
            let Some(due) = sweep.into_iter().chain(announcement).min() else { return Ok(()) };
            if memory.armed.is_some_and(|armed| armed <= due) {
                return Ok(());
            }
            memory.armed = Some(due);
            due
        };
        let at = i64::try_from(due.saturating_sub(now())).unwrap_or(i64::MAX);
        let set = self.state.storage().set_alarm(at).await;
        if set.is_err()
            && let Some(memory) = self.memory.borrow_mut().as_mut()
        {
            // The next command tries again.
            memory.armed = None;
        }
        set
    }
}

/// Up to half a minute later: ledgers that were made together need not be swept together.
fn jittered(due: Millis) -> Millis {
    let mut byte = [0];
    fill(&mut byte);
    due + Millis::from(byte[0]) * 118
}

/// A line for the log of what nobody else is told.
fn failed(outcome: &str, cause: &str) {
    console_log!(
        "{}",
        serde_json::json!({
            "severity": "ERROR",
            "service.name": "ledger",
            "outcome": outcome,
            "error.message": cause,
        })
    );
}

/// Audit events go to the log until a store takes them.
fn log(applied: &Applied) {
    for event in &applied.events {
        console_log!(
            "{}",
            serde_json::json!({
                "severity": "INFO",
                "service.name": "ledger",
                "event": event,
            })
        );
    }
}

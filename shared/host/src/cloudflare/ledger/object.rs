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
use crate::cloudflare::platform::{fill, now};

/// A sweep that failed is tried again after this many milliseconds.
const RETRY: i64 = 60_000;

/// One user's ledger.
#[durable_object(alarm)]
pub struct Ledger {
    state: State,
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
    fn new(state: State, _env: Env) -> Self {
        console_error_panic_hook::set_once();
        Self { state, memory: RefCell::new(None), throttle: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
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

    /// Sweep. It never fails: a failing alarm would be retried and then given up by the platform.
    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = self.sweep().await {
            // Whatever was wrong may be over by then.
            let _ = self.state.storage().set_alarm(RETRY).await;
            console_log!(
                "{}",
                serde_json::json!({
                    "severity": "ERROR",
                    "service.name": "ledger",
                    "outcome": "sweep_failed",
                    "error.message": error.to_string(),
                })
            );
        }
        Response::empty()
    }
}

impl Ledger {
    /// Apply a command and store what it changed, without an await in between.
    fn execute(&self, envelope: Envelope) -> Result<Applied> {
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

    async fn sweep(&self) -> Result<()> {
        let policy = {
            let mut memory = self.memory.borrow_mut();
            if memory.is_none() {
                *memory = Some(self.load(&Policy::default())?);
            }
            let Some(memory) = memory.as_mut() else { return Ok(()) };
            // The alarm that rings is no longer set.
            memory.armed = None;
            memory.held.policy.clone()
        };
        let origin = Origin { actor: Actor::Service, ..Origin::default() };
        self.execute(Envelope { command: Command::Sweep, policy, origin })?;
        let empty =
            self.memory.borrow().as_ref().is_some_and(|memory| memory.held.document.is_empty());
        if empty {
            self.state.storage().delete_all().await?;
            *self.memory.borrow_mut() = None;
            return Ok(());
        }
        self.arm().await
    }

    fn load(&self, policy: &Policy) -> Result<Memory> {
        Ok(Memory { held: Held::load(&self.state.storage().sql(), policy)?, armed: None })
    }

    /// Set the one alarm for the next sweep, unless it rings before that anyway: use of a session
    /// moves its timeout away, and an alarm that finds nothing to do sets itself anew.
    async fn arm(&self) -> Result<()> {
        let due = {
            let mut memory = self.memory.borrow_mut();
            let Some(memory) = memory.as_mut() else { return Ok(()) };
            let Held { document, policy, .. } = &memory.held;
            let Some(due) = next_due(document, policy) else { return Ok(()) };
            let due = jittered(due.max(now()));
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

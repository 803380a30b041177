//! The Durable Object that owns one ledger. It is single-threaded and its storage is strongly
//! consistent, so a command that it applies between two awaits is atomic, and the platform holds
//! the answer back until the write is durable.

#![expect(missing_docs, reason = "the exports that the durable_object macro writes have none")]

use std::cell::RefCell;

use ledger::{
    Actor, Address, Answer, Applied, Command, Context, Envelope, Millis, Origin, Policy, Throttle,
    apply, next_due,
};
use worker::wasm_bindgen;
use worker::{
    DurableObject, Env, Request, Response, ResponseBuilder, Result, State, durable_object,
};

use super::storage::Held;
use super::trail;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::platform::{fill, now};

/// An alarm that failed rings again after this many milliseconds.
const RETRY: i64 = 60_000;

/// One user's ledger.
#[durable_object(alarm)]
pub struct Ledger {
    state: State,
    platform: Cloudflare,
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
        let platform = Cloudflare::new(env);
        Self { state, platform, memory: RefCell::new(None), throttle: RefCell::default() }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let address = request.path().trim_start_matches('/').parse().ok();
        let body = request.bytes().await?;
        let envelope: Envelope = match serde_json::from_slice(&body) {
            Ok(envelope) => envelope,
            Err(error) => return Response::error(format!("unreadable command: {error}"), 400),
        };
        let admitted = self.throttle.borrow_mut().admit(&envelope, now());
        if let Err(limited) = admitted {
            let answer = serde_json::to_vec(&Answer::limited(limited))?;
            return Ok(ResponseBuilder::new().fixed(answer));
        }
        let applied = self.execute(address, envelope)?;
        let answer = serde_json::to_vec(&Answer::from(applied))?;
        self.arm().await?;
        Ok(ResponseBuilder::new().fixed(answer))
    }

    /// Sweep, and deliver the audit trail. It never fails: a failing alarm would be retried and then
    /// given up by the platform.
    async fn alarm(&self) -> Result<Response> {
        if let Err(error) = self.wake().await {
            // Whatever was wrong may be over by then.
            let _ = self.state.storage().set_alarm(RETRY).await;
            trail::complain(&self.platform, "alarm_failed", &error.to_string());
        }
        Response::empty()
    }
}

impl Ledger {
    /// Apply a command and store what it changed, without an await in between. Who calls knows at
    /// which address the object is; it does not itself.
    pub(super) fn execute(&self, address: Option<Address>, envelope: Envelope) -> Result<Applied> {
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
        let sql = self.state.storage().sql();
        if applied.changed {
            taken.held.store(&sql)?;
        }
        taken.held.delivery.address = taken.held.delivery.address.or(address);
        let pending = !taken.held.document.outbox.events.is_empty();
        let schedule = taken.held.delivery.schedule.noticed(pending, now(), trail::random());
        taken.held.delivery.set(schedule, &sql)?;
        *memory = Some(taken);
        Ok(applied)
    }

    async fn wake(&self) -> Result<()> {
        self.sweep()?;
        self.deliver().await?;
        let empty =
            self.memory.borrow().as_ref().is_some_and(|memory| memory.held.document.is_empty());
        if empty {
            self.state.storage().delete_all().await?;
            *self.memory.borrow_mut() = None;
            return Ok(());
        }
        self.arm().await
    }

    fn sweep(&self) -> Result<()> {
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
        self.execute(None, Envelope { command: Command::Sweep, policy, origin }).map(drop)
    }

    /// Deliver the audit trail, if that is due.
    async fn deliver(&self) -> Result<()> {
        let begun = {
            let mut memory = self.memory.borrow_mut();
            let Some(Memory { held, .. }) = memory.as_mut() else { return Ok(()) };
            let schedule = held.delivery.schedule;
            let Some(address) = held.delivery.address.filter(|_| schedule.is_due(now())) else {
                return Ok(());
            };
            let begun = schedule.begun(now(), trail::random());
            held.delivery.set(begun, &self.state.storage().sql())?;
            (address, held.policy.clone())
        };
        // Before anything is awaited: if the object dies now, the next attempt is set.
        self.arm().await?;
        let (address, policy) = begun;
        match trail::deliver(self, &self.platform, &address, &policy).await {
            Ok(()) => self.delivered(),
            Err(error) => {
                trail::complain(&self.platform, "audit_delivery_failed", &error);
                Ok(())
            }
        }
    }

    fn delivered(&self) -> Result<()> {
        let mut memory = self.memory.borrow_mut();
        let Some(Memory { held, armed }) = memory.as_mut() else { return Ok(()) };
        let pending = !held.document.outbox.events.is_empty();
        let schedule = audit::Schedule::succeeded(pending, now(), trail::random());
        // The alarm is set for an attempt that is not needed.
        *armed = None;
        held.delivery.set(schedule, &self.state.storage().sql())
    }

    fn load(&self, policy: &Policy) -> Result<Memory> {
        Ok(Memory { held: Held::load(&self.state.storage().sql(), policy)?, armed: None })
    }

    /// Set the one alarm for the next sweep or delivery, unless it rings before that anyway: use of a
    /// session moves its timeout away, and an alarm that finds nothing to do sets itself anew.
    async fn arm(&self) -> Result<()> {
        let due = {
            let mut memory = self.memory.borrow_mut();
            let Some(memory) = memory.as_mut() else { return Ok(()) };
            let Held { document, policy, delivery, .. } = &memory.held;
            let sweep = next_due(document, policy).map(|due| jittered(due.max(now())));
            let Some(due) = sweep.into_iter().chain(delivery.schedule.due).min() else {
                return Ok(());
            };
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

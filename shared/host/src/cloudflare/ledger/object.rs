//! The Durable Object that owns one ledger. It is single-threaded and its storage is strongly
//! consistent, so a command that it applies between two awaits is atomic, and the platform holds
//! the answer back until the write is durable.

#![expect(missing_docs, reason = "what the platform calls has none")]

use std::cell::RefCell;

use futures_util::future::{join, join_all};
use ledger::{
    Actor, Address, Answer, Applied, Command, Context, Envelope, Millis, Origin, Policy, SPREAD,
    Throttle, alarm, apply, next_due,
};
use snapshot::Report;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::prelude::wasm_bindgen;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{Request, Response, ResponseInit};
use worker::worker_sys::DurableObjectState;
use worker::{Env, Result, State};

use super::pending::Pending;
use super::revocations::is_edge;
use super::storage::Held;
use super::{trail, webhooks};
use crate::cloudflare::Cloudflare;
use crate::cloudflare::platform::{fill, now};
use crate::cloudflare::publisher::send;
use crate::owner;

/// An alarm that failed rings again after this many milliseconds.
const RETRY: i64 = 60_000;

/// A report that failed is tried again after this many milliseconds.
const REPORT_AGAIN: Millis = 5_000;

/// One user's ledger.
#[wasm_bindgen(wasm_bindgen = worker::wasm_bindgen)]
pub struct Ledger {
    state: State,
    pub(super) platform: Cloudflare,
    memory: RefCell<Option<Memory>>,
    throttle: RefCell<Throttle>,
}

/// What the object remembers between commands, so that a check reads no storage.
struct Memory {
    held: Held,
    /// What the publisher of revocations must be told.
    pending: Pending,
    /// When the alarm is set to ring.
    armed: Option<Millis>,
}

/// What the platform calls. The SDK's macro would export the same, and translate requests and
/// responses more thoroughly than commands need.
#[wasm_bindgen(
    wasm_bindgen = worker::wasm_bindgen,
    wasm_bindgen_futures = worker::wasm_bindgen_futures,
    js_sys = worker::js_sys
)]
impl Ledger {
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        console_error_panic_hook::set_once();
        let (state, platform) = (State::from(state), Cloudflare::new(env));
        Self { state, platform, memory: RefCell::new(None), throttle: RefCell::default() }
    }

    /// A command.
    pub async fn fetch(&self, request: Request) -> Result<Response, JsValue> {
        let (status, text) = self.command(&request).await?;
        let init = ResponseInit::new();
        init.set_status(status);
        Response::new_with_opt_str_and_init(Some(&text), &init)
    }

    /// Sweep, report what was revoked, and deliver the audit trail and announcements. It never fails:
    /// a failing alarm would be retried and then given up by the platform.
    pub async fn alarm(&self) {
        if let Err(error) = self.wake().await {
            // Whatever was wrong may be over by then.
            let _ = self.state.storage().set_alarm(RETRY).await;
            owner::complain(&self.platform, "alarm_failed", &error.to_string());
        }
    }
}

impl Ledger {
    /// The status and text of the answer to a command.
    async fn command(&self, request: &Request) -> Result<(u16, String)> {
        if let Err(error) = owner::ready(&self.platform) {
            owner::complain(&self.platform, "misconfigured", &error.to_string());
            return Ok((503, "misconfigured".to_owned()));
        }
        let address = request.url().rsplit('/').next().and_then(|name| name.parse().ok());
        let body = JsFuture::from(request.text()?).await?.as_string().unwrap_or_default();
        let envelope: Envelope = match serde_json::from_str(&body) {
            Ok(envelope) => envelope,
            Err(error) => return Ok((400, format!("unreadable command: {error}"))),
        };
        let admitted = self.throttle.borrow_mut().admit(&envelope, now());
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(limited) => return Ok((200, serde_json::to_string(&Answer::limited(limited))?)),
        };
        let revokes = envelope.command.revokes();
        let Applied { outcome, budget, revocations, .. } = self.execute(address, envelope)?;
        let answer = serde_json::to_string(&Answer { outcome, budget: budget.or(admitted) })?;
        // Before the report: it may be the last thing that this object does.
        self.arm().await?;
        if revokes || !revocations.is_empty() {
            self.report().await;
        }
        if revokes && self.has_pending() {
            // Whoever asked for it must not believe that everybody has heard of it.
            return Ok((503, "the revocation is stored, and not yet reported".to_owned()));
        }
        Ok((200, answer))
    }

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
        taken.held.follow(policy);
        let sql = self.state.storage().sql();
        // First what is to be reported: a revocation that is reported and not stored is on the safe side.
        if !applied.revocations.is_empty() && is_edge(&self.platform.env) {
            taken.pending.add(&sql, &applied.revocations)?;
        }
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
        // The alarm that rings is no longer set.
        self.disarm();
        self.maintain(Command::Sweep)?;
        self.report().await;
        // Neither waits for the other.
        let (trail, announced) = join(self.deliver(), webhooks::deliver(self)).await;
        trail.and(announced)?;
        if self.held(|held| held.document.is_empty()) && !self.has_pending() {
            self.state.storage().delete_all().await?;
            *self.memory.borrow_mut() = None;
            return Ok(());
        }
        self.arm().await
    }

    /// A command of the service itself, by the policy of the last command.
    pub(super) fn maintain(&self, command: Command) -> Result<Applied> {
        let policy = {
            let mut memory = self.memory.borrow_mut();
            if memory.is_none() {
                *memory = Some(self.load(&Policy::default())?);
            }
            memory.as_ref().map(|memory| memory.held.policy.clone()).unwrap_or_default()
        };
        let origin = Origin { actor: Actor::Service, ..Origin::default() };
        self.execute(None, Envelope { command, policy, origin })
    }

    /// Whatever the alarm is set for, it is to be set anew.
    pub(super) fn disarm(&self) {
        if let Some(memory) = self.memory.borrow_mut().as_mut() {
            memory.armed = None;
        }
    }

    /// A look at what is held; the default if nothing is.
    pub(super) fn held<T: Default>(&self, look: impl FnOnce(&Held) -> T) -> T {
        self.memory.borrow().as_ref().map(|memory| look(&memory.held)).unwrap_or_default()
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
        match owner::deliver(&trail::Own(self), &self.platform, &address, &policy).await {
            Ok(_) => self.delivered(),
            Err(error) => {
                owner::complain(&self.platform, "audit_delivery_failed", &error);
                Ok(())
            }
        }
    }

    fn delivered(&self) -> Result<()> {
        let mut memory = self.memory.borrow_mut();
        let Some(Memory { held, armed, .. }) = memory.as_mut() else { return Ok(()) };
        let pending = !held.document.outbox.events.is_empty();
        let schedule = audit::Schedule::succeeded(pending, now(), trail::random());
        // The alarm is set for an attempt that is not needed.
        *armed = None;
        held.delivery.set(schedule, &self.state.storage().sql())
    }

    /// Tell the publishers what was revoked. What one of them does not take is kept for the alarm.
    async fn report(&self) {
        let reports = match self.memory.borrow().as_ref() {
            Some(memory) => Report::of(memory.pending.all()),
            None => return,
        };
        join_all(reports.iter().map(|report| async {
            let taken = match send(&self.platform.env, report).await {
                Ok(()) => self.reported(report),
                Err(error) => Err(error),
            };
            if let Err(error) = taken {
                owner::complain(&self.platform, "report_failed", &error.to_string());
            }
        }))
        .await;
    }

    fn reported(&self, report: &Report) -> Result<()> {
        let mut memory = self.memory.borrow_mut();
        // Another command may have failed meanwhile: then it is read anew, and reported once more.
        let Some(memory) = memory.as_mut() else { return Ok(()) };
        memory.pending.remove(&self.state.storage().sql(), &report.revocations)
    }

    fn has_pending(&self) -> bool {
        !self.memory.borrow().as_ref().is_some_and(|memory| memory.pending.is_empty())
    }

    fn load(&self, policy: &Policy) -> Result<Memory> {
        let sql = self.state.storage().sql();
        let (held, pending) = (Held::load(&sql, policy)?, Pending::load(&sql)?);
        Ok(Memory { held, pending, armed: None })
    }

    /// Set the one alarm for what is due next, unless it rings before that anyway: use of a
    /// session moves its timeout away, and an alarm that finds nothing to do sets itself anew.
    pub(super) async fn arm(&self) -> Result<()> {
        let due = {
            let mut memory = self.memory.borrow_mut();
            let Some(memory) = memory.as_mut() else { return Ok(()) };
            let Held { document, policy, delivery, .. } = &memory.held;
            let sweep = next_due(document, policy).map(|due| due.max(now()));
            let report = (!memory.pending.is_empty()).then(|| now() + REPORT_AGAIN);
            let exact = [report, delivery.schedule.due, document.webhooks.next_due()];
            let exact = exact.into_iter().flatten().min();
            let Some(due) = alarm(memory.armed, sweep, exact, lot) else { return Ok(()) };
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

/// A number up to [`SPREAD`], near enough.
fn lot() -> Millis {
    let mut byte = [0];
    fill(&mut byte);
    Millis::from(byte[0]) * SPREAD / 255
}

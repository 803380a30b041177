//! The Durable Object that owns one ledger. It is single-threaded and its storage is strongly
//! consistent, so a command that it applies between two awaits is atomic, and the platform holds
//! the answer back until the write is durable.

#![expect(missing_docs, reason = "the exports that the durable_object macro writes have none")]

use std::cell::RefCell;

use ledger::{
    Actor, Applied, Command, Context, Envelope, Ledger as Document, Millis, Origin, Policy, apply,
    next_due,
};
use worker::wasm_bindgen;
use worker::{
    DurableObject, Env, Request, Response, ResponseBuilder, Result, SqlStorageValue, State,
    console_log, durable_object,
};

use super::platform::{fill, now};

/// A sweep that failed is tried again after this many milliseconds.
const RETRY: i64 = 60_000;

/// One user's ledger.
#[durable_object(alarm)]
pub struct Ledger {
    state: State,
    memory: RefCell<Option<Memory>>,
}

/// What the object remembers between commands, so that a check reads no storage.
struct Memory {
    document: Document,
    /// The policy of the last command, by which the alarm sweeps.
    policy: Policy,
    /// When the alarm is set to ring.
    armed: Option<Millis>,
    /// Whether the storage has its table.
    stored: bool,
}

impl DurableObject for Ledger {
    fn new(state: State, _env: Env) -> Self {
        console_error_panic_hook::set_once();
        Self { state, memory: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let body = request.bytes().await?;
        let envelope: Envelope = match serde_json::from_slice(&body) {
            Ok(envelope) => envelope,
            Err(error) => return Response::error(format!("unreadable command: {error}"), 400),
        };
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
        let mut held = match memory.take() {
            Some(held) => held,
            None => self.load(&policy)?,
        };
        let context = Context { now: now(), policy: &policy, origin: &origin };
        let applied = apply(&mut held.document, command, context, &mut fill);
        held.policy = policy;
        if applied.changed {
            self.store(&mut held)?;
        }
        *memory = Some(held);
        log(&applied);
        Ok(applied)
    }

    async fn sweep(&self) -> Result<()> {
        let policy = {
            let mut memory = self.memory.borrow_mut();
            if memory.is_none() {
                *memory = Some(self.load(&Policy::default())?);
            }
            let Some(held) = memory.as_mut() else { return Ok(()) };
            // The alarm that rings is no longer set.
            held.armed = None;
            held.policy.clone()
        };
        let origin = Origin { actor: Actor::Service, ..Origin::default() };
        self.execute(Envelope { command: Command::Sweep, policy, origin })?;
        let empty = self.memory.borrow().as_ref().is_some_and(|held| held.document.is_empty());
        if empty {
            self.state.storage().delete_all().await?;
            *self.memory.borrow_mut() = None;
            return Ok(());
        }
        self.arm().await
    }

    fn load(&self, policy: &Policy) -> Result<Memory> {
        #[derive(serde::Deserialize)]
        struct Row {
            document: String,
            policy: String,
        }
        let sql = self.state.storage().sql();
        let table = "select name from sqlite_master where type = 'table' and name = 'ledger'";
        let stored = sql.exec(table, None)?.raw().next().is_some();
        // An object that was only asked about has no table, and leaves nothing behind.
        let row = match stored {
            true => sql.exec("select document, policy from ledger", None)?.to_array::<Row>()?.pop(),
            false => None,
        };
        let (document, policy) = match row {
            Some(row) => {
                let document: Document = serde_json::from_str(&row.document)?;
                let document = document.upgraded().map_err(|error| error.to_string())?;
                (document, serde_json::from_str(&row.policy)?)
            }
            None => (Document::default(), policy.clone()),
        };
        Ok(Memory { document, policy, armed: None, stored })
    }

    fn store(&self, held: &mut Memory) -> Result<()> {
        let sql = self.state.storage().sql();
        if !held.stored {
            let table = "create table if not exists ledger (id integer primary key check (id = 1), \
                         document text not null, policy text not null)";
            sql.exec(table, None)?;
            held.stored = true;
        }
        let document = SqlStorageValue::String(serde_json::to_string(&held.document)?);
        let policy = SqlStorageValue::String(serde_json::to_string(&held.policy)?);
        let text = "insert into ledger (id, document, policy) values (1, ?, ?) \
                    on conflict (id) do update set document = excluded.document, policy = excluded.policy";
        sql.exec(text, vec![document, policy]).map(drop)
    }

    /// Set the one alarm for the next sweep, unless it rings before that anyway: use of a session
    /// moves its timeout away, and an alarm that finds nothing to do sets itself anew.
    async fn arm(&self) -> Result<()> {
        let due = {
            let mut memory = self.memory.borrow_mut();
            let Some(held) = memory.as_mut() else { return Ok(()) };
            let Some(due) = next_due(&held.document, &held.policy) else { return Ok(()) };
            let due = jittered(due.max(now()));
            if held.armed.is_some_and(|armed| armed <= due) {
                return Ok(());
            }
            held.armed = Some(due);
            due
        };
        let at = i64::try_from(due.saturating_sub(now())).unwrap_or(i64::MAX);
        let set = self.state.storage().set_alarm(at).await;
        if set.is_err()
            && let Some(held) = self.memory.borrow_mut().as_mut()
        {
            // The next command tries again.
            held.armed = None;
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

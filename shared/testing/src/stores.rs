//! The cache and the ledgers of the fake platform.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use ledger::{Address, Answer, AuditEvent, Context, Envelope, Ledger, Throttles, apply};
use ports::{Clock, Kv, KvError, LedgerError, Ledgers, Millis, Random};

use crate::faults::{Dependency, Fault};
use crate::platform::{FakePlatform, yield_once};

#[derive(Default)]
pub(crate) struct Stores {
    cache: RefCell<BTreeMap<String, Entry>>,
    ledgers: RefCell<BTreeMap<Address, Ledger>>,
    events: RefCell<Vec<AuditEvent>>,
    throttles: RefCell<Throttles>,
}

struct Entry {
    value: Vec<u8>,
    as_of: Millis,
    expires_at: Millis,
}

impl FakePlatform {
    /// When the cache was last written under `key`.
    pub fn cached_as_of(&self, key: &str) -> Option<Millis> {
        self.stores.cache.borrow().get(key).map(|entry| entry.as_of)
    }

    /// All that the cache holds, as text.
    pub fn cached(&self) -> Vec<String> {
        let cache = self.stores.cache.borrow();
        let texts = cache
            .iter()
            .map(|(key, entry)| format!("{key} {}", String::from_utf8_lossy(&entry.value)));
        texts.collect()
    }

    /// Empty the cache.
    pub fn forget_cache(&self) {
        self.stores.cache.borrow_mut().clear();
    }

    /// The ledgers that hold anything.
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.stores.ledgers.borrow().values().filter(|one| !one.is_empty()).cloned().collect()
    }

    /// A ledger as it is stored.
    pub fn ledger(&self, address: &Address) -> Option<Ledger> {
        self.stores.ledgers.borrow().get(address).cloned()
    }

    /// Put a ledger in place of the stored one, as a restored backup would.
    pub fn restore_ledger(&self, address: Address, ledger: Ledger) {
        self.stores.ledgers.borrow_mut().insert(address, ledger);
    }

    /// The audit trail so far.
    pub fn audit(&self) -> Vec<AuditEvent> {
        self.stores.events.borrow().clone()
    }

    fn apply(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let admitted = self.stores.throttles.borrow_mut().admit(address, envelope, self.now());
        if let Err(limited) = admitted {
            return Ok(Answer::limited(limited));
        }
        let mut ledgers = self.stores.ledgers.borrow_mut();
        let stored = ledgers.get(address).cloned().unwrap_or_default();
        // Through its text form and back, as every real store does.
        let text = serde_json::to_string(&stored).map_err(|error| failed(&error))?;
        let stored: Ledger = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let mut ledger = stored.upgraded().map_err(|error| failed(&error))?;
        let command = envelope.command.clone();
        let Envelope { policy, origin, .. } = envelope;
        let context = Context { now: self.now(), policy, origin };
        let applied = apply(&mut ledger, command, context, &mut |out| self.fill(out));
        if applied.changed {
            ledgers.insert(*address, ledger);
        }
        self.stores.events.borrow_mut().extend(applied.events.iter().cloned());
        Ok(applied.into())
    }
}

impl Kv for FakePlatform {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        yield_once().await;
        if self.faults.call(Dependency::Kv).is_some() {
            return Err(KvError("away".to_owned()));
        }
        let cache = self.stores.cache.borrow();
        let live = cache.get(key).filter(|entry| entry.expires_at > self.now());
        Ok(live.map(|entry| entry.value.clone()))
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        yield_once().await;
        let fault = self.faults.call(Dependency::Kv);
        if !matches!(fault, None | Some(Fault::AnswerLost)) {
            return Err(KvError("away".to_owned()));
        }
        let as_of = self.now();
        let lives = Millis::try_from(ttl.as_millis()).unwrap_or(Millis::MAX);
        let expires_at = as_of.saturating_add(lives);
        let entry = Entry { value: value.to_vec(), as_of, expires_at };
        self.stores.cache.borrow_mut().insert(key.to_owned(), entry);
        if fault.is_none() { Ok(()) } else { Err(KvError("the answer got lost".to_owned())) }
    }
}

impl Ledgers for FakePlatform {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        yield_once().await;
        let answer = match self.faults.call(Dependency::Ledger) {
            None => self.apply(address, envelope),
            Some(Fault::AnswerLost) => {
                self.apply(address, envelope)?;
                Err(LedgerError("the answer got lost".to_owned()))
            }
            Some(_) => Err(LedgerError("away".to_owned())),
        };
        yield_once().await;
        answer
    }
}

fn failed(error: &impl std::fmt::Display) -> LedgerError {
    LedgerError(error.to_string())
}

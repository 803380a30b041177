//! The cache, the ledgers and the publisher of revocations of the fake platform.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use ledger::{
    Address, Answer, AuditEvent, Context, Envelope, Ledger, Revocation, Throttles, apply,
};
use ports::{
    Clock, Config, KeyPage, Kv, KvError, KvStore, LedgerError, Ledgers, Millis, Publisher, Random,
    Written,
};
use snapshot::{Memory, Report};

use crate::faults::{Dependency, Fault};
use crate::platform::{FakePlatform, yield_once};

/// Keys of one page: few, so that tests turn pages.
const PAGE: usize = 3;

#[derive(Default)]
pub(crate) struct Stores {
    cache: RefCell<BTreeMap<String, Entry>>,
    ledgers: RefCell<BTreeMap<Address, Ledger>>,
    events: RefCell<Vec<AuditEvent>>,
    throttles: RefCell<Throttles>,
    publishers: RefCell<BTreeMap<u8, Memory>>,
    unreported: RefCell<Vec<Revocation>>,
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
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(limited) => return Ok(Answer::limited(limited)),
        };
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
        self.report(&applied.revocations);
        if envelope.command.revokes() && !self.stores.unreported.borrow().is_empty() {
            return Err(LedgerError("the revocation is not yet reported".to_owned()));
        }
        let answer = Answer::from(applied);
        Ok(Answer { budget: answer.budget.or(admitted), ..answer })
    }

    /// What ledgers do in edge mode with what they revoke; what is not taken is kept.
    fn report(&self, revocations: &[Revocation]) {
        if Config::get(self, "INTROSPECTION_MODE").as_deref() != Some("edge") {
            return;
        }
        let mut unreported = self.stores.unreported.borrow_mut();
        unreported.extend_from_slice(revocations);
        if unreported.is_empty() || self.faults.call(Dependency::Publisher).is_some() {
            return;
        }
        for Report { shard, revocations } in Report::of(&unreported) {
            self.publisher(shard, |memory| memory.accept(&revocations));
        }
        unreported.clear();
    }

    /// The publisher of a shard, which begins when it is first heard of.
    fn publisher<T>(&self, shard: u8, act: impl FnOnce(&mut Memory) -> T) -> T {
        let mut publishers = self.stores.publishers.borrow_mut();
        act(publishers.entry(shard).or_insert_with(|| Memory::new(shard, self.now(), [])))
    }

    /// Write every shard that anybody has heard of into the cache, as its publisher would by its alarm.
    ///
    /// # Errors
    /// If the cache is away.
    pub async fn publish(&self) -> Result<(), KvError> {
        let shards: Vec<u8> = self.stores.publishers.borrow().keys().copied().collect();
        for shard in shards {
            self.publish_shard(shard).await?;
        }
        Ok(())
    }

    async fn publish_shard(&self, shard: u8) -> Result<(), KvError> {
        let bytes = self.publisher(shard, |memory| {
            memory.expire(self.now());
            memory.publish(self.now())
        });
        self.put(&snapshot::key(shard), &bytes, Duration::from_secs(300)).await
    }
}

impl Publisher for FakePlatform {
    /// It publishes at once.
    async fn poke(&self, shard: u8) {
        yield_once().await;
        if self.faults.call(Dependency::Publisher).is_none() {
            // A cache that is away is the next alarm's business.
            let _ = self.publish_shard(shard).await;
        }
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

/// Strongly consistent, and never in a hurry: what a store with one location is.
impl KvStore for FakePlatform {
    async fn write(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Written, KvError> {
        self.put(key, value, ttl).await.map(|()| Written::Done)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        yield_once().await;
        if self.faults.call(Dependency::Kv).is_some() {
            return Err(KvError("away".to_owned()));
        }
        self.stores.cache.borrow_mut().remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, KvError> {
        yield_once().await;
        if self.faults.call(Dependency::Kv).is_some() {
            return Err(KvError("away".to_owned()));
        }
        let cache = self.stores.cache.borrow();
        let live = cache.iter().filter(|(_, entry)| entry.expires_at > self.now());
        Ok(page(live.map(|(key, _)| key), prefix, cursor))
    }
}

/// One small page of keys that come in order.
pub(crate) fn page<'k>(
    keys: impl Iterator<Item = &'k String>,
    prefix: &str,
    cursor: Option<&str>,
) -> KeyPage {
    let after = |key: &&String| cursor.is_none_or(|cursor| key.as_str() > cursor);
    let mut rest = keys.filter(|key| key.starts_with(prefix)).filter(after);
    let keys: Vec<String> = rest.by_ref().take(PAGE).cloned().collect();
    let next = rest.next().and(keys.last().cloned());
    KeyPage { keys, next }
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

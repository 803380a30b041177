//! The contract suites hold for the fakes, and fail where a store breaks its promise.
#![allow(clippy::unwrap_used, reason = "what does not hold must end the test")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures::executor::block_on;
use ledger::{Address, Answer, Context, Envelope, Ledger, Origin, apply};
use ports::{Clock, Kv, KvError, KvStore, LedgerError, Ledgers, Millis, Random, Written};
use testing::contract::{self, LedgerStore};
use testing::{
    Dependency, FakePlatform, Fault, KvLocation, Lag, NOW, SQL_CONNECTION_STRING, SQL_URL, World,
    yield_once,
};

struct Memory {
    platform: FakePlatform,
    next: Cell<u8>,
}

impl Memory {
    fn new() -> Self {
        Self { platform: FakePlatform::new(NOW), next: Cell::new(0) }
    }
}

impl LedgerStore for Memory {
    type Host = FakePlatform;

    fn host(&self) -> &FakePlatform {
        &self.platform
    }

    fn fresh_address(&self) -> Address {
        self.next.set(self.next.get() + 1);
        Address::from_bytes([self.next.get(); 16])
    }

    async fn wait(&self, time: Duration) {
        self.platform.advance(time.as_millis().try_into().unwrap());
    }

    fn lose_answers(&self, times: u32) -> bool {
        match times {
            0 => self.platform.heal(Dependency::Ledger),
            _ => self.platform.fail_times(Dependency::Ledger, Fault::AnswerLost, times),
        }
        true
    }
}

#[test]
fn the_fake_clock_is_a_clock() {
    contract::clock(&FakePlatform::new(NOW));
}

#[test]
fn the_software_signatures_are_signatures() {
    block_on(contract::signatures(&FakePlatform::new(1)));
}

#[test]
fn the_fake_randomness_looks_random_and_repeats_itself() {
    let platform = FakePlatform::new(NOW);
    contract::random(&platform);
    let draw = || {
        let mut bytes = [0; 32];
        platform.fill(&mut bytes);
        bytes
    };
    platform.seed(5);
    let first = draw();
    assert_ne!(first, draw());
    platform.seed(5);
    assert_eq!(first, draw());
}

#[test]
fn the_fake_settings_are_settings() {
    let platform = FakePlatform::new(NOW);
    platform.set("NAME", "value");
    platform.set("EMPTY", "");
    contract::config(&platform, ("NAME", "value"), "EMPTY", "ABSENT");
}

#[test]
fn the_fake_log_is_a_log() {
    let platform = FakePlatform::new(NOW);
    contract::log(&platform, || platform.lines());
}

#[test]
fn the_memory_cache_is_a_cache() {
    let platform = FakePlatform::new(NOW);
    block_on(contract::kv(&platform, "run"));
}

#[test]
fn the_memory_cache_is_a_store_of_keys() {
    let platform = FakePlatform::new(NOW);
    block_on(contract::kv_store(&platform, "run", || async {}));
}

#[test]
fn every_location_of_an_eventual_store_is_a_store_of_keys() {
    for lag in [Lag::None, Lag::Others(60_000)] {
        let [here, _there] = KvLocation::several(NOW);
        here.set_lag(lag);
        let settle = || async { here.advance(Duration::from_secs(2)) };
        block_on(contract::kv_store(&here, "run", settle));
    }
}

#[test]
fn locations_see_each_others_writes_late_and_the_last_one_wins() {
    let [here, there] = KvLocation::several(NOW);
    let ttl = Duration::from_secs(600);
    block_on(async {
        there.set_lag(Lag::Others(1_000));
        assert_eq!(here.write("key", b"1", ttl).await, Ok(Written::Done));
        assert_eq!(there.get("key").await.unwrap(), None);
        assert_eq!(there.list("k", None).await.unwrap().keys, [""; 0]);
        assert_eq!(there.write("key", b"2", ttl).await, Ok(Written::TooSoon), "also elsewhere");
        here.advance(Duration::from_millis(1_000));
        assert_eq!(there.get("key").await.unwrap().as_deref(), Some(b"1".as_slice()));
        assert_eq!(there.write("key", b"2", ttl).await, Ok(Written::Done));
        assert_eq!(here.get("key").await.unwrap().as_deref(), Some(b"2".as_slice()));
        there.advance(ttl);
        assert_eq!(there.get("key").await.unwrap(), None, "its time is over");
    });
}

#[test]
fn the_memory_cache_forgets_after_the_time_to_live() {
    let platform = FakePlatform::new(NOW);
    block_on(async {
        platform.put("key", b"value", Duration::from_secs(60)).await.unwrap();
        assert_eq!(platform.cached_as_of("key"), Some(NOW));
        platform.advance(59_999);
        assert_eq!(platform.get("key").await.unwrap().as_deref(), Some(b"value".as_slice()));
        platform.advance(1);
        assert_eq!(platform.get("key").await.unwrap(), None);
    });
}

#[test]
fn the_memory_ledgers_are_ledgers() {
    block_on(contract::ledgers(&Memory::new()));
}

#[test]
fn the_fake_database_serves_clients() {
    let world = World::new();
    let connection = SQL_CONNECTION_STRING.to_owned();
    let sql = data::NeonSql::new(&world.platform, SQL_URL.to_owned(), connection);
    for client in ["atoms-web", "atoms-service", "atoms-narrow"] {
        block_on(contract::clients(&sql, &world.database.client(client).unwrap()));
    }
}

#[test]
fn the_fake_database_wants_its_credentials() {
    let world = World::new();
    let sql = data::NeonSql::new(&world.platform, SQL_URL.to_owned(), "postgresql://x".to_owned());
    let refused = block_on(data::ping(&sql));
    assert!(matches!(refused, Err(ports::SqlError::Unavailable(_))), "{refused:?}");
}

#[test]
fn a_lost_answer_is_an_error_whose_command_took_effect() {
    let store = Memory::new();
    let envelope = Envelope {
        command: ledger::Command::RevokeAll { except: None, reason: None },
        policy: ledger::Policy::default(),
        origin: Origin::default(),
    };
    let address = store.fresh_address();
    store.platform.fail_times(Dependency::Ledger, Fault::AnswerLost, 1);
    block_on(async {
        assert!(store.platform.execute(&address, &envelope).await.is_err());
        assert!(store.platform.execute(&address, &envelope).await.is_ok(), "once means once");
    });
    assert_eq!(store.platform.calls(Dependency::Ledger), 2);
}

/// Reads, gives way, writes: what a store without compare-and-swap does.
struct Torn {
    memory: Memory,
    ledgers: RefCell<BTreeMap<Address, Ledger>>,
}

impl Clock for Torn {
    fn now(&self) -> Millis {
        self.memory.platform.now()
    }
}

impl Ledgers for Torn {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let mut ledger = self.ledgers.borrow().get(address).cloned().unwrap_or_default();
        yield_once().await;
        let command = envelope.command.clone();
        let fill = &mut |out: &mut [u8]| self.memory.platform.fill(out);
        let Envelope { policy, origin, .. } = envelope;
        let context = Context { now: self.now(), policy, origin };
        let applied = apply(&mut ledger, command, context, fill);
        yield_once().await;
        self.ledgers.borrow_mut().insert(*address, ledger);
        Ok(applied.into())
    }
}

impl LedgerStore for Torn {
    type Host = Self;

    fn host(&self) -> &Self {
        self
    }

    fn fresh_address(&self) -> Address {
        self.memory.fresh_address()
    }

    async fn wait(&self, time: Duration) {
        self.memory.wait(time).await;
    }
}

#[test]
fn a_store_that_loses_updates_fails_the_suite() {
    let torn = Torn { memory: Memory::new(), ledgers: RefCell::default() };
    let outcome = catch_unwind(AssertUnwindSafe(|| block_on(contract::ledgers(&torn))));
    assert!(outcome.is_err());
}

/// Holds text only.
struct Lossy(FakePlatform);

impl Kv for Lossy {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        self.0.get(key).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        self.0.put(key, String::from_utf8_lossy(value).as_bytes(), ttl).await
    }
}

#[test]
fn a_cache_that_changes_bytes_fails_the_suite() {
    let lossy = Lossy(FakePlatform::new(NOW));
    let outcome = catch_unwind(AssertUnwindSafe(|| block_on(contract::kv(&lossy, "run"))));
    assert!(outcome.is_err());
}

/// Says seconds where milliseconds are meant.
struct Seconds;

impl Clock for Seconds {
    fn now(&self) -> Millis {
        NOW / 1000
    }
}

/// Forgets the last byte.
struct Short(FakePlatform);

impl Random for Short {
    fn fill(&self, out: &mut [u8]) {
        if let Some((_, most)) = out.split_last_mut() {
            self.0.fill(most);
        }
    }
}

#[test]
fn a_wrong_unit_and_a_fixed_byte_fail_their_suites() {
    assert!(catch_unwind(|| contract::clock(&Seconds)).is_err());
    let short = Short(FakePlatform::new(NOW));
    assert!(catch_unwind(AssertUnwindSafe(|| contract::random(&short))).is_err());
}

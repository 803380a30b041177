use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ports::{Clock, KeyPage, Kv, KvError, KvStore, Millis, Random, Timer, Written};

use crate::platform::yield_once;
use crate::stores::page;

/// One key cannot be written again for so long.
const BUSY: Millis = 1_000;

/// One location of an eventually consistent key-value store. Every write reaches every location in
/// the end, the last one wins, and how late a location sees what the others do is up to the test.
///
/// The clock is that of all locations. It stands still but for [`KvLocation::advance`] and for those
/// who sleep.
pub struct KvLocation {
    name: usize,
    lag: Cell<Lag>,
    world: Rc<Shared>,
}

/// How late a location sees what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// At once.
    None,
    /// What others write after this time; its own writes at once.
    Others(Millis),
    /// Nothing that others write after this moment.
    Cut(Millis),
    /// Every read by another time up to this one, its own writes too.
    Random(Millis),
}

/// What stands in the way of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The key was written a moment ago.
    TooSoon,
    /// The store does not answer.
    Away,
}

struct Shared {
    now: Cell<Millis>,
    random: Cell<u64>,
    history: RefCell<BTreeMap<String, Vec<Change>>>,
    obstacles: RefCell<Vec<(String, Obstacle, u32)>>,
    writes: RefCell<Vec<String>>,
    refused: Cell<u32>,
}

struct Change {
    at: Millis,
    by: usize,
    /// With the end of its time; `None` if it was removed.
    value: Option<(Vec<u8>, Millis)>,
}

impl KvLocation {
    /// The locations of one store, which see everything at once.
    pub fn several<const COUNT: usize>(now: Millis) -> [Self; COUNT] {
        let world = Rc::new(Shared {
            now: Cell::new(now),
            random: Cell::new(1),
            history: RefCell::default(),
            obstacles: RefCell::default(),
            writes: RefCell::default(),
            refused: Cell::new(0),
        });
        std::array::from_fn(|name| Self { name, lag: Cell::new(Lag::None), world: world.clone() })
    }

    /// From now on this location sees what is written so late.
    pub fn set_lag(&self, lag: Lag) {
        self.lag.set(lag);
    }

    /// Move the clock of all locations forward.
    pub fn advance(&self, time: Duration) {
        self.world.advance(time);
    }

    /// Begin another sequence of random numbers, which all locations draw from.
    pub fn seed(&self, seed: u64) {
        self.world.random.set(seed);
    }

    /// The next writes, at any location, of keys that begin with `prefix` fail.
    pub fn obstruct(&self, prefix: &str, obstacle: Obstacle, times: u32) {
        self.world.obstacles.borrow_mut().push((prefix.to_owned(), obstacle, times));
    }

    /// The keys that were written, in order.
    pub fn writes(&self) -> Vec<String> {
        self.world.writes.borrow().clone()
    }

    /// How many writes were refused because the key had just been written.
    pub fn refused(&self) -> u32 {
        self.world.refused.get()
    }

    /// The state of a key that is seen here by a read with this lag.
    fn seen<'c>(&self, changes: &'c [Change], lag: Lag) -> Option<&'c [u8]> {
        let now = self.world.now.get();
        let visible = |change: &&Change| match lag {
            Lag::None => true,
            Lag::Others(lag) => change.by == self.name || change.at.saturating_add(lag) <= now,
            Lag::Cut(moment) => change.by == self.name || change.at <= moment,
            Lag::Random(lag) => change.at.saturating_add(lag) <= now,
        };
        let (value, expires_at) = changes.iter().rfind(visible)?.value.as_ref()?;
        (*expires_at > now).then_some(value)
    }

    /// The lag of one read.
    fn draw(&self) -> Lag {
        match self.lag.get() {
            Lag::Random(longest) => Lag::Random(self.world.draw() % (longest + 1)),
            other => other,
        }
    }

    fn change(&self, key: &str, value: Option<(Vec<u8>, Millis)>) {
        let change = Change { at: self.world.now.get(), by: self.name, value };
        self.world.writes.borrow_mut().push(key.to_owned());
        self.world.history.borrow_mut().entry(key.to_owned()).or_default().push(change);
    }
}

impl Shared {
    fn advance(&self, time: Duration) {
        self.reach(self.now.get() + Millis::try_from(time.as_millis()).expect("a short time"));
    }

    /// Others may have slept longer meanwhile.
    fn reach(&self, time: Millis) {
        self.now.set(self.now.get().max(time));
    }

    fn draw(&self) -> u64 {
        // SplitMix64.
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn obstacle(&self, key: &str) -> Option<Obstacle> {
        let mut obstacles = self.obstacles.borrow_mut();
        let meant =
            |(prefix, _, left): &&mut (String, _, u32)| *left > 0 && key.starts_with(&**prefix);
        let (_, obstacle, left) = obstacles.iter_mut().find(meant)?;
        *left -= 1;
        Some(*obstacle)
    }
}

impl Kv for KvLocation {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        yield_once().await;
        let history = self.world.history.borrow();
        let lag = self.draw();
        Ok(history.get(key).and_then(|changes| self.seen(changes, lag)).map(<[u8]>::to_vec))
    }

    /// As a write that takes no refusal for an error.
    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        self.write(key, value, ttl).await.map(drop)
    }
}

impl KvStore for KvLocation {
    async fn write(&self, key: &str, value: &[u8], ttl: Duration) -> Result<Written, KvError> {
        yield_once().await;
        assert!(ttl >= Duration::from_secs(60), "the platform keeps nothing for {ttl:?}");
        assert!(key.len() <= 512, "a key of {} bytes", key.len());
        let now = self.world.now.get();
        let history =
            self.world.history.borrow().get(key).and_then(|all| all.last()).map(|last| last.at);
        let busy = history.is_some_and(|at| now < at + BUSY);
        match self.world.obstacle(key) {
            Some(Obstacle::Away) => return Err(KvError("away".to_owned())),
            Some(Obstacle::TooSoon) => {}
            None if busy => {}
            None => {
                let ttl = Millis::try_from(ttl.as_millis()).unwrap_or(Millis::MAX);
                self.change(key, Some((value.to_vec(), now.saturating_add(ttl))));
                return Ok(Written::Done);
            }
        }
        self.world.refused.set(self.world.refused.get() + 1);
        Ok(Written::TooSoon)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        yield_once().await;
        self.change(key, None);
        Ok(())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<KeyPage, KvError> {
        yield_once().await;
        let history = self.world.history.borrow();
        let lag = self.draw();
        let live = history.iter().filter(|(_, changes)| self.seen(changes, lag).is_some());
        Ok(page(live.map(|(key, _)| key), prefix, cursor))
    }
}

impl Clock for KvLocation {
    fn now(&self) -> Millis {
        self.world.now.get()
    }
}

impl Timer for KvLocation {
    async fn sleep(&self, duration: Duration) {
        let until = self.now() + Millis::try_from(duration.as_millis()).expect("a short time");
        yield_once().await;
        self.world.reach(until);
    }
}

impl Random for KvLocation {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            *byte = (self.world.draw() >> 56) as u8;
        }
    }
}

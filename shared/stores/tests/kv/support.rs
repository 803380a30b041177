use std::cell::Cell;
use std::time::Duration;

use ledger::{Address, Answer, Envelope};
use ports::{Clock, KvStore, LedgerError, Ledgers, Millis, Random, Timer};
use stores::KvLedgers;
use testing::contract::EventualStore;
use testing::{FakePlatform, KvLocation, Lag, NOW};

/// The ledgers as a location sees them.
pub(crate) struct Site<L>(pub(crate) L);

impl<L: Clock> Clock for Site<L> {
    fn now(&self) -> Millis {
        self.0.now()
    }
}

impl<L: Clock + Timer + Random + KvStore> Ledgers for Site<L> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        KvLedgers::new(&self.0, &self.0).ask(address, envelope).await
    }
}

/// Two locations, each of which sees late what the other one does.
pub(crate) struct Apart {
    pub(crate) here: Site<KvLocation>,
    pub(crate) there: Site<KvLocation>,
    lag: Lag,
    next: Cell<u8>,
}

impl Apart {
    /// With the lag that they have unless they are parted.
    pub(crate) fn new(lag: Lag) -> Self {
        let [here, there] = KvLocation::several(NOW);
        let apart = Self { here: Site(here), there: Site(there), lag, next: Cell::new(0) };
        apart.set(lag);
        apart
    }

    pub(crate) fn set(&self, lag: Lag) {
        self.here.0.set_lag(lag);
        self.there.0.set_lag(lag);
    }
}

impl EventualStore for Apart {
    type Host = Site<KvLocation>;

    fn here(&self) -> &Self::Host {
        &self.here
    }

    fn there(&self) -> &Self::Host {
        &self.there
    }

    fn fresh_address(&self) -> Address {
        self.next.set(self.next.get() + 1);
        Address::from_bytes([self.next.get(); 16])
    }

    fn part(&self) {
        self.set(Lag::Cut(self.here.now()));
        // What is written from now on is written later.
        self.here.0.advance(Duration::from_millis(1));
    }

    async fn settle(&self) {
        self.set(self.lag);
        self.here.0.advance(Duration::from_secs(61));
    }

    async fn wait(&self, time: Duration) {
        self.here.0.advance(time);
    }
}

/// One location, strongly consistent.
pub(crate) struct Single {
    site: Site<FakePlatform>,
    next: Cell<u8>,
}

impl Single {
    pub(crate) fn new() -> Self {
        Self { site: Site(FakePlatform::new(NOW)), next: Cell::new(0) }
    }
}

impl EventualStore for Single {
    type Host = Site<FakePlatform>;

    fn here(&self) -> &Self::Host {
        &self.site
    }

    fn there(&self) -> &Self::Host {
        &self.site
    }

    fn fresh_address(&self) -> Address {
        self.next.set(self.next.get() + 1);
        Address::from_bytes([self.next.get(); 16])
    }

    fn part(&self) {}

    async fn settle(&self) {}

    async fn wait(&self, time: Duration) {
        self.site.0.advance(time.as_millis().try_into().unwrap());
    }
}

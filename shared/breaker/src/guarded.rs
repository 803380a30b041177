use std::cell::Cell;
use std::time::Duration;

use ledger::{Address, Answer, Envelope};
use ports::{
    Clock, Config, Fetch, FetchError, Kv, KvError, LedgerError, Ledgers, Log, Millis, PrivateKey,
    PublicKey, Publisher, Random, Request, Response, SignatureError, Signatures, Timer,
};

use crate::Breakers;

/// A platform for the time of one request, whose outbound HTTP goes through breakers; all else is
/// as it was.
pub struct Guarded<'a, P> {
    platform: &'a P,
    breakers: Option<&'a Breakers>,
    /// The longest that a breaker has told to wait.
    wait: Cell<Option<Duration>>,
}

impl<'a, P> Guarded<'a, P> {
    /// Guard a platform; without breakers every call goes through.
    pub const fn new(platform: &'a P, breakers: Option<&'a Breakers>) -> Self {
        Self { platform, breakers, wait: Cell::new(None) }
    }

    /// For how long a dependency is left alone that was asked for in vain; of several the longest.
    pub const fn wait(&self) -> Option<Duration> {
        self.wait.get()
    }
}

impl<P: Fetch + Clock + Random> Fetch for Guarded<'_, P> {
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
        let Some(breakers) = self.breakers else {
            return self.platform.fetch(request, timeout).await;
        };
        let patience = Millis::try_from(timeout.as_millis()).unwrap_or(Millis::MAX);
        let pass = match breakers.admit(request.uri(), self.platform.now(), patience) {
            Ok(pass) => pass,
            Err(left) => {
                let left = Duration::from_millis(left);
                self.wait.set(self.wait.get().max(Some(left)));
                return Err(FetchError::Paused(left));
            }
        };
        let outcome = self.platform.fetch(request, timeout).await;
        breakers.record(&pass, &outcome, self.platform.now(), self.platform.number());
        outcome
    }
}

impl<P: Publisher> Publisher for Guarded<'_, P> {
    async fn poke(&self, shard: u8) {
        self.platform.poke(shard).await;
    }
}

impl<P: Clock> Clock for Guarded<'_, P> {
    fn now(&self) -> Millis {
        self.platform.now()
    }
}

impl<P: Timer> Timer for Guarded<'_, P> {
    async fn sleep(&self, duration: Duration) {
        self.platform.sleep(duration).await;
    }
}

impl<P: Random> Random for Guarded<'_, P> {
    fn fill(&self, out: &mut [u8]) {
        self.platform.fill(out);
    }
}

impl<P: Config> Config for Guarded<'_, P> {
    fn get(&self, name: &str) -> Option<String> {
        self.platform.get(name)
    }
}

impl<P: Log> Log for Guarded<'_, P> {
    fn line(&self, line: &str) {
        self.platform.line(line);
    }
}

impl<P: Signatures> Signatures for Guarded<'_, P> {
    async fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool, SignatureError> {
        self.platform.verify(key, message, signature).await
    }

    async fn sign(&self, key: &PrivateKey, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.platform.sign(key, message).await
    }
}

impl<P: Kv> Kv for Guarded<'_, P> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        self.platform.get(key).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        self.platform.put(key, value, ttl).await
    }
}

impl<P: Ledgers> Ledgers for Guarded<'_, P> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        self.platform.ask(address, envelope).await
    }
}

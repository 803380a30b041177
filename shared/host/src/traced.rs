use std::time::Duration;

use ledger::{Address, Answer, Envelope, Origin};
use ports::{
    Clock, Config, Fetch, FetchError, Kv, KvError, LedgerError, Ledgers, Log, Millis, PrivateKey,
    PublicKey, Publisher, Random, Request, Response, SignatureError, Signatures, Timer,
};

/// A platform for the time of one request, whose commands tell the ledgers by which request and in
/// which trace they were sent: the audit trail has it from there. Use cases need not know of either.
pub(crate) struct Traced<'a, P> {
    platform: &'a P,
    request_id: &'a str,
    trace_id: &'a str,
}

impl<'a, P> Traced<'a, P> {
    /// For a request with these names.
    pub(crate) const fn new(platform: &'a P, request_id: &'a str, trace_id: &'a str) -> Self {
        Self { platform, request_id, trace_id }
    }
}

impl<P: Ledgers + Random> Ledgers for Traced<'_, P> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let origin = Origin {
            actor: envelope.origin.actor.clone(),
            request_id: Some(self.request_id.to_owned()),
            trace_id: Some(self.trace_id.to_owned()),
            sending: envelope.command.is_of_once().then(|| self.platform.number()),
        };
        let envelope = Envelope { origin, ..envelope.clone() };
        self.platform.ask(address, &envelope).await
    }
}

impl<P: Publisher> Publisher for Traced<'_, P> {
    async fn poke(&self, shard: u8) {
        self.platform.poke(shard).await;
    }
}

impl<P: Fetch> Fetch for Traced<'_, P> {
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
        self.platform.fetch(request, timeout).await
    }
}

impl<P: Clock> Clock for Traced<'_, P> {
    fn now(&self) -> Millis {
        self.platform.now()
    }
}

impl<P: Timer> Timer for Traced<'_, P> {
    async fn sleep(&self, duration: Duration) {
        self.platform.sleep(duration).await;
    }
}

impl<P: Random> Random for Traced<'_, P> {
    fn fill(&self, out: &mut [u8]) {
        self.platform.fill(out);
    }
}

impl<P: Config> Config for Traced<'_, P> {
    fn get(&self, name: &str) -> Option<String> {
        self.platform.get(name)
    }
}

impl<P: Log> Log for Traced<'_, P> {
    fn line(&self, line: &str) {
        self.platform.line(line);
    }
}

impl<P: Signatures> Signatures for Traced<'_, P> {
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

impl<P: Kv> Kv for Traced<'_, P> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        self.platform.get(key).await
    }

    async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        self.platform.put(key, value, ttl).await
    }
}

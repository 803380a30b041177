//! The stores that a deployment may choose in place of the objects.

use ledger::{Address, Answer, Envelope};
use ports::{ConfigError, LedgerError, Ledgers};
use stores::{Cas, KvLedgers, StoreChoice};

use crate::cloudflare::{Cloudflare, Namespace};
use crate::owner::{Due, Home, OverHttp, guarded};
use crate::store;

/// The binding of the namespace that keeps ledgers, which must not be that of the cache.
const NAMESPACE: &str = "LEDGER_KV";

impl Home for Cloudflare {
    type Ledgers<'p> = Chosen<'p>;

    fn choice(&self) -> Result<StoreChoice, ConfigError> {
        store::on_workers(self)
    }

    async fn ledgers(&self) -> Result<Chosen<'_>, LedgerError> {
        let failed = |error: ConfigError| LedgerError(error.to_string());
        let choice = self.choice().map_err(failed)?;
        if choice == StoreChoice::PlatformKv {
            let namespace = Namespace::new(&self.env, NAMESPACE);
            return Ok(Chosen::Kv(KvLedgers::new(self, namespace)));
        }
        let store = OverHttp::of(self, choice).map_err(failed)?;
        let store =
            store.ok_or_else(|| LedgerError("the objects have their ledgers".to_owned()))?;
        Ok(Chosen::Cas(guarded(self, store)))
    }
}

/// The ledgers on the chosen store.
pub enum Chosen<'p> {
    /// It compares and swaps.
    Cas(Cas<'p, Cloudflare, OverHttp<'p, Cloudflare>>),
    /// It does not.
    Kv(KvLedgers<'p, Cloudflare, Namespace<'p>>),
}

impl Due for Chosen<'_> {
    async fn due(&self, limit: u32) -> Result<Vec<Address>, LedgerError> {
        match self {
            Self::Cas(ledgers) => ledgers.due(limit).await,
            Self::Kv(ledgers) => ledgers.due(limit).await,
        }
    }
}

impl Ledgers for Chosen<'_> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        match self {
            Self::Cas(ledgers) => ledgers.ask(address, envelope).await,
            Self::Kv(ledgers) => ledgers.ask(address, envelope).await,
        }
    }
}

use ledger::{Address, Millis};
use ports::{ConfigError, LedgerError};
use stores::{StoreChoice, StoreError, Stored, Version, VersionedStore};

use crate::cloudflare::{Cloudflare, Namespace};
use crate::owner::Home;
use crate::store;

/// The binding of the namespace that keeps ledgers, which must not be that of the cache.
const NAMESPACE: &str = "LEDGER_KV";

impl Home for Cloudflare {
    type LedgerKv<'p> = Namespace<'p>;
    type Local<'p> = Nothing;

    fn choice(&self) -> Result<StoreChoice, ConfigError> {
        store::on_workers(self)
    }

    fn ledger_kv(&self) -> Namespace<'_> {
        Namespace::new(&self.env, NAMESPACE)
    }

    async fn local(&self, _choice: StoreChoice) -> Result<Nothing, LedgerError> {
        Err(LedgerError("the store is none of this function".to_owned()))
    }
}

/// All other stores are reached as they are everywhere.
pub enum Nothing {}

impl VersionedStore for Nothing {
    async fn load(&self, _: &Address) -> Result<Option<Stored>, StoreError> {
        match *self {}
    }

    async fn swap(
        &self,
        _: &Address,
        _: Option<&Version>,
        _: &Stored,
    ) -> Result<bool, StoreError> {
        match *self {}
    }

    async fn remove(&self, _: &Address, _: &Version) -> Result<bool, StoreError> {
        match *self {}
    }

    async fn due(&self, _: Millis, _: u32) -> Result<Vec<Address>, StoreError> {
        match *self {}
    }
}

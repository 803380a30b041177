//! The owner of the ledgers: the one component that is given the stores that only Spin reaches.

mod redis;
mod sqlite;

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use ledger::{Address, Millis};
use ports::{ConfigError, LedgerError};
use spin_sdk::wasip3::http::types::{self, ErrorCode};
use spin_sdk::wasip3::spawn;
use stores::{
    RedisStore, SqliteStore, StoreChoice, StoreError, Stored, Version, VersionedStore,
};

use self::redis::Redis;
use self::sqlite::Sqlite;
use super::Spin;
use super::entry::{body, outgoing, parts};
use crate::owner::{self, Home, MAX_COMMAND, Maintenance};
use crate::store;

/// What an instance keeps.
struct Loaded {
    platform: Spin,
    maintenance: Maintenance,
}

thread_local! {
    static HELD: RefCell<Option<Rc<Loaded>>> = const { RefCell::new(None) };
}

/// The export of the owner: commands of the other functions, by service chaining, and the one route.
/// The platform lets a request from outside reach no other path than that of the route.
///
/// # Errors
/// If the platform's own types refuse a response.
// Boxed, so that all of it is compiled in this crate and not once more in the function's.
pub fn owner_handle(request: types::Request) -> LocalBoxFuture<'static, Handled> {
    Box::pin(handle(request))
}

type Handled = Result<types::Response, ErrorCode>;

async fn handle(request: types::Request) -> Handled {
    let loaded = loaded().await;
    let Loaded { platform, maintenance } = &*loaded;
    let parts = match parts(&request) {
        Ok(parts) => parts,
        Err(refusal) => return outgoing(refusal),
    };
    let Some(address) = owner::addressed(&parts) else {
        return outgoing(maintenance.answer(platform, &parts).await);
    };
    let body = body(request, &parts, MAX_COMMAND).await;
    let response = owner::command(platform, &address, body).await;
    if owner::is_time(platform) {
        let platform = platform.clone();
        // It goes on after the answer has left, which nobody waits for.
        spawn(async move { drop(owner::pass(&platform).await) });
    }
    outgoing(response)
}

async fn loaded() -> Rc<Loaded> {
    if let Some(loaded) = HELD.with_borrow(Clone::clone) {
        return loaded;
    }
    let platform = Spin::load().await;
    let maintenance = Maintenance::load(&platform);
    let loaded = Rc::new(Loaded { platform, maintenance });
    HELD.with_borrow_mut(|held| Rc::clone(held.get_or_insert(loaded)))
}

impl Home for Spin {
    type LedgerKv<'p> = &'p Self;
    type Local<'p> = Local;

    fn choice(&self) -> Result<StoreChoice, ConfigError> {
        store::on_spin(self)
    }

    fn ledger_kv(&self) -> &Self {
        self
    }

    async fn local(&self, choice: StoreChoice) -> Result<Local, LedgerError> {
        match choice {
            StoreChoice::Redis => {
                let url = store::redis_url(self).map_err(|error| LedgerError(error.to_string()))?;
                Ok(Local::Redis(RedisStore::new(Redis::at(url))))
            }
            _ => {
                let opened = Sqlite::opened().await;
                opened.map(Local::Sqlite).map_err(|error| LedgerError(error.to_string()))
            }
        }
    }
}

/// A store that only Spin reaches.
pub enum Local {
    /// One database on one host.
    Sqlite(SqliteStore<Sqlite>),
    /// Any number of replicas.
    Redis(RedisStore<Redis>),
}

impl VersionedStore for Local {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        match self {
            Self::Sqlite(store) => store.load(address).await,
            Self::Redis(store) => store.load(address).await,
        }
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(store) => store.swap(address, expected, write).await,
            Self::Redis(store) => store.swap(address, expected, write).await,
        }
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(store) => store.remove(address, expected).await,
            Self::Redis(store) => store.remove(address, expected).await,
        }
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        match self {
            Self::Sqlite(store) => store.due(now, limit).await,
            Self::Redis(store) => store.due(now, limit).await,
        }
    }
}

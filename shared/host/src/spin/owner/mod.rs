//! The owners of the ledgers: the components that are given what only Spin reaches. One has the stores
//! that compare and swap, the other the key-value store, whose ledgers are half of the code.

mod redis;
mod sqlite;

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::request::Parts;
use ledger::{Address, Millis};
use ports::route::MAINTENANCE;
use ports::{ConfigError, LedgerError, Request, Response};
use spin_sdk::wasip3::http::types::{self, ErrorCode};
use spin_sdk::wasip3::spawn;
use stores::{
    Cas, KvLedgers, RedisStore, SqliteStore, StoreChoice, StoreError, Stored, Version,
    VersionedStore,
};

use self::redis::Redis;
use self::sqlite::Sqlite;
use super::Spin;
use super::entry::{body, outgoing, parts};
use super::fetch::{exchange, said};
use crate::owner::{self, Home, MAX_COMMAND, Maintenance, OverHttp, guarded};
use crate::{respond, store};

/// Where maintenance of the ledgers on the key-value store is asked for.
const EVENTUAL: &str = "http://ledger-kv.spin.internal/internal/maintenance";

type Handled = Result<types::Response, ErrorCode>;

/// The export of the owner of ledgers on stores that compare and swap: commands of the other functions,
/// by service chaining, and the one route. The platform lets a request from outside reach no other path
/// than that of the route.
///
/// # Errors
/// If the platform's own types refuse a response.
// Boxed, so that all of it is compiled in this crate and not once more in the function's.
pub fn owner_handle(request: types::Request) -> LocalBoxFuture<'static, Handled> {
    Box::pin(handle::<Strong>(request))
}

/// The same of the owner of ledgers on the key-value store, which has no route of its own.
///
/// # Errors
/// If the platform's own types refuse a response.
pub fn kv_owner_handle(request: types::Request) -> LocalBoxFuture<'static, Handled> {
    Box::pin(handle::<Eventual>(request))
}

/// A kind of owner.
pub trait Kind: 'static {
    /// Whether the route is its component's.
    const HAS_ROUTE: bool;
}

/// Of stores that compare and swap.
pub enum Strong {}

impl Kind for Strong {
    const HAS_ROUTE: bool = true;
}

/// Of the platform's key-value store.
pub enum Eventual {}

impl Kind for Eventual {
    const HAS_ROUTE: bool = false;
}

/// What an instance keeps.
struct Loaded<K> {
    platform: Spin<K>,
    maintenance: Maintenance,
}

thread_local! {
    // A component is of one kind only.
    static HELD: RefCell<Option<Rc<dyn Any>>> = const { RefCell::new(None) };
}

async fn handle<K: Kind>(request: types::Request) -> Handled
where
    Spin<K>: Home,
{
    let loaded = loaded::<K>().await;
    let Loaded { platform, maintenance } = &*loaded;
    let parts = match parts(&request) {
        Ok(parts) => parts,
        Err(refusal) => return outgoing(refusal),
    };
    let Some(address) = owner::addressed(&parts) else {
        return outgoing(match platform.elsewhere(&parts) {
            Some(request) => handed_on(request).await,
            None => maintenance.answer(platform, &parts).await,
        });
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

async fn loaded<K: Kind>() -> Rc<Loaded<K>>
where
    Spin<K>: Home,
{
    if let Some(Ok(loaded)) = HELD.with_borrow(Clone::clone).map(Rc::downcast) {
        return loaded;
    }
    let platform = Spin::load().await;
    let maintenance = Maintenance::load(&platform);
    let loaded = Rc::new(Loaded { platform, maintenance });
    HELD.set(Some(Rc::<Loaded<K>>::clone(&loaded)));
    loaded
}

impl<K: Kind> Spin<K> {
    /// What is to be handed on, as the route is one component's and the ledgers may be another's.
    fn elsewhere(&self, parts: &Parts) -> Option<Request> {
        let theirs = matches!(store::on_spin(self), Ok(StoreChoice::PlatformKv));
        if !(K::HAS_ROUTE && theirs && parts.uri.path() == MAINTENANCE) {
            return None;
        }
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = http::Uri::from_static(EVENTUAL);
        *request.headers_mut() = parts.headers.clone();
        Some(request)
    }
}

async fn handed_on(request: Request) -> Response {
    exchange(&request, false).await.unwrap_or_else(|error| {
        let facts = observe::Facts::outcome("unavailable").because(said(&error));
        respond::noted(respond::unavailable(), facts)
    })
}

impl Home for Spin<Strong> {
    type Ledgers<'p> = Cas<'p, Self, Store<'p>>;

    fn choice(&self) -> Result<StoreChoice, ConfigError> {
        store::on_spin(self)
    }

    async fn ledgers(&self) -> Result<Self::Ledgers<'_>, LedgerError> {
        let failed = |error: ConfigError| LedgerError(error.to_string());
        let choice = self.choice().map_err(failed)?;
        if let Some(store) = OverHttp::of(self, choice).map_err(failed)? {
            return Ok(guarded(self, Store::OverHttp(store)));
        }
        let store = match choice {
            StoreChoice::Redis => {
                let url = store::redis_url(self).map_err(failed)?;
                Store::Redis(RedisStore::new(Redis::at(url)))
            }
            StoreChoice::Sqlite => {
                let opened = Sqlite::opened().await;
                Store::Sqlite(opened.map_err(|error| LedgerError(error.to_string()))?)
            }
            _ => return Err(LedgerError("the ledgers are another component's".to_owned())),
        };
        Ok(guarded(self, store))
    }
}

impl Home for Spin<Eventual> {
    type Ledgers<'p> = KvLedgers<'p, Self, &'p Self>;

    fn choice(&self) -> Result<StoreChoice, ConfigError> {
        store::on_spin(self)
    }

    async fn ledgers(&self) -> Result<Self::Ledgers<'_>, LedgerError> {
        match self.choice() {
            Ok(StoreChoice::PlatformKv) => Ok(KvLedgers::new(self, self)),
            Ok(_) => Err(LedgerError("the ledgers are another component's".to_owned())),
            Err(error) => Err(LedgerError(error.to_string())),
        }
    }
}

/// A store that compares and swaps.
pub enum Store<'p> {
    /// One that is reached as it is from everywhere.
    OverHttp(OverHttp<'p, Spin<Strong>>),
    /// One database on one host.
    Sqlite(SqliteStore<Sqlite>),
    /// Any number of replicas.
    Redis(RedisStore<Redis>),
}

impl VersionedStore for Store<'_> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        match self {
            Self::OverHttp(store) => store.load(address).await,
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
            Self::OverHttp(store) => store.swap(address, expected, write).await,
            Self::Sqlite(store) => store.swap(address, expected, write).await,
            Self::Redis(store) => store.swap(address, expected, write).await,
        }
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        match self {
            Self::OverHttp(store) => store.remove(address, expected).await,
            Self::Sqlite(store) => store.remove(address, expected).await,
            Self::Redis(store) => store.remove(address, expected).await,
        }
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        match self {
            Self::OverHttp(store) => store.due(now, limit).await,
            Self::Sqlite(store) => store.due(now, limit).await,
            Self::Redis(store) => store.due(now, limit).await,
        }
    }
}

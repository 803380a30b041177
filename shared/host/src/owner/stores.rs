//! The ledgers on the stores that are reached in the same way from everywhere.

use std::rc::Rc;
use std::time::Duration;

use auth::settings::SqlSettings;
use data::NeonSql;
use ledger::{Address, Millis};
use ports::{Clock, Config, ConfigError, Fetch, KvStore, LedgerError, Ledgers, Random, Timer};
use stores::{
    Cas, Gate, KvLedgers, PostgresStore, RedisRest, RedisStore, StoreChoice, StoreError, Stored,
    Version, VersionedStore,
};

/// How long a statement may take: callers wait for eight seconds.
const SQL_TIMEOUT: Duration = Duration::from_secs(4);

thread_local! {
    static GATE: Rc<Gate> = Rc::default();
}

/// Ledgers that can tell where there is work to do.
#[expect(async_fn_in_trait, reason = "statically dispatched on single-threaded hosts")]
pub trait Due: Ledgers {
    /// Ledgers with work due now, those that have waited longest first.
    ///
    /// # Errors
    /// If the store does not answer.
    async fn due(&self, limit: u32) -> Result<Vec<Address>, LedgerError>;
}

impl<P: Clock + Timer + Random, S: VersionedStore> Due for Cas<'_, P, S> {
    async fn due(&self, limit: u32) -> Result<Vec<Address>, LedgerError> {
        Cas::due(self, limit).await
    }
}

impl<P: Clock + Timer + Random, K: KvStore> Due for KvLedgers<'_, P, K> {
    async fn due(&self, limit: u32) -> Result<Vec<Address>, LedgerError> {
        KvLedgers::due(self, limit).await
    }
}

/// Ledgers on a store that compares and swaps, behind the gate of this instance.
pub fn guarded<P: Clock + Timer + Random, S: VersionedStore>(
    platform: &P,
    store: S,
) -> Cas<'_, P, S> {
    Cas::new(platform, store).behind(GATE.with(Rc::clone))
}

/// A store that is reached over HTTP.
pub enum OverHttp<'p, P> {
    /// By the protocol of Upstash.
    Redis(RedisStore<RedisRest<'p, P>>),
    /// By the protocol of Neon.
    Postgres(PostgresStore<NeonSql<'p, P>>),
}

impl<'p, P: Config + Fetch> OverHttp<'p, P> {
    /// The one that is chosen; `None` if the choice is no such store.
    ///
    /// # Errors
    /// The first setting that is missing or malformed.
    pub fn of(platform: &'p P, choice: StoreChoice) -> Result<Option<Self>, ConfigError> {
        Ok(match choice {
            StoreChoice::RedisRest => {
                Some(Self::Redis(RedisStore::new(RedisRest::configured(platform)?)))
            }
            StoreChoice::Postgres => {
                let SqlSettings { url, connection_string, .. } = SqlSettings::load(platform)?;
                let sql = NeonSql::new(platform, url, connection_string);
                Some(Self::Postgres(PostgresStore::new(sql.with_timeout(SQL_TIMEOUT))))
            }
            _ => None,
        })
    }
}

impl<P: Fetch> VersionedStore for OverHttp<'_, P> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        match self {
            Self::Redis(store) => store.load(address).await,
            Self::Postgres(store) => store.load(address).await,
        }
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Redis(store) => store.swap(address, expected, write).await,
            Self::Postgres(store) => store.swap(address, expected, write).await,
        }
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        match self {
            Self::Redis(store) => store.remove(address, expected).await,
            Self::Postgres(store) => store.remove(address, expected).await,
        }
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        match self {
            Self::Redis(store) => store.due(now, limit).await,
            Self::Postgres(store) => store.due(now, limit).await,
        }
    }
}

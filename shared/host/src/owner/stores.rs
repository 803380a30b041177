//! The ledgers on the store that a deployment has chosen.

use std::rc::Rc;
use std::time::Duration;

use auth::settings::SqlSettings;
use data::NeonSql;
use ledger::{Address, Answer, Envelope, Millis};
use ports::{ConfigError, LedgerError, Ledgers};
use stores::{
    Cas, Gate, KvLedgers, PostgresStore, RedisRest, RedisStore, StoreChoice, StoreError, Stored,
    Version, VersionedStore,
};

use super::Home;

/// How long a statement may take: callers wait for five seconds.
const SQL_TIMEOUT: Duration = Duration::from_secs(4);

thread_local! {
    static GATE: Rc<Gate> = Rc::default();
}

/// The ledgers on the store that is chosen.
pub(super) async fn ledgers<P: Home>(platform: &P) -> Result<Chosen<'_, P>, LedgerError> {
    let failed = |error: ConfigError| LedgerError(error.to_string());
    let choice = platform.choice().map_err(failed)?;
    let store = match choice {
        StoreChoice::PlatformKv => {
            return Ok(Chosen::Kv(KvLedgers::new(platform, platform.ledger_kv())));
        }
        StoreChoice::RedisRest => {
            let redis = RedisRest::configured(platform).map_err(failed)?;
            Store::Redis(RedisStore::new(redis))
        }
        StoreChoice::Postgres => {
            let settings = SqlSettings::load(platform).map_err(failed)?;
            let sql = NeonSql::new(platform, settings.url, settings.connection_string);
            Store::Postgres(PostgresStore::new(sql.with_timeout(SQL_TIMEOUT)))
        }
        other => Store::Local(platform.local(other).await?),
    };
    Ok(Chosen::Cas(Cas::new(platform, store).behind(GATE.with(Rc::clone))))
}

pub(super) enum Chosen<'p, P: Home + 'p> {
    Cas(Cas<'p, P, Store<'p, P>>),
    Kv(KvLedgers<'p, P, P::LedgerKv<'p>>),
}

impl<P: Home> Chosen<'_, P> {
    pub(super) async fn due(&self, limit: u32) -> Result<Vec<Address>, LedgerError> {
        match self {
            Self::Cas(ledgers) => ledgers.due(limit).await,
            Self::Kv(ledgers) => ledgers.due(limit).await,
        }
    }
}

impl<P: Home> Ledgers for Chosen<'_, P> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        match self {
            Self::Cas(ledgers) => ledgers.ask(address, envelope).await,
            Self::Kv(ledgers) => ledgers.ask(address, envelope).await,
        }
    }
}

/// A store that compares and swaps.
pub(super) enum Store<'p, P: Home + 'p> {
    Redis(RedisStore<RedisRest<'p, P>>),
    Postgres(PostgresStore<NeonSql<'p, P>>),
    Local(P::Local<'p>),
}

impl<P: Home> VersionedStore for Store<'_, P> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        match self {
            Self::Redis(store) => store.load(address).await,
            Self::Postgres(store) => store.load(address).await,
            Self::Local(store) => store.load(address).await,
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
            Self::Local(store) => store.swap(address, expected, write).await,
        }
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        match self {
            Self::Redis(store) => store.remove(address, expected).await,
            Self::Postgres(store) => store.remove(address, expected).await,
            Self::Local(store) => store.remove(address, expected).await,
        }
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        match self {
            Self::Redis(store) => store.due(now, limit).await,
            Self::Postgres(store) => store.due(now, limit).await,
            Self::Local(store) => store.due(now, limit).await,
        }
    }
}

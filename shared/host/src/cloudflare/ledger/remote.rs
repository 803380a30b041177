//! Ledgers that are elsewhere: on the store that the deployment has chosen in place of the objects.
//! The commands of the other functions come here, and so does the work that is due: an object has its
//! alarm, a store has only a list.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use auth::policy;
use auth::settings::SqlSettings;
use data::NeonSql;
use ledger::{Actor, Address, Answer, Command, Envelope, Millis, Origin, Policy, Throttles};
use ports::{Clock as _, ConfigError, LedgerError, Ledgers};
use stores::{
    Cas, Gate, KvLedgers, PostgresStore, RedisRest, RedisStore, StoreChoice, StoreError, Stored,
    Version, VersionedStore,
};

use super::trail;
use super::webhooks::shared;
use crate::cloudflare::{Cloudflare, Namespace};
use crate::store;

/// How long a statement may take: callers wait for five seconds.
const SQL_TIMEOUT: Duration = Duration::from_secs(4);
/// The binding of the namespace that keeps ledgers, which must not be that of the cache.
const NAMESPACE: &str = "LEDGER_KV";
/// Ledgers that one pass works on.
const PASS: u32 = 50;
/// A busy deployment does the work that is due so often, in milliseconds, and does not wait for
/// the schedule.
const BETWEEN_PASSES: Millis = 15_000;

thread_local! {
    static GATE: Rc<Gate> = Rc::default();
    static THROTTLES: RefCell<Throttles> = RefCell::default();
    static LAST_PASS: Cell<Millis> = const { Cell::new(0) };
}

/// Execute a command on the chosen store.
///
/// # Errors
/// If the store is not configured or does not answer.
pub(in crate::cloudflare) async fn execute(
    platform: &Cloudflare,
    address: &Address,
    envelope: &Envelope,
) -> Result<Answer, LedgerError> {
    let now = platform.now();
    let admitted = THROTTLES.with(|throttles| throttles.borrow_mut().admit(address, envelope, now));
    match admitted {
        Ok(_) => ledgers(platform)?.ask(address, envelope).await,
        Err(limited) => Ok(Answer::limited(limited)),
    }
}

/// Whether this instance should see to the work that is due; if so, it will not be asked again for a
/// while.
pub(in crate::cloudflare) fn is_time(platform: &Cloudflare) -> bool {
    let now = platform.now();
    LAST_PASS.with(|last| {
        let over = now.abs_diff(last.get()) >= BETWEEN_PASSES;
        if over {
            last.set(now);
        }
        over
    })
}

/// Sweep the ledgers that have waited longest, and deliver what they have to tell. It never fails: the
/// next pass finds what this one has left.
pub(in crate::cloudflare) async fn pass(platform: &Cloudflare) {
    // Objects have their alarms.
    if matches!(store::on_workers(platform), Ok(StoreChoice::DurableObject)) {
        return;
    }
    if let Err(error) = work(platform).await {
        trail::complain(platform, "maintenance_failed", &error);
    }
}

async fn work(platform: &Cloudflare) -> Result<(), String> {
    let policy = policy::load(platform).map_err(|error| error.to_string())?;
    let ledgers = ledgers(platform).map_err(|error| error.to_string())?;
    let mut delivers = true;
    for address in ledgers.due(PASS).await.map_err(|error| error.to_string())? {
        // First, as it moves the ledger behind all others, whatever becomes of the deliveries.
        let swept = ledgers.execute(&address, &own(Command::Sweep, &policy)).await;
        swept.map_err(|error| error.to_string())?;
        announce(platform, &ledgers, &address, &policy).await?;
        if !delivers {
            continue;
        }
        if let Err(error) = trail::deliver(&ledgers, platform, &address, &policy).await {
            // The same would be said of each: what is swept is swept, the rest is for later.
            trail::complain(platform, "audit_delivery_failed", &error);
            delivers = false;
        }
    }
    Ok(())
}

/// Deliver the ledger's announcements. Webhooks that fail are no error.
async fn announce(
    platform: &Cloudflare,
    ledgers: &impl Ledgers,
    address: &Address,
    policy: &Policy,
) -> Result<(), String> {
    if !policy.webhooks {
        return Ok(());
    }
    let shared = shared(platform);
    let settings = shared.settings.as_ref().map_err(ToString::to_string)?;
    let delivered = ::webhooks::deliver(platform, settings, &shared.breakers, async |command| {
        ledgers.execute(address, &own(command, policy)).await
    });
    delivered.await.map_err(|error| error.to_string())
}

fn own(command: Command, policy: &Policy) -> Envelope {
    let origin = Origin { actor: Actor::Service, ..Origin::default() };
    Envelope { command, policy: policy.clone(), origin }
}

fn ledgers(platform: &Cloudflare) -> Result<Chosen<'_>, LedgerError> {
    let failed = |error: ConfigError| LedgerError(error.to_string());
    if store::on_workers(platform).map_err(failed)? == StoreChoice::PlatformKv {
        let namespace = Namespace::new(&platform.env, NAMESPACE);
        return Ok(Chosen::Kv(KvLedgers::new(platform, namespace)));
    }
    let store = Remote::of(platform).map_err(failed)?;
    Ok(Chosen::Cas(Cas::new(platform, store).behind(GATE.with(Rc::clone))))
}

/// The ledgers on the chosen store.
enum Chosen<'a> {
    Cas(Cas<'a, Cloudflare, Remote<'a>>),
    Kv(KvLedgers<'a, Cloudflare, Namespace<'a>>),
}

impl Chosen<'_> {
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

/// A store that is reached over HTTP.
enum Remote<'a> {
    Redis(RedisStore<RedisRest<'a, Cloudflare>>),
    Postgres(PostgresStore<NeonSql<'a, Cloudflare>>),
}

impl<'a> Remote<'a> {
    fn of(platform: &'a Cloudflare) -> Result<Self, ConfigError> {
        let setting = store::LEDGER_STORE;
        match store::on_workers(platform)? {
            StoreChoice::RedisRest => {
                Ok(Self::Redis(RedisStore::new(RedisRest::configured(platform)?)))
            }
            StoreChoice::Postgres => {
                let SqlSettings { url, connection_string, .. } = SqlSettings::load(platform)?;
                let sql = NeonSql::new(platform, url, connection_string);
                Ok(Self::Postgres(PostgresStore::new(sql.with_timeout(SQL_TIMEOUT))))
            }
            _ => Err(ConfigError { setting, problem: "names no store of this function" }),
        }
    }
}

impl VersionedStore for Remote<'_> {
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

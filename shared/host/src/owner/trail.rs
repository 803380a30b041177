//! Delivery of the audit trail by whoever owns the ledger, its retention, and that of clients that
//! nobody uses any more.

use std::time::Duration;

use audit::deliver::BATCH;
use audit::retain::{self, DAYS, Retained};
use audit::{Deliverer, DeliveryError, Seals};
use auth::settings::TrailSettings;
use breaker::Guarded;
use data::NeonSql;
use ledger::{Address, Policy};
use ports::{Clock, Config, Fetch, Kv, Ledgers, Log, Random};

use super::webhooks::shared;

/// Whoever deletes looks at all rows first.
const PATIENCE: Duration = Duration::from_secs(60);
/// Batches of one attempt: more than an outbox can hold.
const BATCHES: usize = 16;
/// Says in the key-value store that it was done, for so long. That it was done twice does no harm.
const RETAINED: &str = "maintenance/retained";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Deliver all that is pending, and tell how many events are stored.
///
/// # Errors
/// For the log, if something is pending still.
pub async fn deliver(
    ledgers: &impl Ledgers,
    platform: &(impl Clock + Config + Fetch + Random),
    address: &Address,
    policy: &Policy,
) -> Result<u32, String> {
    let TrailSettings { sql, keys, .. } =
        TrailSettings::load(platform).map_err(|error| error.to_string())?;
    let shared = shared(platform);
    let guarded = Guarded::new(platform, Some(&shared.breakers));
    let sql = NeonSql::new(&guarded, sql.url, sql.connection_string);
    let seals = Seals::new(keys);
    let deliverer = Deliverer { ledgers, sql: &sql, seals: &seals, policy };
    let mut events = 0_u32;
    for _ in 0..BATCHES {
        let delivered = deliverer.deliver(address, BATCH).await;
        let delivered = delivered.map_err(|error: DeliveryError| error.to_string())?;
        events = events.saturating_add(delivered.events);
        if delivered.pending == 0 {
            break;
        }
    }
    Ok(events)
}

/// The same as [`retain`], if nobody has done it for a day.
///
/// # Errors
/// As there.
pub(super) async fn retain_daily(
    platform: &(impl Clock + Config + Fetch + Kv + Log),
) -> Result<Option<Retained>, String> {
    if matches!(Kv::get(platform, RETAINED).await, Ok(Some(_))) {
        return Ok(None);
    }
    retain(platform).await.map(Some)
}

/// Delete what is old of all trails, and the clients that have registered themselves and are over, and
/// say in the log how much it was.
///
/// # Errors
/// If the database is away or refuses, which is in the log too.
pub async fn retain(
    platform: &(impl Clock + Config + Fetch + Kv + Log),
) -> Result<Retained, String> {
    let retained = shorten(platform).await.inspect_err(|error| {
        complain(platform, "audit_retention_failed", error);
    })?;
    for (ledger, number, problem) in &retained.refused {
        let cause = format!("ledger {ledger} event {number}: {problem}");
        complain(platform, "audit_retention_refused", &cause);
    }
    // Those that are left over are nobody's, and the next day is soon enough for them.
    let clients = forget_clients(platform).await.inspect_err(|error| {
        complain(platform, "client_retention_failed", error);
    });
    let line = serde_json::json!({
        "severity": "INFO",
        "service.name": "ledger",
        "outcome": "audit_retained",
        "ledgers": retained.ledgers,
        "events": retained.events,
        "clients": clients.unwrap_or_default(),
    });
    platform.line(&line.to_string());
    // A mark that is not stored costs a look at the rows.
    let _ = platform.put(RETAINED, b"1", DAY).await;
    Ok(retained)
}

async fn shorten(platform: &(impl Clock + Config + Fetch)) -> Result<Retained, String> {
    let TrailSettings { sql, keys, days } =
        TrailSettings::load(platform).map_err(|error| error.to_string())?;
    let sql = NeonSql::new(platform, sql.url, sql.connection_string).with_timeout(PATIENCE);
    let (seals, days) = (Seals::new(keys), days.unwrap_or(DAYS));
    retain::retain(&sql, &seals, platform.now(), days).await.map_err(|error| error.to_string())
}

async fn forget_clients(platform: &(impl Config + Fetch)) -> Result<u64, String> {
    let TrailSettings { sql, .. } =
        TrailSettings::load(platform).map_err(|error| error.to_string())?;
    let sql = NeonSql::new(platform, sql.url, sql.connection_string).with_timeout(PATIENCE);
    data::clients::expire(&sql).await.map_err(|error| error.to_string())
}

/// A line in the log about what the owner did by itself.
pub fn complain(platform: &impl Log, outcome: &str, cause: &str) {
    let line = serde_json::json!({
        "severity": "ERROR",
        "service.name": "ledger",
        "outcome": outcome,
        "error.message": cause,
    });
    platform.line(&line.to_string());
}

//! Delivery of the audit trail by whoever owns the ledger.

use std::time::Duration;

use audit::deliver::BATCH;
use audit::retain::{self, DAYS, Retained};
use audit::{Deliverer, DeliveryError, Seals};
use auth::settings::TrailSettings;
use breaker::Guarded;
use data::NeonSql;
use ledger::{Address, Answer, Envelope, Policy};
use ports::{Clock as _, LedgerError, Ledgers, Log as _};

use super::object::Ledger;
use super::webhooks::shared;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::platform::fill;

/// Whoever deletes looks at all rows first.
const PATIENCE: Duration = Duration::from_secs(60);
/// Batches of one attempt: more than an outbox can hold.
const BATCHES: usize = 16;

/// Deliver all that is pending.
///
/// # Errors
/// For the log, if something is pending still.
pub(super) async fn deliver(
    ledgers: &impl Ledgers,
    platform: &Cloudflare,
    address: &Address,
    policy: &Policy,
) -> Result<(), String> {
    let TrailSettings { sql, keys, .. } =
        TrailSettings::load(platform).map_err(|error| error.to_string())?;
    let shared = shared(platform);
    let guarded = Guarded::new(platform, Some(&shared.breakers));
    let sql = NeonSql::new(&guarded, sql.url, sql.connection_string);
    let seals = Seals::new(keys);
    let deliverer = Deliverer { ledgers, sql: &sql, seals: &seals, policy };
    for _ in 0..BATCHES {
        let delivered = deliverer.deliver(address, BATCH).await;
        if delivered.map_err(|error: DeliveryError| error.to_string())?.pending == 0 {
            break;
        }
    }
    Ok(())
}

/// Delete what is old of all trails, and say in the log how much it was.
pub(super) async fn retain(platform: &Cloudflare) {
    match shorten(platform).await {
        Ok(Retained { ledgers, events, refused }) => {
            for (ledger, number, problem) in &refused {
                let cause = format!("ledger {ledger} event {number}: {problem}");
                complain(platform, "audit_retention_refused", &cause);
            }
            let line = serde_json::json!({
                "severity": "INFO",
                "service.name": "ledger",
                "outcome": "audit_retained",
                "ledgers": ledgers,
                "events": events,
            });
            platform.line(&line.to_string());
        }
        Err(error) => complain(platform, "audit_retention_failed", &error),
    }
}

async fn shorten(platform: &Cloudflare) -> Result<Retained, String> {
    let TrailSettings { sql, keys, days } =
        TrailSettings::load(platform).map_err(|error| error.to_string())?;
    let sql = NeonSql::new(platform, sql.url, sql.connection_string).with_timeout(PATIENCE);
    let (seals, days) = (Seals::new(keys), days.unwrap_or(DAYS));
    retain::retain(&sql, &seals, platform.now(), days).await.map_err(|error| error.to_string())
}

/// A line in the log about what the object did by itself.
pub(super) fn complain(platform: &Cloudflare, outcome: &str, cause: &str) {
    let line = serde_json::json!({
        "severity": "ERROR",
        "service.name": "ledger",
        "outcome": outcome,
        "error.message": cause,
    });
    platform.line(&line.to_string());
}

/// Jitter.
pub(super) fn random() -> u16 {
    let mut bytes = [0; 2];
    fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

/// The object's own ledger, whatever the address.
pub(super) struct Own<'a>(pub(super) &'a Ledger);

impl Ledgers for Own<'_> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let applied = self.0.execute(Some(*address), envelope.clone());
        applied.map(Answer::from).map_err(|error| LedgerError(error.to_string()))
    }
}

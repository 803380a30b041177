//! Delivery of the audit trail by the object that owns the ledger.

use audit::deliver::BATCH;
use audit::{Deliverer, DeliveryError, Seals};
use auth::settings::TrailSettings;
use data::NeonSql;
use ledger::{Address, Answer, Envelope, Policy};
use ports::{LedgerError, Ledgers, Log as _};

use super::object::Ledger;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::platform::fill;

/// Batches of one attempt: more than an outbox can hold.
const BATCHES: usize = 16;

/// Deliver all that is pending.
///
/// # Errors
/// For the log, if something is pending still.
pub(super) async fn deliver(
    object: &Ledger,
    platform: &Cloudflare,
    address: &Address,
    policy: &Policy,
) -> Result<(), String> {
    let TrailSettings { sql, keys } =
        TrailSettings::load(platform).map_err(|error| error.to_string())?;
    let sql = NeonSql::new(platform, sql.url, sql.connection_string);
    let (ledgers, seals) = (Own(object), Seals::new(keys));
    let deliverer = Deliverer { ledgers: &ledgers, sql: &sql, seals: &seals, policy };
    for _ in 0..BATCHES {
        let delivered = deliverer.deliver(address, BATCH).await;
        if delivered.map_err(|error: DeliveryError| error.to_string())?.pending == 0 {
            break;
        }
    }
    Ok(())
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
struct Own<'a>(&'a Ledger);

impl Ledgers for Own<'_> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let applied = self.0.execute(Some(*address), envelope.clone());
        applied.map(Answer::from).map_err(|error| LedgerError(error.to_string()))
    }
}

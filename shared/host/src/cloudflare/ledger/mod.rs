//! The owner of the ledgers: the Durable Object, its storage, and what it does by its alarm.

mod object;
mod storage;
mod trail;
mod webhooks;

pub use object::Ledger;

/// The `scheduled` event of the owner: retention of the audit trail. What goes wrong is in the log, and
/// tried again at the next one.
pub async fn scheduled_event(env: worker::Env) {
    trail::retain(&super::Cloudflare::new(env)).await;
}

//! The owner of the ledgers: the Durable Object, its storage, what it does by its alarm; what stores need
//! of the platform that a deployment may choose in its place; and the publisher of what ledgers revoke.

mod home;
mod object;
mod pending;
mod revocations;
mod storage;
mod trail;
mod webhooks;

use worker::wasm_bindgen::JsValue;

use crate::owner;

pub use object::Ledger;
pub use revocations::Revocations;

/// The schedule of retention; the other one is of the work that is due on stores without alarms.
const DAILY: &str = "17 3 * * *";

/// The `scheduled` event of the owner, for one of the schedules of its `wrangler.toml`. What goes wrong
/// is in the log, and tried again at the next one.
pub async fn scheduled_event(event: &JsValue, env: worker::Env) {
    let platform = super::Cloudflare::new(env);
    let cron = worker::js_sys::Reflect::get(event, &"cron".into()).ok();
    if cron.and_then(|cron| cron.as_string()).as_deref() == Some(DAILY) {
        let _ = owner::retain(&platform).await;
    } else {
        let _ = owner::pass(&platform).await;
    }
}

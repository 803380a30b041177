use std::time::Duration;

use ports::Publisher;
use snapshot::Report;
use worker::wasm_bindgen::JsValue;
use worker::{Env, Method, RequestInit};

use super::Cloudflare;
use super::platform::within;

const BINDING: &str = "REVOCATIONS";
/// Any URL will do: the object has one purpose.
const URL: &str = "https://revocations/";
/// A publisher that takes longer is away. Whoever asks for a revocation waits for it.
const LONGEST: Duration = Duration::from_secs(2);

impl Publisher for Cloudflare {
    async fn poke(&self, shard: u8) {
        // Whoever reads next tries again.
        let _ = send(&self.env, &Report { shard, revocations: Vec::new() }).await;
    }
}

/// Send a report to the publisher of its shard. Once this returns, it is stored there.
pub(super) async fn send(env: &Env, report: &Report) -> worker::Result<()> {
    let body = serde_json::to_string(report)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(JsValue::from_str(&body)));
    let request = worker::Request::new_with_init(URL, &init)?;
    let publisher = env.durable_object(BINDING)?.get_by_name(&report.shard.to_string())?;
    let Some(answer) = within(LONGEST, publisher.fetch_with_request(request)).await else {
        return Err("the publisher does not answer".into());
    };
    let mut answer = answer?;
    match answer.status_code() {
        200 => Ok(()),
        _ => Err(answer.text().await?.into()),
    }
}

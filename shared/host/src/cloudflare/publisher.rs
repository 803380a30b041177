use std::time::Duration;

use ports::Publisher;
use snapshot::Report;
use worker::Env;

use super::Cloudflare;
use super::exchange::post;
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
    let publisher = env.durable_object(BINDING)?.get_by_name(&report.shard.to_string())?;
    let Some(answer) = within(LONGEST, post(&publisher.into_rpc(), URL, &body)).await else {
        return Err("the publisher does not answer".into());
    };
    match answer? {
        (200, _) => Ok(()),
        (_, problem) => Err(String::from_utf8_lossy(&problem).into_owned().into()),
    }
}

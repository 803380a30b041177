use std::time::Duration;

use breaker::{Breakers, Guarded};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{StatusCode, header};
use ledger::{Claimed, Command, Millis, Outcome, Settle, Settled, Webhook};
use ports::{Clock, Fetch, Kv, LedgerError, Log, Random, Request, StatusOnly};
use serde_json::{Value, json};

use crate::{Endpoint, Message, Settings};

/// An endpoint that takes longer has not taken the message.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// Messages of one claim. They are sent one after the other, each to all endpoints at once, so that
/// a claim is over well before its lease.
pub const BATCH: u32 = 4;
/// Claims of one run; what is left is due still, and the next run's.
const CLAIMS: u32 = 8;
/// The wait after the first attempt; after each further one it is six times as long …
const FIRST: Millis = 5_000;
/// … up to this.
const LONGEST: Millis = 8 * 60 * 60 * 1000;
/// With the waits of these, the last attempt is more than 26 hours after the first.
const ATTEMPTS: u32 = 9;
/// An endpoint that says that it is gone is not asked again for so long.
const GONE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Deliver what is due in one ledger, which `execute` sends commands to. Each message goes to every
/// endpoint that has not taken it yet; one that is away holds up no other.
///
/// 2xx means taken. 410 means that the endpoint is gone: it is not asked any more. Anything else, a
/// redirect too, is a failure and tried again, for more than a day.
///
/// # Errors
/// If the ledger does not answer; what was claimed is due again when the lease is over.
pub async fn deliver<P: Clock + Random + Fetch + Kv + Log>(
    platform: &P,
    settings: &Settings,
    breakers: &Breakers,
    execute: impl AsyncFn(Command) -> Result<Outcome, LedgerError>,
) -> Result<(), LedgerError> {
    let courier = Courier { platform, settings, breakers };
    for _ in 0..CLAIMS {
        let outcome = execute(Command::ClaimWebhooks { limit: BATCH }).await?;
        let Outcome::Webhooks(Claimed { owner, webhooks, dropped }) = outcome else {
            return Err(LedgerError(outcome.out_of_turn()));
        };
        if dropped > 0 {
            courier.log("ERROR", "webhooks_dropped", json!({ "webhook.count": dropped }));
        }
        if webhooks.is_empty() {
            break;
        }
        for webhook in webhooks {
            let (id, lease) = (webhook.id, webhook.next_at);
            let then = courier.attempt(owner.as_deref(), webhook).await;
            execute(Command::SettleWebhook(Settle { id, lease, then })).await?;
        }
    }
    Ok(())
}

/// How long to wait after the attempt of that number, from 1; `None` if it was the last. `random`
/// makes the wait up to a quarter longer, so that what failed together does not come back together.
pub fn retry_after(attempt: u32, random: u32) -> Option<Millis> {
    if attempt >= ATTEMPTS {
        return None;
    }
    let wait = FIRST.saturating_mul(6_u64.saturating_pow(attempt.saturating_sub(1))).min(LONGEST);
    Some(wait + wait / 4 * Millis::from(random) / Millis::from(u32::MAX))
}

struct Courier<'a, P> {
    platform: &'a P,
    settings: &'a Settings,
    breakers: &'a Breakers,
}

/// What became of one attempt at one endpoint.
enum Answer {
    Taken,
    Gone,
    /// Or it was not asked, because it failed a moment ago.
    Failed(String),
}

impl<P: Clock + Random + Fetch + Kv + Log> Courier<'_, P> {
    /// Send one message to all endpoints that are to have it still.
    async fn attempt(&self, owner: Option<&str>, webhook: Webhook) -> Settled {
        let Webhook { id, event, attempts, mut settled, .. } = webhook;
        let (id, body) = (Message::id(&id), Bytes::from(Message::of(owner, &event).to_json()));
        let open = self.settings.endpoints.iter().filter(|one| !settled.contains(&one.name));
        let open: Vec<&Endpoint> = open.collect();
        let answers = join_all(open.iter().map(|one| self.send(one, &id, &body))).await;
        for (endpoint, answer) in open.iter().zip(answers) {
            if let Answer::Taken | Answer::Gone = answer {
                settled.push(endpoint.name.clone());
            }
            self.note(endpoint, &id, event.kind.as_str(), attempts, &answer);
        }
        if self.settings.endpoints.iter().all(|endpoint| settled.contains(&endpoint.name)) {
            return Settled::Done;
        }
        match retry_after(attempts, self.platform.number()) {
            Some(wait) => Settled::Retry { at: self.platform.now() + wait, settled },
            None => Settled::GivenUp,
        }
    }

    async fn send(&self, endpoint: &Endpoint, id: &str, body: &Bytes) -> Answer {
        let gone = format!("webhook-gone/{}", endpoint.name);
        // A cache that does not answer says nothing of the endpoint.
        if let Ok(Some(_)) = self.platform.get(&gone).await {
            return Answer::Gone;
        }
        let request = match self.request(endpoint, id, body) {
            Ok(request) => request,
            Err(error) => return Answer::Failed(error.to_string()),
        };
        let guarded = Guarded::new(self.platform, Some(self.breakers));
        match guarded.fetch(request, TIMEOUT).await.map(|response| response.status()) {
            Ok(status) if status.is_success() => Answer::Taken,
            Ok(StatusCode::GONE) => {
                // If this is not kept, it will say so again.
                let _ = self.platform.put(&gone, b"410", GONE).await;
                Answer::Gone
            }
            Ok(status) => Answer::Failed(format!("status {}", status.as_u16())),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }

    fn request(&self, endpoint: &Endpoint, id: &str, body: &Bytes) -> http::Result<Request> {
        let now = self.platform.now() / 1000;
        http::Request::post(&endpoint.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "atoms-edge-webhooks")
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", endpoint.secrets.sign(id, now, body))
            .extension(StatusOnly)
            .body(body.clone())
    }

    fn note(&self, endpoint: &Endpoint, id: &str, kind: &str, attempt: u32, answer: &Answer) {
        let (severity, outcome, cause) = match answer {
            Answer::Taken => ("INFO", "webhook_taken", None),
            Answer::Gone => ("ERROR", "webhook_gone", None),
            Answer::Failed(cause) if attempt >= ATTEMPTS => {
                ("ERROR", "webhook_given_up", Some(cause))
            }
            Answer::Failed(cause) => ("WARN", "webhook_failed", Some(cause)),
        };
        let facts = json!({
            "webhook.id": id,
            "webhook.type": kind,
            "webhook.endpoint": endpoint.name,
            "webhook.attempt": attempt,
            "error.message": cause,
        });
        self.log(severity, outcome, facts);
    }

    fn log(&self, severity: &str, outcome: &str, mut line: Value) {
        line["timestamp"] = self.platform.now().into();
        line["severity"] = severity.into();
        line["service.name"] = "ledger".into();
        line["outcome"] = outcome.into();
        self.platform.line(&line.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_for_more_than_a_day_with_growing_waits() {
        let waits: Vec<_> = (1..).map_while(|attempt| retry_after(attempt, 0)).collect();
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
        assert_eq!(waits[..3], [5_000, 30_000, 180_000]);
        assert!(waits.iter().sum::<Millis>() >= 24 * 60 * 60 * 1000, "{waits:?}");
        assert_eq!(retry_after(ATTEMPTS, 0), None);
        assert_eq!(retry_after(u32::MAX, 0), None);
    }

    #[test]
    fn randomness_makes_a_wait_up_to_a_quarter_longer() {
        for attempt in 1..ATTEMPTS {
            let (least, most) = (retry_after(attempt, 0), retry_after(attempt, u32::MAX));
            let (least, most) = (least.unwrap(), most.unwrap());
            assert_eq!(most, least + least / 4);
            assert!((least..=most).contains(&retry_after(attempt, 12_345_678).unwrap()));
        }
    }
}

//! What happens when a part is away, crashes or is misconfigured, and when time passes. Each test
//! starts a stack of its own, or shares the one whose sessions are short.
#![expect(clippy::disallowed_methods, reason = "a native test: it has a clock")]

mod audit;
mod authkit;
mod breakers;
mod contract;
mod crash;
mod edge;
mod granted;
mod guarded;
mod limits;
mod log;
mod misconfigured;
mod not_before;
mod postgres;
mod provider;
mod rotation;
mod short;
mod stores;
mod times;
mod upstream;
mod webhooks;
mod workos;

use std::time::Duration;

use anyhow::Result;
use e2e::{Answer, World};

/// An OAuth endpoint cannot decide at the moment.
fn unavailable(answer: &Answer) {
    let got = (answer.status, answer.error());
    assert_eq!(got, (503, "temporarily_unavailable"), "{}", answer.text);
    let seconds = answer.header("retry-after").parse::<u32>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0), "there is no Retry-After");
}

/// The state of the service and of one of its dependencies.
async fn health(world: &World, dependency: &str) -> Result<(u16, String, String)> {
    let answer = world.api.get("/health/ready").await?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let part = text(&answer.body["checks"][dependency]["status"]);
    Ok((answer.status, text(&answer.body["status"]), part))
}

fn is(status: u16, whole: &str, part: &str) -> (u16, String, String) {
    (status, whole.to_owned(), part.to_owned())
}

async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

//! Webhooks, from a theft to a receiver of ours.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::World;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use stack::{Stack, StackOptions};

use crate::misconfigured::wait_for;
use crate::seconds;

/// The key that is being replaced, and the one that the receiver knows.
const KEYS: [[u8; 32]; 2] = [[1; 32], [2; 32]];

/// An endpoint. Its server ends with the test's runtime.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// So many requests are answered 503 from now on.
    failing: u32,
    requests: Vec<Request>,
}

/// One request as it came.
#[derive(Clone)]
struct Request {
    headers: HeaderMap,
    body: Bytes,
    taken: bool,
}

impl Receiver {
    async fn start() -> Result<Self> {
        let seen = Arc::<Mutex<Seen>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let app = axum::Router::new().route("/hook", post(receive)).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, seen })
    }

    fn fail(&self, times: u32) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).failing = times;
    }

    /// The requests about a session, in order.
    fn about(&self, session: &str) -> Vec<Request> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let about = |one: &&Request| one.message()["data"]["session_id"] == session;
        seen.requests.iter().filter(about).cloned().collect()
    }

    /// The requests about a session, once there are so many that were taken.
    async fn taken(&self, session: &str, count: usize) -> Result<Vec<Request>> {
        let since = Instant::now();
        loop {
            let requests = self.about(session);
            if requests.iter().filter(|one| one.taken).count() >= count {
                return Ok(requests);
            }
            ensure!(since.elapsed() < Duration::from_secs(30), "it was not delivered");
            seconds(0.1).await;
        }
    }
}

async fn receive(
    State(seen): State<Arc<Mutex<Seen>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = seen.failing == 0;
    seen.failing = seen.failing.saturating_sub(1);
    seen.requests.push(Request { headers, body, taken });
    if taken { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
}

impl Request {
    fn message(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether one of the signatures is by the key, as a receiver checks it.
    fn is_signed(&self, key: &[u8], body: &[u8]) -> bool {
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
        let mac = mac.chain_update(format!("{id}.{at}.")).chain_update(body);
        let own = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.header("webhook-signature").split(' ').any(|signature| signature == own)
    }

    /// It was signed just now.
    fn is_fresh(&self) -> Result<bool> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let at: u64 = self.header("webhook-timestamp").parse()?;
        Ok(now.abs_diff(at) <= 60)
    }
}

#[tokio::test]
async fn a_theft_and_a_sign_out_are_announced_signed_and_retried_without_postgres() -> Result<()> {
    let receiver = Receiver::start().await?;
    let secrets = KEYS.map(|key| format!("whsec_{}", STANDARD.encode(key))).join(" ");
    let settings = [("WEBHOOK_URLS", receiver.url.clone()), ("WEBHOOK_SECRETS", secrets)];
    let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let mut stack = Stack::start(StackOptions { settings, ..StackOptions::default() }).await?;
    let world = World::of(stack.info())?;
    let person = world.person().await?;
    let (stolen, other) = (person.session("atoms-web").await?, person.session("atoms-cli").await?);
    let stolen_id = session_id(&stolen.access)?;
    let other_id = session_id(&other.access)?;
    stack.stop_proxy();

    // A thief comes with a token that was replaced long ago.
    let replaced = stolen.refresh.clone();
    let client = stolen.client.clone();
    stolen.refreshed(&world.api).await?.refreshed(&world.api).await?;
    let reused = world.api.refresh(&client, &replaced, &[]).await?;
    ensure!((reused.status, reused.error()) == (400, "invalid_grant"), "{}", reused.text);
    let told = receiver.taken(&stolen_id, 1).await?.remove(0);
    let message = told.message();
    ensure!(message["type"] == "token.reuse_detected", "{message}");
    ensure!(message["data"]["client_id"] == "atoms-web", "{message}");
    for key in KEYS {
        ensure!(told.is_signed(&key, &told.body), "while keys rotate, each of them signs");
    }
    let forged = told.body.to_vec().repeat(2);
    ensure!(!told.is_signed(&KEYS[0], &forged), "a changed body has another signature");
    ensure!(told.is_fresh()?, "{}", told.header("webhook-timestamp"));

    // A receiver that fails at first.
    receiver.fail(1);
    world.api.revoke(&other.client, &other.refresh, &[]).await?.expect(200, "revoke")?;
    let attempts = receiver.taken(&other_id, 1).await?;
    ensure!(attempts.iter().map(|one| one.taken).eq([false, true]), "{}", attempts.len());
    ensure!(attempts[1].message()["type"] == "session.revoked");
    ensure!(attempts[0].header("webhook-id") == attempts[1].header("webhook-id"));
    ensure!(attempts[1].is_signed(&KEYS[1], &attempts[1].body) && attempts[1].is_fresh()?);
    ensure!(receiver.about(&stolen_id).len() == 1, "the theft was told exactly once");

    // What could not be delivered is not served.
    stack.kill_functions();
    stack.set("ledger", "WEBHOOK_SECRETS", Some("canary"))?;
    stack.start_functions().await?;
    let answer = world.api.refresh(&client, &replaced, &[]).await?;
    crate::unavailable(&answer);
    wait_for(stack.info(), &["WEBHOOK_SECRETS"]).await?;
    Ok(())
}

fn session_id(access: &str) -> Result<String> {
    let claims = e2e::claims(access)?;
    Ok(claims["sid"].as_str().context("no sid")?.to_owned())
}

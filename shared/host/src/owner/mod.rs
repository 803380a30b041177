//! The owner of the ledgers, as far as it is the same on every platform: the way to the stores that a
//! deployment may choose, the work that is due on them, and its delivery. A store has no alarms as a
//! Durable Object has, only a list of the ledgers with work due.

mod maintenance;
mod stores;
mod trail;
mod webhooks;

use std::cell::{Cell, RefCell};

use ::ledger::{Actor, Address, Answer, Command, Envelope, Millis, Origin, Policy, Throttles};
use ::stores::StoreChoice;
use auth::policy;
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use ports::{
    Clock, Config, ConfigError, Fetch, Kv, LedgerError, Ledgers, Log, Random, Response, Timer,
};

use crate::{BodyError, respond};

pub use self::stores::{Due, OverHttp, guarded};
pub use maintenance::Maintenance;
pub use trail::{complain, deliver, retain};
pub use webhooks::{Shared, ready, shared};

/// A command has at most so many bytes; a hundred tokens to revoke have fewer.
pub const MAX_COMMAND: usize = 256 * 1024;
/// Ledgers that one pass works on.
const PASS: u32 = 50;
/// A busy deployment does the work that is due so often, in milliseconds, and does not wait for
/// the schedule.
const BETWEEN_PASSES: Millis = 15_000;

/// What the owner of the ledgers needs of its platform.
#[expect(async_fn_in_trait, reason = "statically dispatched on single-threaded hosts")]
pub trait Home: Clock + Timer + Random + Config + Log + Fetch + Kv {
    /// The ledgers on the chosen store.
    type Ledgers<'p>: Due
    where
        Self: 'p;

    /// The store that the deployment has chosen, of those that the platform offers.
    ///
    /// # Errors
    /// If it has chosen none of them.
    fn choice(&self) -> Result<StoreChoice, ConfigError>;

    /// The ledgers on that store.
    ///
    /// # Errors
    /// If a setting is wrong, or the store cannot be opened.
    async fn ledgers(&self) -> Result<Self::Ledgers<'_>, LedgerError>;
}

/// What a pass has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pass {
    /// Ledgers that were swept.
    pub swept: u32,
    /// Events of the audit trail that are in Postgres by now.
    pub delivered: u32,
    /// Whether more ledgers have work due.
    pub remaining: bool,
}

thread_local! {
    static THROTTLES: RefCell<Throttles> = RefCell::default();
    static LAST_PASS: Cell<Millis> = const { Cell::new(0) };
}

/// The ledger that a request has a command for; `None` if it has none. Only our own functions send such
/// a request.
pub fn addressed(parts: &Parts) -> Option<Address> {
    let address = parts.uri.path().strip_prefix('/')?.parse().ok();
    address.filter(|_| parts.method == Method::POST)
}

/// Answer one of our own functions, which writes a failure to the log.
pub async fn command(
    platform: &impl Home,
    address: &Address,
    body: Result<Bytes, BodyError>,
) -> Response {
    // What could not be delivered is not taken.
    if let Err(error) = ready(platform) {
        complain(platform, "misconfigured", &error.to_string());
        let detail = "the owner of the ledgers is misconfigured";
        return respond::problem(StatusCode::SERVICE_UNAVAILABLE, "misconfigured", detail);
    }
    let Some(envelope) = body.ok().and_then(|body| serde_json::from_slice(&body).ok()) else {
        return respond::problem(StatusCode::BAD_REQUEST, "invalid_request", "unreadable command");
    };
    match execute(platform, address, &envelope).await.map_err(|error| error.to_string()) {
        Ok(answer) => respond::json(StatusCode::OK, &answer),
        Err(error) => respond::problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &error),
    }
}

async fn execute(
    platform: &impl Home,
    address: &Address,
    envelope: &Envelope,
) -> Result<Answer, LedgerError> {
    let now = platform.now();
    let admitted = THROTTLES.with(|throttles| throttles.borrow_mut().admit(address, envelope, now));
    match admitted {
        Ok(spent) => {
            let answer = platform.ledgers().await?.ask(address, envelope).await?;
            Ok(Answer { budget: answer.budget.or(spent), ..answer })
        }
        Err(limited) => Ok(Answer::limited(limited)),
    }
}

/// Whether this instance should see to the work that is due; if so, it will not be asked again for a
/// while.
pub fn is_time(platform: &impl Clock) -> bool {
    let now = platform.now();
    LAST_PASS.with(|last| {
        let over = now.abs_diff(last.get()) >= BETWEEN_PASSES;
        if over {
            last.set(now);
        }
        over
    })
}

/// Sweep the ledgers that have waited longest, and deliver what they have to tell. What goes wrong is
/// in the log, and the next pass finds what this one has left.
///
/// # Errors
/// If a dependency is away; what was done by then stays done.
pub async fn pass(platform: &impl Home) -> Result<Pass, String> {
    // Objects have their alarms.
    if matches!(platform.choice(), Ok(StoreChoice::DurableObject)) {
        return Ok(Pass::default());
    }
    let (pass, undelivered) = match work(platform).await {
        Ok(done) => done,
        Err(error) => {
            complain(platform, "maintenance_failed", &error);
            return Err(error);
        }
    };
    match undelivered {
        // The same would be said of each ledger.
        Some(error) => {
            complain(platform, "audit_delivery_failed", &error);
            Err(error)
        }
        None => Ok(pass),
    }
}

/// What was done, and why not all of it was delivered.
async fn work(platform: &impl Home) -> Result<(Pass, Option<String>), String> {
    let policy = policy::load(platform).map_err(|error| error.to_string())?;
    let ledgers = platform.ledgers().await.map_err(|error| error.to_string())?;
    let mut pass = Pass::default();
    let mut undelivered = None;
    let due = ledgers.due(PASS + 1).await.map_err(|error| error.to_string())?;
    for address in &due {
        if pass.swept == PASS {
            pass.remaining = true;
            break;
        }
        // First, as it moves the ledger behind all others, whatever becomes of the deliveries.
        let swept = ledgers.execute(address, &own(Command::Sweep, &policy)).await;
        swept.map_err(|error| error.to_string())?;
        pass.swept += 1;
        announce(platform, &ledgers, address, &policy).await?;
        if undelivered.is_some() {
            continue;
        }
        match deliver(&ledgers, platform, address, &policy).await {
            Ok(events) => pass.delivered = pass.delivered.saturating_add(events),
            // What is swept is swept, the rest is for later.
            Err(error) => undelivered = Some(error),
        }
    }
    Ok((pass, undelivered))
}

/// Deliver the ledger's announcements. Webhooks that fail are no error.
async fn announce(
    platform: &impl Home,
    ledgers: &impl Ledgers,
    address: &Address,
    policy: &Policy,
) -> Result<(), String> {
    if !policy.webhooks {
        return Ok(());
    }
    let shared = shared(platform);
    let settings = shared.settings.as_ref().map_err(ToString::to_string)?;
    let delivered = ::webhooks::deliver(platform, settings, &shared.breakers, async |command| {
        ledgers.execute(address, &own(command, policy)).await
    });
    delivered.await.map_err(|error| error.to_string())
}

fn own(command: Command, policy: &Policy) -> Envelope {
    let origin = Origin { actor: Actor::Service, ..Origin::default() };
    Envelope { command, policy: policy.clone(), origin }
}

//! Announcements to webhooks, delivered by the owner of their ledger when its alarm rings.

use std::cell::OnceCell;
use std::rc::Rc;

use breaker::Breakers;
use ports::{ConfigError, LedgerError};
use webhooks::Settings;

use super::Ledger;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::platform::now;

/// What all objects of an isolate share.
pub(super) struct Shared {
    /// Who is told.
    pub(super) settings: Result<Settings, ConfigError>,
    /// Of the webhooks, and of Postgres.
    pub(super) breakers: Breakers,
}

thread_local! {
    static SHARED: OnceCell<Rc<Shared>> = const { OnceCell::new() };
}

/// Whether announcements could be delivered. A deployment that could not is not served.
///
/// # Errors
/// The setting that is wrong.
pub(super) fn ready(platform: &Cloudflare) -> Result<(), ConfigError> {
    shared(platform).settings.as_ref().map(drop).map_err(|error| *error)
}

/// Deliver what is due.
///
/// # Errors
/// If the object's storage or the settings fail: what is due stays so, and is to be left alone for a
/// while. An endpoint that fails is no error.
pub(super) async fn deliver(ledger: &Ledger) -> worker::Result<()> {
    let due = ledger.held(|held| held.document.webhooks.next_due());
    if due.is_none_or(|due| due > now()) {
        return Ok(());
    }
    let shared = shared(&ledger.platform);
    let settings = shared.settings.as_ref().map_err(ToString::to_string)?;
    let outcome =
        webhooks::deliver(&ledger.platform, settings, &shared.breakers, async |command| {
            let outcome =
                ledger.maintain(command).map(|applied| applied.outcome).map_err(broken)?;
            // Before anybody is waited for: if the object ends in the middle, the next one goes on.
            ledger.arm().await.map_err(broken)?;
            Ok(outcome)
        });
    outcome.await.map_err(|error| error.to_string())?;
    // The alarm is set for the end of a lease that is settled.
    ledger.disarm();
    Ok(())
}

/// What all objects of this isolate share.
pub(super) fn shared(platform: &Cloudflare) -> Rc<Shared> {
    let make = || {
        let settings = Settings::load(platform);
        Rc::new(Shared { settings, breakers: Breakers::default() })
    };
    SHARED.with(|shared| Rc::clone(shared.get_or_init(make)))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err has")]
fn broken(error: worker::Error) -> LedgerError {
    LedgerError(error.to_string())
}

//! Announcements to webhooks, delivered by the owner of their ledger when its alarm rings.

use ports::LedgerError;

use super::Ledger;
use crate::cloudflare::platform::now;
use crate::owner::shared;

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

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err has")]
fn broken(error: worker::Error) -> LedgerError {
    LedgerError(error.to_string())
}

//! What an object needs to deliver its own audit trail.

use ledger::{Address, Answer, Envelope};
use ports::{LedgerError, Ledgers};

use super::object::Ledger;
use crate::cloudflare::platform::fill;

/// Jitter.
pub(super) fn random() -> u16 {
    let mut bytes = [0; 2];
    fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

/// The object's own ledger, whatever the address.
pub(super) struct Own<'a>(pub(super) &'a Ledger);

impl Ledgers for Own<'_> {
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let applied = self.0.execute(Some(*address), envelope.clone());
        applied.map(Answer::from).map_err(|error| LedgerError(error.to_string()))
    }
}

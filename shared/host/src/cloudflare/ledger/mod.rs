//! The owner of the ledgers: the Durable Object, its storage, and what it does by its alarm; and the
//! publisher of what ledgers revoke.

mod object;
mod pending;
mod revocations;
mod storage;
mod trail;
mod webhooks;

pub use object::Ledger;
pub use revocations::Revocations;

//! The owner of the ledgers: the Durable Object, its storage, what it does by its alarm, and the way to
//! the stores that a deployment may choose in its place.

mod object;
pub(super) mod remote;
mod storage;
mod trail;

pub use object::Ledger;

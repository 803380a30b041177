//! The owner of the ledgers: the Durable Object, its storage, and what it does by its alarm.

mod object;
mod storage;
mod trail;

pub use object::Ledger;

//! The ledger on every store that does not run code of ours. A Durable Object applies a command
//! where the document is; everywhere else the document comes to the command.
//!
//! Out of scope: what a command means (crate `ledger`), which stores a platform offers and where
//! they are (crate `host`).

mod choice;
mod kv;

pub use choice::{StoreChoice, UnknownStore};
pub use kv::KvLedgers;

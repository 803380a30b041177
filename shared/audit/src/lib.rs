//! The audit trail on its way from the ledgers to Postgres, and the proof that nothing of it is
//! missing.
//!
//! A ledger numbers and chains its events in the step of the change that they tell of and keeps them
//! until they are delivered (crate `ledger`, `outbox`). Here they are sealed with a key that the
//! database does not have, stored in one transaction with the head of their chain, and only then
//! acknowledged: whatever fails in between is repeated and changes nothing, as an event's link is its
//! name. [`walk`] verifies the stored chains, [`retain`] shortens them behind a sealed checkpoint.
//!
//! Over ports only: the owner of a ledger delivers by its alarm, a job on any other store.

pub mod deliver;
pub mod retain;
pub mod schedule;
pub mod seal;
pub mod verify;
mod walk;

pub use deliver::{Delivered, Deliverer, DeliveryError};
pub use schedule::Schedule;
pub use seal::Seals;
pub use walk::walk;

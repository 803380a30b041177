//! Delivery, verification and retention over fakes: a database that fails in every way, ledgers in
//! memory, and rows that somebody has changed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what does not hold must end the test")]

mod deliver;
mod documented;
mod fake;
mod verify;

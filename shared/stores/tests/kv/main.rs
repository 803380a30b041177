//! Ledgers on a key-value store alone: the contract of eventually consistent stores, random
//! schedules, and a platform that refuses writes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what does not hold must end the test")]

mod contract;
mod obstacles;
mod outbox;
mod schedules;
mod support;

//! The ledgers on real stores: the contract of all of them, the engine, and what becomes of them
//! when something fails. SQLite is linked in, Postgres and Redis are started by each test that
//! needs one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod contract;
mod engine;
mod faults;
#[path = "../../../data/tests/postgres/support.rs"]
#[allow(dead_code, reason = "it serves the tests of the queries, too")]
mod postgres;
mod redis;
mod sqlite;
mod support;

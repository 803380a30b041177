//! The migrations, the queries and the row-level security behind them, on a real Postgres. Each
//! test starts its own, because roles are shared by all databases of one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod access;
mod attacks;
mod audit;
mod cells;
mod checks;
mod consents;
mod migrations;
mod model;
mod queries;
mod repositories;
mod support;
mod world;

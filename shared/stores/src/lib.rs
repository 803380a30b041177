//! The ledger on every store that does not run code of ours. A Durable Object applies a command
//! where the document is; everywhere else the document comes to the command, and [`Cas`] writes it
//! back only if nobody else has. A store is little more than that comparison: [`VersionedStore`].
//!
//! What stores are spoken to by is a trait, or a port, so that a platform supplies a few lines:
//! [`SqliteConnection`], [`Commands`] (Redis), [`ports::Sql`].
//!
//! Out of scope: what a command means (crate `ledger`), which stores a platform offers and where
//! they are (crate `host`).
#![expect(
    async_fn_in_trait,
    reason = "statically dispatched on single-threaded hosts; no Send bound is wanted"
)]

mod cas;
mod choice;
mod gate;
mod kv;
mod memory;
mod postgres;
mod redis;
mod redis_rest;
mod sqlite;
mod store;

pub use cas::Cas;
pub use choice::{StoreChoice, UnknownStore};
pub use gate::Gate;
pub use kv::KvLedgers;
pub use memory::MemoryStore;
pub use postgres::PostgresStore;
pub use redis::{CommandError, Commands, RedisStore, RedisValue};
pub use redis_rest::RedisRest;
pub use sqlite::{SqliteConnection, SqliteStore, SqliteValue};
pub use store::{StoreError, Stored, Version, VersionedStore};

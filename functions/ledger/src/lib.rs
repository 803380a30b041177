//! The owner of the ledgers on Workers: the Durable Object class and what it does by itself.

mod handler;

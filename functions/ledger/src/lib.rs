//! The owner of the ledgers: on Workers the Durable Object class, on Spin what reaches the stores.

mod handler;

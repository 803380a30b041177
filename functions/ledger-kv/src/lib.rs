//! The owner of the ledgers on Spin's key-value store.

mod handler;

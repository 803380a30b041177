//! A person's sessions, and the Durable Object of the ledgers.

mod handler;

use handler::Sessions;

host::entrypoint!(Sessions);

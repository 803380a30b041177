//! A person's sessions.

mod account;
mod handler;
mod workos;

use handler::Sessions;

host::entrypoint!(Sessions);

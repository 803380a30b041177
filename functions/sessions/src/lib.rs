//! A person's sessions.

mod handler;
mod workos;

use handler::Sessions;

host::entrypoint!(Sessions);

//! A person's sessions.

mod handler;

use handler::Sessions;

host::entrypoint!(Sessions);

//! Probes.

mod handler;

use handler::Health;

host::entrypoint!(Health);

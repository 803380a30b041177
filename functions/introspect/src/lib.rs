//! Token introspection, RFC 7662.

mod handler;

use handler::Introspect;

host::entrypoint!(Introspect);

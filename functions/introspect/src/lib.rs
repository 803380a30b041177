//! Token introspection, RFC 7662 and RFC 9701.

mod handler;

use handler::Introspect;

host::entrypoint!(Introspect);

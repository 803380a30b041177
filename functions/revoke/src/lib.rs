//! Token revocation, RFC 7009.

mod handler;

use handler::Revoke;

host::entrypoint!(Revoke);

//! Metadata and keys of the authorization server.

mod handler;

use handler::Authorize;

host::entrypoint!(Authorize);

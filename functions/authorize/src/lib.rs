//! The authorization endpoint: from a client's request to its code, by way of the person's sign-in and
//! consent; and the metadata and keys of the authorization server.

mod documents;
mod handler;
mod visits;

use handler::Authorize;

host::entrypoint!(Authorize);

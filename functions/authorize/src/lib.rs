//! From a client's registration and request to its code, and the metadata and keys of the server.

mod documents;
mod handler;
mod register;
mod visits;

use handler::Authorize;

host::entrypoint!(Authorize);

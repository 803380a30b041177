//! Grants: token exchange and refresh.

mod handler;

use handler::Token;

host::entrypoint!(Token);

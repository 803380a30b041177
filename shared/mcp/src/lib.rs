//! A sans-IO Model Context Protocol core and the Atoms tools.
//!
//! [`handle`] takes one HTTP request to the MCP endpoint, already authenticated, and gives one
//! [`Reply`]. It keeps no state between requests and starts no stream.
//!
//! In scope: JSON-RPC messages, protocol versions 2025-11-25 and 2025-06-18, the tools with their
//! schemas, the scope that each operation needs, the translation of database errors to what a
//! client can act on.
//!
//! Out of scope: HTTP methods, `Origin`, body limits, bearer tokens and their audience,
//! `WWW-Authenticate` and `Retry-After` (the function's HTTP layer), SQL (crate `data`), who may see
//! which row (row-level security).

mod jsonrpc;
mod legacy;
mod protocol;
mod reply;
mod tools;

use http::{StatusCode, request::Parts};
use ports::{Clock, Random, Sql};

pub use protocol::Version;
pub use reply::Reply;

use jsonrpc::{Error, Id, Message};

/// Who calls, as the access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user, `sub`.
    pub subject: String,
    /// The active organization, `org`.
    pub organization: Option<String>,
    /// The roles in that organization.
    pub roles: Vec<String>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// The OAuth client that acts for the user.
    pub client_id: String,
}

impl Principal {
    /// Whether the token grants `scope`.
    pub fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

/// What the tools need of the world.
#[derive(Debug)]
pub struct Services<'a, S, P> {
    /// The business database.
    pub sql: &'a S,
    /// Time and randomness, for new identifiers.
    pub platform: &'a P,
}

/// Answer one `POST` to the MCP endpoint.
///
/// `principal` must come from a verified token whose audience is this endpoint. The future never
/// fails: whatever the body is, there is a reply.
pub async fn handle<S: Sql, P: Clock + Random>(
    parts: &Parts,
    body: &[u8],
    principal: &Principal,
    services: &Services<'_, S, P>,
) -> Reply {
    if !protocol::is_json(&parts.headers) {
        let error = Error::new(jsonrpc::SERVER_ERROR, "Content-Type must be application/json.");
        return Reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, Id::NULL, &error);
    }
    let message = match jsonrpc::parse(body) {
        Ok(message) => message,
        Err((id, error)) => return Reply::error(StatusCode::BAD_REQUEST, id, &error),
    };
    if !message.negotiates() && protocol::of(&parts.headers).is_err() {
        let error = Error::new(jsonrpc::SERVER_ERROR, protocol::unsupported());
        return Reply::error(StatusCode::BAD_REQUEST, message.id(), &error);
    }
    match message {
        Message::OneWay => Reply::Accepted,
        Message::Request(request) => legacy::answer(&request, principal, services).await,
    }
}

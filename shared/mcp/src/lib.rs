//! A sans-IO Model Context Protocol core and the Atoms tools.
//!
//! [`handle`] takes one HTTP request to the MCP endpoint, already authenticated, and gives one
//! [`Reply`]. It keeps no state between requests: what it must know when a client comes back travels
//! with the client, signed.
//!
//! In scope: JSON-RPC messages; protocol version 2026-07-28, and 2025-11-25 and 2025-06-18 without
//! sessions; the rules of the transport that headers and body must agree on; the tools with their
//! schemas, the scope that each operation needs, the translation of database errors to what a client
//! can act on.
//!
//! Out of scope: HTTP methods, body limits, bearer tokens and their audience, `WWW-Authenticate` and
//! `Retry-After` (the function's HTTP layer), SQL (crate `data`), who may see which row (row-level
//! security).
#![expect(
    async_fn_in_trait,
    reason = "statically dispatched on single-threaded hosts; no Send bound is wanted"
)]

pub mod atoms;
mod exchange;
mod json;
mod jsonrpc;
mod protocol;
mod reply;
mod request;
mod server;
mod state;
mod transport;

use http::{StatusCode, request::Parts};
use oauth::keys::KeyRing;
use ports::Millis;

pub use protocol::Version;
pub use reply::Reply;
pub use server::{
    About, Call, Completed, Completing, Fault, List, Outcome, Page, Reference, Server,
};
pub use transport::{Foreign, admit};

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

/// When a request is answered, and how it is recognised when it comes back.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Now.
    pub now: Millis,
    /// The keys that sign what clients keep for us. They may serve other purposes: what is signed
    /// here is labelled.
    pub state_keys: &'a KeyRing,
}

/// Answer one `POST` to the MCP endpoint.
///
/// `principal` must come from a verified token whose audience is this endpoint. The future never
/// fails: whatever the body is, there is a reply.
pub async fn handle<S: Server>(
    parts: &Parts,
    body: &[u8],
    principal: &Principal,
    server: &S,
    moment: &Moment<'_>,
) -> Reply {
    let headers = &parts.headers;
    if !transport::is_json(headers) {
        let error = Error::new(jsonrpc::SERVER_ERROR, "Content-Type must be application/json.");
        return Reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, Id::NULL, &error);
    }
    match jsonrpc::parse(body) {
        Err((id, error)) => Reply::error(StatusCode::BAD_REQUEST, id, &error),
        Ok(Message::OneWay) if transport::names_known_version(headers) => Reply::Accepted,
        Ok(Message::OneWay) => {
            let error = Error::new(jsonrpc::SERVER_ERROR, transport::unsupported());
            Reply::error(StatusCode::BAD_REQUEST, Id::NULL, &error)
        }
        Ok(Message::Request(request)) => {
            exchange::answer(headers, &request, principal, server, moment).await
        }
    }
}

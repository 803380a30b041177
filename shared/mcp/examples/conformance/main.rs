//! Serves the protocol core with the fixtures of the conformance suite, for the suite to judge:
//!
//!   cargo run -p mcp --example conformance -- 127.0.0.1:8931
//!   npx conformance server --url http://127.0.0.1:8931/mcp --requirements 2026-07-28

mod fixture;

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{Router, body::Body, extract::Request, response::Response, routing::post};
use fixture::Fixture;
use http::header::CONTENT_TYPE;
use mcp::{Moment, Principal};
use oauth::keys::KeyRing;

const DEFAULT: &str = "127.0.0.1:8931";
const LARGEST: usize = 4 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| DEFAULT.to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/mcp", post(answer))).await?;
    Ok(())
}

async fn answer(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let local = |origin: &str| {
        let host = origin.strip_prefix("http://").unwrap_or_default();
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
            host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    };
    if mcp::admit(&parts.headers, local, "http://127.0.0.1").is_err() {
        return status(403);
    }
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else { return status(413) };
    let principal = Principal {
        subject: "conformance".to_owned(),
        organization: None,
        roles: Vec::new(),
        scopes: Vec::new(),
        client_id: "conformance".to_owned(),
    };
    #[expect(clippy::disallowed_methods, reason = "a native program has a clock of its own")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let keys = KeyRing::parse(&format!("1={}", oauth::base64url(&[1; 32]))).unwrap_or_default();
    let moment = Moment { now: now.as_millis() as u64, state_keys: &keys };
    // The futures of the core are for hosts of one thread; this one waits for nothing.
    let reply =
        futures::executor::block_on(mcp::handle(&parts, &body, &principal, &Fixture, &moment));
    let mut response = status(reply.status().as_u16());
    if !reply.body().is_empty() {
        let kind = http::HeaderValue::from_static(reply.content_type());
        response.headers_mut().insert(CONTENT_TYPE, kind);
        *response.body_mut() = Body::from(reply.body().to_owned());
    }
    response
}

fn status(code: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response
}

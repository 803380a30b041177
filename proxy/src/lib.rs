//! SQL over HTTP in front of any Postgres, in the protocol of Neon's serverless driver.
//!
//! In scope: `POST /sql` (one statement, or a batch as one transaction in one round trip),
//! `GET /healthz`, a small pool, TLS to Postgres, limits on time and size.
//!
//! Out of scope: other targets than the one it was started for, authorization of people (row-level
//! security does that), streaming, `COPY`, TLS towards its own clients (put it behind a private
//! network or a TLS terminator).
//!
//! What keeps it safe:
//! - The target is pinned. Host and database in a request's connection string are ignored; its
//!   user must be the pinned user and its password the shared secret.
//! - A connection is reset (`DISCARD ALL`) after every request, before anybody else can use it.
//! - A request is never sent twice: what may have been committed is reported, not retried.

mod connection;
mod error;
mod gate;
mod http;
mod pipeline;
mod pool;
mod request;
mod response;
mod settings;
mod startup;
mod text;
mod tls;
mod wire;

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

pub use crate::settings::{Database, Settings, SslMode};

/// How long requests in flight may take to finish once a shutdown has begun.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves `listener` until `shutdown` completes, then lets the requests in flight finish.
///
/// # Errors
/// When the TLS settings cannot be used, or the listener fails.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let tls = tls::Tls::new(&settings.database).context("TLS settings for Postgres")?;
    let app = http::router(Arc::new(settings), tls);
    // Answers are one small write each; Nagle's algorithm would only delay them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let (begun, mut draining) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        shutdown.await;
        drop(begun);
    });
    tokio::select! {
        result = server.into_future() => result.context("HTTP server"),
        () = async {
            let _ = (&mut draining).await;
            tokio::time::sleep(DRAIN).await;
        } => Ok(()),
    }
}

//! SQL over HTTP in front of any Postgres, in the protocol of Neon's serverless driver.
//!
//! In scope: `POST /sql` (one statement, or a batch as one transaction in one round trip), a pool of
//! sessions with prepared statements, TLS towards clients and Postgres, limits on time, size and
//! number, `GET /healthz`, `GET /metrics`, a graceful end.
//!
//! Out of scope: other targets than the one it was started for, authorization of people (row-level
//! security does that), streaming, `COPY`.
//!
//! What keeps it safe:
//! - The target is pinned. Host and database in a request's connection string are ignored; its
//!   user must be the pinned user and its password the shared secret.
//! - A session forgets everything after every request, before anybody else can use it: only the
//!   statements that the proxy prepared itself stay, and one in which SQL prepared some is closed.
//! - What may have been committed is reported and never sent again.
//! - Everything that a client can make grow has a limit: bodies, rows, statements, connections, time.

mod budget;
mod connection;
mod error;
mod gate;
mod http;
mod log;
mod metrics;
mod patience;
mod pipeline;
mod pool;
mod request;
mod response;
mod server;
mod settings;
mod startup;
mod statements;
mod text;
mod tls;
mod wire;

use std::{future::Future, sync::Arc};

use anyhow::{Context, Result};
use tokio::net::TcpListener;

pub use crate::settings::{Binding, Certificate, Database, Settings, SslMode};

/// Serves `listener` until `shutdown` completes, then lets the requests in flight finish.
///
/// # Errors
/// When the settings cannot be used.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    settings.check()?;
    let tls = tls::Tls::new(&settings.database).context("TLS settings for Postgres")?;
    let acceptor = settings.certificate.as_ref().map(tls::Acceptor::new).transpose()?;
    let metrics = Arc::new(metrics::Metrics::new());
    let pool = Arc::new(pool::Pool::new(Arc::new(settings), metrics, tls));
    let app = Arc::new(http::App::new(pool));
    server::Server { app, acceptor: acceptor.map(Arc::new) }.serve(listener, shutdown).await;
    Ok(())
}

//! The command line of the proxy.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use proxy::{Database, Settings, serve};
use tokio::signal::unix::{SignalKind, signal};

/// SQL over HTTP in front of one Postgres. Give the secrets by environment: arguments are visible
/// to every process of the machine.
#[derive(Parser)]
#[command(name = "atoms-edge-proxy", version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "PROXY_LISTEN", default_value = "127.0.0.1:5488")]
    listen: String,
    /// postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=disable|prefer|require|verify-full&sslrootcert=PATH
    #[arg(long, env = "PROXY_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Password that clients must send in Neon-Connection-String.
    #[arg(long, env = "PROXY_SECRET", hide_env_values = true)]
    secret: String,
    /// Postgres cancels a statement after this time, in milliseconds; 0 is never.
    #[arg(long, env = "PROXY_STATEMENT_TIMEOUT_MS", default_value_t = 10_000)]
    statement_timeout_ms: u64,
    /// Deadline of a whole request, in milliseconds.
    #[arg(long, env = "PROXY_REQUEST_TIMEOUT_MS", default_value_t = 30_000)]
    request_timeout_ms: u64,
    /// Most connections to Postgres.
    #[arg(long, env = "PROXY_POOL_SIZE", default_value_t = 16)]
    pool_size: usize,
    /// Largest request body, in bytes.
    #[arg(long, env = "PROXY_MAX_REQUEST_BYTES", default_value_t = 10 * 1024 * 1024)]
    max_request_bytes: usize,
    /// Largest response body, in bytes.
    #[arg(long, env = "PROXY_MAX_RESPONSE_BYTES", default_value_t = 10 * 1024 * 1024)]
    max_response_bytes: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut settings = Settings::new(Database::parse(&arguments.database_url)?, &arguments.secret)?;
    settings.statement_timeout = Duration::from_millis(arguments.statement_timeout_ms);
    settings.request_timeout = Duration::from_millis(arguments.request_timeout_ms);
    settings.pool_size = arguments.pool_size.max(1);
    settings.max_request_bytes = arguments.max_request_bytes;
    settings.max_response_bytes = arguments.max_response_bytes;

    let listener = tokio::net::TcpListener::bind(&arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, settings, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

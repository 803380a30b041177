//! The command line of the proxy.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;
use proxy::{Certificate, Database, Settings, serve};
use tokio::signal::unix::{SignalKind, signal};

const MIB: usize = 1024 * 1024;

/// SQL over HTTP in front of one Postgres. Give the secrets by environment: arguments are visible
/// to every process of the machine.
#[derive(Parser)]
#[command(name = "atoms-edge-proxy", version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "PROXY_LISTEN", default_value = "127.0.0.1:5488")]
    listen: String,
    /// postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=disable|prefer|require|verify-full&sslrootcert=PATH&channel_binding=disable|prefer|require
    #[arg(long, env = "PROXY_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Password that clients must send in Neon-Connection-String.
    #[arg(long, env = "PROXY_SECRET", hide_env_values = true)]
    secret: String,
    /// Bearer token that /metrics asks for; without one it asks for nothing.
    #[arg(long, env = "PROXY_METRICS_TOKEN", hide_env_values = true)]
    metrics_token: Option<String>,
    /// Serve HTTPS with this certificate chain, a PEM file; new contents are noticed.
    #[arg(long, env = "PROXY_TLS_CERTIFICATE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Private key of the certificate, a PEM file.
    #[arg(long, env = "PROXY_TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Threads that do the work; 0 is one per processor.
    #[arg(long, env = "PROXY_THREADS", default_value_t = 0)]
    threads: usize,
    /// Most connections to Postgres.
    #[arg(long, env = "PROXY_POOL_SIZE", default_value_t = 16)]
    pool_size: usize,
    /// Longest wait for one of them, in milliseconds.
    #[arg(long, env = "PROXY_QUEUE_TIMEOUT_MS", default_value_t = 5_000)]
    queue_timeout_ms: u64,
    /// Most prepared statements of each connection, 16 or more; 0 prepares none.
    #[arg(long, env = "PROXY_STATEMENT_CACHE", default_value_t = 100)]
    statement_cache: usize,
    /// Postgres cancels a statement after this time, in milliseconds; 0 is never.
    #[arg(long, env = "PROXY_STATEMENT_TIMEOUT_MS", default_value_t = 10_000)]
    statement_timeout_ms: u64,
    /// Deadline of a whole request, in milliseconds.
    #[arg(long, env = "PROXY_REQUEST_TIMEOUT_MS", default_value_t = 30_000)]
    request_timeout_ms: u64,
    /// How long a client may take for the head of a request or be idle, in milliseconds.
    #[arg(long, env = "PROXY_IDLE_TIMEOUT_MS", default_value_t = 60_000)]
    idle_timeout_ms: u64,
    /// How long a client may take nothing of its answer, in milliseconds.
    #[arg(long, env = "PROXY_WRITE_TIMEOUT_MS", default_value_t = 20_000)]
    write_timeout_ms: u64,
    /// How long /healthz tells of a shutdown before it begins, in milliseconds.
    #[arg(long, env = "PROXY_DRAIN_DELAY_MS", default_value_t = 0)]
    drain_delay_ms: u64,
    /// How long requests in flight may then take before they are cancelled, in milliseconds.
    #[arg(long, env = "PROXY_DRAIN_TIMEOUT_MS", default_value_t = 10_000)]
    drain_timeout_ms: u64,
    /// Most connections of clients; others wait to be accepted.
    #[arg(long, env = "PROXY_MAX_CLIENTS", default_value_t = 1024)]
    max_clients: usize,
    /// Largest request body, in bytes.
    #[arg(long, env = "PROXY_MAX_REQUEST_BYTES", default_value_t = 10 * MIB)]
    max_request_bytes: usize,
    /// Largest response body, in bytes.
    #[arg(long, env = "PROXY_MAX_RESPONSE_BYTES", default_value_t = 10 * MIB)]
    max_response_bytes: usize,
    /// Most bytes of all bodies that are held at once; a request counts twice.
    #[arg(long, env = "PROXY_MAX_BUFFERED_BYTES", default_value_t = 256 * MIB)]
    max_buffered_bytes: usize,
}

impl Arguments {
    fn settings(self) -> Result<Settings> {
        let mut settings = Settings::new(Database::parse(&self.database_url)?, &self.secret)?;
        let certificate = self.tls_certificate.zip(self.tls_key);
        settings.certificate = certificate.map(|(chain, key)| Certificate { chain, key });
        settings.metrics_token = self.metrics_token;
        settings.statement_timeout = Duration::from_millis(self.statement_timeout_ms);
        settings.request_timeout = Duration::from_millis(self.request_timeout_ms);
        settings.queue_timeout = Duration::from_millis(self.queue_timeout_ms);
        settings.idle_timeout = Duration::from_millis(self.idle_timeout_ms);
        settings.write_timeout = Duration::from_millis(self.write_timeout_ms);
        settings.drain_delay = Duration::from_millis(self.drain_delay_ms);
        settings.drain_timeout = Duration::from_millis(self.drain_timeout_ms);
        settings.pool_size = self.pool_size;
        settings.statement_cache = self.statement_cache;
        settings.max_clients = self.max_clients;
        settings.max_request_bytes = self.max_request_bytes;
        settings.max_response_bytes = self.max_response_bytes;
        settings.max_buffered_bytes = self.max_buffered_bytes;
        Ok(settings)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut runtime = match arguments.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if arguments.threads > 1 {
        runtime.worker_threads(arguments.threads);
    }
    let listen = arguments.listen.clone();
    let settings = arguments.settings()?;
    runtime.enable_all().build()?.block_on(run(&listen, settings))
}

async fn run(listen: &str, settings: Settings) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let is_secure = settings.certificate.is_some();
    if !is_secure && !address.ip().is_loopback() {
        eprintln!("atoms-edge-proxy: plain HTTP on {address}: whoever can listen has the secret");
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    println!("listening on {}://{address}", if is_secure { "https" } else { "http" });
    serve(listener, settings, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        eprintln!("atoms-edge-proxy: draining");
    })
    .await
}

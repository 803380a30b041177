//! Runs our `spin.toml` as it is, on the engine that Spin is made of, where the `spin` command is
//! not installed.
//!
//! In scope: HTTP triggers, WASI 0.3 components of spin-sdk 7, variables from the environment,
//! key-value and SQLite stores, outbound HTTP and Redis, and the manifest's grants for all of them.
//! What a manifest does not grant is refused here as Spin refuses it.
//!
//! Out of scope: everything else of Spin. A manifest or configuration that asks for it is refused
//! by name.

mod application;
mod bindings;
mod client;
mod headers;
mod hosts;
mod key_value;
mod logs;
mod manifest;
mod outbound;
mod pool;
mod redis;
mod routes;
mod runtime_config;
mod server;
mod sqlite;
mod state;
mod stores;
mod template;
mod variables;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::application::{Application, Folders, Serving};
use crate::manifest::Manifest;
use crate::runtime_config::RuntimeConfig;
use crate::stores::Stores;
use crate::variables::Variables;

/// The commands of Spin that this host has.
#[derive(Parser)]
#[command(version, about)]
enum Command {
    /// Runs an application until it is told to stop.
    Up(Up),
}

/// Named as by `spin up`. Variables come from the environment, as `SPIN_VARIABLE_NAME`.
#[derive(Args)]
struct Up {
    /// The manifest.
    #[arg(long, short, alias = "file", default_value = "spin.toml")]
    from: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// What stands behind the labels of stores and databases.
    #[arg(long)]
    runtime_config_file: Option<PathBuf>,
    /// Where the default store and database are kept [default: .spin beside the manifest].
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// Where components' output is kept, beside going to the host's own.
    #[arg(long)]
    log_dir: Option<PathBuf>,
    /// Where compiled components are kept between runs. Not a flag of Spin.
    #[arg(long)]
    cache_dir: Option<PathBuf>,
    /// End every instance after so many milliseconds, whatever it is doing, as a panic would. Not a
    /// flag of Spin.
    #[arg(long, value_name = "MILLISECONDS")]
    instance_life: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Up(up) = Command::parse();
    match run(up).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spin-host: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(up: Up) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind(up.listen)
        .await
        .with_context(|| format!("cannot listen on {}", up.listen))?;
    let listen = listener.local_addr()?;
    let application = tokio::task::spawn_blocking(move || load(&up, listen)).await??;
    println!("Serving http://{listen}");
    std::io::stdout().flush()?;
    server::serve(listener, application, async {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
    })
    .await;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "where Spin's variables come from")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn load(up: &Up, listen: SocketAddr) -> Result<std::sync::Arc<Application>> {
    let text = std::fs::read_to_string(&up.from)
        .with_context(|| format!("cannot read {}", up.from.display()))?;
    let manifest = Manifest::parse(&text).with_context(|| up.from.display().to_string())?;
    let folder = up.from.parent().unwrap_or(Path::new(""));
    let state = up.state_dir.clone().unwrap_or_else(|| folder.join(".spin"));
    for folder in [Some(&state), up.log_dir.as_ref(), up.cache_dir.as_ref()].into_iter().flatten() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let variables = Variables::new(&manifest, variable)?;
    let config = RuntimeConfig::load(up.runtime_config_file.as_deref(), &state)?;
    let stores = Stores::new(config, &manifest)?;
    let folders =
        Folders { manifest: folder, cache: up.cache_dir.as_deref(), logs: up.log_dir.as_deref() };
    let life = up.instance_life.map(Duration::from_millis);
    Application::load(&manifest, &variables, stores, &folders, Serving { listen, life })
}

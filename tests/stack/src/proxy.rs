//! The SQL proxy, as a child that fault tests stop and start again on the same port.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::network;
use crate::process::{Child, Reaper};

/// How to start it, again and again.
pub(crate) struct Proxy {
    pub(crate) binary: PathBuf,
    pub(crate) database_url: String,
    pub(crate) secret: String,
    pub(crate) port: u16,
    pub(crate) log: PathBuf,
}

impl Proxy {
    /// Start it and wait until it listens.
    pub(crate) async fn start(&self, reaper: &Arc<Reaper>) -> Result<Child> {
        let mut command = Command::new(&self.binary);
        command
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .env("PROXY_DATABASE_URL", &self.database_url)
            .env("PROXY_SECRET", &self.secret)
            .current_dir(self.log.parent().unwrap_or(Path::new("/")));
        let mut child =
            Child::spawn("the SQL proxy", &mut command, &self.log, Signal::SIGTERM, reaper)?;
        network::wait_for_port(&mut child, self.port, Duration::from_secs(15)).await?;
        Ok(child)
    }
}

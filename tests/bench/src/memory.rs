//! What the SQL proxy needs when many clients are there at once.

use std::fs;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::load::{Link, Load};

/// Clients at once.
const CLIENTS: usize = 500;
/// What the proxy may need then.
const LIMIT_MB: f64 = 30.0;

/// The most that it ever needed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Clients that were connected and asked at once.
    pub(crate) clients: usize,
    /// Megabytes of 1000² bytes that were resident.
    pub(crate) megabytes: f64,
}

impl Memory {
    /// In words.
    pub(crate) fn text(&self) -> String {
        let mark = if self.is_met() { "✓" } else { "✗" };
        let Self { clients, megabytes } = self;
        format!("proxy: {megabytes:.1} MB at {clients} clients {mark} under {LIMIT_MB} MB")
    }

    /// Whether it is what it should be.
    pub(crate) fn is_met(&self) -> bool {
        self.megabytes < LIMIT_MB
    }
}

/// Has all clients ask three times at once, and looks how much memory whoever listens on the port
/// has needed at most since it was started.
///
/// # Errors
/// If a client gets a wrong answer, or the process cannot be found.
pub(crate) async fn measure(port: u16, load: &impl Load) -> Result<Memory> {
    let mut links = try_join_all((0..CLIENTS).map(|_| Link::to(port))).await?;
    for _ in 0..3 {
        let asked = links.iter_mut().enumerate().map(|(lane, link)| load.next(lane, link));
        try_join_all(asked).await?;
    }
    Ok(Memory { clients: CLIENTS, megabytes: peak(port)? })
}

/// Reads `/proc`.
fn peak(port: u16) -> Result<f64> {
    let listens = format!("--listen\0127.0.0.1:{port}\0");
    let is_it = |folder: &std::path::Path| {
        fs::read_to_string(folder.join("cmdline")).is_ok_and(|line| line.contains(&listens))
    };
    let mut processes = fs::read_dir("/proc")?.filter_map(|entry| Some(entry.ok()?.path()));
    let process = processes.find(|folder| is_it(folder)).context("no process of the proxy")?;
    let status = fs::read_to_string(process.join("status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().split(' ').next()).context("no VmHWM")?;
    Ok(kilobytes.parse::<f64>()? * 1024.0 / 1e6)
}

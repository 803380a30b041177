//! Free ports, and waiting for what listens on them.

use std::fs::{self, File, TryLockError};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::unistd::getuid;

use crate::keys;
use crate::process::Child;

/// A port that nobody listens on. It is below the range from which systems take outgoing ports, so
/// that it is still free when a child is restarted on it.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    for _ in 0..200 {
        let [high, low] = keys::random::<2>()?;
        let port = 15_000 + u16::from_be_bytes([high, low]) % 15_000;
        if is_free(port) && reserve(port)? {
            return Ok(port);
        }
    }
    bail!("found no free port")
}

/// Whether a port is ours from now on, for as long as this process lives. Whoever is to listen on it may
/// take seconds to start; a stack that begins meanwhile, in this process or another, must not be given
/// the same, as each would find somebody listening and take them for its own.
fn reserve(port: u16) -> Result<bool> {
    static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let folder = std::env::temp_dir().join(format!("atoms-edge-ports-{}", getuid()));
    fs::create_dir_all(&folder)?;
    let file = File::options().create(true).append(true).open(folder.join(port.to_string()))?;
    match file.try_lock() {
        Ok(()) => {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            Ok(true)
        }
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("cannot reserve a port"),
    }
}

/// Whether nothing listens on a port, on any interface.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && TcpListener::bind((Ipv6Addr::LOCALHOST, port))
            .map_or_else(|error| error.kind() != std::io::ErrorKind::AddrInUse, |_| true)
}

/// Wait until a child answers 200 on a URL.
///
/// # Errors
/// If it ends first, or patience does.
pub async fn wait_for_ok(child: &mut Child, url: &str, patience: Duration) -> Result<()> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let since = Instant::now();
    loop {
        child.check()?;
        if client.get(url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if since.elapsed() > patience {
            bail!("{} does not answer on {url}; its log ends:\n{}", child.name(), child.log_tail());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Wait until something accepts connections on a port of the loopback interface.
pub(crate) async fn wait_for_port(child: &mut Child, port: u16, patience: Duration) -> Result<()> {
    let since = Instant::now();
    loop {
        child.check()?;
        if tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
            return Ok(());
        }
        if since.elapsed() > patience {
            bail!(
                "{} does not listen on {port}; its log ends:\n{}",
                child.name(),
                child.log_tail()
            );
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_out_once_though_nobody_listens_on_it_yet() {
        let port = free_port().unwrap();
        assert!(is_free(port));
        assert!(!reserve(port).unwrap());
        let all: Vec<_> = (0..100).map(|_| free_port().unwrap()).collect();
        assert!(!all.contains(&port));
    }
}

//! A real Redis of our own and the bridge that speaks to it over HTTP, for stacks whose ledgers are
//! there.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::process::{Child, Reaper};
use crate::settings::Settings;
use crate::{keys, layout, network};

const PROGRAM: &str = "redis-server";

/// A running server. The bridge to it lives as long as the runtime that has started it.
pub(crate) struct Redis {
    _child: Child,
}

impl Redis {
    /// Start one if the functions are to use it, and tell them where it is. `data` keeps its files.
    pub(crate) async fn start_for(
        values: &mut Settings,
        data: &Path,
        folder: &Path,
        reaper: &Arc<Reaper>,
    ) -> Result<Option<Self>> {
        let store = values.get("LEDGER_STORE").map_or("", String::as_str);
        let bridged = match store {
            "redis-rest" if !values.contains_key("REDIS_REST_URL") => true,
            "redis" if !values.contains_key("REDIS_URL") => false,
            _ => return Ok(None),
        };
        let port = network::free_port()?;
        let files = data.join("redis");
        std::fs::create_dir_all(&files)?;
        let mut command = Command::new(PROGRAM);
        command
            .args(testing::redis::server_arguments(port, &files))
            .env("PATH", layout::path_variable()?)
            .current_dir(folder);
        let log = folder.join("redis.log");
        let mut child = Child::spawn("Redis", &mut command, &log, Signal::SIGTERM, reaper)
            .context(
                "install it (`apt-get install redis-server`), or let `cargo xtask` bring it",
            )?;
        network::wait_for_port(&mut child, port, Duration::from_secs(20)).await?;
        if !bridged {
            values.insert("REDIS_URL".to_owned(), format!("redis://127.0.0.1:{port}"));
            return Ok(Some(Self { _child: child }));
        }
        let token = keys::secret()?;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, network::free_port()?));
        let address = testing::redis::serve_bridge(anywhere, port, &token).await?;
        values.insert("REDIS_REST_URL".to_owned(), format!("http://{address}"));
        values.insert("REDIS_REST_TOKEN".to_owned(), token);
        Ok(Some(Self { _child: child }))
    }
}

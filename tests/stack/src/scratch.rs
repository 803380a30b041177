//! A Postgres for one test or one command.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use crate::postgres::Postgres;
use crate::process::Reaper;

/// A real Postgres with an empty database, on a free port of the loopback interface; gone when dropped.
pub struct Scratch {
    postgres: Postgres,
    _reaper: Arc<Reaper>,
}

impl Scratch {
    /// Start it.
    ///
    /// # Errors
    /// If there is no Postgres on this machine, or it does not start.
    pub async fn start() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("atoms-scratch-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        let reaper = Reaper::start(&folder)?;
        let postgres = Postgres::start(&folder, &folder.join("log"), &reaper).await?;
        Ok(Self { postgres, _reaper: reaper })
    }

    /// The URL of the superuser.
    pub fn url(&self) -> &str {
        &self.postgres.url
    }

    /// The URL of another login.
    pub fn url_of(&self, role: &str, password: &str) -> String {
        self.postgres.url_of(role, password)
    }
}

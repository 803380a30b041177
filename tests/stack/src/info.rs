//! What one needs to know of a running stack to use it, also from another process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::platform::Platform;
use crate::workos::WorkOs;
use crate::{clients, migrate};

/// The environment variable that names the file a stack is described in.
pub const STACK_VARIABLE: &str = "ATOMS_STACK";

/// A running stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StackInfo {
    /// What the functions run on.
    pub platform: Platform,
    /// Where the gateway listens; also the issuer (`PUBLIC_URL`).
    pub base_url: String,
    /// Where the WorkOS emulator listens; also the issuer of AuthKit tokens.
    pub workos_url: String,
    /// The `POST /sql` endpoint of the proxy.
    pub sql_url: String,
    /// The connection string that the proxy takes in `Neon-Connection-String`.
    pub sql_connection_string: String,
    /// Connection string of the database's superuser, past the proxy and past row-level security.
    pub postgres_url: String,
    /// The registered OAuth clients by id.
    pub clients: BTreeMap<String, ClientInfo>,
    /// E-mail addresses of the people who can sign in.
    pub people: Vec<String>,
    /// All settings of the functions, secrets included.
    pub settings: BTreeMap<String, String>,
    /// Logs and stored data.
    pub folder: PathBuf,
}

/// A registered OAuth client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientInfo {
    /// Its `client_id`.
    pub id: String,
    /// Its secret, if it is confidential.
    pub secret: Option<String>,
}

impl StackInfo {
    /// The stack that `ATOMS_STACK` names, if it is set.
    ///
    /// # Errors
    /// If it is set and its file cannot be read.
    pub fn from_environment() -> Result<Option<Self>> {
        match std::env::var_os(STACK_VARIABLE) {
            Some(path) => Self::attach(Path::new(&path)).map(Some),
            None => Ok(None),
        }
    }

    /// The stack described in a file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn attach(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("no stack is described in {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// The description as JSON.
    ///
    /// # Errors
    /// If a path is not UTF-8.
    pub fn describe(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Write the description beside the logs; answers where.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self) -> Result<PathBuf> {
        let path = self.folder.join("stack.json");
        std::fs::write(&path, self.describe()?)?;
        Ok(path)
    }

    /// A client of the WorkOS emulator.
    pub fn workos(&self) -> WorkOs {
        WorkOs::new(&self.workos_url)
    }

    /// A registered client.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn client(&self, id: &str) -> Result<&ClientInfo> {
        self.clients.get(id).with_context(|| format!("no client {id} is registered"))
    }

    /// Let the functions' role make schemas, as judges of the proxy want to. Do it last: it is more
    /// than the functions may.
    ///
    /// # Errors
    /// If Postgres is away.
    pub async fn allow_schemas(&self) -> Result<()> {
        migrate::grant_schemas(&self.postgres_url).await
    }

    /// Give a client a policy of its own. The functions keep what they know of a client for a minute,
    /// so do it before the client is used.
    ///
    /// # Errors
    /// If Postgres is away or refuses it.
    pub async fn set_policy(&self, client: &str, policy: &serde_json::Value) -> Result<()> {
        clients::set_policy(&self.postgres_url, client, policy).await
    }

    /// What the functions have printed so far.
    pub fn logs(&self) -> String {
        let log = match self.platform {
            Platform::Workers => "wrangler.log",
            Platform::Spin => "spin.log",
        };
        let text = std::fs::read(self.folder.join(log)).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }
}

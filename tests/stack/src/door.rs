//! The owner of the ledgers by itself, with a door: what only our functions can reach, a test can ask.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::process::{Child, Reaper};
use crate::workers::Workers;
use crate::{keys, layout, network, settings};

/// Hands `POST /{address}` to the object of that ledger.
const SCRIPT: &str = r#"
export default {
    async fetch(request, env) {
        const path = new URL(request.url).pathname;
        if (request.method !== "POST") return new Response("open");
        const id = env.LEDGER.idFromName(path.slice(1));
        return env.LEDGER.get(id).fetch(request);
    },
};
"#;
const CONFIGURATION: &str = r#"
name = "atoms-edge-door"
main = "index.mjs"
compatibility_date = "2026-11-01"

[[durable_objects.bindings]]
name = "LEDGER"
class_name = "Ledger"
script_name = "atoms-edge-ledger"
"#;

/// A running owner. Dropping it ends it. It has no database: what is to be delivered stays.
pub struct Door {
    /// Where the ledgers are asked: `POST {url}/{address}` with an envelope gives the answer.
    pub url: String,
    _owner: Child,
    _data: PathBuf,
    _reaper: Arc<Reaper>,
}

impl Door {
    /// Start it and wait until it is open. The ledger function must be built.
    ///
    /// # Errors
    /// If it does not start; the message has the end of its log.
    pub async fn start() -> Result<Self> {
        let [high, low] = keys::random()?;
        let run = format!("{}-{:04x}", std::process::id(), u16::from_be_bytes([high, low]));
        let folder = layout::new_run(&run)?;
        let data = std::env::temp_dir().join(format!("atoms-edge-{run}"));
        fs::create_dir(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let reaper = Reaper::start(&data)?;
        let workers = Workers { folder, port: network::free_port()?, guard: 0 };
        let mut values = settings::derived(&keys::derived()?);
        let nobody = format!("http://127.0.0.1:{}", network::free_port()?);
        for (name, value) in [
            ("PUBLIC_URL", workers.url()),
            ("LEDGER_STORE", "durable-object".to_owned()),
            ("SQL_URL", format!("{nobody}/sql")),
            ("SQL_CONNECTION_STRING", "postgresql://nobody:x@localhost/atoms".to_owned()),
        ] {
            values.insert(name.to_owned(), value);
        }
        workers.configure(&values)?;
        let door = workers.folder.join("door");
        fs::create_dir_all(&door)?;
        fs::write(door.join("index.mjs"), SCRIPT)?;
        fs::write(door.join("wrangler.toml"), CONFIGURATION)?;
        let owner = workers.start(&["door", "ledger"], &reaper).await?;
        Ok(Self { url: workers.url(), _owner: owner, _data: data, _reaper: reaper })
    }
}

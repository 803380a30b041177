//! `cargo xtask deploy cloudflare`: checks everything first, then deploys, callees before callers.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use stack::Platform;
use stack::layout::{self, FUNCTIONS};
use stack::settings::{self, Kind, Settings};
use toml::{Table, Value};

use crate::{build, configuration, loading, report, run, secrets};

/// The environment variable with the id of the KV namespace of the cache.
const CACHE_VARIABLE: &str = "CACHE_NAMESPACE_ID";
/// The same of the namespace of ledgers, which only one choice of their store needs.
const LEDGERS_VARIABLE: &str = "LEDGER_NAMESPACE_ID";
/// Its binding.
const LEDGERS_BINDING: &str = "LEDGER_KV";

/// Where to.
#[derive(clap::Subcommand)]
pub(crate) enum Target {
    /// To Cloudflare Workers, with wrangler. Settings come from [vars] of the wrangler.toml files
    /// and, before those, from the environment under the same names; keys from `MASTER_SECRET` or
    /// `MASTER_SECRET_FILE`; the KV namespace from `CACHE_NAMESPACE_ID`, that of the
    /// ledgers, if they are kept in one, from `LEDGER_NAMESPACE_ID`
    Cloudflare {
        /// Check, build and bundle into target/deploy, and send nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// The command.
///
/// # Errors
/// If the configuration is not right, a function does not build, or wrangler fails.
pub(crate) fn run(target: &Target) -> Result<()> {
    let Target::Cloudflare { dry_run } = *target;
    let configs = FUNCTIONS
        .iter()
        .map(|function| Ok((*function, configuration::read(function)?)))
        .collect::<Result<Vec<_>>>()?;
    let values = values(&configs)?;
    let given = Namespaces::given(&values);
    match ready(&configs, &values, &given) {
        Ok(()) => report::line("✓ the configuration is complete"),
        Err(reason) if dry_run => {
            report::line(&format!("! a real deployment would be refused: {reason:#}"));
        }
        Err(reason) => return Err(reason),
    }
    build::workers()?;
    for (function, config) in configs {
        let folder = prepare(function, config, &values, &given)?;
        send(function, &folder, &values, dry_run)?;
    }
    Ok(())
}

/// Settings of the whole deployment. Where functions disagree, the deployment is refused: all must
/// believe in one issuer.
fn values(configs: &[(&str, Table)]) -> Result<Settings> {
    let mut values = Settings::new();
    for (function, config) in configs {
        for (name, value) in configuration::vars(config)? {
            let given = settings::on(Platform::Workers)
                .any(|known| known.name == name && known.functions.contains(function));
            if !given {
                bail!("{function} has a var {name}, which is no setting of it");
            }
            // Empty is how a committed file says that a deployment must choose.
            if value.is_empty() {
                continue;
            }
            if let Some(other) = values.insert(name.clone(), value.clone())
                && other != value
            {
                bail!("{function} has another {name} than the functions before it");
            }
        }
    }
    for setting in settings::on(Platform::Workers) {
        if let Ok(value) = std::env::var(setting.name) {
            values.insert(setting.name.to_owned(), value);
        }
    }
    if let Some(keys) = secrets::derived()? {
        values.extend(settings::derived(&keys));
    }
    Ok(values)
}

fn ready(configs: &[(&str, Table)], values: &Settings, given: &Namespaces) -> Result<()> {
    if let Err(reason) = settings::check(values) {
        bail!(
            "{reason}; settings come from the environment and [vars], keys from {}",
            secrets::MASTER_VARIABLE
        );
    }
    loading::check(values)?;
    let (mut caches, mut ledgers) = (BTreeSet::new(), BTreeSet::new());
    for namespace in configs.iter().flat_map(|(_, config)| namespaces(config)) {
        let id = given.id_of(namespace);
        if is_of_ledgers(namespace) {
            ledgers.insert(id)
        } else {
            caches.insert(id)
        };
    }
    let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if caches.len() != 1 || !caches.iter().all(is_id) {
        bail!(
            "the functions must share one KV namespace: `wrangler kv namespace create \
             atoms-edge-cache` makes it; give its id as {CACHE_VARIABLE}"
        );
    }
    if given.keeps_ledgers && (!ledgers.iter().all(is_id) || !ledgers.is_disjoint(&caches)) {
        bail!(
            "the ledgers need a KV namespace of their own: `wrangler kv namespace create \
             atoms-edge-ledgers` makes it; give its id as {LEDGERS_VARIABLE}"
        );
    }
    Ok(())
}

/// The KV namespaces of this deployment.
struct Namespaces {
    cache: Option<String>,
    ledgers: Option<String>,
    /// Whether ledgers are kept in one.
    keeps_ledgers: bool,
}

impl Namespaces {
    fn given(values: &Settings) -> Self {
        Self {
            cache: std::env::var(CACHE_VARIABLE).ok(),
            ledgers: std::env::var(LEDGERS_VARIABLE).ok(),
            keeps_ledgers: values.get("LEDGER_STORE").is_some_and(|store| store == "platform-kv"),
        }
    }

    /// The id that is given for a namespace, else the one that is committed.
    fn id_of<'a>(&'a self, namespace: &'a Table) -> &'a str {
        let given = if is_of_ledgers(namespace) { &self.ledgers } else { &self.cache };
        given.as_deref().or_else(|| namespace.get("id")?.as_str()).unwrap_or_default()
    }
}

fn is_of_ledgers(namespace: &Table) -> bool {
    namespace.get("binding").and_then(Value::as_str) == Some(LEDGERS_BINDING)
}

fn namespaces(config: &Table) -> impl Iterator<Item = &Table> {
    let list = config.get("kv_namespaces").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_table)
}

/// Write the configuration that is sent: the committed one with this deployment's values.
fn prepare(
    function: &str,
    mut config: Table,
    values: &Settings,
    given: &Namespaces,
) -> Result<PathBuf> {
    let folder = layout::target().join("deploy").join(function);
    fs::create_dir_all(&folder)?;
    let main = layout::root().join("functions").join(function).join("build/index.js");
    config.insert("main".into(), main.to_string_lossy().into_owned().into());
    config.remove("build");
    let vars = settings::of(function, Kind::Var, values);
    let vars: Table = vars.into_iter().map(|(name, value)| (name, value.into())).collect();
    config.insert("vars".into(), vars.into());
    if let Some(list) = config.get_mut("kv_namespaces").and_then(Value::as_array_mut) {
        let is_used =
            |one: &Value| given.keeps_ledgers || !one.as_table().is_some_and(is_of_ledgers);
        list.retain(is_used);
        for namespace in list.iter_mut().filter_map(Value::as_table_mut) {
            let id = given.id_of(namespace).to_owned();
            namespace.insert("id".into(), id.into());
        }
    }
    fs::write(folder.join("wrangler.toml"), toml::to_string(&config)?)?;
    Ok(folder)
}

fn send(function: &str, folder: &Path, values: &Settings, dry_run: bool) -> Result<()> {
    let mut command = Command::new(layout::npm_program("node"));
    command
        .arg(layout::root().join("node_modules/wrangler/bin/wrangler.js"))
        .args(["deploy", "-c"])
        .arg(folder.join("wrangler.toml"))
        .env("PATH", layout::path_variable()?)
        .env("WRANGLER_SEND_METRICS", "false")
        .current_dir(folder);
    if dry_run {
        command.args(["--dry-run", "--outdir"]).arg(folder.join("bundle"));
        return run::step(&format!("bundle {function}"), &mut command);
    }
    let secrets = settings::of(function, Kind::Secret, values);
    if secrets.is_empty() {
        return run::step(&format!("deploy {function}"), &mut command);
    }
    let file = SecretsFile::write(&folder.join("secrets.json"), &secrets)?;
    command.arg("--secrets-file").arg(&file.0);
    run::step(&format!("deploy {function}"), &mut command)
}

/// A file that only we can read, and that is gone when it is no longer needed.
struct SecretsFile(PathBuf);

impl SecretsFile {
    fn write(path: &Path, secrets: &Settings) -> Result<Self> {
        let _ = fs::remove_file(path);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let guard = Self(path.to_path_buf());
        file.write_all(serde_json::to_string(secrets)?.as_bytes())?;
        Ok(guard)
    }
}

impl Drop for SecretsFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

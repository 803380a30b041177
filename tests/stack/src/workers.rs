//! All functions in one workerd, through `wrangler dev`, from configurations made for the run out of
//! the committed ones.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use toml::{Table, Value};

use crate::process::{Child, Reaper};
use crate::settings::{self, Kind, Settings};
use crate::{layout, network};

/// How to start the functions, again and again, on one port and one store.
pub(crate) struct Workers {
    /// The run's folder: configurations, stored data and the log are in it.
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    /// Requests without credentials that the gateway takes in a minute.
    pub(crate) guard: u32,
}

impl Workers {
    /// Where the gateway listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the functions printed.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("wrangler.log")
    }

    /// Write every function's configuration for this run.
    pub(crate) fn configure(&self, values: &Settings) -> Result<()> {
        for function in layout::FUNCTIONS {
            let committed = layout::wrangler_config(function);
            let config =
                configuration(&committed, settings::of(function, Kind::Var, values), self.guard)?;
            let folder = self.folder.join(function);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("wrangler.toml"), toml::to_string(&config)?)?;
            let secrets = settings::of(function, Kind::Secret, values);
            fs::write(folder.join(".dev.vars"), dev_vars(&secrets)?)?;
        }
        Ok(())
    }

    /// Change a function's setting in the files that a start reads.
    pub(crate) fn set(&self, function: &str, name: &str, value: Option<&str>) -> Result<()> {
        let folder = self.folder.join(function);
        let known = settings::SETTINGS.iter().find(|setting| setting.name == name);
        if known.context("no such setting")?.kind == Kind::Secret {
            let path = folder.join(".dev.vars");
            let text = fs::read_to_string(&path)?;
            let others = text.lines().filter(|line| !line.starts_with(&format!("{name}=")));
            let own = value.map(|value| format!("{name}='{value}'"));
            let lines: Vec<_> = others.map(str::to_owned).chain(own).collect();
            return Ok(fs::write(path, lines.join("\n"))?);
        }
        let path = folder.join("wrangler.toml");
        let mut config: Table = fs::read_to_string(&path)?.parse()?;
        let vars = config.get_mut("vars").and_then(Value::as_table_mut).context("no vars")?;
        match value {
            Some(value) => vars.insert(name.to_owned(), value.into()),
            None => vars.remove(name),
        };
        Ok(fs::write(path, toml::to_string(&config)?)?)
    }

    /// Start all and wait until the gateway answers.
    pub(crate) async fn start_all(&self, reaper: &Arc<Reaper>) -> Result<Child> {
        // The first one has the port, and that is the gateway.
        let mut all = layout::FUNCTIONS;
        all.reverse();
        self.start(&all, reaper).await
    }

    /// Start some, of which the first has the port, and wait until that one answers.
    pub(crate) async fn start(&self, functions: &[&str], reaper: &Arc<Reaper>) -> Result<Child> {
        let mut command = Command::new(layout::npm_program("node"));
        command.arg(layout::root().join("node_modules/wrangler/bin/wrangler.js")).arg("dev");
        for function in functions {
            command.arg("-c").arg(self.folder.join(function).join("wrangler.toml"));
        }
        command
            .args(["--port", &self.port.to_string(), "--ip", "127.0.0.1"])
            .args(["--inspector-port", "0", "--show-interactive-dev-session=false"])
            .arg("--persist-to")
            .arg(self.folder.join("state"));
        isolate(&mut command, &self.folder)?;
        let mut child =
            Child::spawn("wrangler dev", &mut command, &self.log(), Signal::SIGTERM, reaper)?;
        let health = format!("{}/health/live", self.url());
        network::wait_for_ok(&mut child, &health, Duration::from_secs(90)).await?;
        Ok(child)
    }
}

/// Nothing of another wrangler on this machine may be met: neither its account, nor the registry
/// through which Workers of the same name find each other.
fn isolate(command: &mut Command, folder: &Path) -> Result<()> {
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CLOUDFLARE_") || name.starts_with("CF_") {
            command.env_remove(name.as_ref());
        }
    }
    command
        .env("PATH", layout::path_variable()?)
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env("WRANGLER_REGISTRY_PATH", folder.join("registry"))
        .env("WRANGLER_LOG_PATH", folder.join("wrangler-debug"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("NO_COLOR", "1")
        .env("CI", "1")
        .current_dir(folder);
    Ok(())
}

/// A committed configuration with an absolute `main`, without a build step, with the run's vars, with
/// one local KV namespace for each binding, and with the run's limit of requests without credentials.
fn configuration(committed: &Path, vars: Settings, guard: u32) -> Result<Table> {
    let text = fs::read_to_string(committed)
        .with_context(|| format!("cannot read {}", committed.display()))?;
    let mut config: Table =
        text.parse().with_context(|| format!("{} is not TOML", committed.display()))?;
    let main = config.get("main").and_then(Value::as_str);
    let main = main.with_context(|| format!("{} has no main", committed.display()))?;
    let main = committed.parent().unwrap_or(Path::new("/")).join(main);
    if !main.is_file() {
        bail!("{} is not built; run `cargo xtask build`", main.display());
    }
    config.remove("build");
    config.insert("main".into(), main.to_string_lossy().into_owned().into());
    let all = config.entry("vars").or_insert_with(|| Table::new().into());
    let all = all.as_table_mut().context("vars is not a table")?;
    all.extend(vars.into_iter().map(|(name, value)| (name, value.into())));
    for namespace in
        config.get_mut("kv_namespaces").and_then(Value::as_array_mut).into_iter().flatten()
    {
        if let Some(namespace) = namespace.as_table_mut() {
            let binding = namespace.get("binding").and_then(Value::as_str).unwrap_or_default();
            let id = format!("local-{}", binding.to_lowercase());
            namespace.insert("id".into(), id.into());
        }
    }
    for limit in config.get_mut("ratelimits").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(limit) = limit.get_mut("simple").and_then(Value::as_table_mut) {
            limit.insert("limit".into(), guard.into());
        }
    }
    Ok(config)
}

/// Secrets as wrangler reads them locally. Single quotes keep a value as it is.
fn dev_vars(secrets: &Settings) -> Result<String> {
    let mut text = String::new();
    for (name, value) in secrets {
        if value.contains(['\'', '\n']) {
            bail!("{name} has a quote or a line break in it");
        }
        writeln!(text, "{name}='{value}'")?;
    }
    Ok(text)
}

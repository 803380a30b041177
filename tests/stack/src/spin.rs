//! All functions in one Spin, from the committed `spin.toml`: the `spin` command if it is on the
//! machine, else our own host on the engine that Spin is made of.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use toml::{Table, Value};

use crate::process::{Child, Reaper};
use crate::settings::Settings;
use crate::{layout, network};

/// The oldest Spin that runs components of the SDK that ours are made with.
const OLDEST: (u32, u32) = (4, 1);

/// The `spin` command of this machine.
pub struct InstalledSpin {
    /// Where it is.
    pub program: PathBuf,
    /// What it says that it is.
    pub version: String,
}

impl InstalledSpin {
    /// The one on PATH, if it runs our components.
    pub fn find() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let mut programs = std::env::split_paths(&path).map(|folder| folder.join("spin"));
        let program = programs.find(|file| file.is_file())?;
        let output = Command::new(&program).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        // spin 4.1.0 (0123abc 2026-10-01)
        let version = text.strip_prefix("spin ")?.split_whitespace().next()?.to_owned();
        is_recent(&version).then_some(Self { program, version })
    }
}

/// How to start the application.
pub(crate) struct Spin {
    /// The run's folder: stored data and the log are in it.
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    /// Requests without credentials that a network may send in a minute.
    pub(crate) guard: u32,
    /// The application's variables.
    pub(crate) variables: Settings,
    /// After how long our own host ends an instance, whatever it is doing.
    pub(crate) instance_life: Option<Duration>,
}

impl Spin {
    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the functions printed.
    fn log(&self) -> PathBuf {
        self.folder.join("spin.log")
    }

    /// The manifest of this run: the committed one, as long as nobody has changed it.
    fn manifest(&self) -> PathBuf {
        let own = self.folder.join("spin.toml");
        if own.is_file() { own } else { layout::root().join("spin.toml") }
    }

    /// Variables are settings in lower case, and where the components may go is told by their addresses.
    pub(crate) fn configure(&mut self, values: &Settings) -> Result<()> {
        let own = values.iter().map(|(name, value)| (name.to_lowercase(), value.clone()));
        self.variables.extend(own);
        let guard = ("guard_per_minute".to_owned(), self.guard.to_string());
        self.variables.extend([guard]);
        let stores = ["REDIS_URL", "REDIS_REST_URL"].map(|name| values.get(name));
        let hosts = [
            ("allow_sql", values.get("SQL_URL").map(String::as_str)),
            ("allow_redis", stores.into_iter().flatten().next().map(String::as_str)),
            (
                "allow_clients",
                values.get("CLIENT_METADATA_HOSTS").and_then(|it| it.split(',').next()),
            ),
            ("allow_webhooks", values.get("WEBHOOK_URLS").and_then(|urls| urls.split(',').next())),
        ];
        for (name, address) in hosts {
            if let Some(address) = address.filter(|address| !address.trim().is_empty()) {
                self.variables.insert(name.to_owned(), origin(address)?);
            }
        }
        Ok(())
    }

    /// Change the manifest of this run: what one component is given in place of the variable.
    pub(crate) fn set(&self, function: &str, name: &str, value: Option<&str>) -> Result<()> {
        let mut manifest: Table = fs::read_to_string(self.manifest())?.parse()?;
        let components = manifest.get_mut("component").and_then(Value::as_table_mut);
        let components = components.context("spin.toml has no components")?;
        for component in components.iter_mut().filter_map(|(_, one)| one.as_table_mut()) {
            let source = component.get("source").and_then(Value::as_str).unwrap_or_default();
            // An absolute path stays what it is.
            let source = layout::root().join(source).to_string_lossy().into_owned();
            component.insert("source".to_owned(), source.into());
        }
        let own = components.get_mut(function).and_then(|component| component.get_mut("variables"));
        let own = own.and_then(Value::as_table_mut).context("no such component")?;
        own.insert(name.to_lowercase(), value.unwrap_or_default().into());
        Ok(fs::write(self.folder.join("spin.toml"), toml::to_string(&manifest)?)?)
    }

    /// Start the application and wait until it answers.
    pub(crate) async fn start(&self, reaper: &Arc<Reaper>) -> Result<Child> {
        let (mut command, ours) = program()?;
        command
            .args(["up", "--listen", &format!("127.0.0.1:{}", self.port)])
            .arg("--from")
            .arg(self.manifest())
            .arg("--state-dir")
            .arg(self.folder.join("state"))
            .current_dir(&self.folder);
        if ours {
            command.arg("--cache-dir").arg(layout::target().join("spin-cache"));
            if let Some(life) = self.instance_life {
                command.arg("--instance-life").arg(life.as_millis().to_string());
            }
        }
        for (name, value) in &self.variables {
            command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
        }
        let mut child = Child::spawn("Spin", &mut command, &self.log(), Signal::SIGTERM, reaper)?;
        let health = format!("{}/health/live", self.url());
        network::wait_for_ok(&mut child, &health, Duration::from_secs(90)).await?;
        Ok(child)
    }
}

/// The `spin` command; or our host, which can keep what it has compiled.
fn program() -> Result<(Command, bool)> {
    if let Some(spin) = InstalledSpin::find() {
        return Ok((Command::new(spin.program), false));
    }
    Ok((Command::new(layout::sibling_binary("spin-host")?), true))
}

fn is_recent(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= OLDEST)
}

/// Scheme, host and port of an address, as `allowed_outbound_hosts` has them.
fn origin(address: &str) -> Result<String> {
    let url = url::Url::parse(address.trim()).with_context(|| format!("{address} is no URL"))?;
    let host = url.host_str().with_context(|| format!("{address} has no host"))?;
    let port = url.port_or_known_default().or((url.scheme() == "redis").then_some(6379));
    let port = port.with_context(|| format!("{address} has no port"))?;
    Ok(format!("{}://{host}:{port}", url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_of_spin_do_not_serve() {
        for recent in ["4.1.0", "4.2.0-pre0", "5.0.1", "10.0.0"] {
            assert!(is_recent(recent), "{recent}");
        }
        for old in ["4.0.9", "3.11.0", "canary", "4", ""] {
            assert!(!is_recent(old), "{old}");
        }
    }

    #[test]
    fn components_may_go_where_the_address_is() {
        for (address, expected) in [
            ("http://127.0.0.1:4000/sql", "http://127.0.0.1:4000"),
            ("https://sql.example.test/sql", "https://sql.example.test:443"),
            ("redis://:secret@127.0.0.1/0", "redis://127.0.0.1:6379"),
        ] {
            assert_eq!(origin(address).unwrap(), expected);
        }
        assert!(origin("nowhere").is_err());
    }
}

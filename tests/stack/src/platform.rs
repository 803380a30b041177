//! Which runtime serves the functions.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, Result, bail};
use serde::{Deserialize, Serialize};

use crate::process::{Child, Reaper};
use crate::settings::Settings;
use crate::spin::Spin;
use crate::workers::Workers;

/// The environment variable that names the platform of stacks that are not told any.
pub const PLATFORM_VARIABLE: &str = "ATOMS_PLATFORM";

/// A platform that the functions run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Cloudflare Workers: workerd.
    #[default]
    Workers,
    /// Fermyon Spin: the `spin` command, or our own host where there is none.
    Spin,
}

impl Platform {
    /// What `ATOMS_PLATFORM` names; Workers if it is not set.
    ///
    /// # Errors
    /// If it names none.
    pub fn from_environment() -> Result<Self> {
        std::env::var(PLATFORM_VARIABLE).map_or_else(|_| Ok(Self::default()), |name| name.parse())
    }

    /// The store that keeps the ledgers if nobody says otherwise.
    pub(crate) const fn default_store(self) -> &'static str {
        match self {
            Self::Workers => "durable-object",
            Self::Spin => "sqlite",
        }
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "workers" => Ok(Self::Workers),
            "spin" => Ok(Self::Spin),
            other => bail!("{other} is no platform; there are workers and spin"),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workers => "workers",
            Self::Spin => "spin",
        })
    }
}

/// How to start the functions, again and again, on one port and one store.
pub(crate) enum Functions {
    Workers(Workers),
    Spin(Spin),
}

impl Functions {
    /// Where the service is.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Workers(workers) => workers.url(),
            Self::Spin(spin) => spin.url(),
        }
    }

    /// Who they are, for people.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Workers(_) => "functions in workerd",
            Self::Spin(_) => "functions in Spin",
        }
    }

    /// What a start reads from now on.
    pub(crate) fn configure(&mut self, values: &Settings) -> Result<()> {
        match self {
            Self::Workers(workers) => workers.configure(values),
            Self::Spin(spin) => spin.configure(values),
        }
    }

    /// Give one function another value of a setting, or none, from its next start on.
    pub(crate) fn set(&mut self, function: &str, name: &str, value: Option<&str>) -> Result<()> {
        match self {
            Self::Workers(workers) => workers.set(function, name, value),
            Self::Spin(spin) => spin.set(function, name, value),
        }
    }

    /// End every instance after so long, from the next start on, where that can be done.
    pub(crate) const fn end_instances_after(&mut self, life: Option<Duration>) {
        match self {
            Self::Workers(_) => (),
            Self::Spin(spin) => spin.instance_life = life,
        }
    }

    /// Start all and wait until they answer.
    pub(crate) async fn start_all(&self, reaper: &Arc<Reaper>) -> Result<Child> {
        match self {
            Self::Workers(workers) => workers.start_all(reaper).await,
            Self::Spin(spin) => spin.start(reaper).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_named_as_it_is_shown() {
        for platform in [Platform::Workers, Platform::Spin] {
            assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
        assert!("wasmtime".parse::<Platform>().is_err());
    }
}

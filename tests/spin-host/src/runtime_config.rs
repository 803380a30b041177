//! The runtime configuration: what stands behind the labels of stores and databases
//! (<https://spinframework.dev/dynamic-configuration>).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The label that exists without configuration.
const DEFAULT: &str = "default";

/// Stores and databases by label.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuntimeConfig {
    /// Key-value stores.
    #[serde(default, rename = "key_value_store")]
    pub(crate) key_values: BTreeMap<String, KeyValue>,
    /// SQLite databases.
    #[serde(default, rename = "sqlite_database")]
    pub(crate) databases: BTreeMap<String, Database>,
}

/// One key-value store.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum KeyValue {
    /// A SQLite file.
    Spin {
        /// Relative to the file of this configuration.
        path: PathBuf,
    },
    /// A Redis server.
    Redis {
        /// `redis://…`.
        url: String,
    },
}

/// One database.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Database {
    /// A SQLite file.
    Spin {
        /// Relative to the working directory.
        path: PathBuf,
    },
}

impl RuntimeConfig {
    /// Reads a file, where there is one; the default store and database are files in `state`.
    pub(crate) fn load(file: Option<&Path>, state: &Path) -> Result<Self> {
        let mut config = Self::default();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let base = file.parent().unwrap_or(Path::new(""));
            config = Self::parse(&text, base).with_context(|| file.display().to_string())?;
        }
        let path = state.join("sqlite_key_value.db");
        config.key_values.entry(DEFAULT.to_owned()).or_insert(KeyValue::Spin { path });
        let path = state.join("sqlite.db");
        config.databases.entry(DEFAULT.to_owned()).or_insert(Database::Spin { path });
        Ok(config)
    }

    fn parse(text: &str, base: &Path) -> Result<Self> {
        let mut config: Self = toml::from_str(text)?;
        for store in config.key_values.values_mut() {
            if let KeyValue::Spin { path } = store {
                *path = base.join(&*path);
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read() {
        let text = r#"
            [key_value_store.default]
            type = "redis"
            url = "redis://127.0.0.1:1"
            [key_value_store.other]
            type = "spin"
            path = "other.db"
            [sqlite_database.ledger]
            type = "spin"
            path = "/absolute/ledger.db"
        "#;
        let config = RuntimeConfig::parse(text, Path::new("/base")).unwrap();
        assert!(
            matches!(&config.key_values["default"], KeyValue::Redis { url } if url == "redis://127.0.0.1:1")
        );
        assert!(
            matches!(&config.key_values["other"], KeyValue::Spin { path } if path == Path::new("/base/other.db"))
        );
        let Database::Spin { path } = &config.databases["ledger"];
        assert_eq!(path, Path::new("/absolute/ledger.db"));
    }

    #[test]
    fn the_defaults_are_files_in_the_state() {
        let config = RuntimeConfig::load(None, Path::new("/state")).unwrap();
        assert!(
            matches!(&config.key_values["default"], KeyValue::Spin { path } if path.starts_with("/state"))
        );
        let Database::Spin { path } = &config.databases["default"];
        assert_eq!(path, Path::new("/state/sqlite.db"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for text in [
            "[llm_compute]\ntype = \"spin\"",
            "[key_value_store.a]\ntype = \"azure_cosmos\"\nkey = \"k\"",
            "[key_value_store.a]\ntype = \"spin\"\npath = \"p\"\nmore = 1",
            "[sqlite_database.a]\ntype = \"libsql\"\nurl = \"u\"",
        ] {
            assert!(RuntimeConfig::parse(text, Path::new("")).is_err(), "{text} was read");
        }
    }
}

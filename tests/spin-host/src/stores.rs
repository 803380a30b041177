//! The stores and databases that stand behind the labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::key_value::Backend;
use crate::manifest::Manifest;
use crate::runtime_config::{Database, KeyValue, RuntimeConfig};

/// All of one application, by label.
pub(crate) struct Stores {
    /// Key-value stores.
    pub(crate) key_values: BTreeMap<String, Backend>,
    /// Files of databases.
    pub(crate) databases: BTreeMap<String, PathBuf>,
}

impl Stores {
    /// Connects nothing yet: a store that cannot be reached is an error of the call, as in Spin.
    pub(crate) fn new(config: RuntimeConfig, manifest: &Manifest) -> Result<Self> {
        for (id, component) in &manifest.component {
            for label in &component.key_value_stores {
                let known = config.key_values.contains_key(label);
                ensure!(
                    known,
                    "component {id:?} uses the key-value store {label:?}, which is not configured"
                );
            }
            for label in &component.sqlite_databases {
                let known = config.databases.contains_key(label);
                ensure!(
                    known,
                    "component {id:?} uses the database {label:?}, which is not configured"
                );
            }
        }
        let mut stores = Self { key_values: BTreeMap::new(), databases: BTreeMap::new() };
        for (label, store) in config.key_values {
            let backend = match store {
                KeyValue::Spin { path } => Backend::sqlite(made(path)?, &label),
                KeyValue::Redis { url } => {
                    Backend::redis(&url).with_context(|| format!("store {label:?}"))?
                }
            };
            stores.key_values.insert(label, backend);
        }
        for (label, Database::Spin { path }) in config.databases {
            stores.databases.insert(label, made(path)?);
        }
        Ok(stores)
    }
}

/// Makes the folder of a file.
fn made(path: PathBuf) -> Result<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    Ok(path)
}

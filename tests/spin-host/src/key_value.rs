//! `spin:key-value`: labels that the manifest grants, on SQLite or Redis.

mod redis;
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::Result as Trapped;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use self::redis::RedisStore;
use self::sqlite::SqliteStore;
use crate::bindings::spin::key_value::key_value::{Error, Host, HostStore, HostStoreWithStore};
use crate::state::{Imports, State};

/// Spin's limit of open stores in an instance.
const LIMIT: usize = 256;

/// What a store keeps its values in.
#[derive(Clone)]
pub(crate) enum Backend {
    Sqlite(Arc<SqliteStore>),
    Redis(Arc<RedisStore>),
}

/// A store that a component has opened.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Opened(Backend);

type Keys = (StreamReader<String>, FutureReader<Result<(), Error>>);

impl Backend {
    /// A table in a SQLite file, where values are kept under the label.
    pub(crate) fn sqlite(path: PathBuf, label: &str) -> Self {
        Self::Sqlite(Arc::new(SqliteStore::new(path, label)))
    }

    /// A Redis server. Keys are as the component names them.
    pub(crate) fn redis(url: &str) -> anyhow::Result<Self> {
        Ok(Self::Redis(Arc::new(RedisStore::new(url)?)))
    }

    async fn open(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite(store) => store.clone().open().await,
            Self::Redis(store) => store.connection().await.map(drop),
        }
    }

    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Sqlite(store) => store.clone().get(key).await,
            Self::Redis(store) => store.get(key).await,
        }
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Sqlite(store) => store.clone().set(key, value).await,
            Self::Redis(store) => store.set(key, value).await,
        }
    }

    async fn delete(&self, key: String) -> Result<(), Error> {
        match self {
            Self::Sqlite(store) => store.clone().delete(key).await,
            Self::Redis(store) => store.delete(key).await,
        }
    }

    async fn exists(&self, key: String) -> Result<bool, Error> {
        match self {
            Self::Sqlite(store) => store.clone().exists(key).await,
            Self::Redis(store) => store.exists(key).await,
        }
    }

    async fn keys(&self) -> Result<Vec<String>, Error> {
        match self {
            Self::Sqlite(store) => store.clone().keys().await,
            Self::Redis(store) => store.keys().await,
        }
    }
}

/// An error that has no name of its own in the interface.
fn other(error: impl std::fmt::Display) -> Error {
    Error::Other(error.to_string())
}

impl Imports {
    fn backend<T: Send>(
        accessor: &Accessor<T, Self>,
        store: &Resource<Opened>,
    ) -> Result<Backend, Error> {
        let found = accessor
            .with(|mut access| access.get().table.get(store).map(|opened| opened.0.clone()));
        found.map_err(other)
    }
}

impl Host for State {}

impl HostStore for State {
    fn drop(&mut self, store: Resource<Opened>) -> Trapped<()> {
        self.table.delete(store)?;
        self.open.key_values -= 1;
        Ok(())
    }
}

impl<T: Send> HostStoreWithStore<T> for Imports {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> Result<Resource<Opened>, Error> {
        let backend = accessor.with(|mut access| {
            let component = &access.get().component;
            if !component.key_values.contains(&label) {
                return Err(Error::AccessDenied);
            }
            component.stores.key_values.get(&label).cloned().ok_or(Error::NoSuchStore)
        })?;
        backend.open().await?;
        accessor.with(|mut access| {
            let state = access.get();
            if state.open.key_values >= LIMIT {
                return Err(Error::StoreTableFull);
            }
            state.open.key_values += 1;
            state.table.push(Opened(backend)).map_err(other)
        })
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        store: Resource<Opened>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Error> {
        Self::backend(accessor, &store)?.get(key).await
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        store: Resource<Opened>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Error> {
        Self::backend(accessor, &store)?.set(key, value).await
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        store: Resource<Opened>,
        key: String,
    ) -> Result<(), Error> {
        Self::backend(accessor, &store)?.delete(key).await
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        store: Resource<Opened>,
        key: String,
    ) -> Result<bool, Error> {
        Self::backend(accessor, &store)?.exists(key).await
    }

    async fn get_keys(accessor: &Accessor<T, Self>, store: Resource<Opened>) -> Trapped<Keys> {
        let (keys, result) = match Self::backend(accessor, &store)?.keys().await {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            Ok((
                keys,
                FutureReader::new(
                    &mut access,
                    std::future::ready(Ok::<_, wasmtime::Error>(result)),
                )?,
            ))
        })
    }
}

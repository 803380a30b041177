//! Key-value on a Redis server.

use anyhow::{Context, Result};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client};
use tokio::sync::OnceCell;

use super::other;
use crate::bindings::spin::key_value::key_value::Error;

/// One store. All components share its connection, which is made again when it breaks.
pub(crate) struct RedisStore {
    client: Client,
    connection: OnceCell<ConnectionManager>,
}

impl RedisStore {
    /// Connects to nothing yet.
    pub(super) fn new(url: &str) -> Result<Self> {
        let client = Client::open(url).context("not the URL of a Redis server")?;
        Ok(Self { client, connection: OnceCell::new() })
    }

    /// The shared connection.
    pub(super) async fn connection(&self) -> Result<ConnectionManager, Error> {
        // Spin's client waits for as long as the server takes; this one would give up after 500 ms.
        let config =
            ConnectionManagerConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connect = || self.client.get_connection_manager_with_config(config);
        self.connection.get_or_try_init(connect).await.cloned().map_err(other)
    }

    pub(super) async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.connection().await?.get(key).await.map_err(other)
    }

    pub(super) async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.connection().await?.set(key, value).await.map_err(other)
    }

    pub(super) async fn delete(&self, key: String) -> Result<(), Error> {
        self.connection().await?.del(key).await.map_err(other)
    }

    pub(super) async fn exists(&self, key: String) -> Result<bool, Error> {
        self.connection().await?.exists(key).await.map_err(other)
    }

    pub(super) async fn keys(&self) -> Result<Vec<String>, Error> {
        self.connection().await?.keys("*").await.map_err(other)
    }
}
